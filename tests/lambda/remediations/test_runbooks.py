from __future__ import annotations

from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError

from remediations import runbooks
from remediations.contract import CannotRemediateError, Plan
from remediations.runbooks import (
    RunbookError,
    RunbookStillRunningError,
    run_runbook,
    waiting_for_runbooks,
)

NAME = "AWS-EnableSomething"
ACCOUNT = "444455556666"
PLAN = Plan(
    resource=f"arn:aws-cn:rds:cn-north-1:{ACCOUNT}:db:shop", description="", prior_state={}, is_needed=True
)


class Automation:
    """Systems Manager in memory, as a client and as the session that has one.

    Attributes:
        executions: by id, each with its answers to GetAutomationExecution, the last of which stays.
        started: the requests to start one.
        slept: for how long it was waited each time.
    """

    def __init__(self, *statuses, **details):
        self.executions, self.started, self.slept, self.now = {}, [], [], 1000.0
        self._next = [{"AutomationExecutionStatus": status, **details} for status in statuses]

    def client(self, service):
        assert service == "ssm"
        return self

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds

    def add(self, execution_id, *statuses, name=NAME, parameters=None):
        self.executions[execution_id] = [
            {
                "AutomationExecutionId": execution_id,
                "DocumentName": name,
                "Parameters": parameters or {"Id": ["db-1"]},
                "AutomationExecutionStatus": status,
            }
            for status in statuses
        ]

    def start_automation_execution(self, **request):
        self.started.append(request)
        execution_id = f"started-{len(self.started)}"
        self.executions[execution_id] = [
            {"AutomationExecutionId": execution_id, "Parameters": request["Parameters"], **answer}
            for answer in self._next
        ]
        return {"AutomationExecutionId": execution_id}

    def get_automation_execution(self, *, AutomationExecutionId):  # noqa: N803 - boto3's name
        answers = self.executions[AutomationExecutionId]
        return {"AutomationExecution": answers.pop(0) if len(answers) > 1 else answers[0]}

    def get_paginator(self, operation):
        assert operation == "describe_automation_executions"
        return self

    def paginate(self, *, Filters):  # noqa: N803 - boto3's name
        wanted = {one["Key"]: one["Values"] for one in Filters}
        assert all(len(values) <= 10 for values in wanted.values()), "a filter takes ten values"
        for answers in self.executions.values():
            named = answers[0]["DocumentName"].startswith(tuple(wanted["DocumentNamePrefix"]))
            if named and answers[0]["AutomationExecutionStatus"] in wanted["ExecutionStatus"]:
                yield {"AutomationExecutionMetadataList": [answers[0]]}


@pytest.fixture
def run(monkeypatch):
    def call(automation, *, seconds=60):
        clock = SimpleNamespace(
            monotonic=lambda: automation.now, time=lambda: automation.now, sleep=automation.sleep
        )
        monkeypatch.setattr(runbooks, "time", clock)
        with waiting_for_runbooks(role="a/Role", seconds=seconds):
            return run_runbook(NAME, PLAN, automation, parameters={"Id": "db-1"})

    return call


def test_it_acts_with_the_role_of_the_resources_account_and_partition(run):
    automation = Automation("Success")
    assert run(automation) == "started-1"
    (request,) = automation.started
    assert request["DocumentName"] == NAME
    assert request["Parameters"] == {
        "Id": ["db-1"],
        "AutomationAssumeRole": [f"arn:aws-cn:iam::{ACCOUNT}:role/a/Role"],
    }


def test_it_is_waited_for_until_it_ends(run):
    automation = Automation("Pending", "InProgress", "InProgress", "Success")
    run(automation)
    assert automation.slept == [5, 5, 5]


def test_the_waiting_ends_in_time_and_the_error_says_that_it_goes_on(run):
    automation = Automation("InProgress", CurrentStepName="WaitForIt")
    with pytest.raises(
        RunbookStillRunningError, match="started-1 of AWS-EnableSomething is still running, at WaitFor"
    ):
        run(automation, seconds=12)
    assert automation.slept == [5, 5]


def test_without_time_it_is_started_nevertheless(run):
    automation = Automation("InProgress")
    with pytest.raises(RunbookStillRunningError):
        run(automation, seconds=-30)
    assert (len(automation.started), automation.slept) == (1, [])


@pytest.mark.parametrize("status", ["Failed", "TimedOut", "Cancelled", "CompletedWithFailure", "Exited"])
def test_any_other_end_is_an_error_that_names_execution_step_and_message(run, status):
    steps = [
        {"StepName": "First", "StepStatus": "Success"},
        {"StepName": "Second", "StepStatus": "Failed", "FailureMessage": "It is in pieces."},
    ]
    automation = Automation(status, StepExecutions=steps, FailureMessage="Step failed.")
    with pytest.raises(RunbookError, match=f"started-1 of {NAME}: {status} at Second: It is in pieces"):
        run(automation)


def test_a_failure_without_a_step_has_the_message_of_the_execution(run):
    with pytest.raises(RunbookError, match="Failed at no step: No such role"):
        run(Automation("Failed", FailureMessage="No such role"))


def test_one_that_runs_with_the_same_parameters_is_waited_for_and_none_started(run):
    automation = Automation("Success")
    automation.add("running", "InProgress", "InProgress", "Success")
    assert run(automation) == "running"
    assert automation.started == []


@pytest.mark.parametrize(
    "other",
    [
        {"parameters": {"Id": ["db-2"]}},
        {"name": f"{NAME}Else"},
    ],
)
def test_one_with_other_parameters_or_of_another_runbook_is_not_waited_for(run, other):
    automation = Automation("Success")
    automation.add("other", "InProgress", **other)
    assert run(automation) == "started-1"


def test_one_that_has_ended_is_not_waited_for(run):
    automation = Automation("Success")
    automation.add("ended", "Failed")
    assert run(automation) == "started-1"


def test_two_that_start_the_same_within_a_minute_share_a_token_and_later_ones_do_not(run):
    automation = Automation("Success")
    for seconds in (0, 10, 60):
        automation.now += seconds
        run(automation)
        automation.executions.clear()
    first, second, third = [request["ClientToken"] for request in automation.started]
    assert first == second != third


def refusing(code):
    """Systems Manager that starts nothing."""

    def refuse(**_):
        raise ClientError({"Error": {"Code": code, "Message": "no"}}, "StartAutomationExecution")

    automation = Automation()
    automation.start_automation_execution = refuse
    return automation


def test_a_runbook_that_the_region_does_not_have_is_left_to_a_person(run):
    with pytest.raises(CannotRemediateError, match=f"the runbook {NAME} in the Region of {PLAN.resource}"):
        run(refusing("AutomationDefinitionNotFoundException"))


def test_another_error_of_starting_one_is_retried(run):
    with pytest.raises(ClientError, match="AutomationExecutionLimitExceededException"):
        run(refusing("AutomationExecutionLimitExceededException"))


def test_a_resource_without_an_account_is_refused():
    plan = Plan(resource="shop", description="", prior_state={}, is_needed=True)
    with (
        waiting_for_runbooks(role="Role", seconds=0),
        pytest.raises(ValueError, match="'shop' isn't an ARN with an account"),
    ):
        run_runbook(NAME, plan, Automation("Success"), parameters={})
