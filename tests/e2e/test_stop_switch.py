"""A parameter in Systems Manager stops what a press changes, and nothing of it is lost."""

from __future__ import annotations

import json

import pytest
from aws_cdk import App, Environment

from emulator.server import DEFAULT_ACCOUNT, DEFAULT_REGION
from stacks.analyst_actions import AnalystActionsStack
from stacks.stop_switch import StopSwitchStack
from tests.e2e.findings import control_finding, import_findings
from tests.e2e.observed import dead_letters, press, stored
from tests.e2e.stacks import deployed, physical_id
from tests.shipped_settings import load_shipped_settings

STACKS = "StoppableSwitch", "StoppableActions"
DEPLOYED = "/securityhub-actions/changes"
NAME = f"{DEPLOYED}/by-hand"


@pytest.fixture(scope="module")
def app(aws, feature_flags, tmp_path_factory):
    folder = tmp_path_factory.mktemp("stoppable")
    cdk = App(context=feature_flags, analytics_reporting=False, outdir=str(folder))
    environment = Environment(account=DEFAULT_ACCOUNT, region=DEFAULT_REGION)
    switch = StopSwitchStack(cdk, STACKS[0], settings=load_shipped_settings().stop_switch, env=environment)
    AnalystActionsStack(cdk, STACKS[1], stop_switch=switch, env=environment)
    with deployed(aws, cdk, *STACKS):
        yield aws


def set_to(aws, value):
    aws.client("ssm").put_parameter(Name=NAME, Value=value, Type="String", Overwrite=True)


def status_of(aws, finding):
    return stored(aws, finding)["Workflow"]["Status"]


def test_as_deployed_changes_are_allowed(app):
    finding = control_finding("S3.8", "allowed")
    import_findings(app, [finding])
    assert press(app, "MarkAsNotified", [finding]).function_error is None
    assert status_of(app, finding) == "NOTIFIED"


def test_what_was_stopped_waits_in_the_dead_letter_queue_and_is_done_once_it_is_allowed(app):
    finding = control_finding("S3.8", "stopped")
    import_findings(app, [finding])
    set_to(app, "stopped update_findings")
    assert press(app, "MarkAsNotified", [finding]).function_error
    (letter,) = dead_letters(app, STACKS[1])
    assert "The parameter /securityhub-actions/changes/by-hand is 'stopped update_findings'" in str(letter)
    assert status_of(app, finding) == "NEW"
    set_to(app, "allowed")
    function = physical_id(app, STACKS[1], "AWS::Lambda::Function", "MarkAsNotifiedFunction")
    app.client("lambda").invoke(FunctionName=function, Payload=json.dumps(letter["requestPayload"]))
    assert status_of(app, finding) == "NOTIFIED"


def test_an_account_that_is_stopped_keeps_no_other_from_being_handled(app):
    own = control_finding("S3.8", "own")
    import_findings(app, [own])
    set_to(app, "stopped 444455556666")
    assert press(app, "MarkAsNotified", [own]).function_error is None
    assert status_of(app, own) == "NOTIFIED"
    set_to(app, "allowed")


def test_a_deployment_that_writes_its_parameter_again_does_not_allow_what_somebody_stopped(app):
    finding = control_finding("S3.8", "redeployed")
    import_findings(app, [finding])
    set_to(app, "stopped")
    redeploy_parameter(app)
    assert press(app, "MarkAsNotified", [finding]).function_error
    assert status_of(app, finding) == "NEW"
    set_to(app, "allowed")


def redeploy_parameter(aws):
    """Change the description of the deployment's parameter, whose value somebody has set as well."""
    ssm, cloudformation = aws.client("ssm"), aws.client("cloudformation")
    ssm.put_parameter(Name=DEPLOYED, Value="stopped", Overwrite=True)
    template = cloudformation.get_template(StackName=STACKS[0])["TemplateBody"]
    template = json.loads(template) if isinstance(template, str) else template
    (parameter,) = (one for one in template["Resources"].values() if one["Type"] == "AWS::SSM::Parameter")
    parameter["Properties"]["Description"] = "Another description"
    cloudformation.update_stack(StackName=STACKS[0], TemplateBody=json.dumps(template))

    def is_allowed_again():
        return ssm.get_parameter(Name=DEPLOYED)["Parameter"]["Value"] == "allowed"

    aws.wait_until(is_allowed_again, what="the value of the template")
