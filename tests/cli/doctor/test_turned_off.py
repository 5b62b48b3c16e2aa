"""Whether stacks are found that an app no longer has."""

from __future__ import annotations

import pytest

from securityhub_actions.cli.doctor import State
from tests.cli.doctor.conftest import ACCOUNT, REGION, deployed, refusal

QUEUES = f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/"
OWN, LEFT = (f"{QUEUES}{stack}-SecurityHubDeadLetterQueueA2244654-1" for stack in ("App", "Left"))
QUEUE = {"Type": "AWS::SQS::Queue"}


@pytest.fixture
def turned_off(doctor):
    """A function that examines an account with queues, one of them of the app's stack."""

    def examined(*queues, resources=None, stacks=(), owner=None):
        resources = {"Queue": QUEUE} if resources is None else resources
        return doctor(
            "turned-off",
            resources or None,
            stacks=stacks,
            sqs__ListQueues={"QueueUrls": [OWN, *queues]},
            cloudformation__DescribeStackResources=owner or {"StackResources": [{"StackName": "Left"}]},
            **deployed(("AWS::SQS::Queue", "Queue", OWN)),
        )

    return examined


def test_a_stack_that_the_app_no_longer_has_goes_on_acting(turned_off):
    (found,) = turned_off(LEFT)
    assert found.state == State.WARNING
    assert found.text.startswith("Left is deployed, but the app doesn't have it.")
    assert "delete-stack --stack-name Left" in found.cure


@pytest.mark.parametrize("queues", [(), (f"{QUEUES}Others-Inbox-1",)])
def test_without_such_a_stack_all_is_well(turned_off, queues):
    (found,) = turned_off(*queues)
    assert found.state == State.OK


def test_a_queue_of_no_stack_is_nothing_that_acts(turned_off):
    (found,) = turned_off(LEFT, owner=refusal("ValidationError", "Stack for Left does not exist"))
    assert found.state == State.OK


def test_a_part_of_an_app_doesnt_show_what_the_app_no_longer_has(turned_off):
    for settings in ({"stacks": ["App"]}, {"resources": {}, "stacks": ["App"]}):
        (found,) = turned_off(LEFT, **settings)
        assert found.state == State.SKIPPED
