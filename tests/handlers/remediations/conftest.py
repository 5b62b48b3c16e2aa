"""A member account of the embedded AWS, and what each remediation really asks of it."""

import itertools
import re

import boto3
import botocore.session
import pytest
from botocore.loaders import create_loader

from remediation.registry import enabled_remediations
from securityhub_events import Finding, Resource
from stacks.remediation_catalog import read_catalog

REGION = "eu-west-1"
# Shared, because reading the models of EC2 takes a second for each test.
MODELS = create_loader()
_accounts = itertools.count(500_000_000_001)
# Where an IAM action is not named as its operation.
IAM_ACTIONS = {
    "s3:GetPublicAccessBlock": "s3:GetBucketPublicAccessBlock",
    "s3:PutPublicAccessBlock": "s3:PutBucketPublicAccessBlock",
    "s3:DeletePublicAccessBlock": "s3:PutBucketPublicAccessBlock",
    "s3control:GetPublicAccessBlock": "s3:GetAccountPublicAccessBlock",
    "s3control:PutPublicAccessBlock": "s3:PutAccountPublicAccessBlock",
    "s3control:DeletePublicAccessBlock": "s3:PutAccountPublicAccessBlock",
}


class Member:
    """An account of its own for each test.

    Attributes:
        account: its id.
        region: a region.
        session: what a remediation gets; every call through it is recorded.
        actions: the IAM actions of the calls since it was last cleared.
    """

    def __init__(self, aws):
        self.aws = aws
        self.account = str(next(_accounts))
        self.region = REGION
        self.actions = set()
        core = botocore.session.Session()
        core.register_component("data_loader", MODELS)
        self.session = boto3.Session(
            botocore_session=core,
            aws_access_key_id=self.account,
            aws_secret_access_key="test",  # noqa: S106 - the server takes any secret
            region_name=REGION,
        )
        self.session.events.register("before-call", self._record)
        self.session.events.register("before-send.s3-control", _to_the_address)

    def client(self, service):
        """A client for setting up and looking at the account, which is not recorded."""
        client = self.aws._new_client(service, self.account, self.region)
        client.meta.events.register("before-send.s3-control", _to_the_address)
        return client

    def finding(self, control, resource_type, resource_id, **more):
        """A finding of Security Hub about a resource of this account."""
        fields = {
            "id": f"arn:aws:securityhub:{REGION}:{self.account}:security-control/{control}/finding/1",
            "product_arn": f"arn:aws:securityhub:{REGION}::product/aws/securityhub",
            "aws_account_id": self.account,
            "region": REGION,
            "generator_id": f"security-control/{control}",
            "title": None,
            "severity_label": "HIGH",
            "workflow_status": "NEW",
            "record_state": "ACTIVE",
            "compliance_status": "FAILED",
            "resources": (Resource(type=resource_type, id=resource_id, region=REGION),),
            "updated_at": None,
            "raw": {"Compliance": {"SecurityControlId": control}},
        }
        return Finding(**fields | more)

    def _record(self, model, **_):
        service = model.service_model
        action = f"{service.signing_name}:{model.name}"
        self.actions.add(IAM_ACTIONS.get(f"{service.service_name}:{model.name}", action))


def _to_the_address(request, **_):
    """boto3 puts the account before the host's name, which for an address leads nowhere."""
    request.url = re.sub(r"//[0-9]{12}\.", "//", request.url)


@pytest.fixture
def member(embedded_aws, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", embedded_aws.endpoint_url)
    return Member(embedded_aws)


@pytest.fixture
def prove_statements(member):
    """A function that remediates findings, undoes it, and fails unless the statements are what that takes.

    Give it findings that together make the module call all that it can: sufficient is what allows every call
    that is made, necessary what is called. Undoing is tried twice, as after an interruption.
    """

    def prove(name, *findings, parameters=None):
        told = {name: parameters} if parameters else {}
        remediation, entry = enabled_remediations([name], told)[name], read_catalog()[name]
        changes = [
            remediation.apply(remediation.plan(finding, member.session), member.session)
            for finding in findings
        ]
        assert member.actions == _actions(entry.statements)
        if remediation.undo:
            member.actions.clear()
            for change in reversed(changes):
                remediation.undo(change, member.session)
                remediation.undo(change, member.session)
            assert member.actions == _actions(entry.undo_statements)

    return prove


def _actions(statements):
    return {action for statement in statements for action in statement.actions}
