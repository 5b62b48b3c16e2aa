"""Parts of the app that are turned off, deleted, and turned on again, with `cdk deploy` and `cdk import`.

docs/operations.md tells users these steps.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from aws_cdk import App

import app
from emulator.server import DEFAULT_ACCOUNT, DEFAULT_REGION
from securityhub_actions.cli.aws import Aws
from securityhub_actions.cli.doctor import examine, patient_of
from stacks.ticketing import TicketingStack
from tests.e2e.findings import control_finding, import_findings
from tests.e2e.observed import links, press, stored
from tests.e2e.stacks import delete_stack, stack_of
from tests.e2e.trackers import connect
from tests.shipped_settings import load_shipped_settings
from tools.deploy import run_cdk

REMEDIATION, TICKETING = "SecurityHubRemediation", "SecurityHubTicketing"
# In the order in which docs/operations.md deletes them: what others use comes last.
PARTS = (
    REMEDIATION,
    TICKETING,
    "SecurityHubRemediationMember",
    "SecurityHubOutcomes",
    "SecurityHubStopSwitch",
    "SecurityHubFindingTurns",
)
ALWAYS = ("SecurityHubFindingsRouting", "SecurityHubAnalystActions")
BUCKET, TABLE = "AWS::S3::Bucket", "AWS::DynamoDB::Table"
SECRETS = {"pagerduty": "securityhub-actions/pager-duty"}


ON = """
[remediation]
enabled = true
administrator_account = "{account}"
organization_id = "{organization}"
remediations = ["subnet_public_ip"]

[remediation.accounts]
allow = ["{account}"]

[ticketing]
enabled = true

[ticketing.pager_duty]
enabled = true

[outcomes]
enabled = true
"""


class World:
    """The app, synthesized with its parts on and off, and what it acts on."""

    def __init__(self, aws, vendors, feature_flags, folder):
        self.aws, self.vendors, self._flags, self._folder = aws, vendors, feature_flags, folder
        self.kept = {}
        organization = aws.client("organizations").describe_organization()["Organization"]["Id"]
        self.on = self._synthesize("on", ON.format(account=DEFAULT_ACCOUNT, organization=organization))
        self.off = self._synthesize("off", "")

    def _synthesize(self, name, settings):
        """Run app.py in this process, which takes a tenth of the time that the CLI takes for it."""
        folder, file = self._folder / name, self._folder / f"{name}.toml"
        file.write_text(settings)
        context = {**self._flags, "settings": str(file)}

        def ticketing(*arguments, **settings):
            stack = TicketingStack(*arguments, **settings)
            connect(self.aws, stack, self.vendors, SECRETS)
            return stack

        with pytest.MonkeyPatch.context() as patch:
            new_app = App(context=context, analytics_reporting=False, outdir=str(folder))
            patch.setattr(app, "App", lambda: new_app)
            patch.setattr(app, "load_settings", load_shipped_settings)
            patch.setattr(app, "check_templates", lambda _: None)
            patch.setattr(app, "TicketingStack", ticketing)
            patch.setenv("CDK_DEFAULT_ACCOUNT", DEFAULT_ACCOUNT)
            patch.setenv("CDK_DEFAULT_REGION", DEFAULT_REGION)
            app.main()
        return folder

    def deploy(self, folder):
        arguments = ("--require-approval", "never", "--no-notices", "--app", str(folder))
        return run_cdk(self.aws, "deploy", "--all", *arguments)

    def import_retained(self, stack):
        """Run `cdk import` for what a stack has retained."""
        keys = {BUCKET: "BucketName", TABLE: "TableName"}
        mapping = {
            logical_id: {keys[resource_type]: name}
            for (owner, resource_type, logical_id), name in self.kept.items()
            if owner == stack
        }
        file = Path(self._folder, f"{stack}.json")
        file.write_text(json.dumps(mapping))
        return run_cdk(
            self.aws, "import", stack, "--app", str(self.on), "--force", "--resource-mapping", str(file)
        )

    def subnet_finding(self):
        """A failed finding about a new subnet that assigns public addresses."""
        ec2 = self.aws.client("ec2")
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
        ec2.modify_subnet_attribute(SubnetId=subnet, MapPublicIpOnLaunch={"Value": True})
        arn = f"arn:aws:ec2:{DEFAULT_REGION}:{DEFAULT_ACCOUNT}:subnet/{subnet}"
        resource = {"Type": "AwsEc2Subnet", "Id": arn, "Region": DEFAULT_REGION}
        finding = control_finding("EC2.15", subnet, Resources=[resource])
        import_findings(self.aws, [finding])
        return finding

    def assigns(self, finding):
        subnet = finding["Resources"][0]["Id"].rpartition("/")[2]
        found = self.aws.client("ec2").describe_subnets(SubnetIds=[subnet])["Subnets"]
        return found[0]["MapPublicIpOnLaunch"]

    def press(self, action, finding):
        assert press(self.aws, action, [finding]).function_error is None

    def incidents(self, finding):
        return [one for one in self.vendors.pager_duty.incidents.values() if finding["Id"] in one.details]

    def actions(self):
        pages = self.aws.client("securityhub").get_paginator("describe_action_targets").paginate()
        return {one["ActionTargetArn"].rpartition("/")[2] for page in pages for one in page["ActionTargets"]}

    def deployed(self):
        return [name for name in PARTS if stack_of(self.aws, name, region=DEFAULT_REGION)]


@pytest.fixture(scope="module")
def world(aws, vendors, feature_flags, tmp_path_factory):
    world = World(aws, vendors, feature_flags, tmp_path_factory.mktemp("off-and-on"))
    yield world
    for name in (*PARTS[:3], *ALWAYS, *PARTS[3:]):
        delete_stack(aws, name, region=DEFAULT_REGION)


@pytest.fixture(scope="module")
def on(world):
    """Everything is on, and has acted."""
    world.deploy(world.on)
    world.remediated, world.ticketed = world.subnet_finding(), control_finding("S3.8", "off-and-on")
    import_findings(world.aws, [world.ticketed])
    world.press("Remediate", world.remediated)
    world.press("OpenTicket", world.ticketed)
    return world


@pytest.fixture(scope="module")
def off(on):
    """Everything was turned off and deployed, and no stack is deleted yet."""
    on.output = on.deploy(on.off)
    return on


@pytest.fixture(scope="module")
def deleted(off):
    """The stacks are deleted in the order that the documentation names."""
    arns = {
        stack_of(off.aws, name, region=DEFAULT_REGION)["StackId"]: name for name in (REMEDIATION, TICKETING)
    }
    for name in PARTS:
        delete_stack(off.aws, name, region=DEFAULT_REGION)
    client = off.aws.client("cloudformation")
    off.kept = {
        (stack, one["ResourceType"], one["LogicalResourceId"]): one["PhysicalResourceId"]
        for arn, stack in arns.items()
        for one in client.describe_stack_events(StackName=arn)["StackEvents"]
        if one["ResourceStatus"] == "DELETE_SKIPPED"
    }
    return off


@pytest.fixture(scope="module")
def again(deleted):
    """Everything is on again, with what the first deployment retained."""
    for stack in (REMEDIATION, TICKETING):
        deleted.import_retained(stack)
    deleted.deploy(deleted.on)
    return deleted


def test_what_is_on_acts(on):
    assert not on.assigns(on.remediated)
    assert len(on.incidents(on.ticketed)) == 1


def test_what_is_turned_off_acts_until_its_stack_is_deleted(off):
    assert "SecurityHubRemediation" not in off.output
    assert off.deployed() == list(PARTS)
    finding = off.subnet_finding()
    off.press("Remediate", finding)
    assert not off.assigns(finding)


def test_the_doctor_finds_each_part_that_is_turned_off(off, monkeypatch):
    for name, value in off.aws.settings().items():
        monkeypatch.setenv(name, value)
    patient = patient_of(Aws(region=DEFAULT_REGION), path=off.off, names=())
    found = next(checks for name, checks in examine(patient) if name == "turned-off")
    assert {one.text.partition(" is deployed")[0] for one in found} >= set(PARTS)


def test_the_cdk_doesnt_know_a_stack_that_is_turned_off(off):
    arguments = ("--force", "--no-notices", "--app", str(off.off))
    assert f"No stacks match the name(s): {REMEDIATION}" in run_cdk(
        off.aws, "destroy", REMEDIATION, *arguments
    )
    assert REMEDIATION in off.deployed()


def test_the_other_stacks_act_without_what_is_deleted(deleted):
    assert deleted.deployed() == []
    assert deleted.actions() >= {"MarkAsNotified", "SuppressWithNote"}
    assert not deleted.actions() & {"Remediate", "UndoRemediation", "OpenTicket"}
    finding = deleted.subnet_finding()
    deleted.press("MarkAsNotified", finding)
    assert stored(deleted.aws, finding)["Workflow"]["Status"] == "NOTIFIED"


def test_what_is_retained_can_still_be_read(deleted):
    buckets = [name for (_, kind, _), name in deleted.kept.items() if kind == BUCKET]
    s3 = deleted.aws.client("s3")
    keys = [one["Key"] for name in buckets for one in s3.list_objects_v2(Bucket=name).get("Contents", ())]
    assert [key for key in keys if key.startswith(f"{DEFAULT_ACCOUNT}/")]
    (table,) = (name for (_, kind, _), name in deleted.kept.items() if kind == TABLE)
    assert deleted.aws.client("dynamodb").scan(TableName=table)["Count"] > 0


def test_what_is_on_again_acts_and_finds_what_it_has_done_before(again):
    finding = again.subnet_finding()
    again.press("Remediate", finding)
    assert not again.assigns(finding)
    again.press("UndoRemediation", again.remediated)
    assert again.assigns(again.remediated)
    again.press("OpenTicket", again.ticketed)
    (incident,) = again.incidents(again.ticketed)
    assert incident.id in links(again.aws, again.ticketed)
