"""Whether a deployment would succeed."""

from __future__ import annotations

import pytest

from securityhub_actions.cli.doctor import State
from tests.cli.doctor.conftest import HUB, deployed, refusal

NATIVE = "AWS::SecurityHub::ActionTarget"
CUSTOM = "Custom::SecurityHubActionTarget"
ARN = f"{HUB}:action/custom/Ticket"
EXISTING = {"ActionTargets": [{"ActionTargetArn": ARN, "Name": "Old", "Description": "Older"}]}


def action(kind=NATIVE, **properties):
    return {"Type": kind, "Properties": {"Id": "Ticket", "Name": "New", "Description": "x", **properties}}


@pytest.mark.parametrize(("version", "state"), [(6, State.OK), (21, State.OK), (22, State.FAULT)])
def test_a_bootstrap_version_must_be_what_the_manifest_requires(doctor, version, state):
    (found,) = doctor("bootstrap", {}, version=version)
    assert found.state == state


def test_an_account_that_is_not_bootstrapped_gets_the_command(doctor):
    (found,) = doctor("bootstrap", {}, ssm__GetParameter=refusal("ParameterNotFound"))
    assert found.cure == "Run `cdk bootstrap aws://111122223333/us-east-1`."


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("CREATE_COMPLETE", State.OK),
        ("UPDATE_IN_PROGRESS", State.WARNING),
        ("UPDATE_ROLLBACK_COMPLETE", State.WARNING),
        ("UPDATE_ROLLBACK_FAILED", State.FAULT),
        ("ROLLBACK_COMPLETE", State.FAULT),
    ],
)
def test_a_stack_is_judged_by_its_status(doctor, status, state):
    (found,) = doctor("stacks", {}, **deployed(status=status))
    assert found.state == state


@pytest.mark.parametrize(
    ("resources", "answer", "state"),
    [
        ({"A": action()}, {}, State.OK),
        ({"A": action()}, refusal("TypeNotFoundException"), State.FAULT),
        ({"A": action(CUSTOM)}, refusal("TypeNotFoundException"), State.SKIPPED),
    ],
)
def test_the_native_type_is_needed_only_where_it_is_used(doctor, resources, answer, state):
    (found,) = doctor("action-type", resources, cloudformation__DescribeType=answer)
    assert found.state == state


def test_an_action_of_nobody_is_a_conflict_that_can_be_adopted(doctor):
    (found,) = doctor("action-ids", {"A": action()}, securityhub__DescribeActionTargets=EXISTING)
    assert found.state == State.FAULT
    assert "adopt_existing=True" in found.cure


def test_an_action_that_is_adopted_is_a_warning(doctor):
    adopting = {"A": action(CUSTOM, AdoptExisting=True)}
    (found,) = doctor("action-ids", adopting, securityhub__DescribeActionTargets=EXISTING)
    assert found.state == State.WARNING


def test_the_stack_that_owns_a_conflicting_action_is_named(doctor):
    owner = {"StackName": "Other", "LogicalResourceId": "Theirs", "PhysicalResourceId": ARN}
    (found,) = doctor(
        "action-ids",
        {"A": action()},
        securityhub__DescribeActionTargets=EXISTING,
        cloudformation__DescribeStackResources={"StackResources": [owner]},
    )
    assert found.state == State.FAULT
    assert "Theirs of the stack Other" in found.text


@pytest.mark.parametrize(("logical_id", "state"), [("A", State.OK), ("Renamed", State.FAULT)])
def test_an_action_conflicts_with_itself_only_under_another_logical_id(doctor, logical_id, state):
    (found,) = doctor(
        "action-ids",
        {logical_id: action()},
        securityhub__DescribeActionTargets=EXISTING,
        **deployed((NATIVE, "A", ARN)),
    )
    assert found.state == state


def test_two_actions_of_the_app_with_one_id_are_a_fault_that_names_both(doctor):
    (found,) = doctor("action-ids", {"A": action(), "B": action()})
    assert (found.state, "A, B" in found.text) == (State.FAULT, True)
