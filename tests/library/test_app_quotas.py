from __future__ import annotations

import pytest
from aws_cdk import Annotations, App, Environment, Stack, assertions, aws_events_targets
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs
from aws_cdk.assertions import Match

from securityhub_actions import ImportedFindingsRule, targets
from securityhub_actions.app_quotas import TOO_MANY_RULES
from securityhub_actions.filters import FindingFilter, Wildcard
from tests.library.functions import new_function

ACCOUNT = "111122223333"
WILDCARD = {"detail": {"state": [{"wildcard": "run*"}]}}


@pytest.fixture
def app():
    return App(analytics_reporting=False)


def stack_in(app, name="Stack", region="us-east-1"):
    return Stack(app, name, env=Environment(account=ACCOUNT, region=region))


def send(stack, target=None, **settings):
    target = target or targets.SqsQueue(sqs.Queue(stack, "Inbox", enforce_ssl=True))
    return ImportedFindingsRule(stack, "Findings", targets=[target], **settings)


def add_rules(stack, count, *, pattern=None, bus=None):
    for number in range(count):
        events.CfnRule(stack, f"Rule{number}", event_pattern=pattern or {"source": ["a"]}, event_bus_name=bus)


def new_log_rules(app, count, region="us-east-1", prefix="Logs"):
    for number in range(count):
        stack = stack_in(app, f"{prefix}{number}", region)
        send(stack, targets.LogGroup(logs.LogGroup(stack, "Log")))


def test_an_eleventh_log_policy_is_an_error_that_counts_them(app):
    new_log_rules(app, 11)
    with pytest.raises(RuntimeError, match=r"11 resource policies .* us-east-1.* allows 10.*fewer stacks"):
        app.synth()


def test_ten_log_policies_in_each_region_are_accepted(app):
    new_log_rules(app, 5)
    new_log_rules(app, 6, region="eu-west-1", prefix="Europe")
    app.synth()


def test_log_policies_of_others_count(app):
    new_log_rules(app, 10)
    logs.CfnResourcePolicy(stack_in(app), "Other", policy_name="other", policy_document="{}")
    with pytest.raises(RuntimeError, match="11 resource policies"):
        app.synth()


@pytest.mark.parametrize(
    "pattern",
    [
        WILDCARD,
        {"detail": {"state": [{"anything-but": {"wildcard": "run*"}}]}},
        {"$or": [{"source": ["a"]}, WILDCARD]},
    ],
)
def test_a_31st_rule_with_a_wildcard_is_an_error(app, pattern):
    stack = stack_in(app)
    send(stack)
    add_rules(stack, 31, pattern=pattern)
    with pytest.raises(RuntimeError, match=r"31 rules on the event bus default .* EventBridge allows 30"):
        app.synth()


def test_the_librarys_own_wildcards_count(app):
    stack = stack_in(app)
    add_rules(stack, 30, pattern=WILDCARD)
    send(stack, findings=FindingFilter(title=Wildcard("*public*")))
    with pytest.raises(RuntimeError, match="31 rules"):
        app.synth()


def test_wildcards_on_another_bus_or_in_the_name_of_a_field_do_not_count(app):
    stack = stack_in(app)
    send(stack)
    add_rules(stack, 30, pattern=WILDCARD)
    events.CfnRule(stack, "OtherBus", event_pattern=WILDCARD, event_bus_name="other")
    events.CfnRule(stack, "Field", event_pattern={"detail": {"wildcard": ["a"]}})
    app.synth()


@pytest.mark.parametrize(("region", "allowed"), [("us-east-1", 300), ("eu-south-1", 100)])
def test_more_rules_on_a_bus_than_the_default_quota_are_a_warning(app, region, allowed):
    stack = stack_in(app, region=region)
    rule = send(stack)
    add_rules(stack, allowed)
    warning = Match.string_like_regexp(f"{allowed + 1} rules .* allows {allowed}. Request a higher quota")
    assertions.Annotations.from_stack(stack).has_warning(f"/{rule.node.path}", warning)


def test_as_many_rules_as_the_quota_give_no_warning_and_it_can_be_acknowledged(app):
    stack = stack_in(app, region="eu-south-1")
    rule = send(stack)
    add_rules(stack, 100)
    Annotations.of(rule).acknowledge_warning(TOO_MANY_RULES, "The quota was raised")
    assertions.Annotations.from_stack(stack).has_no_warning("*", Match.string_like_regexp("higher quota"))


def test_rules_on_another_bus_do_not_count(app):
    stack = stack_in(app, region="eu-south-1")
    send(stack)
    add_rules(stack, 100, bus="other")
    assertions.Annotations.from_stack(stack).has_no_warning("*", Match.string_like_regexp("higher quota"))


def test_a_queue_policy_with_more_than_20_statements_is_an_error(app):
    stack = stack_in(app)
    queue = sqs.Queue(stack, "Inbox")
    for number in range(21):
        ImportedFindingsRule(stack, f"Rule{number}", targets=[aws_events_targets.SqsQueue(queue)])
    with pytest.raises(RuntimeError, match=r"Stack/Inbox/Policy/Resource has 21 statements.* allows 20"):
        app.synth()


def test_any_number_of_rules_shares_a_queue_with_the_librarys_target(app):
    stack = stack_in(app)
    queue = sqs.Queue(stack, "Inbox")
    queue.add_to_resource_policy(
        iam.PolicyStatement(
            principals=[iam.AccountRootPrincipal()], actions=["sqs:SendMessage"], resources=[queue.queue_arn]
        )
    )
    for number in range(21):
        ImportedFindingsRule(stack, f"Rule{number}", targets=[targets.SqsQueue(queue)])
    app.synth()


@pytest.mark.parametrize(
    ("target", "warns"), [pytest.param(targets, False, marks=pytest.mark.long), (aws_events_targets, True)]
)
def test_more_permissions_than_the_policy_of_a_function_can_have_are_a_warning(app, target, warns):
    stack = stack_in(app)
    function = new_function(stack)
    for number in range(41):
        ImportedFindingsRule(stack, f"Rule{number}", targets=[target.LambdaFunction(function)])
    found = assertions.Annotations.from_stack(stack)
    warning = Match.string_like_regexp("has 41 permissions for the function .*Use targets.LambdaFunction")
    if warns:
        found.has_warning("/Stack/Rule0", warning)
    else:
        found.has_no_warning("*", Match.string_like_regexp("permissions for the function"))
