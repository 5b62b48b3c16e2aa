"""A member account of the embedded AWS, and what each remediation really asks of it."""

from __future__ import annotations

import itertools
import json
import re

import boto3
import botocore.session
import pytest
from botocore.loaders import create_loader

from functions.remediate.session_policy import session_policy
from remediations.registry import enabled_remediations
from remediations.runbooks import waiting_for_runbooks
from securityhub.events import Finding, Resource, parse_event
from stacks.remediation_catalog import EXECUTION_STATEMENTS, SEARCH_STATEMENTS, read_catalog

REGION = "eu-west-1"
AUTOMATION_ROLE = "securityhub/Automation"
# Shared, because reading the models of EC2 takes a second for each test.
MODELS = create_loader()
_accounts = itertools.count(500_000_000_001)
_roles = itertools.count()
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
        # Not `aws.client`, which would keep the clients of every test's account until the server ends.
        self._keys = {"AccessKeyId": self.account, "SecretAccessKey": "test", "SessionToken": None}
        self._clients = {}
        self._hooks = [("before-call", self._record), ("before-send.s3-control", _to_the_address)]
        self.session = self._session(self.account, "test", None)

    def client(self, service):
        """A client for setting up and looking at the account, which is not recorded."""
        if service not in self._clients:
            client = self.aws.client_of_session(self._keys, service, region=self.region)
            client.meta.events.register("before-send.s3-control", _to_the_address)
            self._clients[service] = client
        return self._clients[service]

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

    def register(self, event, hook):
        """Let botocore call a function at an event, in `session` and in those of roles made later."""
        self._hooks.append((event, hook))
        self.session.events.register(event, hook)

    def in_session(self, policy):
        """The same as `session`, but of a role that may do everything, in a session with a policy."""
        iam, name = self.client("iam"), f"role-{next(_roles)}"
        trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": self.account}}
        role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=_document([trust]))["Role"]["Arn"]
        iam.put_role_policy(
            RoleName=name,
            PolicyName="everything",
            PolicyDocument=_document([{"Effect": "Allow", "Action": "*", "Resource": "*"}]),
        )
        session = self.client("sts").assume_role(RoleArn=role, RoleSessionName="member", Policy=policy)[
            "Credentials"
        ]
        return self._session(session["AccessKeyId"], session["SecretAccessKey"], session["SessionToken"])

    def filled(self, statements):
        """The statements as those of a policy of this account."""
        return [
            {
                "Effect": "Allow",
                "Action": list(statement.actions),
                "Resource": [self._filled(resource) for resource in statement.resources],
                "Condition": {
                    operator: {key: self._filled(value) for key, value in keys.items()}
                    for operator, keys in (statement.conditions or {}).items()
                },
            }
            for statement in statements
        ]

    def _filled(self, resource):
        places = {"${Partition}": "aws", "${Region}": self.region, "${Account}": self.account}
        for placeholder, value in places.items():
            resource = resource.replace(placeholder, value)
        return resource

    def _session(self, key, secret, token):
        core = botocore.session.Session()
        core.register_component("data_loader", MODELS)
        session = boto3.Session(
            botocore_session=core,
            aws_access_key_id=key,
            aws_secret_access_key=secret,
            aws_session_token=token,
            region_name=REGION,
        )
        for event, hook in self._hooks:
            session.events.register(event, hook)
        return session

    def _record(self, model, **_):
        service = model.service_model
        action = f"{service.signing_name}:{model.name}"
        self.actions.add(IAM_ACTIONS.get(f"{service.service_name}:{model.name}", action))


def _to_the_address(request, **_):
    """boto3 puts the account before the host's name, which for an address leads nowhere."""
    request.url = re.sub(r"//[0-9]{12}\.", "//", request.url)


@pytest.fixture
def finding(load_event):
    """A finding of Security Hub as an event has it, for tests without a member account."""
    (finding,) = parse_event(load_event("custom_action_1_finding")).findings
    return finding


@pytest.fixture
def member(embedded_aws, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", embedded_aws.endpoint_url)
    return Member(embedded_aws)


@pytest.fixture
def with_automation_role(member):
    """A function that gives the account the role of a remediation's runbook, and lets runbooks be run.

    Runbooks are looked at once: what has not ended then is taken for running on.
    """
    iam = member.client("iam")
    path, _, name = AUTOMATION_ROLE.rpartition("/")
    trust = {
        "Effect": "Allow",
        "Action": "sts:AssumeRole",
        "Principal": {"Service": "ssm.amazonaws.com"},
        "Condition": {
            "StringEquals": {"aws:SourceAccount": member.account},
            "ArnLike": {"aws:SourceArn": f"arn:aws:ssm:*:{member.account}:automation-execution/*"},
        },
    }

    def make(remediation, *, without=()):
        iam.create_role(RoleName=name, Path=f"/{path}/", AssumeRolePolicyDocument=_document([trust]))
        allowed = [
            {**statement, "Action": [action for action in statement["Action"] if action not in without]}
            for statement in member.filled(read_catalog()[remediation].runbook_statements)
        ]
        iam.put_role_policy(RoleName=name, PolicyName=remediation, PolicyDocument=_document(allowed))

    with waiting_for_runbooks(role=AUTOMATION_ROLE, seconds=0, poll_seconds=0):
        yield make


@pytest.fixture
def plan_in_both_orders(member):
    """A function that returns the plans for the order in which AWS lists things, and for the opposite one.

    AWS documents no order. What was approved is a plan, and would count as another one.
    """

    def plans(plan, finding):
        first = plan(finding, member.session)
        member.register("after-call", _reverse_lists)
        return first, plan(finding, member.session)

    return plans


def _reverse_lists(parsed, **_):
    for value in parsed.values() if isinstance(parsed, dict) else parsed:
        if isinstance(value, (dict, list)):
            _reverse_lists(value)
    if isinstance(parsed, list):
        parsed.reverse()


@pytest.fixture
def changed_since(member):
    """A function that tells what an undo leaves alone, because it's not as the remediation left it."""

    def look(module_look, change):
        return [str(one) for one in module_look(change, member.session) if one.is_changed]

    return look


@pytest.fixture
def prove_statements(member):
    """A function that remediates findings, undoes it, and fails unless the statements are what that takes.

    It acts in a session that may do what the function's sessions may: sufficient is what the embedded AWS
    then lets pass. Necessary is what is called: give it findings that together make the module call all that
    it can. Undoing is tried twice, as after an interruption.
    """

    def prove(name, *findings, parameters=None):
        told = {name: parameters} if parameters else {}
        remediation, entry = enabled_remediations([name], told)[name], read_catalog()[name]
        shared = (*EXECUTION_STATEMENTS, *SEARCH_STATEMENTS) if entry.runbook else ()
        statements = (*entry.statements, *entry.start_statements, *shared)
        role = member.in_session(policy_of(remediation, member, undoes=False))
        changes = [remediation.apply(remediation.plan(finding, role), role) for finding in findings]
        assert member.actions == _actions(statements)
        if remediation.undo:
            member.actions.clear()
            role = member.in_session(policy_of(remediation, member, undoes=True))
            for change in reversed(changes):
                settings = remediation.look(change, role)
                assert settings
                assert all(one.now == one.left != one.before for one in settings), settings
                remediation.undo(change, role, remediation.look(change, role))
                settings = remediation.look(change, role)
                assert all(one.is_restored for one in settings), settings
                remediation.undo(change, role, settings)
            assert member.actions == _actions(entry.undo_statements)

    return prove


def policy_of(remediation, member, *, undoes, reads_tags=False):
    """The policy of the function's session for a remediation."""
    return session_policy(
        remediation,
        account=member.account,
        partition="aws",
        automation_role=AUTOMATION_ROLE,
        undoes=undoes,
        reads_tags=reads_tags,
    )


def _document(statements):
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def _actions(statements):
    return {action for statement in statements for action in statement.actions}
