"""Whether stacks are found that an app no longer has."""

from __future__ import annotations

import pytest

from securityhub_actions.cli.doctor import State
from securityhub_actions.cli.doctor.turned_off import WITHOUT_QUEUE
from tests.cli.doctor.conftest import ACCOUNT, REGION, deployed, refusal

QUEUES = f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/"
OWN, LEFT = (f"{QUEUES}{stack}-SecurityHubDeadLetterQueueA2244654-1" for stack in ("App", "Left"))
QUEUE = {"Type": "AWS::SQS::Queue"}


@pytest.fixture
def turned_off(doctor):
    """A function that examines an account with queues, one of them of the app's stack."""

    def examined(*queues, resources=None, stacks=(), owner=None, others=()):
        answers = deployed(("AWS::SQS::Queue", "Queue", OWN))
        of_app = answers.pop("cloudformation__DescribeStacks")

        def described(given):
            known = given["StackName"] in {"App", *others}
            return of_app if known else refusal("ValidationError", "does not exist")

        resources = {"Queue": QUEUE} if resources is None else resources
        return doctor(
            "turned-off",
            resources or None,
            stacks=stacks,
            sqs__ListQueues={"QueueUrls": [OWN, *queues]},
            cloudformation__DescribeStackResources=owner or {"StackResources": [{"StackName": "Left"}]},
            cloudformation__DescribeStacks=described,
            **answers,
        )

    return examined


def test_a_stack_that_the_app_no_longer_has_goes_on_acting(turned_off):
    (found,) = turned_off(LEFT)
    assert found.state == State.WARNING
    assert found.text.startswith("Left is deployed, but the app doesn't have it.")
    assert "delete-stack --stack-name Left" in found.cure


@pytest.mark.parametrize("name", sorted(WITHOUT_QUEUE))
def test_a_stack_without_a_dead_letter_queue_is_found_by_its_name(turned_off, name):
    (found,) = turned_off(others=[name])
    assert found.state == State.WARNING
    assert found.text == f"{name} is deployed, but the app doesn't have it. If it was turned off, " + (
        f"{WITHOUT_QUEUE[name]}."
    )


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
