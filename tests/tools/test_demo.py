from __future__ import annotations

import contextlib
from types import SimpleNamespace

import pytest

from emulator.delivery.log import Delivery, LambdaAnswer
from tools import demo
from tools.deploy import DeploymentFailedError

FINDINGS = [{"Id": "one"}, {"Id": "two"}]


class Aws:
    """The little of the embedded AWS that the demo's checks look at."""

    def __init__(self, findings=(), deliveries=()):
        self.hub = SimpleNamespace(
            enable_security_hub=lambda: None,
            get_findings=lambda Filters: {"Findings": list(findings)},  # noqa: N803, ARG005 - boto3's name
        )
        self._deliveries = list(deliveries)

    def client(self, service):
        assert service == "securityhub"
        return self.hub

    def deliveries(self, *, event_id):
        return [delivery for delivery in self._deliveries if delivery.event_id == event_id]

    def wait_until(self, condition, *, what):  # noqa: ARG002 - the real one's signature
        return condition()


def suppressed(finding_id):
    return {"Id": finding_id, "Workflow": {"Status": "SUPPRESSED"}, "Note": {"Text": "by the demo"}}


def delivery(**changes):
    answer = LambdaAnswer(payload={}, function_error=None, attempts=1)
    fields = {"id": 1, "event_id": "e", "rule_arn": "r", "target_id": "t", "target_arn": "f", "input": "{}"}
    return Delivery(**{**fields, "outcome": "delivered", "answer": answer, **changes})


def test_suppressed_findings_with_a_note_are_what_the_demo_wants_to_see():
    found = [suppressed("one"), suppressed("two")]
    assert demo.read_back(Aws(found), FINDINGS, status="SUPPRESSED") == found


@pytest.mark.parametrize(
    "found",
    [
        [suppressed("one")],
        [suppressed("one"), {"Id": "two", "Workflow": {"Status": "NEW"}}],
        [suppressed("one"), {"Id": "two", "Workflow": {"Status": "SUPPRESSED"}}],
    ],
    ids=["one is missing", "one is unchanged", "one has no note"],
)
def test_a_finding_that_was_not_changed_stops_the_demo(found):
    with pytest.raises(demo.StepFailedError):
        demo.read_back(Aws(found), FINDINGS, status="SUPPRESSED")


@pytest.mark.parametrize(
    "changes",
    [
        {"outcome": "dead-lettered", "error_message": "no permission"},
        {"answer": LambdaAnswer(payload={}, function_error="Unhandled", attempts=3)},
    ],
)
def test_an_event_that_was_not_handled_stops_the_demo(changes):
    with pytest.raises(demo.StepFailedError):
        demo.await_answer(Aws(deliveries=[delivery(**changes)]), {"id": "e"})


@pytest.mark.parametrize(
    ("error", "exit_code"),
    [
        (demo.StepFailedError("not seen"), 1),
        (DeploymentFailedError("cdk ended with 1"), 1),
        (TimeoutError("waited"), 1),
        (KeyboardInterrupt(), 130),
        (None, 0),
    ],
)
def test_the_exit_code_is_0_only_if_every_step_was_seen(monkeypatch, capsys, error, exit_code):
    def chain(aws):  # noqa: ARG001 - the real one's signature
        if error:
            raise error
        return ["summary"]

    started = SimpleNamespace(start=lambda: contextlib.nullcontext(Aws()))
    monkeypatch.setattr(demo, "EmbeddedAws", started)
    monkeypatch.setattr(demo, "show_chain", chain)
    assert demo.main() == exit_code
    assert ("Every step succeeded" in capsys.readouterr().out) == (exit_code == 0)
