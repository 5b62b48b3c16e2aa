from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import signal
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from emulator.__main__ import describe, main
from emulator.delivery import Delivery, LambdaAnswer
from emulator.server import EmbeddedAws
from emulator.waiting import LONGEST_SECONDS

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def endpoint(embedded_aws, monkeypatch):
    for name, value in embedded_aws.settings().items():
        monkeypatch.setenv(name, value)
    return embedded_aws.endpoint_url


def finding(number):
    return {
        "SchemaVersion": "2018-10-08",
        "Id": f"finding-{number}",
        "ProductArn": "arn:aws:securityhub:eu-west-1:111122223333:product/111122223333/default",
        "GeneratorId": "generator",
        "AwsAccountId": "111122223333",
        "Types": ["Software and Configuration Checks"],
        "CreatedAt": "2026-01-01T00:00:00Z",
        "UpdatedAt": "2026-01-01T00:00:00Z",
        "Severity": {"Label": "HIGH"},
        "Title": "title",
        "Description": "description",
        "Resources": [{"Type": "Other", "Id": "resource"}],
    }


@pytest.mark.usefixtures("interruptible")
def test_start_prints_export_lines_and_ends_with_ctrl_c():
    command = [sys.executable, "-m", "emulator", "start"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)  # noqa: S603
    lines = [process.stdout.readline() for _ in range(3)]
    assert lines[2].startswith("export AWS_ENDPOINT_URL=http://127.0.0.1:")
    process.send_signal(signal.SIGINT)
    rest, _ = process.communicate(timeout=LONGEST_SECONDS)
    assert (process.returncode, rest.splitlines()[-1]) == (0, "Stopped.")


@pytest.mark.usefixtures("endpoint")
def test_press_by_action_id_and_finding_id_shows_the_event(embedded_aws, capsys):
    hub = embedded_aws.client("securityhub")
    with contextlib.suppress(hub.exceptions.ResourceConflictException):
        hub.enable_security_hub(EnableDefaultStandards=False)
    number = uuid.uuid4().hex[:8]
    hub.create_action_target(Name="name", Description="description", Id=number)
    assert hub.batch_import_findings(Findings=[finding(number)])["FailedCount"] == 0
    assert main(["press", number, f"finding-{number}"]) == 0
    shown = capsys.readouterr().out
    assert "Security Hub Findings - Custom Action" in shown
    assert f"arn:aws:securityhub:eu-west-1:111122223333:action/custom/{number}" in shown
    assert main(["events", "--json"]) == 0
    events = json.loads(capsys.readouterr().out)
    pressed = [event for event in events if number in "".join(event["resources"])][-1]
    assert pressed["detail"]["findings"][0]["Id"] == f"finding-{number}"


@pytest.mark.usefixtures("endpoint")
def test_pressing_what_does_not_exist_ends_with_the_reason(capsys):
    assert main(["press", "Nothing", "nowhere"]) == 1
    assert "error: There is no custom action 'Nothing' in 111122223333" in capsys.readouterr().err


@pytest.mark.usefixtures("endpoint")
def test_an_unknown_action_is_refused_with_those_that_exist(embedded_aws, capsys):
    hub = embedded_aws.client("securityhub", account="222233334444")
    hub.enable_security_hub(EnableDefaultStandards=False)
    for number in ("First", "Second"):
        hub.create_action_target(Name="name", Description="description", Id=number)
    assert main(["press", "Frist", "nowhere", "--account", "222233334444"]) == 1
    assert capsys.readouterr().err == (
        "error: There is no custom action 'Frist' in 222233334444, eu-west-1. "
        "The actions there are: First, Second.\n"
    )


@pytest.mark.usefixtures("endpoint")
@pytest.mark.parametrize(
    ("command", "message"),
    [("deliveries", "No event matched a rule in"), ("events", "There are no events in")],
)
def test_an_account_without_any_is_said_so(command, message, capsys):
    assert main([command, "--account", "123412341234"]) == 1
    assert capsys.readouterr().err.startswith(f"error: {message} 123412341234, eu-west-1. ")


@pytest.mark.usefixtures("endpoint")
def test_a_wrong_account_is_told_where_rules_matched(monkeypatch, capsys):
    monkeypatch.setattr(EmbeddedAws, "deliveries", lambda _, **wanted: [] if wanted else [DELIVERED])
    assert main(["deliveries", "--account", "123412341234"]) == 1
    assert capsys.readouterr().err.endswith("Rules matched events in: 111122223333, eu-west-1.\n")


@pytest.mark.usefixtures("endpoint")
def test_for_scripts_an_account_without_deliveries_has_an_empty_list(capsys):
    assert main(["deliveries", "--account", "123412341234", "--json"]) == 0
    assert capsys.readouterr().out == "[]\n"


def test_without_a_server_the_command_says_how_to_get_one(monkeypatch, capsys):
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with pytest.raises(SystemExit):
        main(["events"])
    assert "run `.venv/bin/python -m emulator start`" in capsys.readouterr().err


DELIVERED = Delivery(
    id=1,
    event_id="E",
    rule_arn="arn:aws:events:eu-west-1:111122223333:rule/R",
    target_id="T",
    target_arn="A",
    input="{}",
    attempts=2,
    outcome="delivered",
    error_code="THROTTLING",
    error_message="slow down",
    answer=LambdaAnswer(payload={"ok": True}, function_error=None, attempts=1),
)


def test_a_delivery_is_described_with_its_rule_error_and_answer():
    assert describe(DELIVERED).splitlines() == [
        "E  delivered (2 attempts)",
        "  rule    arn:aws:events:eu-west-1:111122223333:rule/R",
        "  target  A",
        "  error   THROTTLING: slow down",
        '  answer  {"ok": true}',
    ]


def test_what_was_delivered_to_a_function_that_failed_does_not_read_as_a_success():
    answer = LambdaAnswer(payload={"errorType": "KeyError"}, function_error="Unhandled", attempts=3)
    first, *_, last = describe(dataclasses.replace(DELIVERED, answer=answer)).splitlines()
    assert first == "E  delivered, but the function failed (2 attempts)"
    assert last == '  failed  {"errorType": "KeyError"}'


@pytest.mark.usefixtures("endpoint")
def test_output_into_a_pipe_that_closes_ends_without_a_traceback(embedded_aws):
    hub = embedded_aws.client("securityhub", account="333344445555")
    hub.enable_security_hub(EnableDefaultStandards=False)
    product = "arn:aws:securityhub:eu-west-1:333344445555:product/333344445555/default"
    findings = [
        {**finding(number), "AwsAccountId": "333344445555", "ProductArn": product} for number in range(60)
    ]
    assert hub.batch_import_findings(Findings=findings)["FailedCount"] == 0
    command = f"{sys.executable} -m emulator events --json --account 333344445555 | head -n 1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, cwd=ROOT, check=True)  # noqa: S602
    assert (done.stdout, done.stderr) == ("[\n", "")


def test_start_notices_that_its_server_died():
    command = [sys.executable, "-m", "emulator", "start"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, **pipes, text=True, cwd=ROOT) as process:  # noqa: S603 - this test's own
        lines = [process.stdout.readline() for _ in range(3)]
        for child in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split():
            os.kill(int(child), signal.SIGKILL)
        _, errors = process.communicate(timeout=LONGEST_SECONDS)
    assert lines[2].startswith("export AWS_ENDPOINT_URL=")
    assert process.returncode == 1
    assert errors.startswith("error: The embedded AWS ended by itself with exit code -9. ")
