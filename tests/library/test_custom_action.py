from __future__ import annotations

import jsii
import pytest
from aws_cdk import App, Environment, IStringProducer, Lazy, NestedStack, RemovalPolicy, Stack, Stage
from aws_cdk.assertions import Annotations, Match, Template

from securityhub_actions import CustomAction, CustomResourceActionTarget, NativeActionTarget

ACCOUNT = "111122223333"
NATIVE = "AWS::SecurityHub::ActionTarget"
CUSTOM = "Custom::SecurityHubActionTarget"


@pytest.fixture
def stack():
    return Stack(App(), "Stack", env=Environment(account=ACCOUNT, region="us-east-1"))


def declare(scope, construct_id="Action", **overrides):
    settings = {"action_id": "Ticket", "action_name": "Open a ticket", "description": "Opens a ticket"}
    return CustomAction(scope, construct_id, **{**settings, **overrides})


@jsii.implements(IStringProducer)
class Known:
    """A value that CDK learns only while it synthesizes."""

    def __init__(self, value):
        self.value = value

    def produce(self, context):  # noqa: ARG002 - CDK's signature
        return self.value


def synth_error(stack):
    with pytest.raises(RuntimeError) as caught:
        stack.node.root.synth()
    return str(caught.value)


def test_it_becomes_an_action_target_with_id_name_and_description(stack):
    declare(stack)
    Template.from_stack(stack).has_resource_properties(
        NATIVE, {"Id": "Ticket", "Name": "Open a ticket", "Description": "Opens a ticket"}
    )


def test_its_arn_refers_to_the_resource_so_that_users_of_the_arn_wait_for_it(stack):
    action = declare(stack)
    (logical_id,) = Template.from_stack(stack).find_resources(NATIVE)
    assert stack.resolve(action.action_arn) == {"Fn::GetAtt": [logical_id, "ActionTargetArn"]}


@pytest.mark.parametrize(
    "action_id", ["", "a" * 21, "with space", "ünicode", "slash/ed", "dot.ted", "newline\n"]
)
def test_an_id_that_security_hub_refuses_is_an_error_that_names_it(stack, action_id):
    with pytest.raises(ValueError, match=r"is not a custom action ID\. Use 1 to 20 letters"):
        declare(stack, action_id=action_id)


@pytest.mark.parametrize("action_name", ["", "   ", "n" * 21])
def test_a_name_that_security_hub_refuses_is_an_error_that_gives_its_length(stack, action_name):
    with pytest.raises(ValueError, match=rf"has {len(action_name)} characters\. Security Hub allows 1 to 20"):
        declare(stack, action_name=action_name)


@pytest.mark.parametrize("description", ["", " \n"])
def test_a_blank_description_is_an_error(stack, description):
    with pytest.raises(ValueError, match="is blank"):
        declare(stack, description=description)


@pytest.mark.parametrize("length", [1, 20])
def test_the_shortest_and_the_longest_name_and_id_are_accepted(stack, length):
    declare(stack, action_id="i" * length, action_name="n" * length)
    Template.from_stack(stack).has_resource_properties(NATIVE, {"Id": "i" * length, "Name": "n" * length})


def test_values_known_only_at_deployment_are_not_judged(stack):
    unknown = Lazy.uncached_string(Known("a very long name that is known late"))
    declare(stack, action_id=unknown, action_name=unknown, description=unknown)
    Template.from_stack(stack).has_resource_properties(
        NATIVE, {"Name": "a very long name that is known late"}
    )


@pytest.mark.parametrize("action_id", ["send_to_ticket", "send-to-ticket"])
def test_a_character_that_aws_documents_in_two_ways_is_a_warning(stack, action_id):
    declare(stack, action_id=action_id)
    Annotations.from_stack(stack).has_warning(
        "/Stack/Action", Match.string_like_regexp("contains '_' or '-'")
    )


def test_letters_and_digits_give_no_warning(stack):
    declare(stack, action_id="Ticket2")
    Annotations.from_stack(stack).has_no_warning("*", Match.any_value())


def test_an_action_is_deleted_with_its_stack_by_default(stack):
    declare(stack)
    Template.from_stack(stack).has_resource(NATIVE, {"DeletionPolicy": "Delete"})


@pytest.mark.parametrize(
    ("provider", "resource_type"), [(NativeActionTarget(), NATIVE), (CustomResourceActionTarget(), CUSTOM)]
)
def test_a_removal_policy_reaches_the_resource(stack, provider, resource_type):
    declare(stack, provider=provider, removal_policy=RemovalPolicy.RETAIN)
    Template.from_stack(stack).has_resource(
        resource_type, {"DeletionPolicy": "Retain", "UpdateReplacePolicy": "Retain"}
    )


def test_an_adopted_action_is_retained_by_default(stack):
    declare(stack, adopt_existing=True)
    Template.from_stack(stack).has_resource(
        CUSTOM,
        {"DeletionPolicy": "Retain", "UpdateReplacePolicy": "Retain", "Properties": {"AdoptExisting": True}},
    )


def test_an_existing_action_is_referred_to_by_its_id_in_the_stacks_own_partition_region_and_account(stack):
    action = CustomAction.from_action_id(stack, "Existing", "Ticket")
    assert stack.resolve(action.action_arn) == {
        "Fn::Join": [
            "",
            ["arn:", {"Ref": "AWS::Partition"}, f":securityhub:us-east-1:{ACCOUNT}:action/custom/Ticket"],
        ]
    }


def test_an_existing_action_creates_no_resource(stack):
    CustomAction.from_action_id(stack, "Existing", "Ticket")
    assert "Resources" not in Template.from_stack(stack).to_json()


def test_an_existing_action_is_checked_for_its_id(stack):
    with pytest.raises(ValueError, match="is not a custom action ID"):
        CustomAction.from_action_id(stack, "Existing", "not an id")


@pytest.mark.parametrize("partition", ["aws", "aws-cn", "aws-us-gov"])
def test_an_action_arn_gives_its_id(stack, partition):
    arn = f"arn:{partition}:securityhub:eu-west-1:{ACCOUNT}:action/custom/Ticket"
    action = CustomAction.from_action_arn(stack, "Existing", arn)
    assert (action.action_id, action.action_arn) == ("Ticket", arn)


@pytest.mark.parametrize(
    "arn",
    [
        "Ticket",
        f"arn:aws:securityhub:eu-west-1:{ACCOUNT}:hub/default",
        f"arn:aws:securityhub:eu-west-1:{ACCOUNT}:action/custom/",
        f"arn:aws:securityhub:eu-west-1:{ACCOUNT}:action/custom/a/b",
        "arn:aws:securityhub:eu-west-1:123:action/custom/Ticket",
    ],
)
def test_another_arn_is_an_error_that_shows_what_one_looks_like(stack, arn):
    with pytest.raises(ValueError, match="is not the ARN of a custom action"):
        CustomAction.from_action_arn(stack, "Existing", arn)


def test_an_action_arn_known_only_at_deployment_gives_its_last_part_as_the_id(stack):
    arn = declare(stack).action_arn
    existing = CustomAction.from_action_arn(stack, "Existing", arn)
    assert stack.resolve(existing.action_id) == {"Fn::Select": [2, {"Fn::Split": ["/", stack.resolve(arn)]}]}


def test_the_same_id_twice_in_a_stack_is_an_error_that_names_both_places(stack):
    declare(stack, "One")
    declare(stack, "Two")
    assert (
        "created 2 times in account 111122223333 and Region us-east-1, by Stack/One, Stack/Two"
        in synth_error(stack)
    )


def test_the_same_id_in_two_stacks_of_one_account_and_region_is_an_error():
    app = App()
    for name in ("A", "B"):
        declare(Stack(app, name, env=Environment(account=ACCOUNT, region="us-east-1")))
    with pytest.raises(RuntimeError, match="created 2 times"):
        app.synth()


@pytest.mark.parametrize(
    "other",
    [
        Environment(account=ACCOUNT, region="us-west-2"),
        Environment(account="444455556666", region="us-east-1"),
        Environment(),
    ],
)
def test_the_same_id_in_another_or_unknown_account_or_region_is_allowed(stack, other):
    declare(stack)
    declare(Stack(stack.node.root, "Other", env=other))
    assert len(stack.node.root.synth().stacks) == 2


def test_the_same_id_twice_in_a_stack_of_unknown_region_is_an_error():
    stack = Stack(App(), "Anywhere")
    declare(stack, "One")
    declare(stack, "Two")
    assert "created 2 times in the account and Region of stack Anywhere" in synth_error(stack)


def test_the_same_id_in_a_nested_stack_is_an_error():
    stack = Stack(App(), "Anywhere")
    declare(stack)
    declare(NestedStack(stack, "Nested"))
    assert "created 2 times in the account and Region of stack Anywhere" in synth_error(stack)


def test_the_same_id_in_two_stages_of_one_account_and_region_is_an_error():
    app = App()
    for name in ("Test", "Live"):
        stage = Stage(app, name, env=Environment(account=ACCOUNT, region="us-east-1"))
        declare(Stack(stage, "Stack"))
    with pytest.raises(RuntimeError, match="created 2 times"):
        app.synth()


def test_fifty_actions_are_allowed(stack):
    for number in range(50):
        declare(stack, f"Action{number}", action_id=f"Action{number}")
    Template.from_stack(stack).resource_count_is(NATIVE, 50)


def test_more_than_fifty_actions_in_an_account_and_region_are_an_error_that_counts_them(stack):
    for number in range(52):
        declare(stack, f"Action{number}", action_id=f"Action{number}")
    assert "52 custom actions are created" in (error := synth_error(stack))
    assert "allows 50. Remove 2" in error
