from __future__ import annotations

import re

import pytest
from aws_cdk import Annotations, App, CfnResource, Environment, Fn, Stack, assertions, aws_events_targets
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs
from aws_cdk.assertions import Match

from securityhub_actions import ImportedFindingsRule, targets
from securityhub_actions.filters import FindingFilter, Wildcard
from securityhub_actions.quotas import ROLES_QUOTA, RULES_QUOTA
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


def add_rules_on(bus, stack, count):
    """Add rules on a bus that can be of another stack, as CDK users do."""
    for number in range(count):
        pattern = events.EventPattern(source=["a"])
        events.Rule(stack, f"Rule{number}", event_bus=bus, event_pattern=pattern)


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


def test_each_log_group_that_is_a_target_of_the_cdk_counts(app):
    stack = stack_in(app)
    send(stack)
    for number in range(11):
        log_group = aws_events_targets.CloudWatchLogGroup(logs.LogGroup(stack, f"Log{number}"))
        pattern = events.EventPattern(source=["a"])
        events.Rule(stack, f"Rule{number}", event_pattern=pattern, targets=[log_group])
    with pytest.raises(RuntimeError, match=r"11 resource policies .* allows 10.*instead of aws_events"):
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
def test_more_rules_on_a_bus_than_the_default_quota_are_an_error_that_says_how_to_go_on(app, region, allowed):
    stack = stack_in(app, region=region)
    send(stack)
    add_rules(stack, allowed)
    with pytest.raises(RuntimeError) as raised:
        app.synth()
    assert f"{allowed + 1} rules are created on the event bus default" in str(raised.value)
    assert f"allows {allowed}. Request a higher quota" in str(raised.value)
    assert f"set the context value '{RULES_QUOTA}' to it" in str(raised.value)


@pytest.mark.parametrize(("rules", "is_error"), [(101, False), (102, True)])
def test_a_quota_that_was_raised_is_the_one_that_counts(rules, is_error):
    app = App(analytics_reporting=False, context={RULES_QUOTA: "101"})
    stack = stack_in(app, region="eu-south-1")
    send(stack)
    add_rules(stack, 50)
    add_rules(stack_in(app, "Other", region="eu-south-1"), rules - 51)
    if is_error:
        with pytest.raises(RuntimeError, match=r"102 rules are created .* allows 101"):
            app.synth()
    else:
        assert ids_of_warnings(stack) == ["securityhub-actions:ManyRules"]


@pytest.mark.parametrize("name", [RULES_QUOTA, ROLES_QUOTA])
@pytest.mark.parametrize("value", ["many", 0, -1, True, [400]])
def test_a_quota_that_is_no_number_is_an_error(name, value):
    app = App(analytics_reporting=False, context={name: value})
    send(stack_in(app))
    with pytest.raises(RuntimeError, match=f"The context value '{name}' is .*Specify the number"):
        app.synth()


def ids_of_warnings(stack):
    found = assertions.Annotations.from_stack(stack).find_warning("*", Match.any_value())
    return [re.search(r"\[ack: (.*)\]", str(one.entry.data))[1] for one in found]


@pytest.mark.parametrize(("others", "warns"), [(78, False), (79, True), (99, True)])
def test_from_80_percent_on_there_is_a_warning(app, others, warns):
    stack = stack_in(app, region="eu-south-1")
    send(stack)
    add_rules(stack, others)
    assert ("securityhub-actions:ManyRules" in ids_of_warnings(stack)) is warns


def test_the_warning_can_be_acknowledged(app):
    stack = stack_in(app, region="eu-south-1")
    rule = send(stack)
    add_rules(stack, 99)
    Annotations.of(rule).acknowledge_warning("securityhub-actions:ManyRules", "There will be no more")
    assert ids_of_warnings(stack) == []


def test_rules_on_another_bus_do_not_count(app):
    stack = stack_in(app, region="eu-south-1")
    send(stack)
    add_rules(stack, 100, bus="other")
    app.synth()


@pytest.mark.parametrize("kind", ["AWS::SecurityHub::ActionTarget", "Custom::SecurityHubActionTarget"])
@pytest.mark.parametrize(("actions", "is_error"), [(50, False), (51, True)])
def test_custom_actions_of_others_count(app, kind, actions, is_error):
    stack = stack_in(app)
    send(stack)
    for number in range(actions - 1):
        CfnResource(stack, f"Action{number}", type=kind)
    CfnResource(stack_in(app, "Other"), "Action", type="AWS::SecurityHub::ActionTarget")
    if is_error:
        with pytest.raises(RuntimeError, match=r"51 custom actions are created in .* allows 50. Remove 1"):
            app.synth()
    else:
        assert ids_of_warnings(stack) == ["securityhub-actions:ManyCustomActions"]


def add_resources(stack, until):
    """Add resources until a stack has so many."""
    there = sum(isinstance(one, CfnResource) for one in stack.node.find_all())
    for number in range(until - there):
        CfnResource(stack, f"Parameter{number}", type="AWS::SSM::Parameter")


@pytest.mark.parametrize(("resources", "warns"), [(399, False), (400, True)])
def test_from_400_resources_of_a_stack_on_there_is_a_warning(app, resources, warns):
    stack = stack_in(app)
    send(stack)
    add_resources(stack, resources)
    add_resources(stack_in(app, "Other"), 100)
    assert ids_of_warnings(stack) == (["securityhub-actions:ManyResources"] if warns else [])


def test_more_than_500_resources_of_a_stack_are_an_error_that_names_the_stack(app):
    stack = stack_in(app)
    send(stack)
    add_resources(stack_in(app, "Other"), 501)
    with pytest.raises(RuntimeError, match=r"The stack Other has 501 resources. CloudFormation allows 500"):
        app.synth()


@pytest.mark.parametrize(("beyond", "is_error"), [(0, False), (1, True)])
def test_the_roles_of_an_account_count_in_all_regions_and_the_quota_can_be_raised(beyond, is_error):
    app = App(analytics_reporting=False, context={ROLES_QUOTA: 10})
    send(stack_in(app))
    for number, region in enumerate((["us-east-1", "eu-west-1"] * 6)[: 10 + beyond]):
        iam.CfnRole(stack_in(app, f"Stack{number}", region), "Role", assume_role_policy_document={})
    iam.CfnRole(Stack(app, "Unknown"), "Role", assume_role_policy_document={})
    if is_error:
        with pytest.raises(RuntimeError, match=rf"11 roles are created in account {ACCOUNT}. IAM allows 10"):
            app.synth()
    else:
        app.synth()


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


def test_rules_of_several_stacks_on_a_bus_of_one_of_them_count_together():
    app = App(analytics_reporting=False, context={RULES_QUOTA: 100})
    one, other = stack_in(app, "One"), stack_in(app, "Other")
    bus = events.EventBus(one, "Bus")
    send(one)
    add_rules_on(bus, one, 51)
    add_rules_on(bus, other, 50)
    with pytest.raises(RuntimeError, match=r"101 rules .* event bus One/Bus/Resource in .* 100"):
        app.synth()


def test_buses_of_several_stacks_with_one_logical_id_count_separately():
    app = App(analytics_reporting=False, context={RULES_QUOTA: 100})
    for name in ("One", "Other"):
        stack = stack_in(app, name)
        add_rules_on(events.EventBus(stack, "Bus"), stack, 60)
    send(stack)
    app.synth()


def test_a_bus_whose_name_only_a_deployment_determines_is_named_as_the_template_does():
    app = App(analytics_reporting=False, context={RULES_QUOTA: 100})
    stack = stack_in(app)
    send(stack)
    add_rules(stack, 101, bus=Fn.import_value("Bus"))
    with pytest.raises(RuntimeError, match=r'on the event bus \{"Fn::ImportValue": "Bus"\} in'):
        app.synth()
