"""Whether the event buses exist to which the app sends, and whether anything listens there."""

from __future__ import annotations

import pytest

from securityhub_actions.cli.doctor import State
from securityhub_actions.event_names import OUTCOME_BUS
from tests.cli.doctor.conftest import ACCOUNT, deployed, refusal

BUS = "SecurityHubOutcomes"
RULE = {"Name": "ToTopic", "State": "ENABLED"}
TARGET = {"Id": "1", "Arn": f"arn:aws:sns:us-east-1:{ACCOUNT}:Topic"}


@pytest.fixture
def buses(doctor):
    """A function that examines an account in which a function reports outcomes."""

    def examined(*resources, rules=(RULE,), targets=(TARGET,), bus=None, name=BUS):
        return doctor(
            "event-buses",
            stacks=["App"],
            lambda__GetFunctionConfiguration={
                "Environment": {"Variables": {OUTCOME_BUS: name}},
                "Role": f"arn:aws:iam::{ACCOUNT}:role/Function",
            },
            events__DescribeEventBus={"Name": BUS} if bus is None else bus,
            events__ListRules={"Rules": list(rules)},
            events__ListTargetsByRule={"Targets": list(targets)},
            **deployed(("AWS::Lambda::Function", "F", "f"), *resources),
        )

    return examined


def test_a_bus_that_exists_with_rules_that_have_targets_is_all_right(buses):
    (found,) = buses(("AWS::Events::Rule", "R", f"{BUS}|ToTopic"), ("AWS::Events::EventBus", "B", BUS))
    assert (found.state, "each of its 1 rules" in found.text) == (State.OK, True)


@pytest.mark.parametrize("name", [BUS, f"arn:aws:events:us-east-1:{ACCOUNT}:event-bus/{BUS}"])
def test_a_bus_that_was_deleted_is_a_fault_because_eventbridge_drops_the_events(buses, name):
    (found,) = buses(bus=refusal("ResourceNotFoundException"), name=name)
    assert found.state == State.FAULT
    assert found.text.startswith(f"There is no event bus {BUS}, so EventBridge drops what is sent there")
    assert found.text.endswith("by the stacks App.")


def test_so_is_any_other_bus_of_the_stacks(buses):
    found = buses(("AWS::Events::EventBus", "B", "Presses"), bus=refusal("ResourceNotFoundException"))
    assert [one.text[:32] for one in found] == [
        "There is no event bus Presses, s",
        "There is no event bus SecurityHu",
    ]


def test_a_rule_that_was_deleted_is_a_fault(buses):
    (found,) = buses(("AWS::Events::Rule", "R", f"{BUS}|ToArchive"), ("AWS::Events::Rule", "D", "OnDefault"))
    assert found.state == State.FAULT
    assert "The rule ToArchive on the event bus SecurityHubOutcomes was deleted" in found.text


def test_a_rule_without_targets_is_a_fault_and_a_disabled_one_a_warning(buses):
    (found,) = buses(targets=())
    assert (found.state, "has no targets" in found.text) == (State.FAULT, True)
    (found,) = buses(rules=[{**RULE, "State": "DISABLED"}])
    assert (found.state, "enable-rule" in found.cure) == (State.WARNING, True)


def test_a_bus_without_rules_is_a_warning(buses):
    (found,) = buses(rules=())
    assert (found.state, "has no rules" in found.text) == (State.WARNING, True)


def test_what_may_not_be_seen_is_a_warning_that_names_the_action(buses):
    message = "User: arn is not authorized to perform: events:DescribeEventBus on resource: bus"
    (found,) = buses(bus=refusal("AccessDeniedException", message))
    assert (found.state, "events:DescribeEventBus" in found.cure) == (State.WARNING, True)


def test_an_app_without_outcomes_has_nothing_to_check(doctor):
    (found,) = doctor("event-buses")
    assert found.state == State.SKIPPED
