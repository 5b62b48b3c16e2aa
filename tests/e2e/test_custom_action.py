"""The life of a custom action on the embedded AWS, with both providers, through the real CDK CLI."""

from __future__ import annotations

import pytest

from securityhub_actions import CustomAction
from tools.deploy import DeploymentFailedError

NATIVE_REGION = "us-east-1"
CUSTOM_REGION = "eu-west-1"


@pytest.fixture(params=[NATIVE_REGION, CUSTOM_REGION], ids=["native", "custom resource"])
def deployment(request, new_deployment):
    return new_deployment(request.param)


def action(action_id="Ticket", name="Open a ticket", description="Opens a ticket", **settings):
    def declare(stack):
        CustomAction(
            stack, "Action", action_id=action_id, action_name=name, description=description, **settings
        )

    return declare


def with_failing_neighbour(declare):
    """Let the stack fail after the action has been created."""

    def declare_both(stack):
        declare(stack)
        failing = CustomAction(
            stack, "Failing", action_id="Taken", action_name="Taken", description="By somebody else"
        )
        failing.node.add_dependency(stack.node.find_child("Action"))

    return declare_both


def test_a_deployed_action_exists_until_its_stack_is_deleted(deployment):
    deployment.deploy(action())
    assert deployment.actions() == {"Ticket": ("Open a ticket", "Opens a ticket")}
    deployment.destroy()
    assert deployment.actions() == {}


def test_a_new_name_changes_the_action_in_place(deployment):
    deployment.deploy(action())
    deployment.deploy(action(name="Open an incident"))
    assert deployment.actions() == {"Ticket": ("Open an incident", "Opens a ticket")}


def test_a_new_id_replaces_the_action(deployment):
    deployment.deploy(action())
    deployment.deploy(action(action_id="Incident"))
    assert deployment.actions() == {"Incident": ("Open a ticket", "Opens a ticket")}


def test_a_failing_deployment_takes_its_new_action_back(deployment):
    hub = deployment.aws.client("securityhub", region=deployment.region)
    hub.create_action_target(Name="Theirs", Description="Not ours", Id="Taken")
    with pytest.raises(DeploymentFailedError, match="ROLLBACK"):
        deployment.deploy(with_failing_neighbour(action()))
    assert deployment.actions() == {"Taken": ("Theirs", "Not ours")}


def test_an_action_of_somebody_else_makes_the_deployment_fail_and_stays_untouched(deployment):
    hub = deployment.aws.client("securityhub", region=deployment.region)
    hub.create_action_target(Name="Theirs", Description="Not ours", Id="Ticket")
    with pytest.raises(DeploymentFailedError):
        deployment.deploy(action())
    assert deployment.actions() == {"Ticket": ("Theirs", "Not ours")}


def test_an_action_deleted_by_hand_comes_back_with_the_next_change(new_deployment):
    deployment = new_deployment(CUSTOM_REGION)
    deployment.deploy(action())
    (arn,) = deployment.resources("Custom::SecurityHubActionTarget").values()
    deployment.aws.client("securityhub", region=CUSTOM_REGION).delete_action_target(ActionTargetArn=arn)
    deployment.deploy(action(name="Open an incident"))
    assert deployment.actions() == {"Ticket": ("Open an incident", "Opens a ticket")}


def test_a_conflict_tells_how_to_adopt(new_deployment):
    deployment = new_deployment(CUSTOM_REGION)
    hub = deployment.aws.client("securityhub", region=CUSTOM_REGION)
    hub.create_action_target(Name="Theirs", Description="Not ours", Id="Ticket")
    with pytest.raises(DeploymentFailedError, match="adopt_existing=True"):
        deployment.deploy(action())


def test_an_existing_action_is_adopted_and_kept_when_the_stack_is_deleted(deployment):
    hub = deployment.aws.client("securityhub", region=deployment.region)
    hub.create_action_target(Name="Theirs", Description="Made by hand", Id="Ticket")
    deployment.deploy(action(adopt_existing=True))
    assert deployment.actions() == {"Ticket": ("Open a ticket", "Opens a ticket")}
    deployment.destroy()
    assert deployment.actions() == {"Ticket": ("Open a ticket", "Opens a ticket")}


def test_an_account_that_is_not_subscribed_is_told_to_enable_security_hub(new_deployment):
    deployment = new_deployment(CUSTOM_REGION)
    hub = deployment.aws.client("securityhub", region=CUSTOM_REGION)
    hub.disable_security_hub()
    try:
        with pytest.raises(DeploymentFailedError, match=r"[Ee]nable Security Hub"):
            deployment.deploy(action())
    finally:
        hub.enable_security_hub()
