"""The life of a custom action on the embedded AWS, with both providers.

Its ordinary life goes through the real CDK CLI. What fails, and where somebody else interferes, is
CloudFormation's part and deployed without the CLI, which takes a tenth of the time.
"""

from __future__ import annotations

import pytest

from securityhub_actions import CustomAction
from tools.deploy import DeploymentFailedError

# Where no other file of tests has stacks at the same time.
NATIVE_REGION = "us-west-2"
CUSTOM_REGION = "eu-west-2"
EACH_PROVIDER = {"params": [NATIVE_REGION, CUSTOM_REGION], "ids": ["native", "custom resource"]}


@pytest.fixture(**EACH_PROVIDER)
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


@pytest.fixture(scope="module", **EACH_PROVIDER)
def life(request, new_module_deployment):
    """The custom actions after each change of an app that has one, from its first deployment to its end."""
    deployment = new_module_deployment(request.param)
    actions = {}
    for change, declare in {
        "created": action(),
        "renamed": action(name="Open an incident"),
        "replaced": action(action_id="Incident", name="Open an incident"),
    }.items():
        deploy = deployment.deploy_with_cli if change == "created" else deployment.deploy
        deploy(declare)
        actions[change] = deployment.actions()
    deployment.destroy()
    actions["deleted"] = deployment.actions()
    deployment.clear()
    return actions


def test_a_deployed_action_exists(life):
    assert life["created"] == {"Ticket": ("Open a ticket", "Opens a ticket")}


def test_a_new_name_changes_the_action_in_place(life):
    assert life["renamed"] == {"Ticket": ("Open an incident", "Opens a ticket")}


def test_a_new_id_replaces_the_action(life):
    assert life["replaced"] == {"Incident": ("Open an incident", "Opens a ticket")}


def test_an_action_is_gone_with_its_stack(life):
    assert life["deleted"] == {}


def test_a_failing_deployment_takes_its_new_action_back(deployment):
    hub = deployment.aws.client("securityhub", region=deployment.region)
    hub.create_action_target(Name="Theirs", Description="Not ours", Id="Taken")
    with pytest.raises(DeploymentFailedError, match="ROLLBACK"):
        deployment.deploy(with_failing_neighbour(action()))
    assert deployment.actions() == {"Taken": ("Theirs", "Not ours")}


def test_a_failing_deployment_leaves_the_action_that_it_would_have_replaced(deployment):
    hub = deployment.aws.client("securityhub", region=deployment.region)
    hub.create_action_target(Name="Theirs", Description="Not ours", Id="Taken")
    deployment.deploy(action())
    with pytest.raises(DeploymentFailedError, match="ROLLBACK"):
        deployment.deploy(with_failing_neighbour(action(action_id="Incident")))
    assert deployment.actions() == {
        "Taken": ("Theirs", "Not ours"),
        "Ticket": ("Open a ticket", "Opens a ticket"),
    }


def test_an_equal_action_of_somebody_else_is_not_taken_over_by_a_new_id(deployment):
    hub = deployment.aws.client("securityhub", region=deployment.region)
    hub.create_action_target(Name="Open a ticket", Description="Opens a ticket", Id="Theirs")
    deployment.deploy(action())
    with pytest.raises(DeploymentFailedError, match="ROLLBACK"):
        deployment.deploy(action(action_id="Theirs"))
    deployment.destroy()
    assert deployment.actions() == {"Theirs": ("Open a ticket", "Opens a ticket")}


@pytest.fixture(scope="module", **EACH_PROVIDER)
def conflict(request, new_module_deployment):
    """What a deployment says, and leaves, where somebody else has an action with the same id."""
    deployment = new_module_deployment(request.param)
    hub = deployment.aws.client("securityhub", region=deployment.region)
    hub.create_action_target(Name="Theirs", Description="Not ours", Id="Ticket")
    with pytest.raises(DeploymentFailedError) as raised:
        deployment.deploy_with_cli(action())
    found = deployment.actions()
    deployment.clear()
    return deployment.region, str(raised.value), found


def test_an_action_of_somebody_else_makes_the_deployment_fail_and_stays_untouched(conflict):
    _, _, actions = conflict
    assert actions == {"Ticket": ("Theirs", "Not ours")}


def test_a_conflict_tells_how_to_adopt_where_that_is_possible(conflict):
    region, said, _ = conflict
    assert ("adopt_existing=True" in said) == (region == CUSTOM_REGION)


def test_an_action_deleted_by_hand_comes_back_with_the_next_change(new_deployment):
    deployment = new_deployment(CUSTOM_REGION)
    deployment.deploy(action())
    (arn,) = deployment.resources("Custom::SecurityHubActionTarget").values()
    deployment.aws.client("securityhub", region=CUSTOM_REGION).delete_action_target(ActionTargetArn=arn)
    deployment.deploy(action(name="Open an incident"))
    assert deployment.actions() == {"Ticket": ("Open an incident", "Opens a ticket")}


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
