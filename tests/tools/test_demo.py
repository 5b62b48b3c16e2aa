from __future__ import annotations

import contextlib
import threading
import tomllib
from types import SimpleNamespace

import pytest
from rich.console import Console

from emulator.delivery.log import Delivery, LambdaAnswer
from securityhub_actions.cli import findings as cli_findings
from securityhub_actions.cli import pressing
from securityhub_actions.cli.errors import CommandError
from tools import demo
from tools.deploy import DeploymentFailedError

FINDINGS = [{"Id": "one"}, {"Id": "two"}]


class Aws:
    """The little of the embedded AWS that the demo's checks look at."""

    def __init__(self, deliveries=()):
        self.hub = SimpleNamespace(enable_security_hub=lambda: None)
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


@pytest.fixture
def stored(monkeypatch):
    """A function that says which findings the command reads."""

    def store(found):
        by_id = {finding["Id"]: finding for finding in found}
        monkeypatch.setattr(demo, "findings_with_ids", lambda _, ids: [by_id[one] for one in ids])

    return store


def test_suppressed_findings_with_a_note_are_what_the_demo_wants_to_see(stored):
    found = [suppressed("one"), suppressed("two")]
    stored(found)
    assert demo.read_back(None, FINDINGS, status="SUPPRESSED") == found


@pytest.mark.parametrize(
    "found",
    [
        [suppressed("one"), {"Id": "two", "Workflow": {"Status": "NEW"}}],
        [suppressed("one"), {"Id": "two", "Workflow": {"Status": "SUPPRESSED"}}],
    ],
    ids=["one is unchanged", "one has no note"],
)
def test_a_finding_that_was_not_changed_stops_the_demo(stored, found):
    stored(found)
    with pytest.raises(demo.StepFailedError):
        demo.read_back(None, FINDINGS, status="SUPPRESSED")


class Account:
    """The little of an account that a press calls, as the command sees it; keeps what was put on the bus."""

    account, region, partition = "111122223333", "eu-west-1", "aws"
    arn = "arn:aws:securityhub:eu-west-1:111122223333:action/custom/Suppress"
    bus = "arn:aws:events:eu-west-1:111122223333:event-bus/Press"

    def __init__(self):
        self.entries = []

    def client(self, service, **_):
        return {"securityhub": self.hub, "events": self.events}[service]

    @property
    def hub(self):
        action = {"ActionTargetArn": self.arn, "Name": "Suppress", "Description": "Suppresses"}
        findings = [{**finding, "ProductArn": "product"} for finding in FINDINGS]
        return SimpleNamespace(
            describe_action_targets=lambda **_: {"ActionTargets": [action]},
            get_paginator=lambda _: SimpleNamespace(paginate=lambda **_: [{"Findings": findings}]),
            exceptions=SimpleNamespace(ResourceNotFoundException=KeyError),
        )

    @property
    def events(self):
        pattern = f'{{"source": ["securityhub-actions.press"], "resources": ["{self.arn}"]}}'
        rule = {"Arn": "rule", "EventPattern": pattern, "State": "ENABLED"}
        return SimpleNamespace(
            list_event_buses=lambda: {"EventBuses": [{"Name": "Press", "Arn": self.bus}]},
            get_paginator=lambda _: SimpleNamespace(paginate=lambda **_: [{"Rules": [rule]}]),
            put_events=self.put_events,
        )

    def put_events(self, *, Entries):  # noqa: N803 - boto3's name
        self.entries += Entries
        return {"Entries": [{"EventId": f"event-{len(self.entries)}"}]}


def test_the_demo_presses_with_the_code_of_the_command():
    assert (demo.press, demo.press_rule, demo.events_of) == (
        pressing.press,
        pressing.press_rule,
        pressing.events_of,
    )
    assert (demo.custom_action, demo.findings_with_ids) == (
        cli_findings.custom_action,
        cli_findings.findings_with_ids,
    )
    analyst = Account()
    aws = Aws(deliveries=[delivery(event_id="event-1"), delivery(event_id="event-2")])
    pressed = demo.press_on_findings(aws, analyst, "Suppress", FINDINGS)
    assert [one.event["id"] for one in pressed] == ["event-1", "event-2"]
    assert {(entry["Source"], entry["EventBusName"]) for entry in analyst.entries} == {
        ("securityhub-actions.press", Account.bus)
    }


def test_the_stacks_of_the_demo_admit_the_role_that_presses():
    settings = tomllib.loads(demo._SETTINGS.read_text())["press"]
    assert settings["enabled"]
    assert [arn.rpartition("/")[2] for arn in settings["principals"]] == [demo._RESPONDER]


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_what_the_demo_says_fits_the_page(columns):
    before = {"AwsAccountId": "444455556666", "Severity": {"Label": "HIGH"}, "Workflow": {"Status": "NEW"}}
    after = {**before, **suppressed("one"), "Title": "A long title " * 12}
    event = {
        "id": "e" * 36,
        "detail-type": "Security Hub Findings - Custom Action",
        "resources": ["arn:" * 30],
    }
    pressed = demo.Pressed(event=event, delivery=delivery(rule_arn="arn:aws:events:" * 12))
    console = Console(width=columns)
    with console.capture() as captured:
        console.print(*demo.describe("Suppress", [pressed], [before], [after]), sep="\n")
    lines = captured.get().splitlines()
    assert max(len(line.rstrip()) for line in lines) <= columns
    assert "NEW -> SUPPRESSED" in " ".join(captured.get().split())


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
        (CommandError("no such action"), 1),
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


@pytest.mark.parametrize("failing", ["bootstrap", "synthesize"])
def test_bootstrap_and_synthesis_run_side_by_side_and_the_failure_of_either_stops_the_demo(
    monkeypatch, tmp_path, failing
):
    both = threading.Barrier(2, timeout=600)

    def doing(name):
        def do(*_, **__):
            both.wait()
            if name == failing:
                raise demo.DeploymentFailedError(name)

        return do

    for name in ("bootstrap", "synthesize"):
        monkeypatch.setattr(demo, name, doing(name))
    with pytest.raises(demo.DeploymentFailedError, match=failing):
        demo.bootstrap_and_synthesize(None, tmp_path / "demo.toml", tmp_path / "apps" / "app")
    assert not (tmp_path / "apps" / "app").exists() or failing == "bootstrap"
