"""Remediation as deployed: pressed in the administrator account, done in the members, read with boto3."""

from __future__ import annotations

import json

import pytest
from aws_cdk import App, Environment

from emulator.server import DEFAULT_ACCOUNT
from stacks.remediation import RemediationStack
from stacks.settings import RemediationSettings
from tests.e2e.findings import control_finding
from tests.e2e.observed import dead_letters, press, stored
from tests.e2e.stacks import delete_stack, deploy_synthesized
from tests.shipped_settings import load_shipped_settings

STACK = "SecurityHubRemediation"
HOME, OTHER = "eu-west-1", "us-east-1"
MEMBERS = ("444455556666", "777788889999")
# In a unit that is denied, inside the unit that is allowed, and outside of both.
DENIED, OUTSIDER = "333344445555", "222233334444"


class Organization:
    """The accounts in their units.

    Attributes:
        id: the organization's.
        workloads: the unit of the second member.
        sensitive: the unit inside with the account that is denied.
        platform: the unit that the first member joins in the end.
    """

    def __init__(self, aws):
        self._aws, self._client = aws, aws.client("organizations")
        self.id = self._client.describe_organization()["Organization"]["Id"]
        (root,) = self._client.list_roots()["Roots"]
        self._root = root["Id"]
        self.workloads = self._unit("Workloads", self._root)
        self.sensitive = self._unit("Sensitive", self.workloads)
        self.platform = self._unit("Platform", self._root)
        self.join(MEMBERS[1], self.workloads)
        self.join(DENIED, self.sensitive)
        self.join(OUTSIDER)

    def _unit(self, name, parent):
        unit = self._client.create_organizational_unit(Name=name, ParentId=parent)
        return unit["OrganizationalUnit"]["Id"]

    def join(self, account, unit=None):
        target = {"Id": account, "Type": "ACCOUNT"}
        handshake = self._client.invite_account_to_organization(Target=target)["Handshake"]["Id"]
        self._aws.client("organizations", account=account).accept_handshake(HandshakeId=handshake)
        if unit:
            self._client.move_account(AccountId=account, SourceParentId=self._root, DestinationParentId=unit)


@pytest.fixture(scope="module")
def app(aws, feature_flags, tmp_path_factory):
    organization = Organization(aws)
    values = load_shipped_settings().remediation.model_dump()
    values["organization_id"] = organization.id
    values["remediations"].append("neptune_backup_retention")
    # The administrator account is allowed, but stack sets leave it out, which is how a member refuses. The
    # second member is allowed through its unit.
    values["accounts"] = {
        "allow": [MEMBERS[0], DEFAULT_ACCOUNT, organization.workloads],
        "deny": [organization.sensitive],
    }
    values["stack_set"] = {
        "enabled": True,
        "organizational_units": [organization.workloads, organization.platform],
        "delegated_administrator": False,
    }
    values["resource_tags"]["deny"] = {"protected": ["ANY"]}
    values["automatic"] |= {"enabled": True, "filter": {"severity": "CRITICAL"}}
    settings = RemediationSettings.model_validate(values)
    folder = tmp_path_factory.mktemp("remediation")
    cdk = App(context=feature_flags, analytics_reporting=False, outdir=str(folder))
    environment = Environment(account=DEFAULT_ACCOUNT, region=HOME)
    RemediationStack(cdk, STACK, settings=settings, env=environment)
    cdk.synth()
    deploy_synthesized(aws, folder, STACK, region=HOME)
    organization.join(MEMBERS[0], organization.platform)
    aws.wait_until(lambda: role_names(aws, MEMBERS[0]), what="the role of the account that joined")
    yield aws
    delete_stack(aws, STACK, region=HOME)


def role_names(aws, account):
    return [role["RoleName"] for role in aws.client("iam", account=account).list_roles()["Roles"]]


@pytest.fixture
def new_group(app):
    """A function that makes a security group: SSH and HTTPS from the world, SSH from a network."""

    def make(account, region):
        ec2 = app.client("ec2", account=account, region=region)
        group = ec2.create_security_group(
            GroupName=f"group-{len(ec2.describe_security_groups()['SecurityGroups'])}", Description="A test's"
        )["GroupId"]
        for port, cidr in ((22, "0.0.0.0/0"), (443, "0.0.0.0/0"), (22, "10.0.0.0/8")):
            ec2.authorize_security_group_ingress(
                GroupId=group,
                IpPermissions=[
                    {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": [{"CidrIp": cidr}]}
                ],
            )
        return group

    return make


OPEN = {(22, "0.0.0.0/0"), (443, "0.0.0.0/0"), (22, "10.0.0.0/8")}
CLOSED = OPEN - {(22, "0.0.0.0/0")}


def ingress(aws, account, region, group):
    (found,) = aws.client("ec2", account=account, region=region).describe_security_groups(GroupIds=[group])[
        "SecurityGroups"
    ]
    return {
        (rule["FromPort"], cidr["CidrIp"]) for rule in found["IpPermissions"] for cidr in rule["IpRanges"]
    }


def encrypts_by_default(aws, account, region):
    ec2 = aws.client("ec2", account=account, region=region)
    return ec2.get_ebs_encryption_by_default()["EbsEncryptionByDefault"]


def finding_of(control, resource_type, resource_id, account, region, *, severity="HIGH"):
    return control_finding(
        control,
        resource_id[-20:],
        account=account,
        region=region,
        Severity={"Label": severity},
        Resources=[{"Type": resource_type, "Id": resource_id, "Region": region}],
    )


def group_finding(group, account, region, **more):
    arn = f"arn:aws:ec2:{region}:{account}:security-group/{group}"
    return finding_of("EC2.13", "AwsEc2SecurityGroup", arn, account, region, **more)


def import_and_press(aws, action_id, findings):
    aws.client("securityhub").batch_import_findings(Findings=findings)
    return press(aws, action_id, findings)


def written_to(aws, finding):
    found = stored(aws, finding)
    return found["Workflow"]["Status"], found.get("Note", {}).get("Text", "")


def test_pressing_fixes_the_resource_in_the_account_and_region_that_each_finding_names(app, new_group):
    places = [(MEMBERS[0], HOME), (MEMBERS[1], OTHER)]
    groups = [new_group(account, region) for account, region in places]
    findings = [group_finding(group, *place) for group, place in zip(groups, places, strict=True)]
    account = f"AWS::::Account:{MEMBERS[0]}"
    findings.append(finding_of("EC2.7", "AwsAccount", account, MEMBERS[0], OTHER))
    assert [ingress(app, *place, group) for group, place in zip(groups, places, strict=True)] == [OPEN, OPEN]
    assert not encrypts_by_default(app, MEMBERS[0], OTHER)

    answer = import_and_press(app, "Remediate", findings)

    assert answer.function_error is None
    assert [ingress(app, *place, group) for group, place in zip(groups, places, strict=True)] == [
        CLOSED,
        CLOSED,
    ]
    assert encrypts_by_default(app, MEMBERS[0], OTHER)
    assert not encrypts_by_default(app, MEMBERS[0], HOME)
    assert not encrypts_by_default(app, MEMBERS[1], OTHER)
    for finding in findings:
        status, note = written_to(app, finding)
        assert status == "RESOLVED"
        assert note.startswith("Remediated: ")
        assert "action/custom/Remediate" in note
        assert "Before: " in note


def test_the_accounts_of_the_units_have_the_role_and_no_other_account_has(app):
    having = [a for a in (*MEMBERS, DENIED, OUTSIDER) if "SecurityHubRemediationMember" in role_names(app, a)]
    assert having == [*MEMBERS, DENIED]


def test_a_public_bucket_is_closed(app):
    s3 = app.client("s3", account=MEMBERS[1], region=HOME)
    s3.create_bucket(Bucket="example-public", CreateBucketConfiguration={"LocationConstraint": HOME})
    finding = finding_of("S3.8", "AwsS3Bucket", "arn:aws:s3:::example-public", MEMBERS[1], HOME)

    assert import_and_press(app, "Remediate", [finding]).function_error is None

    block = s3.get_public_access_block(Bucket="example-public")["PublicAccessBlockConfiguration"]
    assert set(block.values()) == {True}


def test_a_runbook_fixes_the_resource_with_the_role_that_the_member_has_for_it(app):
    rds = app.client("rds", account=MEMBERS[1], region=OTHER)
    made = rds.create_db_cluster(DBClusterIdentifier="graph", Engine="neptune", BackupRetentionPeriod=1)
    arn = made["DBCluster"]["DBClusterArn"]
    finding = finding_of("Neptune.5", "AwsRdsDbCluster", arn, MEMBERS[1], OTHER)

    assert import_and_press(app, "Remediate", [finding]).function_error is None

    (cluster,) = rds.describe_db_clusters(DBClusterIdentifier="graph")["DBClusters"]
    assert cluster["BackupRetentionPeriod"] == 7
    ssm = app.client("ssm", account=MEMBERS[1], region=OTHER)
    (execution,) = ssm.describe_automation_executions()["AutomationExecutionMetadataList"]
    assert execution["AutomationExecutionStatus"] == "Success"
    status, note = written_to(app, finding)
    assert status == "RESOLVED"
    assert f"execution {execution['AutomationExecutionId']}. " in note


def test_a_second_press_changes_nothing_and_says_so(app, new_group):
    group = new_group(MEMBERS[0], HOME)
    finding = group_finding(group, MEMBERS[0], HOME)
    import_and_press(app, "Remediate", [finding])

    assert press(app, "Remediate", [finding]).function_error is None

    assert ingress(app, MEMBERS[0], HOME, group) == CLOSED
    assert written_to(app, finding)[1].startswith("Already done, nothing changed now. Remediated: ")


def test_undoing_restores_what_was_there(app, new_group):
    group = new_group(MEMBERS[0], HOME)
    finding = group_finding(group, MEMBERS[0], HOME)
    import_and_press(app, "Remediate", [finding])
    assert ingress(app, MEMBERS[0], HOME, group) == CLOSED

    assert press(app, "UndoRemediation", [finding]).function_error is None

    assert ingress(app, MEMBERS[0], HOME, group) == OPEN
    status, note = written_to(app, finding)
    assert status == "NEW"
    assert note.startswith("Remediation undone: ")


def test_undoing_leaves_what_somebody_has_changed_since_and_says_so(app):
    bucket = "example-changed-since"
    s3 = app.client("s3", account=MEMBERS[1], region=HOME)
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": HOME})
    finding = finding_of("S3.8", "AwsS3Bucket", f"arn:aws:s3:::{bucket}", MEMBERS[1], HOME)
    import_and_press(app, "Remediate", [finding])
    chosen = {
        "BlockPublicAcls": True,
        "IgnorePublicAcls": True,
        "BlockPublicPolicy": False,
        "RestrictPublicBuckets": False,
    }
    s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=chosen)

    assert press(app, "UndoRemediation", [finding]).function_error is None

    assert s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"] == chosen
    status, note = written_to(app, finding)
    assert status == "RESOLVED"
    assert note.startswith(
        "Cannot be undone: Changed since the remediation left it, so it stays: Block Public Access is on for "
        "BlockPublicAcls, IgnorePublicAcls only instead of on. To have it as before, restore it manually "
        "from s3://"
    )

    s3.delete_public_access_block(Bucket=bucket)

    assert press(app, "UndoRemediation", [finding]).function_error is None

    status, note = written_to(app, finding)
    assert status == "NEW"
    assert note.startswith(
        "Remediation undone: It's already as before, so there was nothing to undo of: Turn on"
    )


def test_an_account_whose_role_refuses_stops_no_other_and_its_findings_are_reported(app, new_group):
    places = [(MEMBERS[0], HOME), (MEMBERS[1], OTHER), (DEFAULT_ACCOUNT, HOME)]
    made = [(new_group(*places[number % 3]), *places[number % 3]) for number in range(20)]
    findings = [group_finding(*one) for one in made]

    answer = import_and_press(app, "Remediate", findings)

    assert answer.function_error == "Unhandled"
    assert f"6 failure(s). {findings[2]['Id']}: MemberRoleError" in answer.payload["errorMessage"]
    for (group, account, region), finding in zip(made, findings, strict=True):
        status, note = written_to(app, finding)
        if account == DEFAULT_ACCOUNT:
            assert ingress(app, account, region, group) == OPEN
            assert status == "NEW"
            assert note.startswith("Remediation failed: MemberRoleError")
        else:
            assert ingress(app, account, region, group) == CLOSED
            assert status == "RESOLVED"
            assert note.startswith("Remediated: "), "a retry did it again"
    letters = dead_letters(app, STACK)
    kept = {finding["Id"] for letter in letters for finding in letter["requestPayload"]["detail"]["findings"]}
    assert kept >= {finding["Id"] for finding in findings}


def test_an_account_that_is_not_allowed_or_in_a_unit_that_is_denied_is_not_touched(app, new_group):
    accounts = {
        OUTSIDER: f"Account {OUTSIDER} is not on the allow list, and neither is a unit above it. ",
        DENIED: f"Account {DENIED} is in ou-",
    }
    groups = {account: new_group(account, HOME) for account in accounts}
    findings = {account: group_finding(group, account, HOME) for account, group in groups.items()}

    assert import_and_press(app, "Remediate", [*findings.values()]).function_error is None

    for account, why in accounts.items():
        assert ingress(app, account, HOME, groups[account]) == OPEN
        assert written_to(app, findings[account])[1].startswith(f"Not allowed, nothing changed: {why}")


def test_a_resource_with_a_tag_that_is_denied_is_not_touched_and_others_are(app, new_group):
    protected, other = new_group(MEMBERS[1], OTHER), new_group(MEMBERS[1], OTHER)
    tags = [{"Key": "protected", "Value": "by the network team"}]
    app.client("ec2", account=MEMBERS[1], region=OTHER).create_tags(Resources=[protected], Tags=tags)
    findings = [group_finding(group, MEMBERS[1], OTHER) for group in (protected, other)]

    assert import_and_press(app, "Remediate", findings).function_error is None

    assert ingress(app, MEMBERS[1], OTHER, protected) == OPEN
    assert ingress(app, MEMBERS[1], OTHER, other) == CLOSED
    status, note = written_to(app, findings[0])
    assert status == "NEW"
    assert "has the tag protected=by the network team, which is on the deny list" in note


def test_an_imported_finding_is_planned_for_once_and_nothing_changes(app, new_group):
    group = new_group(MEMBERS[1], HOME)
    finding = group_finding(group, MEMBERS[1], HOME, severity="CRITICAL")
    app.client("securityhub").batch_import_findings(Findings=[finding])

    def planned():
        return written_to(app, finding)[1]

    note = app.wait_until(planned, what="the plan")

    assert note.startswith("Dry run, nothing changed: Revoke 1 rule(s): ingress tcp 22 0.0.0.0/0")
    assert ingress(app, MEMBERS[1], HOME, group) == OPEN
    imported = [event for event in app.events() if finding["Id"] in json.dumps(event)]
    assert len(imported) <= 2, "writing the plan triggered another"
