"""What `EachFinding` makes of an event is explained and drawn: the function, and the target behind it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from aws_cdk import App, Environment, Stack
from aws_cdk.aws_secretsmanager import Secret
from aws_cdk.aws_sqs import Queue

from securityhub_actions import CustomActionRule, FindingFilter, ImportedFindingsRule, targets
from securityhub_actions.cli.assembly import read_app
from securityhub_actions.cli.each_finding import origin_of, route_of, route_to
from securityhub_actions.cli.report.content import entries_of
from securityhub_actions.cli.review.diagram import diagram

EVENTS = Path(__file__).parents[1] / "events"
PRESSED, ON_BUS = "Security/Notify/Rule", "Security/Notify/Rule/EachFinding"


@pytest.fixture(scope="module")
def assembly(tmp_path_factory):
    """The folder of an app with `EachFinding` on an action, and on a rule that matches nothing here."""
    folder = tmp_path_factory.mktemp("each") / "cdk.out"
    app = App(analytics_reporting=False, outdir=str(folder))
    stack = Stack(app, "Security", env=Environment(account="111122223333", region="eu-west-1"))
    secret = Secret.from_secret_name_v2(stack, "Secret", "slack")
    slack = targets.Slack(stack, "Slack", channel="C024BE91L", secret=secret)
    CustomActionRule(
        stack,
        "Notify",
        action_id="SuppressWithNote",
        action_name="Notify",
        description="Notify",
        targets=[targets.EachFinding(slack)],
    )
    queue = targets.SqsQueue(Queue(stack, "Queue"))
    low = FindingFilter(severity="LOW")
    ImportedFindingsRule(stack, "Low", findings=low, targets=[targets.EachFinding(queue)])
    app.synth()
    return folder


@pytest.fixture
def explained(cli, assembly):
    """A function that returns what is said of each rule by its path."""

    def explain(name):
        ran = cli("explain", EVENTS / f"{name}.json", "--template", assembly, "--json")
        (document,) = ran.document
        return {rule["rule"]: rule for rule in document["rules"]}

    return explain


def test_the_rule_on_the_bus_matches_and_its_target_is_shown_with_what_it_gets_of_the_first_finding(
    explained,
):
    rules = explained("custom_action_20_findings")
    (first, *_) = json.loads((EVENTS / "custom_action_20_findings.json").read_text())["detail"]["findings"]
    on_bus = rules[ON_BUS]
    assert on_bus["verdict"] == "matches"
    assert on_bus["reason"] == f"it gets the first of 20 events made from that of {PRESSED}"
    (target,) = on_bus["targets"]
    assert target["path"] == "Security/Slack/Destination/ApiDestination"
    assert target["receives"]["text"] == first["Title"]


def test_the_rule_of_the_event_sends_it_to_the_function(explained):
    (target,) = explained("custom_action_20_findings")[PRESSED]["targets"]
    assert (target["kind"], target["path"]) == ("Lambda function", "Security/SecurityHubEachFinding/Function")


def test_a_rule_on_the_bus_matches_nothing_where_the_rule_before_it_does_not(explained):
    rule = explained("custom_action_20_findings")["Security/Low/Rule/EachFinding"]
    assert (rule["verdict"], rule["failures"]) == ("no match", [])
    assert rule["reason"] == "no rule whose events it gets one by one matches"


def test_the_event_is_not_printed_again_as_what_the_function_gets(cli, assembly):
    ran = cli("explain", EVENTS / "custom_action_20_findings.json", "--template", assembly)
    assert "the event as it is" in ran.out
    assert '"SchemaVersion"' not in ran.out


def test_a_route_leads_from_the_target_of_one_rule_to_another_rule(assembly):
    rules = {rule.path: rule for rule in read_app(assembly).rules}
    (target,) = rules[PRESSED].targets
    assert route_of(rules[PRESSED]) is None
    assert route_to(target) == route_of(rules[ON_BUS]) == ON_BUS
    assert origin_of(rules[ON_BUS], list(rules.values())) == (rules[PRESSED], target)
    assert origin_of(rules[PRESSED], list(rules.values())) is None


def test_the_diagram_leads_from_the_function_to_the_rule_on_the_bus(assembly):
    lines = diagram(None, read_app(assembly)).splitlines()
    ids = {
        line.partition('"')[2].partition('"')[0]: line.split("[")[0].split("(")[0].strip() for line in lines
    }
    function = ids["Lambda function Security/SecurityHubEachFinding/Function"]
    assert f"  {function} --> {ids['Security/Notify/Rule/EachFinding']}" in lines


def test_the_report_has_the_rule_on_the_bus_with_the_action(assembly):
    entry = next(entry for entry in entries_of(read_app(assembly)) if entry.action is not None)
    assert {view.rule.path for view in entry.rules} == {PRESSED, ON_BUS}
