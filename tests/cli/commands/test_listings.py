"""What exists is listed: custom actions and rules of a synthesized app, and of an account."""

from __future__ import annotations

import pytest
from aws_cdk import aws_events as events
from aws_cdk import aws_sqs as sqs

from securityhub_actions import CustomAction, CustomActionRule, FindingFilter, ImportedFindingsRule, targets
from tests.cli.deployed import deploy, destroy, enable_security_hub

RULE_OF_ACTION = "Security/Ticket/Rule"


@pytest.fixture(scope="module")
def stack(embedded_aws, tmp_path_factory):
    """A stack with a rule for an action, one for imported findings, and one for another service."""
    enable_security_hub(embedded_aws)
    hub = embedded_aws.client("securityhub")
    hub.create_action_target(Name="Listed action", Description="Is listed", Id="Listed")
    hub.create_action_target(Name="Nobody's", Description="Has no rule", Id="Unused")

    def declare(stack):
        target = targets.SqsQueue(sqs.Queue(stack, "Target"))
        action = CustomAction.from_action_id(stack, "Action", "Listed")
        CustomActionRule(stack, "ListedRule", action=action, targets=[target])
        findings = FindingFilter(severity=["HIGH", "CRITICAL"])
        ImportedFindingsRule(stack, "Severe", findings=findings, targets=[target])
        events.Rule(stack, "Other", event_pattern=events.EventPattern(source=["aws.health"]))

    deployed = deploy(embedded_aws, declare, tmp_path_factory.mktemp("app"))
    yield deployed
    destroy(deployed)
    for name in ("Listed", "Unused"):
        arn = next(
            one["ActionTargetArn"]
            for one in hub.describe_action_targets()["ActionTargets"]
            if one["ActionTargetArn"].endswith(f"/{name}")
        )
        hub.delete_action_target(ActionTargetArn=arn)


def test_an_action_has_its_rules_and_targets(cli, app):
    ran = cli("actions", "--template", app, "--json")
    (action,) = ran.document
    assert (ran.code, action["id"], action["name"]) == (0, "Ticket", "Open ticket")
    assert action["arn"] == "arn:aws:securityhub:eu-west-1:111122223333:action/custom/Ticket"
    (rule,) = action["rules"]
    assert (rule["rule"], rule["enabled"], rule["bus"]) == (RULE_OF_ACTION, True, "default")
    assert [one["kind"] for one in rule["targets"]] == ["SQS queue"]


def test_actions_are_listed_below_their_stack(cli, app):
    lines = cli("actions", "--template", app).out.splitlines()
    assert lines[0] == "Security"
    assert lines[2].split() == ["ID", "NAME", "RULE", "TARGETS"]
    assert " ".join(lines[3].split()) == "Ticket Open ticket Ticket SQS queue Tickets"


def test_rules_have_their_filters_in_the_words_of_findingfilter(cli, app):
    rules = {one["rule"]: one for one in cli("rules", "--template", app, "--json").document}
    words = rules["Security/Critical/Rule"]["filter"]
    assert {'severity: "CRITICAL"', 'resource type: "AwsS3Bucket"', 'workflow status: "NEW"'} <= set(words)
    assert rules["Security/Critical/Rule"]["pattern"]["detail"]["findings"]["Severity"]["Label"] == [
        "CRITICAL"
    ]
    assert [one["kind"] for one in rules["Security/Critical/Rule"]["targets"]] == ["SNS topic"]


def test_only_what_has_a_text_is_listed(cli, app):
    assert [one["rule"] for one in cli("rules", "Tick", "--template", app, "--json").document] == [
        RULE_OF_ACTION
    ]
    assert [one["id"] for one in cli("actions", "ticket", "--template", app, "--json").document] == ["Ticket"]


@pytest.mark.parametrize("command", ["actions", "rules"])
def test_nothing_to_list_is_said_and_is_no_error(cli, app, command):
    ran = cli(command, "nothing-like-it", "--template", app)
    assert (ran.code, ran.out) == (
        0,
        f"There are no {'custom ' * (command == 'actions')}{command} with 'nothing-like-it'.\n",
    )


@pytest.mark.parametrize("columns", [60, 80, 120])
@pytest.mark.parametrize("command", ["actions", "rules"])
def test_what_it_lists_fits_the_page(cli, app, command, columns):
    ran = cli(command, "--template", app, columns=columns)
    assert max(map(len, ran.out.splitlines())) <= columns
    assert "Ticket" in ran.out


@pytest.mark.usefixtures("of_account", "stack")
def test_the_actions_of_an_account_are_listed_with_their_rules(cli, stack):
    actions = {one["id"]: one for one in cli("actions", "--live", "--json").document}
    (rule,) = actions["Listed"]["rules"]
    assert rule["rule"].startswith(f"{stack.name}-ListedRule")
    assert [one["kind"] for one in rule["targets"]] == ["SQS queue"]
    assert actions["Unused"]["rules"] == []
    assert "none: it does nothing" in cli("actions", "Unused", "--live").out


@pytest.mark.usefixtures("of_account")
def test_the_rules_of_an_account_are_those_for_events_of_security_hub(cli, stack):
    rules = {one["rule"]: one for one in cli("rules", stack.name, "--live", "--json").document}
    (severe,) = (one for name, one in rules.items() if "Severe" in name)
    assert 'severity: "CRITICAL" or "HIGH"' in severe["filter"]
    assert not any("Other" in name for name in rules)


@pytest.mark.usefixtures("of_account")
def test_the_rules_of_a_stack_are_all_of_it(cli, stack):
    rules = cli("rules", "--stack", stack.name, "--json").document
    assert len(rules) == 3
    assert {one["stack"] for one in rules} == {stack.name}
    assert any("Other" in one["rule"] for one in rules)


@pytest.mark.usefixtures("of_account")
def test_a_stack_that_only_refers_to_an_action_does_not_list_it(cli, stack):
    assert cli("actions", "--stack", stack.name, "--json").document == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--template", "nowhere"), "nowhere"),
        (("--live", "--template", "cdk.out"), "--template is for a synthesized app"),
        (("--stack", "x", "--account", "111122223333"), "--account is for a synthesized app"),
        (("--profile", "x"), "--profile is for --live and --stack"),
        (("--account", "12"), "12 digits"),
    ],
)
@pytest.mark.parametrize("command", ["actions", "rules"])
def test_wrong_input_is_refused_in_one_line(cli, command, arguments, said):
    ran = cli(command, *arguments)
    assert (ran.code, said in ran.err, ran.err.count("\n")) == (2, True, 1), ran


@pytest.mark.usefixtures("of_account")
def test_an_unknown_stack_is_refused_with_those_that_exist(cli, stack):
    ran = cli("rules", "--stack", "NoSuchStack")
    assert (ran.code, stack.name in ran.err, ran.err.count("\n")) == (2, True, 1)
