"""Runs the command in this process, as a user does from a terminal."""

from __future__ import annotations

import json
from dataclasses import dataclass
from types import SimpleNamespace

import pytest
from aws_cdk import App, Environment, Stack
from aws_cdk.aws_events import EventField, RuleTargetInput
from aws_cdk.aws_sns import Topic
from aws_cdk.aws_sqs import Queue

from securityhub_actions import CustomActionRule, FindingFilter, ImportedFindingsRule, targets
from securityhub_actions.cli.commands import run


@dataclass(frozen=True)
class Ran:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def document(self):
        """The JSON that it printed."""
        return json.loads(self.out)


@pytest.fixture
def cli(capsys, monkeypatch):
    """A function that runs the command with arguments, on a page of a width."""

    def run_cli(*arguments, columns=100):
        monkeypatch.setenv("COLUMNS", str(columns))
        code = run([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        return Ran(code, printed.out, printed.err)

    return run_cli


@pytest.fixture
def meanwhile(monkeypatch):
    """A function that lets something happen before the next question of a command is answered with yes."""

    def happens(event):
        asked = []
        monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: True))
        monkeypatch.setattr("click.confirm", lambda question, **_: asked.append(question) or event())
        return asked

    return happens


@pytest.fixture
def of_account(embedded_aws, monkeypatch):
    """The embedded AWS, to which commands that need an account now go."""
    for name, value in embedded_aws.settings().items():
        monkeypatch.setenv(name, value)
    return embedded_aws


@pytest.fixture(scope="session")
def app(tmp_path_factory):
    """The folder of a synthesized app: an action with a queue, and a rule with a topic and a transformer."""
    folder = tmp_path_factory.mktemp("app") / "cdk.out"
    app = App(analytics_reporting=False, outdir=str(folder))
    stack = Stack(app, "Security", env=Environment(account="111122223333", region="eu-west-1"))
    CustomActionRule(
        stack,
        "Ticket",
        action_id="Ticket",
        action_name="Open ticket",
        description="Open a ticket",
        targets=[targets.SqsQueue(Queue(stack, "Tickets"))],
    )
    message = RuleTargetInput.from_text(f"About {EventField.from_path('$.detail.findings[0].Title')}")
    ImportedFindingsRule(
        stack,
        "Critical",
        findings=FindingFilter(severity="CRITICAL", resource_type="AwsS3Bucket"),
        targets=[targets.SnsTopic(Topic(stack, "Alerts"), message=message)],
    )
    app.synth()
    return folder
