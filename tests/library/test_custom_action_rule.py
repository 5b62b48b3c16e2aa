from __future__ import annotations

from collections import Counter

import pytest
from aws_cdk import App, Environment, RemovalPolicy, Stack, aws_events, aws_events_targets
from aws_cdk import aws_sqs as sqs
from aws_cdk.assertions import Match, Template
from jsii._kernel.providers import process

from securityhub_actions import (
    CustomAction,
    CustomActionEvent,
    CustomActionRule,
    Delivery,
    NativeActionTarget,
    targets,
)
from tests.library.functions import new_function

ACCOUNT = "111122223333"
RULE = "AWS::Events::Rule"
CREATE = {"action_id": "Ticket", "action_name": "Open a ticket", "description": "Opens a ticket"}


@pytest.fixture
def stack():
    return Stack(App(), "Stack", env=Environment(account=ACCOUNT, region="us-east-1"))


@pytest.fixture
def target(stack):
    return targets.LambdaFunction(new_function(stack))


def rule_of(stack):
    (rule,) = Template.from_stack(stack).find_resources(RULE).values()
    return rule["Properties"]


def synth_error(stack):
    with pytest.raises(RuntimeError) as caught:
        stack.node.root.synth()
    return str(caught.value)


def test_one_call_creates_the_action_and_a_rule_on_its_arn_for_findings_and_insight_results(stack, target):
    CustomActionRule(stack, "Ticket", **CREATE, targets=[target])
    (action_id,) = Template.from_stack(stack).find_resources("AWS::SecurityHub::ActionTarget")
    assert rule_of(stack)["EventPattern"] == {
        "source": ["aws.securityhub"],
        "detail-type": ["Security Hub Findings - Custom Action", "Security Hub Insight Results"],
        "resources": [{"Fn::GetAtt": [action_id, "ActionTargetArn"]}],
    }


def test_the_rule_is_on_the_default_bus_where_security_hub_sends(stack, target):
    CustomActionRule(stack, "Ticket", **CREATE, targets=[target])
    assert "EventBusName" not in rule_of(stack)


def test_a_long_description_is_that_of_the_action_and_truncated_for_the_rule(stack, target):
    CustomActionRule(stack, "Ticket", **{**CREATE, "description": "d" * 513}, targets=[target])
    (action,) = Template.from_stack(stack).find_resources("AWS::SecurityHub::ActionTarget").values()
    assert action["Properties"]["Description"] == "d" * 513
    assert rule_of(stack)["Description"] == "d" * 511 + "…"


@pytest.mark.parametrize("event", list(CustomActionEvent))
def test_the_events_can_be_narrowed(stack, target, event):
    CustomActionRule(stack, "Ticket", **CREATE, targets=[target], events=[event])
    assert rule_of(stack)["EventPattern"]["detail-type"] == [event.value]


def test_no_events_at_all_is_an_error(stack, target):
    with pytest.raises(ValueError, match="events is empty"):
        CustomActionRule(stack, "Ticket", **CREATE, targets=[target], events=[])


def test_an_existing_action_is_used_instead_of_creating_one(stack, target):
    existing = CustomAction.from_action_id(stack, "Existing", "Ticket")
    CustomActionRule(stack, "Ticket", action=existing, targets=[target])
    Template.from_stack(stack).resource_count_is("AWS::SecurityHub::ActionTarget", 0)
    assert rule_of(stack)["EventPattern"]["resources"] == [stack.resolve(existing.action_arn)]


def test_two_rules_can_share_one_action(stack, target):
    first = CustomActionRule(stack, "First", **CREATE, targets=[target])
    CustomActionRule(stack, "Second", action=first.action, targets=[target])
    template = Template.from_stack(stack)
    template.resource_count_is("AWS::SecurityHub::ActionTarget", 1)
    template.resource_count_is(RULE, 2)


@pytest.mark.parametrize(
    "extra",
    [
        {"action_id": "Ticket"},
        {"action_name": "Ticket"},
        {"adopt_existing": True},
        {"removal_policy": RemovalPolicy.RETAIN},
        {"provider": NativeActionTarget()},
    ],
)
def test_an_action_together_with_settings_for_creating_one_is_an_error(stack, target, extra):
    existing = CustomAction.from_action_id(stack, "Existing", "Ticket")
    with pytest.raises(ValueError, match=r"both action=\.\.\. and settings for a new action"):
        CustomActionRule(stack, "Ticket", action=existing, targets=[target], **extra)


def test_a_removal_policy_reaches_the_action(stack, target):
    CustomActionRule(stack, "Ticket", **CREATE, targets=[target], removal_policy=RemovalPolicy.RETAIN)
    Template.from_stack(stack).has_resource("AWS::SecurityHub::ActionTarget", {"DeletionPolicy": "Retain"})


@pytest.mark.parametrize("missing", CREATE)
def test_what_is_missing_to_create_the_action_is_named(stack, target, missing):
    given = {name: value for name, value in CREATE.items() if name != missing}
    with pytest.raises(ValueError, match=f"Stack/Ticket is missing {missing}\\."):
        CustomActionRule(stack, "Ticket", **given, targets=[target])


def test_no_target_is_an_error_at_synthesis(stack):
    CustomActionRule(stack, "Ticket", **CREATE, targets=[])
    assert "The rule Stack/Ticket has no target" in synth_error(stack)


def test_a_target_can_be_added_later(stack, target):
    CustomActionRule(stack, "Ticket", **CREATE, targets=[]).add_target(target)
    assert len(rule_of(stack)["Targets"]) == 1


def queue_targets(stack, count):
    return [
        aws_events_targets.SqsQueue(sqs.Queue(stack, f"Queue{number}", enforce_ssl=True))
        for number in range(count)
    ]


def test_five_targets_are_allowed(stack):
    CustomActionRule(stack, "Ticket", **CREATE, targets=queue_targets(stack, 5))
    assert len(rule_of(stack)["Targets"]) == 5


def test_a_sixth_target_is_an_error(stack):
    with pytest.raises(ValueError, match="The rule Stack/Ticket would have 6 targets"):
        CustomActionRule(stack, "Ticket", **CREATE, targets=queue_targets(stack, 6))


def test_a_disabled_rule_stays_in_the_template(stack, target):
    CustomActionRule(stack, "Ticket", **CREATE, targets=[target], enabled=False)
    assert rule_of(stack)["State"] == "DISABLED"


def test_the_rule_describes_what_the_action_does(stack, target):
    CustomActionRule(stack, "Ticket", **CREATE, targets=[target])
    assert rule_of(stack)["Description"] == "Opens a ticket"


def test_the_rules_delivery_settings_reach_a_target_without_its_own(stack, target):
    CustomActionRule(stack, "Ticket", **CREATE, targets=[target], delivery=Delivery(retry_attempts=7))
    assert rule_of(stack)["Targets"][0]["RetryPolicy"]["MaximumRetryAttempts"] == 7


def resource_types_with(actions, region):
    stack = Stack(App(), "Stack", env=Environment(account=ACCOUNT, region=region))
    target = targets.LambdaFunction(new_function(stack))
    for number in range(actions):
        settings = {**CREATE, "action_id": f"Action{number}"}
        CustomActionRule(stack, f"Rule{number}", **settings, targets=[target])
    return Counter(
        resource["Type"] for resource in Template.from_stack(stack).to_json()["Resources"].values()
    )


@pytest.mark.parametrize(
    ("region", "action_type"),
    [("us-east-1", "AWS::SecurityHub::ActionTarget"), ("eu-west-1", "Custom::SecurityHubActionTarget")],
)
def test_a_further_action_costs_three_resources(region, action_type):
    added = resource_types_with(3, region) - resource_types_with(2, region)
    assert added == Counter([action_type, "AWS::Events::Rule", "AWS::Lambda::Permission"])


def test_an_event_pattern_above_2048_characters_is_an_error_that_counts_them(stack, target):
    arn = f"arn:aws:securityhub:us-east-1:{ACCOUNT}:action/custom/Ticket"
    long_arn = arn.replace("us-east-1", "us-east-" + "1" * 2000)
    CustomActionRule(
        stack, "Ticket", action=CustomAction.from_action_arn(stack, "Existing", long_arn), targets=[target]
    )
    assert "The event pattern of Stack/Ticket has 2" in (error := synth_error(stack))
    assert "EventBridge allows 2048" in error


def test_the_target_gets_the_whole_event_unless_told_otherwise(stack, target):
    CustomActionRule(stack, "Ticket", **CREATE, targets=[target])
    Template.from_stack(stack).has_resource_properties(
        RULE, {"Targets": [{"Input": Match.absent(), "InputPath": Match.absent()}]}
    )


def test_the_same_target_twice_is_an_error(stack, target):
    rule = CustomActionRule(stack, "Ticket", **CREATE, targets=[target])
    with pytest.raises(ValueError, match=r"already has this .* as a target"):
        rule.add_target(target)


def test_two_targets_that_receive_the_same_are_an_error_at_synthesis(stack):
    queue = sqs.Queue(stack, "Inbox", enforce_ssl=True)
    CustomActionRule(stack, "Ticket", **CREATE, targets=[targets.SqsQueue(queue), targets.SqsQueue(queue)])
    with pytest.raises(RuntimeError, match="has two targets that receive the same, and so each event twice"):
        Template.from_stack(stack)


def test_two_targets_of_one_queue_may_receive_different_messages(stack):
    queue = sqs.Queue(stack, "Inbox", enforce_ssl=True)
    short = aws_events.RuleTargetInput.from_event_path("$.detail.actionName")
    CustomActionRule(
        stack, "Ticket", **CREATE, targets=[targets.SqsQueue(queue), targets.SqsQueue(queue, message=short)]
    )
    Template.from_stack(stack)


def messages_to_node(stack, numbers):
    """How many messages the actions with these numbers cost, at synthesis included."""
    with pytest.MonkeyPatch.context() as patched:
        sent = []
        send = process._NodeProcess.send
        patched.setattr(process._NodeProcess, "send", lambda *given: sent.append(given) or send(*given))
        function = new_function(stack)
        for number in numbers:
            CustomActionRule(
                stack,
                f"Action{number}",
                **CREATE | {"action_id": f"Action{number}"},
                targets=[targets.LambdaFunction(function)],
            )
        stack.node.root.synth()
    return len(sent)


@pytest.mark.parametrize(("fewer", "more", "most"), [(10, 15, 13), (40, 45, 11)])
def test_one_more_custom_action_costs_few_messages_to_the_node_process(fewer, more, most):
    stacks = [Stack(App(), "Stack", env=Environment(account=ACCOUNT, region="us-east-1")) for _ in range(2)]
    costs = [
        messages_to_node(stack, range(number)) for stack, number in zip(stacks, (fewer, more), strict=True)
    ]
    assert costs[1] - costs[0] <= most * (more - fewer)
