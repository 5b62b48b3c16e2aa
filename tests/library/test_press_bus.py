"""The bus on which named principals use custom actions without the console."""

from __future__ import annotations

import re

import pytest
from aws_cdk import App, Environment, Stack, aws_events
from aws_cdk import aws_kinesis as kinesis
from aws_cdk import aws_sqs as sqs
from aws_cdk.assertions import Template

from securityhub_actions import CustomAction, CustomActionRule, PressBus, targets
from tests.library.functions import new_function

RESPONDER = "arn:aws:iam::111122223333:role/SecurityResponder"
RULE = "AWS::Events::Rule"


@pytest.fixture
def stack():
    return Stack(App(), "Stack", env=Environment(account="111122223333", region="us-east-1"))


@pytest.fixture
def rule(stack):
    bus = PressBus(stack, "PressBus", principal_arns=[RESPONDER])
    return CustomActionRule(
        stack,
        "Ticket",
        action=CustomAction.from_action_id(stack, "Action", "Ticket"),
        targets=[targets.LambdaFunction(new_function(stack))],
        press_bus=bus,
    )


def rules_of(stack):
    rules = [one["Properties"] for one in Template.from_stack(stack).find_resources(RULE).values()]
    return sorted(rules, key=lambda one: "EventBusName" in one)


def statements_of(stack):
    (bus,) = Template.from_stack(stack).find_resources("AWS::Events::EventBus").values()
    return bus["Properties"]["Policy"]["Statement"]


def test_each_bus_has_a_name_of_its_own_also_in_an_app_that_is_deployed_twice():
    names = []
    for stack_name in ("presses-test", "presses-live"):
        stack = Stack(App(), "Stack", stack_name=stack_name)
        for construct_id in ("One bus", "Another bus"):
            PressBus(stack, construct_id, principal_arns=[RESPONDER])
        buses = Template.from_stack(stack).find_resources("AWS::Events::EventBus").values()
        names += [one["Properties"]["Name"] for one in buses]
    assert len(set(names)) == 4
    assert all(re.fullmatch(r"presses-(test|live)-Press-[0-9a-f]{8}", name) for name in names)


@pytest.mark.usefixtures("rule")
def test_the_rule_on_the_bus_matches_presses_of_the_same_action(stack):
    normal, pressed = rules_of(stack)
    assert pressed["EventPattern"] == {**normal["EventPattern"], "source": ["securityhub-actions.press"]}


@pytest.mark.usefixtures("rule")
def test_the_rule_on_the_bus_has_the_same_targets_with_retries_and_dead_letter_queue(stack):
    normal, pressed = rules_of(stack)
    assert pressed["Targets"] == normal["Targets"]
    assert pressed["Targets"][0]["DeadLetterConfig"]


def test_a_target_that_is_added_later_is_added_to_both(stack, rule):
    rule.add_target(targets.SqsQueue(sqs.Queue(stack, "Queue")))
    assert [len(one["Targets"]) for one in rules_of(stack)] == [2, 2]


def test_both_rules_are_allowed_to_use_the_targets(stack, rule):
    rule.add_target(targets.SqsQueue(sqs.Queue(stack, "Queue")))
    rule.add_target(targets.KinesisStream(kinesis.Stream(stack, "Stream")))
    template = Template.from_stack(stack)
    template.resource_count_is("AWS::Lambda::Permission", 2)
    for policy in template.find_resources("AWS::SQS::QueuePolicy").values():
        (statement,) = (
            one
            for one in policy["Properties"]["PolicyDocument"]["Statement"]
            if one.get("Condition", {}).get("ArnEquals")
        )
        assert len(statement["Condition"]["ArnEquals"]["aws:SourceArn"]) == 2


@pytest.mark.usefixtures("rule")
def test_only_the_named_principals_are_let_in_whatever_their_own_policies_allow(stack):
    allowed, others, other_events = statements_of(stack)
    named = {"aws:PrincipalArn": [RESPONDER]}
    assert (allowed["Effect"], allowed["Condition"]["ArnLike"]) == ("Allow", named)
    assert (others["Effect"], others["Condition"]) == ("Deny", {"ArnNotLike": named})
    assert (other_events["Effect"], other_events["Action"]) == ("Deny", "events:PutEvents")


@pytest.mark.usefixtures("rule")
def test_the_policy_is_part_of_the_bus_so_that_it_never_exists_without(stack):
    Template.from_stack(stack).resource_count_is("AWS::Events::EventBusPolicy", 0)


def test_without_the_setting_there_is_no_bus_and_one_rule(stack):
    CustomActionRule(
        stack,
        "Ticket",
        action=CustomAction.from_action_id(stack, "Action", "Ticket"),
        targets=[targets.LambdaFunction(new_function(stack))],
    )
    template = Template.from_stack(stack)
    template.resource_count_is("AWS::Events::EventBus", 0)
    template.resource_count_is(RULE, 1)


def test_the_app_is_synthesized_without_errors(stack, rule):
    assert rule.rule.node.path == "Stack/Ticket/Rule"
    stack.node.root.synth()


@pytest.mark.parametrize(
    "arn",
    [
        "arn:aws:iam::111122223333:user/jane",
        "arn:aws-cn:iam::111122223333:role/team/Responder",
        "arn:aws:iam::111122223333:role/aws-reserved/sso.amazonaws.com/*/AWSReservedSSO_Responder_*",
    ],
)
def test_roles_and_users_of_one_account_can_be_named(stack, arn):
    PressBus(stack, "Bus", principal_arns=[arn])
    assert statements_of(stack)[0]["Condition"]["ArnLike"]["aws:PrincipalArn"] == [arn]


@pytest.mark.parametrize(
    "arn",
    [
        "*",
        "111122223333",
        "arn:aws:iam::111122223333:root",
        "arn:aws:iam::*:role/Responder",
        "arn:aws:iam::111122223333:role/*",
        "arn:aws:iam::111122223333:user/*/*",
        "arn:aws:sts::111122223333:assumed-role/Responder/jane",
    ],
)
def test_whoever_is_not_a_role_or_user_of_one_account_is_refused(stack, arn):
    with pytest.raises(ValueError, match="not the ARN of a role or user in one account"):
        PressBus(stack, "Bus", principal_arns=[arn])


def test_a_bus_for_nobody_is_an_error(stack):
    with pytest.raises(ValueError, match="principal_arns is empty"):
        PressBus(stack, "Bus", principal_arns=[])


def test_an_event_bus_as_a_target_is_refused_because_rules_there_match_another_source(stack, rule):
    bus = aws_events.EventBus(stack, "Other")
    with pytest.raises(ValueError, match="press_bus"):
        rule.add_target(targets.EventBus(bus))
