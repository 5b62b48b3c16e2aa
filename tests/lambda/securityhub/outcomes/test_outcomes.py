"""What is reported of an outcome: the event that docs/outcome-event.schema.json describes, and metrics."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import jsonschema
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from invocation.event_bus import EventsNotPutError
from invocation.stop_switch import Stops
from remediations.controls import control_of
from securityhub.events import Resource, parse_event
from securityhub.outcomes import Operation, Outcome, Outcomes, OutcomesNotReportedError, Result
from securityhub.outcomes.metrics import RESULTS, OutcomeMetrics
from tests.hypothesis_profiles import examples

SCHEMA = json.loads((Path(__file__).parents[4] / "docs" / "outcome-event.schema.json").read_text())
GROUPS = {"production": ["111122223333"]}


class Bus:
    def __init__(self):
        self.details, self.is_down = [], False

    def put(self, details, *, source, detail_type):
        assert (source, detail_type) == ("securityhub-actions.outcomes", "Security Hub Action Outcome")
        if self.is_down:
            raise EventsNotPutError("The bus is down")
        self.details += details


@pytest.fixture
def bus():
    return Bus()


@pytest.fixture
def outcomes(bus):
    return Outcomes(
        "remediate", bus, control_of=control_of, metrics=OutcomeMetrics("remediate"), groups=GROUPS
    )


@pytest.fixture
def press(load_event):
    return parse_event(load_event("custom_action_1_finding"))


@pytest.fixture
def outcome(press):
    def make(**changes):
        values = {
            "operation": Operation.REMEDIATE,
            "result": Result.DONE,
            "reason": "Closed it",
            "finding": press.findings[0],
            "event": press,
            "request_id": "request",
            "part": "s3_public_access",
            "time": press.time + timedelta(seconds=3),
        }
        return Outcome(**{**values, **changes})

    return make


def test_the_event_says_what_was_done_about_what_and_why(outcomes, bus, outcome, press):
    outcomes.report([outcome()])
    (detail,) = bus.details
    finding = press.findings[0]
    jsonschema.validate(detail, SCHEMA, format_checker=jsonschema.FormatChecker())
    assert (detail["operation"], detail["part"], detail["outcome"]) == (
        "remediate",
        "s3_public_access",
        "done",
    )
    assert detail["finding"]["id"] == finding.id
    assert detail["finding"]["control"] == control_of(finding)
    assert detail["finding"]["accountGroup"] == "production"
    assert detail["cause"]["actionArn"] == press.action_arn
    assert detail["secondsSinceEvent"] == 3
    assert detail["secondsSinceUpdate"] > 3


def test_a_repeat_has_the_same_id_and_everything_else_has_another(outcome, press):
    ids = {
        one.id_for("remediate")
        for one in (
            outcome(),
            outcome(time=press.time, reason="Closed it again", request_id="other"),
            outcome(result=Result.FAILED),
            outcome(operation=Operation.UNDO),
            outcome(part="other"),
            outcome(finding=replace(press.findings[0], id="other")),
            outcome(event=replace(press, event_id="other")),
            outcome(occasion="1/0"),
        )
    }
    assert len(ids) == 7
    assert outcome().id_for("tickets") not in ids


@examples(4)
@given(st.text(max_size=1_500), st.lists(st.text(min_size=1, max_size=3_000), max_size=15))
@example("\U0001f600" * 1_500, ["\U0001f600" * 3_000] * 15)
def test_any_texts_make_an_event_of_the_schema_that_fits_into_a_message(load_press, reason, resources):
    event = load_press
    finding = replace(
        event.findings[0],
        id="\U0001f600" * 3_000,
        product_arn="\U0001f600" * 3_000,
        resources=tuple(Resource(type=None, id=one, region=None) for one in resources),
        updated_at=None,
    )
    made = Outcome(
        operation=Operation.UPDATE_FINDING,
        result=Result.FAILED,
        reason=reason,
        finding=finding,
        event=event,
        request_id="request",
    )
    detail = made.to_detail(function="tickets", control=None, account_group="other")
    jsonschema.validate(detail, SCHEMA)
    assert len(json.dumps(detail).encode()) < 200_000


@pytest.fixture(scope="module")
def load_press():
    path = Path(__file__).parents[3] / "events" / "custom_action_1_finding.json"
    return parse_event(json.loads(path.read_text(encoding="utf-8")))


def test_what_is_not_on_the_bus_is_an_error_and_counts_as_that(outcomes, bus, outcome, capsys):
    bus.is_down = True
    with pytest.raises(OutcomesNotReportedError, match="a retry only reports it: The bus is down"):
        outcomes.report([outcome()])
    (metrics,) = metrics_of(capsys)
    assert metrics["OutcomesNotReported"] == [1]
    assert RESULTS[Result.DONE] not in metrics


def test_what_is_stopped_is_reported_and_a_bus_that_is_down_is_no_other_error(outcomes, bus, press):
    stops = Stops.parse("stopped", parameter="/changes")
    report = outcomes.stopping(stops, press, Operation.REMEDIATE, "request")
    report(press.findings)
    assert [(one["outcome"], one["reason"]) for one in bus.details] == [("stopped", stops.reason)]
    bus.is_down = True
    report(press.findings)


def metrics_of(capsys):
    return [json.loads(line) for line in capsys.readouterr().out.splitlines() if '"_aws"' in line]


def test_outcomes_are_counted_by_function_action_control_and_account_group(outcomes, outcome, press, capsys):
    outcomes.received(press)
    outcomes.report([outcome(), outcome(result=Result.FAILED, operation=Operation.UNDO)])
    received, reached = metrics_of(capsys)
    (definition,) = reached["_aws"]["CloudWatchMetrics"]
    assert definition["Namespace"] == "SecurityHubActions"
    assert definition["Dimensions"] == [
        ["service"],
        ["service", "Action"],
        ["service", "Control"],
        ["service", "AccountGroup"],
    ]
    assert received["FindingsReceived"] == [1]
    assert {name: reached[name] for name in ("OutcomesDone", "OutcomesFailed")} == {
        "OutcomesDone": [1],
        "OutcomesFailed": [1],
    }
    assert reached["service"] == "remediate"
    assert reached["Action"] == press.action_id
    assert reached["SecondsSinceEvent"] == [3.0]


def test_only_changes_have_latencies_since_the_update_and_since_the_event(outcomes, outcome, press, capsys):
    updated = press.time - timedelta(seconds=10)
    finding = replace(press.findings[0], updated_at=updated)
    reached = {
        Result.DONE: 3,
        Result.PARTLY_DONE: 4,
        **dict.fromkeys(set(Result) - {Result.DONE, Result.PARTLY_DONE}, 60),
    }
    outcomes.report(
        [
            outcome(result=result, finding=finding, time=press.time + timedelta(seconds=seconds))
            for result, seconds in reached.items()
        ]
    )
    (metrics,) = metrics_of(capsys)
    assert sorted(metrics["SecondsSinceEvent"]) == [3.0, 4.0]
    assert sorted(metrics["SecondsSinceUpdate"]) == [13.0, 14.0]


@pytest.mark.parametrize("refused", [True, False])
def test_a_refused_credential_is_counted_beside_the_failure(outcomes, outcome, capsys, refused):
    outcomes.report([outcome(result=Result.FAILED, refused_credential=refused)])
    (metrics,) = metrics_of(capsys)
    assert metrics["OutcomesFailed"] == [1]
    assert metrics.get("RefusedCredentials") == ([1] if refused else None)


def test_what_a_rule_asked_for_counts_as_automatic_although_a_person_approved_it(
    outcomes, outcome, press, capsys
):
    outcomes.report([outcome(event=replace(press, action_arn=""))])
    (reached,) = metrics_of(capsys)
    assert reached["Action"] == "automatic"


def test_no_account_can_make_up_values_of_metrics(outcomes, press, capsys):
    forged = [
        replace(
            press.findings[0],
            product_arn=f"arn:aws:securityhub:eu-west-1:{number:012}:product/{number:012}/default",
            raw={"Compliance": {"SecurityControlId": f"FORGED.{number}"}},
        )
        for number in range(50)
    ]
    outcomes.received(replace(press, findings=tuple(forged)))
    (one,) = metrics_of(capsys)
    assert (one["Control"], one["FindingsReceived"]) == ("none", [1] * 50)


def test_every_result_has_a_metric():
    assert set(RESULTS) == set(Result)


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"OUTCOME_METRICS": "yes"}, "OUTCOME_METRICS must be one of on, off"),
        ({"ACCOUNT_GROUPS": "[]"}, "ACCOUNT_GROUPS must be a JSON object of names and lists"),
        ({"ACCOUNT_GROUPS": '{"a": ["1", 2]}'}, "ACCOUNT_GROUPS must be"),
        ({"ACCOUNT_GROUPS": "{"}, "ACCOUNT_GROUPS must be"),
    ],
)
def test_wrong_variables_fail_the_cold_start(variables, said):
    with pytest.raises(ValueError, match=said):
        Outcomes.from_environment(
            {"OUTCOME_BUS": "bus", **variables}, function="tickets", control_of=control_of
        )


def test_without_a_bus_nothing_is_reported():
    assert Outcomes.from_environment({}, function="tickets", control_of=control_of) is None
