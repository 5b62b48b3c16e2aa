from __future__ import annotations

import pytest
from aws_cdk import aws_events as events
from aws_cdk import aws_stepfunctions as stepfunctions

from securityhub_actions import targets


@pytest.fixture
def state_machine(stack):
    return stepfunctions.StateMachine(
        stack,
        "Machine",
        definition_body=stepfunctions.DefinitionBody.from_chainable(stepfunctions.Pass(stack, "Nothing")),
    )


def test_the_execution_gets_the_whole_event(stack, send, state_machine, target_of):
    send(targets.StateMachine(state_machine))
    target = target_of(stack)
    assert target["Arn"] == stack.resolve(state_machine.state_machine_arn)
    assert not target.keys() & {"Input", "InputPath", "InputTransformer"}


def test_the_execution_can_get_a_part_of_the_event(stack, send, state_machine, target_of):
    send(targets.StateMachine(state_machine, event=events.RuleTargetInput.from_event_path("$.detail")))
    assert target_of(stack)["InputPath"] == "$.detail"


def test_the_role_may_start_this_state_machine_only(stack, send, state_machine, permissions_of):
    send(targets.StateMachine(state_machine))
    assert permissions_of(stack) == [
        {
            "Effect": "Allow",
            "Action": "states:StartExecution",
            "Resource": stack.resolve(state_machine.state_machine_arn),
        }
    ]


def test_a_state_machine_in_another_account_is_an_error(stack, send):
    theirs = stepfunctions.StateMachine.from_state_machine_arn(
        stack, "Theirs", "arn:aws:states:us-east-1:444455556666:stateMachine:theirs"
    )
    with pytest.raises(RuntimeError, match="The target Stack/Theirs is in account 444455556666"):
        send(targets.StateMachine(theirs))
