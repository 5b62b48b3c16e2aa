from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from emulator.__main__ import describe, main
from emulator.delivery import Delivery, LambdaAnswer
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
    assert capsys.readouterr().err.startswith("error: POST /_securityhub/press failed with 4")


@pytest.mark.usefixtures("endpoint")
def test_an_account_without_deliveries_is_said_so(capsys):
    assert main(["deliveries", "--account", "123412341234"]) == 0
    assert capsys.readouterr().out == "No event matched a rule in 123412341234, eu-west-1.\n"
    assert main(["deliveries", "--account", "123412341234", "--json"]) == 0
    assert capsys.readouterr().out == "[]\n"


def test_without_a_server_the_command_says_how_to_get_one(monkeypatch, capsys):
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with pytest.raises(SystemExit):
        main(["events"])
    assert "run `.venv/bin/python -m emulator start`" in capsys.readouterr().err


def test_a_delivery_is_described_with_its_rule_error_and_answer():
    delivery = Delivery(
        id=1,
        event_id="E",
        rule_arn="R",
        target_id="T",
        target_arn="A",
        input="{}",
        attempts=2,
        outcome="delivered",
        error_code="THROTTLING",
        error_message="slow down",
        answer=LambdaAnswer(payload={"ok": True}, function_error=None, attempts=1),
    )
    assert describe(delivery).splitlines() == [
        "E  delivered (2 attempts)",
        "  rule    R",
        "  target  A",
        "  error   THROTTLING: slow down",
        '  answer  {"ok": true}',
    ]
