"""One event for each finding: the function, its bus, and the rules on the bus."""

from __future__ import annotations

import json

import pytest
from aws_cdk import App, Duration, Environment, Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as events_targets
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from aws_cdk.assertions import Annotations, Match, Template

from emulator.delivery.inputs import target_input
from securityhub_actions import (
    CustomAction,
    CustomActionRule,
    Delivery,
    FindingFilter,
    ImportedFindingsRule,
    ImportedFindingsV2Rule,
    PressBus,
    targets,
)
from securityhub_actions.each_finding_handler.parts import take_apart
from tests.checks import check_as_cdk_synth
from tests.library.targets.test_saas import EVENTS, new_secret, texts_in
from tests.library.targets.vendors import VENDORS

RULE, BUS, FUNCTION = "AWS::Events::Rule", "AWS::Events::EventBus", "AWS::Lambda::Function"
each_vendor = pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.name)
each_file = pytest.mark.parametrize(
    "file", ["custom_action_20_findings", "insight_results_few", "findings_imported_v2"]
)


@pytest.fixture
def queue(stack):
    return sqs.Queue(stack, "Queue")


def press(stack, *chosen, construct_id="Notify", **settings):
    action = stack.node.try_find_child("Action") or CustomAction.from_action_id(stack, "Action", "Notify")
    return CustomActionRule(stack, construct_id, action=action, targets=list(chosen), **settings)


def rules_of(stack):
    """The rules of a stack: those on the default bus, and those on the bus of `EachFinding`."""
    rules = [one["Properties"] for one in Template.from_stack(stack).find_resources(RULE).values()]
    own = [one for one in rules if one["EventPattern"]["source"] == ["securityhub-actions.each-finding"]]
    return [one for one in rules if one not in own], own


def synth_error(stack):
    with pytest.raises(RuntimeError) as caught:
        stack.node.root.synth()
    return str(caught.value)


def received(rule, event):
    """What the first target of a rule receives."""
    target, *_ = rule["Targets"]
    return json.loads(target_input(target, event, rule_name="rule", rule_arn="arn:aws:events:x"))


def taken_apart(stack, event):
    """The events of the function, made from what the rule sends it."""
    (first, *_), _ = rules_of(stack)
    payload = received(first, event)
    for detail in take_apart(payload):
        yield {**event, "source": "securityhub-actions.each-finding", "detail": detail}


def test_the_function_gets_the_event_as_it_is_and_the_route_of_the_one_rule_on_the_bus(stack, queue):
    press(stack, targets.EachFinding(targets.SqsQueue(queue)))
    (rule,), (on_bus,) = rules_of(stack)
    event = json.loads((EVENTS / "custom_action_20_findings.json").read_text())
    (route,) = on_bus["EventPattern"]["detail"]["route"]
    assert received(rule, event) == {**event, "route": route}
    assert on_bus["EventPattern"].keys() == {"source", "detail"}


def test_every_way_has_retries_and_a_dead_letter_queue(stack, queue):
    press(stack, targets.EachFinding(targets.SqsQueue(queue)))
    for rule in (*rules_of(stack)[0], *rules_of(stack)[1]):
        (target,) = rule["Targets"]
        assert target["RetryPolicy"] == {"MaximumRetryAttempts": 185, "MaximumEventAgeInSeconds": 86_400}
        assert "SecurityHubDeadLetterQueue" in target["DeadLetterConfig"]["Arn"]["Fn::GetAtt"][0]
    Template.from_stack(stack).has_resource_properties(
        "AWS::Lambda::EventInvokeConfig",
        {
            "MaximumRetryAttempts": 2,
            "DestinationConfig": {
                "OnFailure": {
                    "Destination": {"Fn::GetAtt": [Match.string_like_regexp("DeadLetterQueue"), "Arn"]}
                }
            },
        },
    )


def test_the_delivery_settings_of_the_rule_hold_for_both_ways_and_those_of_the_target_for_the_second(
    stack, queue
):
    own = targets.SqsQueue(queue, delivery=Delivery(retry_attempts=1))
    settings = Delivery(retry_attempts=7, max_event_age=Duration.hours(1))
    press(stack, targets.EachFinding(targets.SqsQueue(sqs.Queue(stack, "Other"))), delivery=settings)
    press(stack, targets.EachFinding(own), construct_id="Own", delivery=settings)
    first, second = rules_of(stack)
    assert [one["Targets"][0]["RetryPolicy"]["MaximumRetryAttempts"] for one in first] == [7, 7]
    assert [one["Targets"][0]["RetryPolicy"]["MaximumRetryAttempts"] for one in second] == [7, 1]


def test_all_rules_of_a_stack_share_the_function_and_the_bus_and_have_a_route_of_their_own(stack, queue):
    target = targets.EachFinding(targets.SqsQueue(queue))
    other = targets.EachFinding(targets.SnsTopic(new_topic(stack)))
    press(stack, target, other)
    ImportedFindingsRule(stack, "Imported", findings=FindingFilter(severity="HIGH"), targets=[target])
    template = Template.from_stack(stack)
    template.resource_count_is(FUNCTION, 1)
    template.resource_count_is(BUS, 1)
    routes = [rule["EventPattern"]["detail"]["route"][0] for rule in rules_of(stack)[1]]
    assert len(set(routes)) == len(routes) == 3


def new_topic(stack):
    return sns.Topic(stack, "Topic")


def test_a_press_without_the_console_is_taken_apart_too(stack, queue):
    bus = PressBus(stack, "PressBus", principal_arns=["arn:aws:iam::111122223333:role/Responder"])
    press(stack, targets.EachFinding(targets.SqsQueue(queue)), press_bus=bus)
    assert [len(rules) for rules in rules_of(stack)] == [2, 2]


def test_the_rule_on_the_bus_exists_before_the_rule_whose_events_it_would_miss(stack, queue):
    press(stack, targets.EachFinding(targets.SqsQueue(queue)))
    rules = Template.from_stack(stack).find_resources(RULE)
    (on_bus,) = (name for name, rule in rules.items() if "EventBusName" in rule["Properties"])
    (first,) = (rule for rule in rules.values() if "EventBusName" not in rule["Properties"])
    assert on_bus in first["DependsOn"]


def test_only_the_function_can_put_events_on_the_bus_and_only_of_its_source(stack, queue):
    press(stack, targets.EachFinding(targets.SqsQueue(queue)))
    template = Template.from_stack(stack)
    (bus,) = template.find_resources(BUS).values()
    allowed, others, other_events = bus["Properties"]["Policy"]["Statement"]
    (function,) = template.find_resources(FUNCTION).values()
    named = {"aws:PrincipalArn": [function["Properties"]["Role"]]}
    source = {"events:source": "securityhub-actions.each-finding"}
    assert allowed["Condition"]["ArnLike"] == named
    assert allowed["Condition"]["StringEquals"].items() >= source.items()
    assert (others["Effect"], others["Condition"]) == ("Deny", {"ArnNotLike": named})
    assert (other_events["Effect"], other_events["Condition"]) == ("Deny", {"StringNotEquals": source})


def actions_of(stack):
    """What the function's role can do, except for its log group."""
    statements = [
        statement
        for policy in Template.from_stack(stack).find_resources("AWS::IAM::Policy").values()
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
    ]
    return {
        action: statement["Resource"]
        for statement in statements
        for action in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
        if not action.startswith("logs:")
    }


def test_the_function_can_put_events_on_its_bus_and_send_what_failed_and_nothing_else(stack, queue):
    press(stack, targets.EachFinding(targets.SqsQueue(queue)))
    actions = actions_of(stack)
    assert {name for name in actions if not name.startswith("sqs:")} == {"events:PutEvents"}
    assert actions["events:PutEvents"]["Fn::GetAtt"][0].startswith("SecurityHubEachFindingBus")


def test_organizations_is_asked_only_where_a_target_wants_names(stack, queue):
    press(stack, targets.EachFinding(targets.SqsQueue(queue), account_names=True))
    press(stack, targets.EachFinding(targets.SnsTopic(new_topic(stack))), construct_id="Other")
    named = {"Fn::Join": ["", ["arn:", {"Ref": "AWS::Partition"}, ":organizations::*:account/*"]]}
    assert actions_of(stack)["organizations:DescribeAccount"] == named
    environment = {"Environment": {"Variables": Match.object_like({"ACCOUNT_NAMES": "true"})}}
    Template.from_stack(stack).has_resource_properties(FUNCTION, environment)


@each_file
@each_vendor
def test_each_finding_and_result_makes_a_body_that_the_vendor_documents(stack, vendor, file):
    target = targets.EachFinding(vendor.make(stack, new_secret(stack)))
    event = json.loads((EVENTS / f"{file}.json").read_text())
    if file == "findings_imported_v2":
        ImportedFindingsV2Rule(stack, "Imported", targets=[target])
    else:
        press(stack, target)
    stack.node.root.synth()
    _, (on_bus,) = rules_of(stack)
    for one in taken_apart(stack, event):
        body = received(on_bus, one)
        said = one["detail"]["summary"]
        assert vendor.problems(vendor.with_secrets(body)) == []
        texts = "\n".join(text for text in texts_in(body) if isinstance(text, str))
        for name in ("title", "severity", "account", "accountName", "region", "control", "resource", "link"):
            assert said[name] in texts or said[name] == "-"


def test_a_path_into_the_finding_works_for_one_finding_at_a_time(stack):
    body = {"title": targets.InputPath("$.detail.findings[0].Title")}
    press(stack, targets.EachFinding(webhook(stack, body)), events=["Security Hub Findings - Custom Action"])
    stack.node.root.synth()
    event = json.loads((EVENTS / "custom_action_20_findings.json").read_text())
    _, (on_bus,) = rules_of(stack)
    titles = [received(on_bus, one)["title"] for one in taken_apart(stack, event)]
    assert titles == [finding["Title"] for finding in event["detail"]["findings"]]


def webhook(stack, body):
    authorization = events.Authorization.api_key("X-Api-Key", new_secret(stack).secret_value)
    return targets.Webhook(
        stack, "Webhook", endpoint="https://example.com/hook", authorization=authorization, body=body
    )


def test_a_path_into_the_finding_is_an_error_where_an_insight_has_none(stack):
    body = {"title": targets.InputPath("$.detail.findings[0].Title")}
    press(stack, targets.EachFinding(webhook(stack, body)))
    error = synth_error(stack)
    assert "'Security Hub Insight Results'" in error
    assert "$.detail.summary.title" in error


def test_a_path_into_the_summary_is_an_error_without_each_finding(stack):
    press(stack, webhook(stack, {"title": targets.InputPath("$.detail.summary.title")}))
    assert "Wrap the target: targets.EachFinding(...)" in synth_error(stack)


def test_each_finding_of_several_formats_can_go_to_one_third_party(stack):
    target = targets.EachFinding(webhook(stack, lambda finding: {"text": finding.title, "to": finding.link}))
    types = ["Security Hub Findings - Imported", "Findings Imported V2"]
    pattern = events.EventPattern(source=["aws.securityhub"], detail_type=types)
    events.Rule(stack, "Both", event_pattern=pattern).add_target(target)
    stack.node.root.synth()


def test_parameters_of_a_command_and_a_runbook_are_those_of_one_finding(stack):
    resource = events.EventField.from_path("$.detail.findings[0].Resources[0].Id")
    command = targets.RunCommand(
        "Isolate", instances=targets.Instances.with_tag("Isolate", "yes"), parameters={"Id": resource}
    )
    runbook = targets.Automation("Isolate", parameters={"Id": resource})
    press(stack, targets.EachFinding(command), targets.EachFinding(runbook))
    event = json.loads((EVENTS / "custom_action_20_findings.json").read_text())
    _, on_bus = rules_of(stack)
    wanted = [[finding["Resources"][0]["Id"]] for finding in event["detail"]["findings"]]
    for rule in on_bus:
        assert [received(rule, one)["Id"] for one in taken_apart(stack, event)] == wanted


def test_a_target_of_the_cdk_gets_one_finding_at_a_time_too(stack, queue):
    press(stack, targets.EachFinding(events_targets.SqsQueue(queue)))
    _, (on_bus,) = rules_of(stack)
    assert on_bus["Targets"][0]["DeadLetterConfig"]


@pytest.mark.parametrize("target", [targets.EventBus, events_targets.EventBus])
def test_an_event_bus_is_refused_because_rules_there_match_another_source(stack, target):
    with pytest.raises(ValueError, match="on the rules of that bus"):
        targets.EachFinding(target(events.EventBus(stack, "Bus")))


def test_an_app_can_be_deployed_twice_with_other_names_of_its_stacks():
    names = set()
    for name in ("findings-test", "findings-live"):
        stack = Stack(App(), "Stack", stack_name=name)
        press(stack, targets.EachFinding(targets.SqsQueue(sqs.Queue(stack, "Queue"))))
        (bus,) = Template.from_stack(stack).find_resources(BUS).values()
        names.add(bus["Properties"]["Name"])
    assert len(names) == 2


def test_fifty_actions_share_the_function_and_the_queue_within_their_policies(stack, queue):
    action = CustomAction.from_action_id(stack, "Action", "Notify")
    for number in range(50):
        target = targets.EachFinding(targets.SqsQueue(queue))
        CustomActionRule(stack, f"Rule{number}", action=action, targets=[target])
    template = Template.from_stack(stack)
    template.resource_count_is("AWS::Lambda::Permission", 1)
    for policy in template.find_resources("AWS::SQS::QueuePolicy").values():
        assert len(json.dumps(policy["Properties"]["PolicyDocument"])) < 4_096


def test_each_finding_is_not_put_into_itself(queue):
    with pytest.raises(ValueError, match="Pass the target itself"):
        targets.EachFinding(targets.EachFinding(targets.SqsQueue(queue)))


def test_anything_that_is_no_target_is_refused():
    with pytest.raises(ValueError, match="target must be"):
        targets.EachFinding("https://example.com")


def test_it_works_on_a_plain_rule_of_aws(stack, queue):
    rule = events.Rule(stack, "Plain", event_pattern=events.EventPattern(source=["aws.securityhub"]))
    rule.add_target(targets.EachFinding(targets.SqsQueue(queue)))
    assert [len(rules) for rules in rules_of(stack)] == [1, 1]


@pytest.mark.parametrize("environment", [Environment(account="111122223333", region="us-east-1"), None])
def test_the_template_passes_cdk_nag_cfn_lint_and_cdks_own_rules(feature_flags, environment):
    app = App(context=feature_flags, analytics_reporting=False)
    check_as_cdk_synth(app)
    stack = Stack(app, "Stack", env=environment)
    kept = sqs.DeadLetterQueue(max_receive_count=3, queue=sqs.Queue(stack, "Kept", enforce_ssl=True))
    queue = sqs.Queue(stack, "Queue", enforce_ssl=True, dead_letter_queue=kept)
    press(stack, targets.EachFinding(targets.SqsQueue(queue), account_names=True))
    app.synth()
    Annotations.from_stack(stack).has_no_error("*", Match.any_value())


def test_rules_for_both_hubs_that_only_share_the_function_are_not_warned_of(stack):
    queues = [sqs.Queue(stack, name) for name in ("One", "Two")]
    for construct, queue in zip((ImportedFindingsRule, ImportedFindingsV2Rule), queues, strict=True):
        construct(stack, construct.__name__, targets=[targets.EachFinding(targets.SqsQueue(queue))])
    assert Annotations.from_stack(stack).find_warning("*", Match.string_like_regexp("in common")) == []


def test_rules_for_both_hubs_with_the_same_target_behind_the_function_are_warned_of(stack, queue):
    for construct in (ImportedFindingsRule, ImportedFindingsV2Rule):
        construct(stack, construct.__name__, targets=[targets.EachFinding(targets.SqsQueue(queue))])
    assert len(Annotations.from_stack(stack).find_warning("*", Match.string_like_regexp("in common"))) == 1
