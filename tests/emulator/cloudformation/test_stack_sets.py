from __future__ import annotations

import json

import pytest
from botocore.exceptions import WaiterError

REGION = "eu-west-1"
MANAGEMENT = "900000000001"


@pytest.fixture(scope="module")
def organization(embedded_aws):
    return Organization(embedded_aws)


class Organization:
    """An organization with two units, one inside the other, and accounts that can be moved between them."""

    def __init__(self, aws):
        self.aws = aws
        self.client = aws.client("organizations", account=MANAGEMENT)
        (root,) = self.client.list_roots()["Roots"]
        self.root = root["Id"]
        self.outer = self._unit("Outer", self.root)
        self.inner = self._unit("Inner", self.outer)

    def _unit(self, name, parent):
        made = self.client.create_organizational_unit(Name=name, ParentId=parent)
        return made["OrganizationalUnit"]["Id"]

    def join(self, account, unit=None):
        target = {"Id": account, "Type": "ACCOUNT"}
        handshake = self.client.invite_account_to_organization(Target=target)["Handshake"]["Id"]
        self.aws.client("organizations", account=account).accept_handshake(HandshakeId=handshake)
        if unit:
            self.move(account, self.root, unit)

    def move(self, account, source, destination):
        self.client.move_account(AccountId=account, SourceParentId=source, DestinationParentId=destination)


def template(queue):
    return json.dumps(
        {"Resources": {"Queue": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": queue}}}}
    )


def stack_set(name, unit, **more):
    properties = {
        "StackSetName": name,
        "PermissionModel": "SERVICE_MANAGED",
        "AutoDeployment": {"Enabled": True, "RetainStacksOnAccountRemoval": False},
        "StackInstancesGroup": [
            {"DeploymentTargets": {"OrganizationalUnitIds": [unit]}, "Regions": [REGION]}
        ],
        "TemplateBody": template(name),
        **more,
    }
    return json.dumps(
        {"Resources": {"Set": {"Type": "AWS::CloudFormation::StackSet", "Properties": properties}}}
    )


@pytest.fixture
def deploy(embedded_aws):
    """A function that creates or updates the stack with a stack set; it is deleted afterwards."""
    cloudformation = embedded_aws.client("cloudformation", account=MANAGEMENT)
    names = set()

    def run(name, unit, **more):
        operation = "update" if name in names else "create"
        names.add(name)
        change = getattr(cloudformation, f"{operation}_stack")
        change(StackName=name, TemplateBody=stack_set(name, unit, **more))
        waiter = cloudformation.get_waiter(f"stack_{operation}_complete")
        waiter.wait(StackName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 30})

    yield run
    for name in names:
        cloudformation.delete_stack(StackName=name)


def queues(aws, account):
    urls = aws.client("sqs", account=account).list_queues().get("QueueUrls", [])
    return {url.rpartition("/")[2] for url in urls}


def test_every_account_of_a_unit_and_of_those_inside_gets_the_stack_but_not_the_management_account(
    embedded_aws, organization, deploy
):
    organization.join("900000000011", organization.outer)
    organization.join("900000000012", organization.inner)
    organization.join("900000000013")
    organization.move(MANAGEMENT, organization.root, organization.outer)
    deploy("everywhere", organization.outer)
    assert queues(embedded_aws, "900000000011") == {"everywhere"}
    assert queues(embedded_aws, "900000000012") == {"everywhere"}
    assert queues(embedded_aws, "900000000013") == set()
    assert queues(embedded_aws, MANAGEMENT) == set()


def test_an_account_that_joins_gets_the_stack_and_loses_it_when_it_leaves(embedded_aws, organization, deploy):
    deploy("followed", organization.inner)
    organization.join("900000000021", organization.inner)
    embedded_aws.wait_until(lambda: "followed" in queues(embedded_aws, "900000000021"), what="the queue")
    organization.move("900000000021", organization.inner, organization.root)
    embedded_aws.wait_until(lambda: not queues(embedded_aws, "900000000021"), what="its end")


def test_a_changed_template_reaches_every_account(embedded_aws, organization, deploy):
    organization.join("900000000031", organization.inner)
    deploy("changed", organization.inner)
    deploy("changed", organization.inner, TemplateBody=template("changed-now"))
    assert "changed-now" in queues(embedded_aws, "900000000031")


def test_deleting_the_stack_set_deletes_the_stacks(embedded_aws, organization, deploy):
    organization.join("900000000041", organization.inner)
    deploy("deleted", organization.inner)
    embedded_aws.client("cloudformation", account=MANAGEMENT).delete_stack(StackName="deleted")
    embedded_aws.wait_until(lambda: not queues(embedded_aws, "900000000041"), what="its end")


@pytest.mark.parametrize(
    ("preferences", "succeeds"), [({}, False), ({"FailureTolerancePercentage": 100}, True)]
)
def test_failing_accounts_fail_it_unless_they_are_tolerated(organization, deploy, preferences, succeeds):
    account = f"90000000005{int(succeeds)}"
    organization.join(account, organization.inner)
    name = f"failing-{succeeds}".lower()
    broken = json.dumps({"Resources": {"Unknown": {"Type": "AWS::Nothing::There"}}})
    if succeeds:
        deploy(name, organization.inner, OperationPreferences=preferences, TemplateBody=broken)
    else:
        with pytest.raises(WaiterError):
            deploy(name, organization.inner, OperationPreferences=preferences, TemplateBody=broken)
