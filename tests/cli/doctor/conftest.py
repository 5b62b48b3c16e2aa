"""An account whose answers a test chooses, and templates of a few resources."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ClientError

from securityhub_actions.cli.aws import Aws
from securityhub_actions.cli.doctor import examine, patient_of

ACCOUNT, REGION = "111122223333", "us-east-1"
HUB = f"arn:aws:securityhub:{REGION}:{ACCOUNT}"


def refusal(code, message=""):
    """An error of AWS, for an operation that answers with it."""
    return ClientError({"Error": {"Code": code, "Message": message}}, "Any")


HEALTHY = {
    "sts.GetCallerIdentity": {"Account": ACCOUNT},
    "securityhub.DescribeHub": {"HubArn": f"{HUB}:hub/default", "SubscribedAt": "2026-01-02T03:04:05Z"},
    "securityhub.DescribeSecurityHubV2": {"SubscribedAt": "2026-01-02T03:04:05Z"},
    "securityhub.ListFindingAggregators": {"FindingAggregators": []},
    "securityhub.GetAdministratorAccount": {},
    "securityhub.ListMembers": {"Members": []},
    "securityhub.ListAggregatorsV2": {"AggregatorsV2": []},
    "securityhub.ListOrganizationAdminAccounts": {"AdminAccounts": []},
    "securityhub.DescribeActionTargets": {"ActionTargets": []},
    "cloudformation.DescribeStacks": refusal("ValidationError", "Stack does not exist"),
    "cloudformation.DescribeType": {"TypeName": "AWS::SecurityHub::ActionTarget"},
    "cloudformation.DescribeStackResources": refusal("ValidationError", "does not exist"),
    "cloudformation.GetTemplate": {"TemplateBody": {}},
    "events.ListRules": {"Rules": []},
    "service-quotas.GetServiceQuota": {"Quota": {"Value": 300.0}},
    "sqs.ListQueues": {"QueueUrls": []},
    "ssm.GetParameter": {"Parameter": {"Value": "21"}},
}
"""The answers of an account that is ready, by operation."""


class AnsweredAws(Aws):
    """An account in which each operation has one answer, or one that depends on its parameters."""

    def __init__(self, answers):
        super().__init__(region=REGION)
        self.answers = {**HEALTHY, **answers}

    def client(self, service, **options):
        """A client of boto3, which checks the parameters, and sends nothing."""
        client = super().client(service, **options)
        remember = client.meta.events.register_first
        remember("provide-client-params", _remember, unique_id="remember")
        client.meta.events.register_first("before-call", self._answer, unique_id="answer")
        return client

    def _answer(self, model, context, **_):
        answer = self.answers[f"{model.service_model.service_name}.{model.name}"]
        answer = answer(context["given"]) if callable(answer) else answer
        is_refusal = isinstance(answer, ClientError)
        return AWSResponse(
            "", 400 if is_refusal else 200, {}, None
        ), answer.response if is_refusal else answer


def _remember(params, context, **_):
    context["given"] = params


@pytest.fixture
def doctor(tmp_path, monkeypatch):
    """A function that examines an account: the checks of a name, each as its state and text."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")

    def examined(name, resources=None, *, stacks=(), version=6, metadata=(), **answers):
        given = {operation.replace("__", "."): answer for operation, answer in answers.items()}
        given = {name.replace("_", "-") if "quotas" in name else name: one for name, one in given.items()}
        path = None if resources is None else assembly(tmp_path, resources, version, metadata=metadata)
        patient = patient_of(AnsweredAws(given), path=path, names=stacks)
        return next(checks for one, checks in examine(patient) if one == name)

    return examined


def assembly(folder, resources, version=6, *, stack="App", region="unknown-region", metadata=()):
    """Write a cloud assembly with one stack, as `cdk synth` does."""
    artifact = {
        "type": "aws:cloudformation:stack",
        "environment": f"aws://unknown-account/{region}",
        "properties": {
            "templateFile": f"{stack}.template.json",
            "requiresBootstrapStackVersion": version,
            "bootstrapStackVersionSsmParameter": "/cdk-bootstrap/hnb659fds/version",
        },
        "metadata": {f"/{stack}": list(metadata)},
    }
    (folder / "manifest.json").write_text(json.dumps({"artifacts": {stack: artifact}}))
    (folder / f"{stack}.template.json").write_text(json.dumps({"Resources": resources}))
    return folder


def deployed(*resources, status="UPDATE_COMPLETE"):
    """The answers of an account in which the stack App has resources: type, logical ID, and physical ID."""
    summaries = [
        {
            "ResourceType": kind,
            "LogicalResourceId": logical_id,
            "PhysicalResourceId": physical_id,
            "ResourceStatus": "CREATE_COMPLETE",
        }
        for kind, logical_id, physical_id in resources
    ]
    stack = {"StackName": "App", "StackStatus": status, "CreationTime": datetime.now(UTC)}
    return {
        "cloudformation__DescribeStacks": {"Stacks": [stack]},
        "cloudformation__ListStackResources": {"StackResourceSummaries": summaries},
    }
