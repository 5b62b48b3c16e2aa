"""A remediation that needs approval: pressed, decided on by somebody else in Systems Manager, done or not."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from aws_cdk import App, Environment

from emulator.server import DEFAULT_ACCOUNT, DEFAULT_REGION
from stacks.member_role import MemberRoleStack
from stacks.remediation import RemediationStack
from stacks.settings import RemediationSettings
from tests.e2e.findings import control_finding, import_findings
from tests.e2e.observed import press, stored
from tests.e2e.settings import remediation_at_home
from tests.e2e.stacks import deployed, physical_id, resources_of

STACK, MEMBER = "ApprovedRemediation", "ApprovedRemediationMember"
LEAD = "SecurityLead"
REMEDIATION = (Path(__file__).parents[2] / "docs" / "remediation.md").read_text(encoding="utf-8")


class Lead:
    """A person with the role that may approve.

    Attributes:
        arn: the ARN of the role.
        ssm: Systems Manager in a session of the role.
    """

    def __init__(self, aws):
        iam = aws.client("iam")
        trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": DEFAULT_ACCOUNT}}
        self.arn = iam.create_role(
            RoleName=LEAD, AssumeRolePolicyDocument=json.dumps({"Statement": [trust]})
        )["Role"]["Arn"]
        (policy,) = re.findall(r"```json\n(.+?)```", REMEDIATION, re.DOTALL)
        document = policy.replace("REGION", DEFAULT_REGION).replace("ACCOUNT", DEFAULT_ACCOUNT)
        iam.put_role_policy(RoleName=LEAD, PolicyName="approve", PolicyDocument=document)
        keys = aws.client("sts").assume_role(RoleArn=self.arn, RoleSessionName="ada")["Credentials"]
        self.ssm = aws.client_of_session(keys, "ssm")

    def send(self, signal, execution):
        self.ssm.send_automation_signal(AutomationExecutionId=execution, SignalType=signal)


@pytest.fixture(scope="module")
def lead(aws):
    yield Lead(aws)
    aws.client("iam").delete_role_policy(RoleName=LEAD, PolicyName="approve")
    aws.client("iam").delete_role(RoleName=LEAD)


@pytest.fixture(scope="module")
def app(aws, lead, feature_flags, tmp_path_factory):
    values = remediation_at_home(aws, "s3_public_access")
    values["automatic"]["filter"] = {"severity": "CRITICAL"}
    values["approval"] = {
        "enabled": True,
        "approvers": [lead.arn],
        "minimum_approvals": 1,
        "hours": 1,
        "remediations": [],
        "controls": ["S3.8"],
        "accounts": [DEFAULT_ACCOUNT],
        "emails": [],
    }
    settings = RemediationSettings.model_validate(values)
    folder = tmp_path_factory.mktemp("approval")
    cdk = App(context=feature_flags, analytics_reporting=False, outdir=str(folder))
    environment = Environment(account=DEFAULT_ACCOUNT, region=DEFAULT_REGION)
    RemediationStack(cdk, STACK, settings=settings, env=environment)
    MemberRoleStack(cdk, MEMBER, settings=settings, env=environment)
    with deployed(aws, cdk, STACK, MEMBER):
        yield aws


@pytest.fixture
def new_finding(app):
    """A function that makes a bucket, and imports a finding that it's open to the public."""

    def make(bucket, *, control="S3.8"):
        place = {"LocationConstraint": DEFAULT_REGION}
        app.client("s3").create_bucket(Bucket=bucket, CreateBucketConfiguration=place)
        resource = {"Type": "AwsS3Bucket", "Id": f"arn:aws:s3:::{bucket}", "Region": DEFAULT_REGION}
        finding = control_finding(control, bucket, Resources=[resource])
        import_findings(app, [finding])
        return finding

    return make


def is_closed(aws, bucket):
    s3 = aws.client("s3")
    try:
        block = s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
    except s3.exceptions.ClientError:
        return False
    return all(block.values())


def asked(aws, finding):
    """Press *Remediate*, and return the execution that asks for approval."""
    answer = press(aws, "Remediate", [finding])
    assert answer.function_error is None, answer.payload
    (report,) = answer.payload["findings"]
    assert report["status"] == "Waiting for approval, nothing changed"
    found = aws.client("ssm").describe_automation_executions()["AutomationExecutionMetadataList"]
    (execution,) = [
        one["AutomationExecutionId"] for one in found if one["AutomationExecutionId"] in report["description"]
    ]
    return execution


def note_of(aws, finding, begin):
    """Return the finding once its note begins so."""

    def written():
        found = stored(aws, finding)
        return found if found.get("Note", {}).get("Text", "").startswith(begin) else None

    return aws.wait_until(written, what=f"a note that begins with {begin!r}")


def test_what_somebody_else_approves_is_done_and_a_second_approval_comes_too_late(app, lead, new_finding):
    finding = new_finding("approved-bucket")
    execution = asked(app, finding)
    assert asked(app, finding) == execution
    assert not is_closed(app, "approved-bucket")
    found = note_of(app, finding, "Waiting for approval, nothing changed: Automation execution")
    assert found["Workflow"]["Status"] == "NEW"
    lead.send("Approve", execution)
    found = note_of(app, finding, "Remediated: ")
    assert found["Workflow"]["Status"] == "RESOLVED"
    assert f"assumed-role/{LEAD}/ada in Automation execution {execution}" in found["Note"]["Text"]
    assert is_closed(app, "approved-bucket")
    with pytest.raises(lead.ssm.exceptions.InvalidAutomationSignalException):
        lead.send("Approve", execution)


def test_whoever_presses_approves_nothing_not_even_the_administrator(app, new_finding):
    finding = new_finding("unapproved-bucket")
    execution = asked(app, finding)
    with pytest.raises(Exception, match="is no approver"):
        app.client("ssm").send_automation_signal(AutomationExecutionId=execution, SignalType="Approve")
    assert not is_closed(app, "unapproved-bucket")


@pytest.mark.long
def test_what_is_rejected_is_not_done(app, lead, new_finding):
    finding = new_finding("rejected-bucket")
    lead.send("Reject", asked(app, finding))
    found = note_of(app, finding, "Not approved, nothing changed: ")
    assert f"was rejected by arn:aws:sts::{DEFAULT_ACCOUNT}:assumed-role/{LEAD}/ada" in found["Note"]["Text"]
    assert found["Workflow"]["Status"] == "NEW"
    assert not is_closed(app, "rejected-bucket")


@pytest.mark.long
def test_what_nobody_approves_in_time_is_not_done(app, new_finding):
    ssm, (name,) = app.client("ssm"), resources_of(app, STACK, "AWS::SSM::Document").values()
    content = json.loads(ssm.get_document(Name=name)["Content"])
    content["mainSteps"][0]["timeoutSeconds"] = 1
    ssm.update_document(Name=name, Content=json.dumps(content))
    ssm.update_document_default_version(Name=name, DocumentVersion="2")
    finding = new_finding("forgotten-bucket")
    asked(app, finding)
    found = note_of(app, finding, "Not approved, nothing changed: ")
    assert "was not approved in time" in found["Note"]["Text"]
    assert not is_closed(app, "forgotten-bucket")
    ssm.update_document_default_version(Name=name, DocumentVersion="1")


@pytest.mark.long
def test_what_has_changed_meanwhile_is_asked_for_again(app, lead, new_finding):
    finding = new_finding("changed-bucket")
    first = asked(app, finding)
    block = {
        "BlockPublicAcls": True,
        "IgnorePublicAcls": False,
        "BlockPublicPolicy": False,
        "RestrictPublicBuckets": False,
    }
    app.client("s3").put_public_access_block(Bucket="changed-bucket", PublicAccessBlockConfiguration=block)
    lead.send("Approve", first)
    note_of(app, finding, "Waiting for approval, nothing changed: What was approved has changed since")
    assert not is_closed(app, "changed-bucket")
    second = asked(app, finding)
    assert second != first
    lead.send("Approve", second)
    note_of(app, finding, "Remediated: ")
    assert is_closed(app, "changed-bucket")


def test_what_is_outdated_is_canceled_within_the_hour_and_the_finding_says_so(app, lead, new_finding):
    finding = new_finding("suppressed-bucket")
    execution = asked(app, finding)
    app.client("securityhub").batch_update_findings(
        FindingIdentifiers=[{"Id": finding["Id"], "ProductArn": finding["ProductArn"]}],
        Workflow={"Status": "SUPPRESSED"},
    )
    function = physical_id(app, STACK, "AWS::Lambda::Function", "Function")
    hourly = {"source": "aws.events", "detail-type": "Scheduled Event", "id": "1", "detail": {}}
    answer = app.client("lambda").invoke(FunctionName=function, Payload=json.dumps(hourly))
    assert "FunctionError" not in answer, answer["Payload"].read()
    note = note_of(app, finding, "Not approved, nothing changed: ")["Note"]["Text"]
    assert f"{execution} was canceled, because the finding is SUPPRESSED by now: " in note
    with pytest.raises(lead.ssm.exceptions.InvalidAutomationSignalException):
        lead.send("Approve", execution)
    assert not is_closed(app, "suppressed-bucket")


def test_other_controls_need_no_approval(app, new_finding):
    finding = new_finding("other-bucket", control="S3.3")
    answer = press(app, "Remediate", [finding])
    assert answer.payload["findings"][0]["status"] == "Remediated"
