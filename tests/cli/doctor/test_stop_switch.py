"""What the parameter stops, and whether the functions understand it."""

from __future__ import annotations

import pytest

from invocation import stop_switch
from securityhub_actions.cli.doctor import State
from securityhub_actions.cli.doctor.stop_switch import BY_HAND, CHANGES
from tests.cli.doctor.conftest import deployed, refusal

NAME = "/securityhub-actions/changes"
FUNCTION = {"Environment": {"Variables": {stop_switch.VARIABLE: NAME}}, "Role": "arn:aws:iam::1:role/F"}


def of_function(value, by_hand=None):
    values = {NAME: value, f"{NAME}{BY_HAND}": by_hand}
    found = [{"Name": name, "Value": one} for name, one in values.items() if one is not None]
    answer = value if isinstance(value, Exception) else {"Parameters": found}
    return {
        "stacks": ["App"],
        "lambda__GetFunctionConfiguration": FUNCTION,
        "ssm__GetParameters": answer,
        **deployed(("AWS::Lambda::Function", "Remediate", "f")),
    }


def test_the_command_knows_the_kinds_of_changes_that_the_functions_know():
    assert CHANGES == stop_switch.CHANGES
    assert BY_HAND == stop_switch.BY_HAND


@pytest.mark.parametrize(
    ("value", "state", "text"),
    [
        ("allowed", State.OK, "allows all changes"),
        ("stopped", State.WARNING, "stops all changes."),
        ("stopped remediate,undo", State.WARNING, "stops these changes: remediate, undo."),
        (
            "stopped tickets 111122223333",
            State.WARNING,
            "these changes: tickets and all changes about findings of 111122223333",
        ),
        ("Stopped", State.FAULT, "is 'Stopped', which stops all changes"),
        ("stopped remediation", State.FAULT, "is 'stopped remediation', which stops all changes"),
        ("allowed undo", State.FAULT, "is 'allowed undo', which stops all changes"),
        (None, State.FAULT, "these functions change nothing: Remediate"),
        (
            refusal("AccessDeniedException", "not authorized to perform: ssm:GetParameters"),
            State.WARNING,
            "ssm",
        ),
    ],
)
def test_what_is_stopped_is_said_and_what_the_functions_do_not_understand_is_a_fault(
    doctor, value, state, text
):
    (found,) = doctor("stop-switch", **of_function(value))
    assert (found.state, text in found.text) == (state, True), found.text
    if isinstance(value, str):
        understood = "neither" not in stop_switch.Stops.parse(value, parameter=NAME).reason
        assert understood is (state is not State.FAULT)


def test_what_somebody_stopped_is_said_beside_what_the_deployment_allows(doctor):
    allowed, stopped = doctor("stop-switch", **of_function("allowed", "stopped"))
    assert (allowed.state, stopped.state) == (State.OK, State.WARNING)
    assert stopped.text.startswith(f"The parameter {NAME}{BY_HAND} stops all changes.")
    assert "A deployment" not in stopped.text


def test_what_a_deployment_can_end_is_said(doctor):
    (found,) = doctor("stop-switch", **of_function("stopped"))
    assert f"A deployment can end that: put {NAME}{BY_HAND} instead" in found.text


def test_an_app_without_the_parameter_has_nothing_to_check(doctor):
    (found,) = doctor("stop-switch")
    assert found.state is State.SKIPPED
