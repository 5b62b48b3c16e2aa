"""A stack that others refer to, destroyed without them: the doctor finds what they still name.

docs/operations.md tells users how to get out of it.
"""

from __future__ import annotations

import pytest
from aws_cdk import App, Environment

from emulator.server import DEFAULT_ACCOUNT, DEFAULT_REGION
from securityhub_actions.cli.aws import Aws
from securityhub_actions.cli.doctor import State, examine, patient_of
from stacks.analyst_actions import AnalystActionsStack
from stacks.finding_turns import FindingTurnsStack
from tests.e2e.findings import control_finding, import_findings
from tests.e2e.observed import press, stored
from tests.e2e.stacks import delete_stack, deploy_synthesized
from tools.deploy import run_cdk

pytestmark = pytest.mark.long

TURNS, ACTIONS = "SecurityHubFindingTurns", "SecurityHubAnalystActions"


@pytest.fixture
def app(aws, feature_flags, tmp_path):
    """The folder of an app with two stacks, deployed, of which one refers to the other."""
    folder = tmp_path / "app"
    cdk = App(context=feature_flags, analytics_reporting=False, outdir=str(folder))
    environment = Environment(account=DEFAULT_ACCOUNT, region=DEFAULT_REGION)
    turns = FindingTurnsStack(cdk, TURNS, env=environment).table
    AnalystActionsStack(cdk, ACTIONS, turns=turns, env=environment)
    cdk.synth()
    deploy_synthesized(aws, folder, TURNS, ACTIONS, region=DEFAULT_REGION)
    yield folder
    for name in (ACTIONS, TURNS):
        delete_stack(aws, name, region=DEFAULT_REGION)


@pytest.fixture
def references(aws, app, monkeypatch):
    """A function that examines the references of the app's stacks."""
    for name, value in aws.settings().items():
        monkeypatch.setenv(name, value)

    def examined():
        patient = patient_of(Aws(region=DEFAULT_REGION), path=app, names=())
        return next(checks for name, checks in examine(patient) if name == "references")

    return examined


def test_the_doctor_finds_what_no_deployment_does(aws, app, references):
    assert [one.state for one in references()] == [State.OK]

    arguments = ("--no-notices", "--app", str(app))
    run_cdk(aws, "destroy", TURNS, "--exclusively", "--force", *arguments)
    assert [(one.state, "no longer has" in one.text) for one in references()] == [(State.FAULT, True)]

    output = run_cdk(aws, "deploy", "--all", "--require-approval", "never", *arguments)
    assert f"{ACTIONS} (no changes)" in output.replace("\x1b", "")
    (found,) = references()
    assert found.state == State.FAULT
    assert "had before it was deployed again" in found.text

    # What the doctor says to do.
    delete_stack(aws, ACTIONS, region=DEFAULT_REGION)
    deploy_synthesized(aws, app, ACTIONS, region=DEFAULT_REGION)
    assert [one.state for one in references()] == [State.OK]
    finding = control_finding("EC2.15", "outdated")
    import_findings(aws, [finding])
    assert press(aws, "MarkAsNotified", [finding]).function_error is None
    assert stored(aws, finding)["Workflow"]["Status"] == "NOTIFIED"
