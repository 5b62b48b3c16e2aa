"""An upgrade loses nothing: what the last release left behind, this one handles.

The archive of a release is made by `tools/release_archive.py`, with the settings of `settings_of`. The code
of the release is deployed and not run: what it leaves behind is written here as it wrote it.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import zipfile
from pathlib import Path

import pytest
from aws_cdk import App, Environment
from boto3.dynamodb.types import TypeSerializer

from emulator.server import DEFAULT_ACCOUNT, EmbeddedAws
from stacks.finding_turns import FindingTurnsStack
from stacks.member_role import member_role_template
from stacks.remediation import RemediationStack
from stacks.settings import RemediationSettings, TicketingSettings
from stacks.ticketing import TicketingStack
from tests.e2e.findings import control_finding, import_findings
from tests.e2e.observed import press, stored
from tests.e2e.stacks import deploy_synthesized, physical_id, prepare_region
from tests.shipped_settings import load_shipped_settings
from tests.vendor_servers.pager_duty import Incident
from tests.vendor_servers.servers import VendorServers

pytestmark = pytest.mark.long

RELEASE = Path(__file__).parent / "releases" / "before-0.1.0.zip"
HOME, MEMBER = "eu-west-1", "444455556666"
REMEDIATION, TICKETING, TURNS = "SecurityHubRemediation", "SecurityHubTicketing", "SecurityHubFindingTurns"
MEMBER_ROLE = "SecurityHubRemediationMember"
SECRET = "securityhub-actions/pager-duty"  # noqa: S105 - a secret's name
PRODUCT = f"arn:aws:securityhub:{HOME}::product/aws/securityhub"
OLD_ORGANIZATION = "o-exampleorgid"
REMEDIATIONS = [
    "security_group_open_to_world",
    "s3_public_access",
    "subnet_public_ip",
    "ec2_require_imdsv2",
    "ebs_default_encryption",
    "rds_instance_public_access",
    "rds_minor_version_upgrade",
]


def finding_of(control, resource_type, resource_id, **changes):
    resource = {"Type": resource_type, "Id": resource_id, "Region": HOME}
    fields = {"Severity": {"Label": "CRITICAL"}, "Resources": [resource]}
    return control_finding(control, resource_id[-17:], account=MEMBER, **fields | changes)


class World:
    """The accounts, and what the last release has left in them.

    Attributes:
        aws: The embedded AWS.
        vendors: The trackers.
        queued: A subnet whose finding waits in the queue for remediation.
        undone: A subnet that the last release changed, with the record of that.
        ticketed: A finding with an incident in PagerDuty.
    """

    def __init__(self, aws, vendors):
        self.aws, self.vendors = aws, vendors

    def consume(self, *, enabled):
        """Let the functions work on their queues, or not."""
        client = self.aws.client("lambda")
        for mapping in client.list_event_source_mappings()["EventSourceMappings"]:
            client.update_event_source_mapping(UUID=mapping["UUID"], Enabled=enabled)

    def subnet(self, *, assigns):
        ec2 = self.aws.client("ec2", account=MEMBER)
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        made = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
        ec2.modify_subnet_attribute(SubnetId=made, MapPublicIpOnLaunch={"Value": assigns})
        return made

    def assigns(self, subnet):
        ec2 = self.aws.client("ec2", account=MEMBER)
        return ec2.describe_subnets(SubnetIds=[subnet])["Subnets"][0]["MapPublicIpOnLaunch"]


def subnet_finding(subnet):
    return finding_of("EC2.15", "AwsEc2Subnet", f"arn:aws:ec2:{HOME}:{MEMBER}:subnet/{subnet}")


def settings_of(organization_id):
    shipped = load_shipped_settings()
    remediation, ticketing = shipped.remediation.model_dump(), shipped.ticketing.model_dump()
    remediation |= {
        "enabled": True,
        "administrator_account": DEFAULT_ACCOUNT,
        "organization_id": organization_id,
        "remediations": REMEDIATIONS,
        "accounts": {"allow": [DEFAULT_ACCOUNT, MEMBER], "deny": []},
    }
    remediation["automatic"] |= {"enabled": True, "mode": "apply", "filter": {"severity": ["CRITICAL"]}}
    ticketing |= {"enabled": True}
    ticketing["automatic"] |= {"enabled": True, "filter": {"severity": ["CRITICAL"]}}
    ticketing["pager_duty"]["enabled"] = True
    return RemediationSettings.model_validate(remediation), TicketingSettings.model_validate(ticketing)


def old_app(folder, organization_id):
    """The app of the last release, in the organization that the embedded AWS has."""
    with zipfile.ZipFile(RELEASE) as file:
        file.extractall(folder)
    for path in folder.glob("*.template.json"):
        path.write_text(path.read_text().replace(OLD_ORGANIZATION, organization_id))
    return folder


def member_stack(aws, template, *, update):
    """Create or update the member role's stack in the member account."""
    document = json.loads(template)
    plain = {"Resources": document["Resources"]}  # without what bootstrapping brings
    client = aws.client("cloudformation", account=MEMBER)
    operate = client.update_stack if update else client.create_stack
    operate(StackName=MEMBER_ROLE, TemplateBody=json.dumps(plain), Capabilities=["CAPABILITY_NAMED_IAM"])
    wanted = "UPDATE_COMPLETE" if update else "CREATE_COMPLETE"

    def is_done():
        return client.describe_stacks(StackName=MEMBER_ROLE)["Stacks"][0]["StackStatus"] == wanted

    aws.wait_until(is_done, what=f"the member role: {wanted}")


def leave_behind(world):
    """What the last release has left when it is upgraded."""
    aws = world.aws
    world.queued, world.undone = world.subnet(assigns=True), world.subnet(assigns=False)
    # An event that waits in the queue.
    import_findings(world.aws, [subnet_finding(world.queued)])
    # A record of what was so before, as `RecordsBucket.save` wrote it.
    finding = subnet_finding(world.undone)
    import_findings(world.aws, [{**finding, "Severity": {"Label": "LOW"}}])
    digest = hashlib.sha256(f"{PRODUCT}\n{finding['Id']}".encode()).hexdigest()
    record = {
        "finding": finding["Id"],
        "product": PRODUCT,
        "updated": finding["UpdatedAt"],
        "remediation": "subnet_public_ip",
        "resource": finding["Resources"][0]["Id"],
        "description": "Turned off that the subnet assigns public IPv4 addresses",
        "priorState": {"SubnetId": world.undone, "MapPublicIpOnLaunch": True},
    }
    aws.client("s3").put_object(
        Bucket=physical_id(world.aws, REMEDIATION, "AWS::S3::Bucket", "Records"),
        Key=f"{MEMBER}/{HOME}/{digest}.json",
        Body=json.dumps(record),
    )
    leave_ticket(world)


def leave_ticket(world):
    """An incident, its link at the finding, and its row in the table as `TicketTable.save` wrote it."""
    world.vendors.pager_duty.incidents["Q1"] = Incident(
        id="Q1",
        incident_key="old-1",
        title="An old incident",
        urgency="high",
        details="Old",
        created_at=dt.datetime(2026, 11, 20, 10, tzinfo=dt.UTC),
    )
    link = "https://example.pagerduty.com/incidents/Q1"
    finding = finding_of("S3.8", "AwsS3Bucket", "arn:aws:s3:::an-old-bucket-name")
    world.ticketed = {**finding, "Severity": {"Label": "LOW"}, "Workflow": {"Status": "NOTIFIED"}}
    import_findings(world.aws, [world.ticketed])
    world.aws.client("securityhub").batch_update_findings(
        FindingIdentifiers=[{"Id": finding["Id"], "ProductArn": PRODUCT}],
        UserDefinedFields={"Tickets": f"PagerDuty Q1 {link}"},
    )
    row = {
        "finding": hashlib.sha256(f"{PRODUCT}\n{finding['Id']}".encode()).hexdigest(),
        "tracker": "PagerDuty",
        "findingId": finding["Id"],
        "productArn": PRODUCT,
        "generation": 1,
        "state": "open",
        "since": "2026-11-20T10:00:00+00:00",
        "updatedAt": dt.datetime.fromisoformat(finding["UpdatedAt"]).isoformat(),
        "sentAt": "2026-11-20T10:00:00+00:00",
        "verdict": "",
        "ticket": {"id": "Q1", "link": link},
        "earlier": None,
        "told": True,
        "revision": 3,
    }
    world.aws.client("dynamodb").put_item(
        TableName=physical_id(world.aws, TICKETING, "AWS::DynamoDB::Table", "Tickets"),
        Item={name: TypeSerializer().serialize(value) for name, value in row.items()},
    )


@pytest.fixture(scope="module")
def world(feature_flags, tmp_path_factory):
    with EmbeddedAws.start() as aws, VendorServers() as vendors:
        prepare_region(aws, HOME)
        organizations = aws.client("organizations")
        organization = organizations.describe_organization()["Organization"]["Id"]
        handshake = organizations.invite_account_to_organization(Target={"Id": MEMBER, "Type": "ACCOUNT"})
        aws.client("organizations", account=MEMBER).accept_handshake(HandshakeId=handshake["Handshake"]["Id"])
        world = World(aws, vendors)
        aws.client("secretsmanager").create_secret(
            Name=SECRET, SecretString=json.dumps(vendors.pager_duty.secret)
        )
        old = old_app(tmp_path_factory.mktemp("old"), organization)
        deploy_synthesized(aws, old, REMEDIATION, TICKETING, region=HOME)
        world.consume(enabled=False)
        member_stack(aws, (old / f"{MEMBER_ROLE}.template.json").read_text(), update=False)
        leave_behind(world)
        remediation, ticketing = settings_of(organization)
        folder = tmp_path_factory.mktemp("new")
        cdk = App(context=feature_flags, analytics_reporting=False, outdir=str(folder))
        environment = Environment(account=DEFAULT_ACCOUNT, region=HOME)
        # As in the app: both act on the queued finding, and neither may overwrite what the other has written.
        turns = FindingTurnsStack(cdk, TURNS, env=environment).table
        RemediationStack(cdk, REMEDIATION, settings=remediation, turns=turns, env=environment)
        stack = TicketingStack(cdk, TICKETING, settings=ticketing, turns=turns, env=environment)
        # The settings demand PagerDuty's own address; this server is on this machine.
        for name, value in vendors.environment("pagerduty").items():
            if not name.endswith("_SECRET"):
                stack.function.add_environment(name, value)
        world.new_role = member_role_template(cdk, settings=remediation)
        cdk.synth()
        deploy_synthesized(aws, folder, TURNS, REMEDIATION, TICKETING, region=HOME)
        yield world


def test_an_event_that_waited_in_the_queue_is_remediated_through_the_member_role_of_the_last_release(world):
    world.consume(enabled=True)
    world.aws.wait_until(lambda: not world.assigns(world.queued), what="the remediation of the queued event")
    finding = subnet_finding(world.queued)
    world.aws.wait_until(
        lambda: stored(world.aws, finding)["Workflow"]["Status"] == "RESOLVED", what="the finding's status"
    )


def test_what_the_last_release_changed_can_be_undone(world):
    answer = press(world.aws, "UndoRemediation", [subnet_finding(world.undone)])
    assert answer.function_error is None
    assert world.assigns(world.undone)


def test_a_ticket_of_the_last_release_is_resolved_with_its_finding_and_none_is_opened_for_it(world):
    world.consume(enabled=True)
    world.aws.client("securityhub").batch_update_findings(
        FindingIdentifiers=[{"Id": world.ticketed["Id"], "ProductArn": PRODUCT}],
        Workflow={"Status": "RESOLVED"},
    )
    incidents = world.vendors.pager_duty.incidents
    world.aws.wait_until(lambda: incidents["Q1"].status == "resolved", what="the resolution of the incident")
    others = [one for one in incidents.values() if one.id != "Q1"]
    assert not [one for one in others if world.ticketed["Id"] in one.details]


def test_the_new_member_role_takes_the_place_of_the_old_one_and_still_works(world):
    member_stack(world.aws, world.new_role, update=True)
    roles = world.aws.client("iam", account=MEMBER)
    assert roles.list_role_policies(RoleName=MEMBER_ROLE)["PolicyNames"] == []
    assert len(roles.list_attached_role_policies(RoleName=MEMBER_ROLE)["AttachedPolicies"]) == 1
    subnet = world.subnet(assigns=True)
    finding = {**subnet_finding(subnet), "Severity": {"Label": "LOW"}}
    import_findings(world.aws, [finding])
    assert press(world.aws, "Remediate", [finding]).function_error is None
    assert not world.assigns(subnet)
