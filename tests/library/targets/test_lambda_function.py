from __future__ import annotations

import json
from typing import cast

import pytest
from aws_cdk import App, Duration, Environment, Stack, Token
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as events_targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_destinations as destinations
from aws_cdk import aws_sqs as sqs
from aws_cdk.assertions import Annotations, Match, Template

from securityhub_actions import CustomAction, CustomActionRule, Delivery, rule_access, targets
from securityhub_actions.rule_access import readable
from tests.library.functions import new_function

ACCOUNT = "111122223333"
PERMISSION = "AWS::Lambda::Permission"
INVOKE_CONFIG = "AWS::Lambda::EventInvokeConfig"
LOST_WARNING = Match.string_like_regexp("Otherwise, events that it fails to handle are lost")


@pytest.fixture
def stack():
    return Stack(App(), "Stack", env=Environment(account=ACCOUNT, region="us-east-1"))


def press(stack, target, construct_id="Press", **settings):
    action = CustomAction.from_action_id(stack, f"{construct_id}Action", construct_id)
    return CustomActionRule(stack, construct_id, action=action, targets=[target], **settings)


def test_the_rule_invokes_the_function(stack):
    function = new_function(stack)
    press(stack, targets.LambdaFunction(function))
    Template.from_stack(stack).has_resource_properties(
        "AWS::Events::Rule", {"Targets": [Match.object_like({"Arn": stack.resolve(function.function_arn)})]}
    )


def test_only_this_rule_may_invoke_the_function(stack):
    rule = press(stack, targets.LambdaFunction(new_function(stack))).rule
    Template.from_stack(stack).has_resource_properties(
        PERMISSION,
        {
            "Action": "lambda:InvokeFunction",
            "Principal": "events.amazonaws.com",
            "SourceArn": stack.resolve(rule.rule_arn),
            "SourceAccount": Match.absent(),  # keeps EventBridge out, says its troubleshooting guide
        },
    )


def policy_characters(statements):
    """The size of a function's resource policy with the longest names that AWS allows or generates.

    Source: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
    """
    statement = {
        # CloudFormation generates the ID from the names of the stack and of the permission.
        "Sid": "s" * 100,
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "lambda:InvokeFunction",
        "Resource": f"arn:aws-us-gov:lambda:ap-southeast-1:{ACCOUNT}:function:{'f' * 64}",
        "Condition": {
            "ArnLike": {"AWS:SourceArn": f"arn:aws-us-gov:events:ap-southeast-1:{ACCOUNT}:rule/{'r' * 64}"}
        },
    }
    policy = {"Version": "2012-10-17", "Id": "default", "Statement": [statement] * statements}
    return len(json.dumps(policy, separators=(",", ":")))


@pytest.mark.parametrize(
    ("rules", "permissions"), [(30, 30), (31, 1), pytest.param(50, 1, marks=pytest.mark.long)]
)
def test_the_resource_policy_of_a_function_stays_within_its_limit(stack, rules, permissions):
    function = new_function(stack)
    for number in range(rules):
        press(stack, targets.LambdaFunction(function), f"Press{number}")
    template = Template.from_stack(stack)
    template.resource_count_is("AWS::Events::Rule", rules)
    template.resource_count_is(PERMISSION, permissions)
    # While the one permission replaces the others, they exist together.
    assert policy_characters(permissions + 1) <= 20_480 < policy_characters(50)


def test_a_permission_for_more_than_30_rules_is_for_those_of_the_account_and_region(stack):
    function = new_function(stack)
    for number in range(31):
        press(stack, targets.LambdaFunction(function), f"Press{number}")
    (permission,) = Template.from_stack(stack).find_resources(PERMISSION).values()
    source = readable(permission["Properties"].pop("SourceArn"))
    assert source == f"arn:${{AWS::Partition}}:events:us-east-1:{ACCOUNT}:rule/*"
    assert permission["Properties"] == {
        "Action": "lambda:InvokeFunction",
        "FunctionName": stack.resolve(function.function_arn),
        "Principal": "events.amazonaws.com",
    }


def test_the_rules_beyond_30_do_not_warn_of_an_unknown_place(stack, monkeypatch):
    monkeypatch.setattr(rule_access, "MAX_RULES_WITH_OWN_PERMISSION", 1)
    function = new_function(stack)
    for number in range(3):
        press(stack, targets.LambdaFunction(function), f"Press{number}")
    Annotations.from_stack(stack).has_no_warning("*", Match.string_like_regexp("unresolved environment"))


class OwnLambdaFunction(targets.LambdaFunction):
    """Configured in Python because it's extended, and not by the CDK's own target."""

    def connect(self, rule, dead_letter_queue):
        return super().connect(rule, dead_letter_queue)


@pytest.mark.parametrize("method", ["attach", "connect"])
def test_what_a_target_overrides_is_called(stack, method):
    own = type("Own", (targets.LambdaFunction,), {method: lambda *_: 1 / 0})
    with pytest.raises(RuntimeError, match="division by zero"):
        press(stack, own(new_function(stack)))


@pytest.mark.parametrize("environment", [Environment(account=ACCOUNT, region="us-east-1"), None])
@pytest.mark.parametrize(
    "delivery",
    [
        None,
        Delivery(retry_attempts=0, max_event_age=Duration.seconds(61)),
        Delivery(
            retry_attempts=cast("int", Token.as_number({"Ref": "Retries"})),
            max_event_age=Duration.seconds(Token.as_number({"Ref": "Age"})),
        ),
    ],
    ids=["default", "few retries", "tokens"],
)
def test_an_extended_target_configures_the_rule_as_the_cdks_own(environment, delivery, monkeypatch):
    monkeypatch.setattr(rule_access, "MAX_RULES_WITH_OWN_PERMISSION", 2)
    templates = []
    for target_class in (targets.LambdaFunction, OwnLambdaFunction):
        stack = Stack(App(), "Stack", env=environment)
        function = new_function(stack)
        for number in range(4):
            press(stack, target_class(function), f"Press{number}", delivery=delivery)
        templates.append(Template.from_stack(stack).to_json())
    assert templates[0] == templates[1]


def test_a_plain_rule_can_invoke_a_function_with_two_payloads(stack):
    function = new_function(stack)
    pattern = events.EventPattern(source=["aws.securityhub"])
    rule = events.Rule(stack, "Rule", event_pattern=pattern, targets=[targets.LambdaFunction(function)])
    rule.add_target(targets.LambdaFunction(function, event=events.RuleTargetInput.from_text("again")))
    Template.from_stack(stack).resource_count_is(PERMISSION, 1)


def test_the_cdks_own_target_of_the_function_can_be_beside_one_with_another_payload(stack):
    function = new_function(stack)
    again = targets.LambdaFunction(function, event=events.RuleTargetInput.from_text("again"))
    press(stack, events_targets.LambdaFunction(function)).add_target(again)
    Template.from_stack(stack).resource_count_is(PERMISSION, 1)


def test_the_rules_of_all_stacks_count(stack):
    function = new_function(stack)
    other = Stack(stack.node.root, "Other", env=Environment(account=ACCOUNT, region="us-east-1"))
    for scope, number in ((scope, number) for scope in (stack, other) for number in range(16)):
        press(scope, targets.LambdaFunction(function), f"Press{number}")
    Template.from_stack(other).resource_count_is(PERMISSION, 0)
    Template.from_stack(stack).resource_count_is(PERMISSION, 1)


def test_a_function_that_is_twice_the_target_of_a_rule_needs_one_permission(stack):
    function = new_function(stack)
    press(stack, targets.LambdaFunction(function)).add_target(
        targets.LambdaFunction(function, event=events.RuleTargetInput.from_text("again"))
    )
    Template.from_stack(stack).resource_count_is(PERMISSION, 1)


def test_the_function_can_get_a_part_of_the_event(stack):
    only_findings = events.RuleTargetInput.from_event_path("$.detail.findings")
    press(stack, targets.LambdaFunction(new_function(stack), event=only_findings))
    Template.from_stack(stack).has_resource_properties(
        "AWS::Events::Rule", {"Targets": [Match.object_like({"InputPath": "$.detail.findings"})]}
    )


def test_an_event_that_the_function_fails_to_handle_goes_to_the_rules_dead_letter_queue(stack):
    mine = sqs.Queue(stack, "Mine", enforce_ssl=True)
    press(stack, targets.LambdaFunction(new_function(stack)), delivery=Delivery(dead_letter_queue=mine))
    Template.from_stack(stack).has_resource_properties(
        INVOKE_CONFIG,
        {
            "DestinationConfig": {"OnFailure": {"Destination": stack.resolve(mine.queue_arn)}},
            "MaximumRetryAttempts": 2,
            "MaximumEventAgeInSeconds": 6 * 3600,
        },
    )


def test_a_function_of_two_rules_is_configured_once(stack):
    function = new_function(stack)
    press(stack, targets.LambdaFunction(function), "One")
    press(stack, targets.LambdaFunction(function), "Two")
    Template.from_stack(stack).resource_count_is(INVOKE_CONFIG, 1)


def test_a_function_of_another_stack_keeps_failed_events_in_its_own_stack(stack):
    other = Stack(stack.node.root, "Other", env=Environment(account=ACCOUNT, region="us-east-1"))
    press(stack, targets.LambdaFunction(new_function(other)))
    template = Template.from_stack(other)
    (queue_id,) = template.find_resources("AWS::SQS::Queue")
    template.has_resource_properties(
        INVOKE_CONFIG,
        {"DestinationConfig": {"OnFailure": {"Destination": {"Fn::GetAtt": [queue_id, "Arn"]}}}},
    )


def new_singleton(stack, construct_id="Function", **settings):
    return lambda_.SingletonFunction(
        stack,
        construct_id,
        uuid="84c0de93-353f-4217-9b0b-45b6c993251a",
        runtime=lambda_.Runtime.PYTHON_3_13,
        handler="index.handle",
        code=lambda_.Code.from_inline("def handle(event, context):\n    return event\n"),
        **settings,
    )


def test_a_singleton_keeps_failed_events_once_for_all_that_share_it(stack):
    for name in ("One", "Two"):
        press(stack, targets.LambdaFunction(new_singleton(stack, name)), f"Press{name}")
    Template.from_stack(stack).resource_count_is(INVOKE_CONFIG, 1)
    Annotations.from_stack(stack).has_no_warning("*", LOST_WARNING)


def test_a_singleton_with_settings_of_its_own_keeps_them(stack):
    press(stack, targets.LambdaFunction(new_singleton(stack, retry_attempts=0)))
    Template.from_stack(stack).has_resource_properties(INVOKE_CONFIG, {"MaximumRetryAttempts": 0})
    Annotations.from_stack(stack).has_warning("*", LOST_WARNING)


ROLE_WARNING = Match.string_like_regexp(r"must allow sqs:SendMessage to the queue Stack/")
ROLE_ARN = f"arn:aws:iam::{ACCOUNT}:role/theirs"


def test_a_role_that_is_not_changed_here_gives_a_warning(stack):
    role = iam.Role.from_role_arn(stack, "Role", ROLE_ARN, mutable=False)
    press(stack, targets.LambdaFunction(new_function(stack, role=role)))
    Annotations.from_stack(stack).has_warning("*", ROLE_WARNING)


def test_a_role_whose_policies_are_not_updated_gives_it_too(stack):
    role = iam.Role(stack, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
    press(stack, targets.LambdaFunction(new_function(stack, role=role.without_policy_updates())))
    Annotations.from_stack(stack).has_warning("*", ROLE_WARNING)


def test_an_imported_role_that_gets_a_policy_gives_none(stack):
    role = iam.Role.from_role_arn(stack, "Role", ROLE_ARN)
    press(stack, targets.LambdaFunction(new_function(stack, role=role)))
    Annotations.from_stack(stack).has_no_warning("*", ROLE_WARNING)


def test_the_dead_letter_queue_of_a_function_is_left_in_charge(stack):
    press(stack, targets.LambdaFunction(new_function(stack, dead_letter_queue_enabled=True)))
    Template.from_stack(stack).resource_count_is(INVOKE_CONFIG, 0)
    Annotations.from_stack(stack).has_no_warning("*", LOST_WARNING)


def test_the_on_failure_destination_of_a_function_is_left_in_charge(stack):
    kept = sqs.Queue(stack, "Kept", enforce_ssl=True)
    press(
        stack,
        targets.LambdaFunction(new_function(stack, on_failure=destinations.SqsDestination(kept))),
    )
    Template.from_stack(stack).has_resource_properties(
        INVOKE_CONFIG, {"DestinationConfig": {"OnFailure": {"Destination": stack.resolve(kept.queue_arn)}}}
    )
    Annotations.from_stack(stack).has_no_warning("*", LOST_WARNING)


def test_a_function_configured_to_lose_failed_events_gives_a_warning(stack):
    press(stack, targets.LambdaFunction(new_function(stack, max_event_age=Duration.hours(1))))
    Annotations.from_stack(stack).has_warning("/Stack/Function", LOST_WARNING)


def test_a_function_with_a_destination_for_successes_alone_gives_the_warning_too(stack):
    answers = destinations.SqsDestination(sqs.Queue(stack, "Answers"))
    press(stack, targets.LambdaFunction(new_function(stack, on_success=answers)))
    Annotations.from_stack(stack).has_warning("/Stack/Function", LOST_WARNING)


def test_a_function_of_somebody_else_is_not_changed_and_gives_a_warning(stack):
    theirs = lambda_.Function.from_function_attributes(
        stack,
        "Theirs",
        function_arn=f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:theirs",
        same_environment=True,
    )
    press(stack, targets.LambdaFunction(theirs))
    Template.from_stack(stack).resource_count_is(INVOKE_CONFIG, 0)
    Annotations.from_stack(stack).has_warning("/Stack/Theirs", LOST_WARNING)


@pytest.mark.parametrize("kind", ["version", "alias"])
def test_an_imported_version_or_alias_is_invoked(stack, kind):
    arn = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:theirs"
    function = lambda_.Version.from_version_arn(stack, "Theirs", f"{arn}:3")
    if kind == "alias":
        function = lambda_.Alias.from_alias_attributes(
            stack, "Live", alias_name="live", alias_version=function
        )
    for number in range(2):
        press(stack, targets.LambdaFunction(function), f"Press{number}")
    template = Template.from_stack(stack)
    wanted = f"{arn}:{'live' if kind == 'alias' else 3}"
    template.resource_properties_count_is(PERMISSION, {"FunctionName": wanted}, 2)
    template.has_resource_properties("AWS::Events::Rule", {"Targets": [Match.object_like({"Arn": wanted})]})
    Annotations.from_stack(stack).has_warning("*", LOST_WARNING)


def test_an_alias_of_a_function_of_somebody_else_is_not_configured_and_gives_a_warning(stack):
    arn = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:theirs"
    function = lambda_.Function.from_function_arn(stack, "Theirs", arn)
    version = lambda_.Version(stack, "Version", lambda_=function)
    press(stack, targets.LambdaFunction(lambda_.Alias(stack, "Live", alias_name="live", version=version)))
    Template.from_stack(stack).resource_count_is(INVOKE_CONFIG, 0)
    Annotations.from_stack(stack).has_warning("*", LOST_WARNING)
