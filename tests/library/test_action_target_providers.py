from __future__ import annotations

import subprocess
import sys

import pytest
from aws_cdk import App, Environment, Stack
from aws_cdk.assertions import Match, Template

from securityhub_actions import CustomAction, CustomResourceActionTarget, NativeActionTarget
from securityhub_actions.action_target_providers import NATIVE_REGIONS, default_provider

ACCOUNT = "111122223333"
CUSTOM = "Custom::SecurityHubActionTarget"


def stack_in(region, app=None):
    return Stack(app or App(), f"Stack{region}", env=Environment(account=ACCOUNT, region=region))


def declare(stack, construct_id="Action", **overrides):
    settings = {"action_id": construct_id, "action_name": "A name", "description": "A description"}
    return CustomAction(stack, construct_id, **{**settings, **overrides})


@pytest.mark.parametrize("region", sorted(NATIVE_REGIONS))
def test_a_region_that_has_the_native_type_gets_it(region):
    assert isinstance(default_provider(stack_in(region)), NativeActionTarget)


@pytest.mark.parametrize("region", ["eu-west-1", "us-east-2", "cn-north-1", "us-gov-west-1"])
def test_another_region_gets_the_custom_resource(region):
    assert isinstance(default_provider(stack_in(region)), CustomResourceActionTarget)


def test_an_unknown_region_gets_the_custom_resource():
    assert isinstance(default_provider(Stack(App(), "Anywhere")), CustomResourceActionTarget)


def test_the_custom_resource_can_be_chosen_where_the_native_type_exists():
    stack = stack_in("us-east-1")
    declare(stack, provider=CustomResourceActionTarget())
    Template.from_stack(stack).resource_count_is(CUSTOM, 1)


def test_adoption_takes_the_custom_resource_where_the_native_type_exists():
    stack = stack_in("us-east-1")
    declare(stack, adopt_existing=True)
    Template.from_stack(stack).resource_count_is(CUSTOM, 1)


def test_the_native_type_refuses_adoption_and_says_what_to_do():
    with pytest.raises(ValueError, match=r"requires CustomResourceActionTarget\(\).*cdk import"):
        declare(stack_in("us-east-1"), provider=NativeActionTarget(), adopt_existing=True)


def test_the_custom_resource_hands_its_settings_to_the_function():
    stack = stack_in("eu-west-1")
    declare(stack)
    Template.from_stack(stack).has_resource_properties(
        CUSTOM,
        {"Id": "Action", "Name": "A name", "Description": "A description", "AdoptExisting": False},
    )


def test_cloudformation_waits_for_an_answer_a_little_longer_than_the_function_may_run():
    stack = stack_in("eu-west-1")
    declare(stack)
    template = Template.from_stack(stack)
    template.has_resource_properties(CUSTOM, {"ServiceTimeout": "240"})
    template.has_resource_properties("AWS::Lambda::Function", {"Timeout": 180})


def test_one_function_serves_all_actions_of_a_stack():
    stack = stack_in("eu-west-1")
    for name in ("One", "Two", "Three"):
        declare(stack, name)
    Template.from_stack(stack).resource_count_is("AWS::Lambda::Function", 1)


def test_the_function_may_manage_action_targets_and_nothing_else_of_security_hub():
    stack = stack_in("eu-west-1")
    declare(stack)
    Template.from_stack(stack).has_resource_properties(
        "AWS::IAM::Policy",
        {
            "PolicyDocument": {
                "Statement": Match.array_with(
                    [
                        Match.object_like(
                            {
                                "Action": [
                                    "securityhub:CreateActionTarget",
                                    "securityhub:DeleteActionTarget",
                                    "securityhub:DescribeActionTargets",
                                    "securityhub:UpdateActionTarget",
                                ]
                            }
                        )
                    ]
                )
            }
        },
    )


def test_the_two_providers_use_different_logical_ids_because_a_type_cannot_change_under_one():
    def logical_id(provider, resource_type):
        stack = stack_in("us-east-1")
        declare(stack, provider=provider)
        (found,) = Template.from_stack(stack).find_resources(resource_type)
        return found

    assert logical_id(NativeActionTarget(), "AWS::SecurityHub::ActionTarget") != logical_id(
        CustomResourceActionTarget(), CUSTOM
    )


class RecordedProvider:
    """A provider of one's own."""

    def create(self, scope, settings):  # noqa: ARG002 - the interface
        return f"arn:aws:securityhub:us-east-1:{ACCOUNT}:action/custom/{settings.action_id}"


def test_any_object_with_create_is_a_provider():
    action = declare(stack_in("us-east-1"), provider=RecordedProvider())
    assert action.action_arn.endswith("action/custom/Action")


def test_the_functions_asset_is_its_package_and_nothing_else_and_runs_without_the_library(tmp_path):
    app = App(outdir=str(tmp_path), analytics_reporting=False)
    declare(stack_in("eu-west-1", app))
    app.synth()
    (asset,) = (path for path in tmp_path.iterdir() if path.name.startswith("asset."))
    assert [path.name for path in asset.iterdir()] == ["action_target_handler"]
    files = {path.name for path in (asset / "action_target_handler").iterdir()}
    assert files == {"__init__.py", "answers.py", "handler.py", "hub.py", "requests.py"}
    code = "import sys; sys.path.insert(0, sys.argv[1]); import action_target_handler.handler as h; h.handle"
    subprocess.run([sys.executable, "-I", "-B", "-c", code, asset], check=True)  # noqa: S603
    template = Template.from_stack(app.node.find_child("Stackeu-west-1"))
    (function,) = template.find_resources("AWS::Lambda::Function").values()
    assert function["Properties"]["Handler"] == "action_target_handler.handler.handle"
