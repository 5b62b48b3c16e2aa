from __future__ import annotations

import json
from pathlib import Path

import jsii
import pytest
from aws_cdk import App, CfnParameter, Environment, IStableAnyProducer, Lazy, Stack, Token
from aws_cdk import aws_sqs as sqs
from aws_cdk.assertions import Template

from securityhub_actions import (
    Delivery,
    FindingFilter,
    ImportedFindingsRule,
    ImportedFindingsV2Rule,
    OcsfFindingFilter,
    targets,
)
from securityhub_actions.filters import AnythingBut, Exists, Numeric, Prefix
from securityhub_actions.patterns import EventPattern

RULE = "AWS::Events::Rule"
EVENTS = Path(__file__).parent.parent / "events"


@pytest.fixture
def stack():
    return Stack(App(), "Stack", env=Environment(account="111122223333", region="us-east-1"))


@pytest.fixture
def target(stack):
    return targets.SqsQueue(sqs.Queue(stack, "Inbox", enforce_ssl=True))


def rule_of(stack):
    (rule,) = Template.from_stack(stack).find_resources(RULE).values()
    return rule["Properties"]


@pytest.fixture(params=[ImportedFindingsRule, ImportedFindingsV2Rule])
def rule_class(request):
    return request.param


@pytest.mark.parametrize(
    ("rule_class", "findings"),
    [
        (ImportedFindingsRule, FindingFilter()),
        (
            ImportedFindingsRule,
            FindingFilter(
                severity=["HIGH", "CRITICAL"],
                title=AnythingBut("a", "b"),
                generator_id=Prefix("security-control/"),
                confidence=Numeric(">=", 50),
                compliance_status=Exists(False),
            ),
        ),
        (ImportedFindingsRule, FindingFilter(workflow_status=None, record_state=None)),
        (ImportedFindingsV2Rule, OcsfFindingFilter()),
        (ImportedFindingsV2Rule, OcsfFindingFilter(severity="Fatal", resource_tags={"team": "payments"})),
    ],
)
def test_the_pattern_of_the_rule_is_that_of_the_filter(stack, target, rule_class, findings):
    rule_class(stack, "Findings", findings=findings, targets=[target])
    assert rule_of(stack)["EventPattern"] == findings.to_event_pattern()


@pytest.mark.parametrize(
    ("rule_class", "default"),
    [(ImportedFindingsRule, FindingFilter()), (ImportedFindingsV2Rule, OcsfFindingFilter())],
)
def test_open_findings_are_the_default(stack, target, rule_class, default):
    rule_class(stack, "Findings", targets=[target])
    assert rule_of(stack)["EventPattern"] == default.to_event_pattern()


def test_the_update_of_a_target_that_moves_the_workflow_on_does_not_trigger_the_rule_again(stack, target):
    ImportedFindingsRule(stack, "Findings", targets=[target])
    pattern = EventPattern.parse(rule_of(stack)["EventPattern"])
    event = json.loads((EVENTS / "findings_imported.json").read_text())
    finding = event["detail"]["findings"][0]
    finding["Workflow"]["Status"] = "NEW"
    assert pattern.matches(event)
    finding["Workflow"]["Status"] = "NOTIFIED"
    assert not pattern.matches(event)


def test_the_rule_is_on_the_default_bus_where_security_hub_sends(stack, target, rule_class):
    rule_class(stack, "Findings", targets=[target])
    assert "EventBusName" not in rule_of(stack)


def test_the_description_names_the_construct_by_default(stack, target, rule_class):
    rule_class(stack, "Findings", targets=[target])
    assert rule_of(stack)["Description"].endswith("for Stack/Findings")


def test_a_given_description_is_used(stack, target, rule_class):
    rule_class(stack, "Findings", description="Critical ones to on-call", targets=[target])
    assert rule_of(stack)["Description"] == "Critical ones to on-call"


def test_a_description_of_more_than_512_characters_is_an_error(stack, target, rule_class):
    rule_class(stack, "Longest", description="d" * 512, targets=[target])
    with pytest.raises(ValueError, match="description has 513 characters"):
        rule_class(stack, "Findings", description="d" * 513, targets=[target])


def test_a_disabled_rule_stays_in_the_template(stack, target, rule_class):
    rule_class(stack, "Findings", targets=[target], enabled=False)
    assert rule_of(stack)["State"] == "DISABLED"


def test_the_rules_delivery_settings_reach_its_targets(stack, target, rule_class):
    rule_class(stack, "Findings", targets=[target], delivery=Delivery(retry_attempts=7))
    assert rule_of(stack)["Targets"][0]["RetryPolicy"]["MaximumRetryAttempts"] == 7


def test_no_target_is_an_error_at_synthesis(stack, rule_class):
    rule_class(stack, "Findings", targets=[])
    with pytest.raises(RuntimeError, match="The rule Stack/Findings has no target"):
        stack.node.root.synth()


def test_a_filter_whose_pattern_is_above_2048_characters_is_an_error_at_synthesis(stack, target):
    many = FindingFilter(title=[f"{number}{'x' * 100}" for number in range(30)])
    ImportedFindingsRule(stack, "Findings", findings=many, targets=[target])
    with pytest.raises(RuntimeError, match="EventBridge allows 2048"):
        stack.node.root.synth()


def listen_to_many_accounts(context, count=140):
    stack = Stack(App(context=context), "Stack")
    queue = sqs.Queue(stack, "Inbox", enforce_ssl=True)
    many = FindingFilter(account_ids=[f"{number:012}" for number in range(count)])
    ImportedFindingsRule(stack, "Findings", findings=many, targets=[targets.SqsQueue(queue)])
    return stack


@pytest.mark.parametrize("quota", [4096, "4096", 4000])
def test_a_longer_pattern_is_accepted_where_the_quota_was_increased(quota):
    stack = listen_to_many_accounts({"securityhub-actions:eventPatternQuota": quota})
    assert len(rule_of(stack)["EventPattern"]["detail"]["findings"]["AwsAccountId"]) == 140


def test_the_error_about_a_long_pattern_names_the_context_value():
    with pytest.raises(RuntimeError, match="securityhub-actions:eventPatternQuota"):
        listen_to_many_accounts({}).node.root.synth()


@pytest.mark.parametrize("quota", ["much", "", 0, -1, 2.5, True, 4097, 16_384])
def test_a_quota_that_is_no_number_of_characters_is_an_error(quota):
    stack = listen_to_many_accounts({"securityhub-actions:eventPatternQuota": quota}, count=1)
    with pytest.raises(RuntimeError, match="Specify the number of characters that your quota allows"):
        stack.node.root.synth()


def test_no_quota_allows_a_pattern_that_the_api_does_not_accept():
    stack = listen_to_many_accounts({"securityhub-actions:eventPatternQuota": 4096}, count=300)
    with pytest.raises(RuntimeError, match=r"EventBridge allows 4096\. .* fewer values\.$"):
        stack.node.root.synth()


def test_a_list_that_is_known_only_at_deployment_is_the_list_of_the_pattern(stack, target):
    accounts = CfnParameter(stack, "Accounts", type="CommaDelimitedList").value_as_list
    findings = FindingFilter(account_ids=accounts, resource_tags={"Team": accounts})
    ImportedFindingsRule(stack, "Findings", findings=findings, targets=[target])
    wanted = rule_of(stack)["EventPattern"]["detail"]["findings"]
    assert wanted["AwsAccountId"] == {"Ref": "Accounts"}
    assert wanted["Resources"] == {"Tags": {"Team": {"Ref": "Accounts"}}}


def test_a_list_that_is_known_only_at_deployment_cannot_be_extended(stack):
    accounts = CfnParameter(stack, "Accounts", type="CommaDelimitedList").value_as_list
    with pytest.raises(ValueError, match="account_ids combines a list that is known only at deployment"):
        FindingFilter(account_ids=[*accounts, "111122223333"])


@pytest.mark.parametrize(
    ("make_filter", "path"),
    [
        (lambda number: FindingFilter(criticality=number), "Criticality"),
        (lambda number: FindingFilter(criticality=AnythingBut(number)), "Criticality"),
        (lambda number: FindingFilter(severity_score=Numeric(">=", number)), "Severity"),
        (lambda number: FindingFilter(severity="HIGH", severity_score=number), "Severity"),
    ],
)
def test_a_number_token_reaches_the_pattern_only_as_a_number(stack, target, make_filter, path):
    at_synthesis = make_filter(Token.as_number(Lazy.any(SeventyFive())))
    ImportedFindingsRule(stack, "Lazy", findings=at_synthesis, targets=[target])
    assert "75" in json.dumps(rule_of(stack)["EventPattern"]["detail"]["findings"][path])

    late = Stack(App(), "Stack")
    at_deployment = make_filter(CfnParameter(late, "Number", type="Number").value_as_number)
    queue = sqs.Queue(late, "Inbox", enforce_ssl=True)
    ImportedFindingsRule(late, "Late", findings=at_deployment, targets=[targets.SqsQueue(queue)])
    with pytest.raises(RuntimeError, match="Stack/Late has a number that is known only at deployment"):
        late.node.root.synth()


@jsii.implements(IStableAnyProducer)
class SeventyFive:
    def produce(self):
        return 75
