from __future__ import annotations

import re

import pytest
from aws_cdk.assertions import Template

from invocation import stop_switch
from stacks.analyst_actions import AnalystActionsStack
from stacks.remediation import RemediationStack
from stacks.settings.stop_switch import StopSwitchSettings
from stacks.stop_switch import BY_HAND, CHANGES, StopSwitchStack
from stacks.ticketing import TicketingStack

NAME = "/securityhub-actions/changes"


@pytest.fixture(scope="module")
def templates(new_app, environment, remediation_settings, ticketing_settings):
    app = new_app()
    switch = StopSwitchStack(
        app,
        "StopSwitch",
        settings=StopSwitchSettings(enabled=True, parameter_name=NAME),
        env=environment,
    )
    stacks = {
        "StopSwitch": switch,
        "AnalystActions": AnalystActionsStack(app, "AnalystActions", stop_switch=switch, env=environment),
        "Remediation": RemediationStack(
            app, "Remediation", settings=remediation_settings(), stop_switch=switch, env=environment
        ),
        "Ticketing": TicketingStack(
            app, "Ticketing", settings=ticketing_settings(), stop_switch=switch, env=environment
        ),
    }
    assembly = app.synth()
    assert all(
        "StopSwitch" in [one.id for one in assembly.get_stack_by_name(name).dependencies]
        for name in stacks
        if name != "StopSwitch"
    )
    return {name: Template.from_stack(stack) for name, stack in stacks.items()}


def test_the_snapshot_is_what_was_reviewed(templates, snapshot, without_asset_hashes):
    assert without_asset_hashes(templates["StopSwitch"].to_json()) == snapshot


def test_the_template_and_the_functions_have_the_same_kinds_of_changes_and_parameters():
    assert CHANGES == stop_switch.CHANGES
    assert BY_HAND == stop_switch.BY_HAND


@pytest.mark.parametrize(
    ("value", "is_accepted"),
    [
        ("allowed", True),
        ("stopped", True),
        ("stopped undo", True),
        ("stopped remediate, tickets 111122223333", True),
        ("stopped remediation", False),
        ("stopped 1111", False),
        ("Allowed", False),
        ("allowed remediate", False),
        ("", False),
    ],
)
def test_systems_manager_accepts_only_what_the_functions_understand(templates, value, is_accepted):
    (parameter,) = templates["StopSwitch"].find_resources("AWS::SSM::Parameter").values()
    pattern = parameter["Properties"]["AllowedPattern"]
    assert (re.search(pattern, value) is not None) is is_accepted
    understood = "neither" not in stop_switch.Stops.parse(value, parameter=NAME).reason
    assert understood is is_accepted


@pytest.mark.parametrize(("stack", "count"), [("AnalystActions", 2), ("Remediation", 1), ("Ticketing", 1)])
def test_every_function_that_changes_something_reads_only_these_parameters(templates, stack, count):
    template = templates[stack]
    names = [
        variables[stop_switch.VARIABLE]
        for function in template.find_resources("AWS::Lambda::Function").values()
        if stop_switch.VARIABLE
        in (variables := function["Properties"].get("Environment", {}).get("Variables", {}))
    ]
    assert names == [NAME] * count
    statements = [
        statement
        for policy in template.find_resources("AWS::IAM::Policy").values()
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        if "ssm:GetParameters" in statement["Action"]
    ]
    assert [statement["Action"] for statement in statements] == ["ssm:GetParameters"] * count
    assert all(
        re.findall(r":parameter([^']*)", str(one["Resource"])) == [NAME, f"{NAME}{BY_HAND}"]
        for one in statements
    )
