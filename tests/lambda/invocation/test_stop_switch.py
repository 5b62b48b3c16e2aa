from __future__ import annotations

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from hypothesis import given
from hypothesis import strategies as st

from invocation.stop_switch import CHANGES, NOTHING_STOPPED, Stops, StopSwitch

ACCOUNT = "444455556666"


def parse(value):
    return Stops.parse(value, parameter="/changes")


def test_allowed_stops_nothing():
    assert parse(" allowed\n") == NOTHING_STOPPED
    assert not any(NOTHING_STOPPED.stops(change, ACCOUNT) for change in CHANGES)


def test_stopped_alone_stops_everything_and_says_what_the_parameter_is():
    assert all(parse("stopped").stops(change, ACCOUNT) for change in CHANGES)
    assert parse("stopped").reason == "The parameter /changes is 'stopped'"


@pytest.mark.parametrize("value", ["stopped remediate 444455556666", "stopped, remediate,444455556666"])
def test_what_is_named_is_stopped_and_nothing_else(value):
    stops = parse(value)
    assert stops.stops("remediate", "111122223333")
    assert stops.stops("tickets", ACCOUNT)
    assert not stops.stops("tickets", "111122223333")
    assert not stops.stops("undo", "111122223333")


@pytest.mark.parametrize(
    "value",
    [
        "",
        "  ",
        "on",
        "Allowed",
        "allowed remediate",
        "stop",
        "stopped remediat",
        "stopped 44445555666",
        "null",
    ],
)
def test_anything_else_stops_everything_and_says_what_is_allowed(value):
    stops = parse(value)
    assert all(stops.stops(change) for change in CHANGES)
    assert "'allowed' nor 'stopped' with some of remediate, tickets, undo, update_findings" in stops.reason


@given(st.text())
def test_no_value_allows_more_than_it_says(value):
    stops = parse(value)
    if stops == NOTHING_STOPPED:
        assert value.replace(",", " ").split() == ["allowed"]
    else:
        assert stops.everything or stops.changes or stops.accounts


class FailingClient:
    def __init__(self, error):
        self.error = error

    def get_parameters(self, **_):
        raise self.error


@pytest.mark.parametrize(
    "error",
    [
        ClientError({"Error": {"Code": code, "Message": "said"}}, "GetParameters")
        for code in ("AccessDeniedException", "ThrottlingException")
    ]
    + [EndpointConnectionError(endpoint_url="https://ssm.eu-west-1.amazonaws.com")],
    ids=["denied", "throttled", "unreachable"],
)
def test_a_parameter_that_cannot_be_read_stops_everything(error):
    stops = StopSwitch("/changes", FailingClient(error)).read()
    assert stops.everything
    assert "The parameters /changes and /changes/by-hand can't be read" in stops.reason


class Client:
    def __init__(self, **values):
        self.values = {"/changes": values.get("deployed"), "/changes/by-hand": values.get("by_hand")}

    def get_parameters(self, *, Names):  # noqa: N803 - boto3's
        return {
            "Parameters": [
                {"Name": name, "Value": self.values[name]} for name in Names if self.values[name] is not None
            ]
        }


def read(**values):
    return StopSwitch("/changes", Client(**values)).read()


@pytest.mark.parametrize("by_hand", [None, "allowed"])
def test_what_both_parameters_allow_is_allowed(by_hand):
    assert read(deployed="allowed", by_hand=by_hand) == NOTHING_STOPPED


def test_what_either_parameter_stops_is_stopped():
    stops = read(deployed="stopped tickets", by_hand="stopped remediate 444455556666")
    assert stops.changes == {"tickets", "remediate"}
    assert stops.accounts == {ACCOUNT}
    assert not stops.everything
    assert stops.reason == (
        "The parameter /changes is 'stopped tickets'; "
        "The parameter /changes/by-hand is 'stopped remediate 444455556666'"
    )


@pytest.mark.parametrize("by_hand", ["stopped", "Stopped", ""])
def test_what_a_deployment_allows_does_not_overrule_what_somebody_stopped(by_hand):
    assert read(deployed="allowed", by_hand=by_hand).everything


@pytest.mark.parametrize("by_hand", [None, "allowed", "stopped undo"])
def test_without_the_parameter_of_the_deployment_everything_is_stopped(by_hand):
    stops = read(by_hand=by_hand)
    assert stops.everything
    assert "The parameter /changes is missing" in stops.reason


def test_it_is_read_each_time(function_aws):
    ssm = function_aws.client("ssm")
    switch = StopSwitch("/test/changes")
    for value in ("allowed", "stopped", "stopped undo"):
        ssm.put_parameter(Name="/test/changes", Value=value, Type="String", Overwrite=True)
        assert switch.read() == Stops.parse(value, parameter="/test/changes")
    ssm.put_parameter(Name="/test/changes", Value="allowed", Type="String", Overwrite=True)
    ssm.put_parameter(Name="/test/changes/by-hand", Value="stopped", Type="String")
    assert switch.read() == Stops.parse("stopped", parameter="/test/changes/by-hand")
    ssm.delete_parameter(Name="/test/changes/by-hand")
    assert switch.read() == NOTHING_STOPPED
    ssm.delete_parameter(Name="/test/changes")
    assert switch.read().everything


def test_without_the_variable_there_is_no_switch():
    assert StopSwitch.from_environment({"CHANGES_PARAMETER": " "}) is None
    assert StopSwitch.from_environment({"CHANGES_PARAMETER": "/changes"}) is not None
