"""Which rules an event matches, and why not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from securityhub_actions.cli.assembly import read_app
from securityhub_actions.cli.assembly.model import Rule, Target
from securityhub_actions.cli.assembly.values import unknown
from securityhub_actions.cli.explanation import CompiledRule, Verdict

EVENTS = Path(__file__).parents[1] / "events"
EVENT = json.loads((EVENTS / "findings_imported.json").read_text())
SEEN = {"source": "aws.securityhub", "detail": {"findings": [{"a": "1", "b": "1"}, {"a": "2", "b": "2"}]}}


def rule(pattern, **more):
    settings = {
        "stack": "Stack",
        "logical_id": "Rule",
        "path": "Stack/Rule",
        "name": unknown("Rule"),
        "description": "",
        "enabled": True,
        "bus": "default",
        "schedule": None,
        "targets": [],
        "account": None,
        "region": None,
    }
    return Rule(pattern=pattern, **{**settings, **more})


def explained(pattern, event=SEEN, **more):
    return CompiledRule(rule(pattern, **more)).explain(event)


def test_each_condition_that_fails_is_named_with_what_is_seen_and_wanted():
    found = explained(
        {"source": ["a", {"prefix": "b"}], "detail": {"odd": [1]}, "account": [{"exists": False}]}
    )
    assert found.verdict is Verdict.NO_MATCH
    assert [(one.paths, one.seen, one.wanted) for one in found.failures] == [
        (["source"], '"aws.securityhub"', '"a" or starts with "b"'),
        (["detail.odd"], "missing", "1"),
    ]


def test_conditions_that_no_element_meets_together_are_named_together():
    (failure,) = explained({"detail": {"findings": {"a": ["1"], "b": ["2"]}}}).failures
    assert set(failure.paths) == {"detail.findings.a", "detail.findings.b"}
    assert "not in one element" in failure.seen


def test_the_closest_alternative_is_explained():
    pattern = {"$or": [{"source": ["a"], "detail": {"odd": [1]}}, {"source": ["b"]}]}
    assert [one.wanted for one in explained(pattern).failures] == ['"b"']


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"enabled": False}, "disabled"),
        ({"bus": "own"}, "on the bus own"),
        ({"account": "444455556666"}, "in the account 444455556666, the event in 111122223333"),
        ({"region": "us-east-1"}, "in the Region us-east-1, the event in eu-west-1"),
    ],
)
def test_a_rule_that_never_gets_the_event_says_why(more, reason):
    found = explained({"source": ["aws.securityhub"]}, EVENT, **more)
    assert found.verdict is Verdict.NO_MATCH
    assert reason in found.reason


PRESS = {**EVENT, "source": "securityhub-actions.press"}
OF_PRESSES = {"source": ["securityhub-actions.press"]}


@pytest.mark.parametrize(
    ("event", "bus", "pattern", "reason"),
    [
        (EVENT, "own", OF_PRESSES, "for presses from a terminal; Security Hub sends to the default bus"),
        (PRESS, "default", {"source": ["aws.securityhub"]}, "such events are on a bus of their own"),
        (PRESS, "own", OF_PRESSES, None),
    ],
)
def test_presses_from_a_terminal_reach_the_rules_on_a_press_bus_and_no_others(event, bus, pattern, reason):
    found = explained(pattern, event, bus=bus)
    assert found.verdict is (Verdict.MATCH if reason is None else Verdict.NO_MATCH)
    assert (reason or "") in found.reason


def test_a_rule_with_only_a_schedule_matches_no_event():
    assert "only the schedule rate(1 hour)" in explained(None, schedule="rate(1 hour)").reason


def test_a_pattern_that_eventbridge_rejects_says_why():
    found = explained({"source": "a"})
    assert found.verdict is Verdict.NO_MATCH
    assert "EventBridge rejects the rule" in found.reason


def test_a_pattern_that_eventbridge_misreads_has_a_warning():
    assert "incorrectly" in explained({"source": [{"wildcard": "*a"}, {"equals-ignore-case": "b"}]}).warning


UNKNOWN = unknown("Parameter")


@pytest.mark.parametrize(
    ("pattern", "verdict"),
    [
        ({"account": [UNKNOWN]}, Verdict.UNDECIDED),
        ({"source": ["aws.securityhub"], "account": [UNKNOWN]}, Verdict.UNDECIDED),
        ({"source": ["other"], "account": [UNKNOWN]}, Verdict.NO_MATCH),
        ({"$or": [{"source": ["other"]}, {"account": [UNKNOWN]}]}, Verdict.UNDECIDED),
        ({"source": [{"cidr": UNKNOWN}]}, Verdict.UNDECIDED),
        ({UNKNOWN: []}, Verdict.UNDECIDED),
    ],
)
def test_unknown_values_leave_undecided_only_what_the_known_ones_allow(pattern, verdict):
    found = explained(pattern)
    assert found.verdict is verdict
    assert ("Parameter" in found.reason) is (verdict is Verdict.UNDECIDED)


def test_a_target_receives_what_its_transformer_makes_with_unknown_names_readable():
    template = '{"rule": <aws.events.rule-name>, "id": <id>}'
    transformer = {"InputTemplate": template, "InputPathsMap": {"id": "$.id"}}
    target = Target(id="T", arn="a", kind="k", path=None, properties={"InputTransformer": transformer})
    (received,) = explained({"source": ["aws.securityhub"]}, EVENT, targets=[target]).received
    assert json.loads(received.body) == {"rule": "${Rule}", "id": EVENT["id"]}
    assert not received.is_event


@pytest.mark.parametrize(
    ("template", "expected"), [('{"all": "<f>"}', True), ('{"all": <f>}', False), ('"all: <f>"', False)]
)
def test_an_input_that_eventbridge_does_not_deliver_is_a_problem(template, expected):
    transformer = {"InputTemplate": template, "InputPathsMap": {"f": "$.detail.findings"}}
    properties = {"InputTransformer": transformer, "DeadLetterConfig": {"Arn": unknown("Queue")}}
    target = Target(id="T", arn="a", kind="k", path=None, properties=properties)
    (received,) = explained({"source": ["aws.securityhub"]}, EVENT, targets=[target]).received
    assert ("dead-letter queue" in received.problem) is expected


def test_the_app_of_the_tests_takes_its_finding(app):
    (critical,) = (one for one in read_app(app).rules if one.path.endswith("Critical/Rule"))
    (received,) = CompiledRule(critical).explain(EVENT).received
    assert received.body == '"About S3 general purpose buckets should block public access"'
