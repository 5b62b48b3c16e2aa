"""What became of the resources of a deleted stack, and the stack to which a resource belongs."""

from __future__ import annotations

import pytest

from tests.emulator.cloudformation.test_names import Stack


@pytest.fixture
def stack(embedded_aws):
    return Stack(embedded_aws)


@pytest.fixture
def deleted(stack):
    """A stack of two queues of which one is retained, and its ARN and what it had."""
    queue = {"Type": "AWS::SQS::Queue"}
    ids = stack.deploy({"Kept": {**queue, "DeletionPolicy": "Retain"}, "Gone": queue})
    (described,) = stack.cloudformation.describe_stacks(StackName=stack.name)["Stacks"]
    stack.delete()
    return stack, described["StackId"], ids


def found(stack, name):
    client = stack.cloudformation
    yield client.list_stack_resources(StackName=name)["StackResourceSummaries"]
    yield client.describe_stack_resources(StackName=name)["StackResources"]


def test_what_was_retained_and_what_was_deleted_is_told_by_the_arn(deleted):
    stack, arn, ids = deleted
    for resources in found(stack, arn):
        told = {
            one["LogicalResourceId"]: (one["PhysicalResourceId"], one["ResourceStatus"]) for one in resources
        }
        assert told == {"Kept": (ids["Kept"], "DELETE_SKIPPED"), "Gone": (ids["Gone"], "DELETE_COMPLETE")}


@pytest.mark.parametrize("operation", ["list_stack_resources", "describe_stack_resources"])
def test_a_name_is_that_of_a_stack_that_exists(deleted, operation):
    stack, _, _ = deleted
    with pytest.raises(stack.cloudformation.exceptions.ClientError, match="does not exist"):
        getattr(stack.cloudformation, operation)(StackName=stack.name)


def test_a_stack_that_exists_has_only_what_is_in_it(stack):
    queue = {"Type": "AWS::SQS::Queue"}
    stack.deploy({"Kept": {**queue, "DeletionPolicy": "Retain"}, "Other": queue})
    stack.deploy({"Other": queue}, operation="update_stack")
    for resources in found(stack, stack.name):
        assert [one["LogicalResourceId"] for one in resources] == ["Other"]


def test_the_stack_of_a_resource_is_found_by_its_physical_id(stack):
    queue = {"Type": "AWS::SQS::Queue"}
    ids = stack.deploy({"One": queue, "Other": queue})
    found = stack.cloudformation.describe_stack_resources(PhysicalResourceId=ids["One"])["StackResources"]
    assert {(one["StackName"], one["LogicalResourceId"]) for one in found} == {
        (stack.name, "One"),
        (stack.name, "Other"),
    }


def test_a_resource_of_no_stack_is_not_found(stack):
    url = stack.aws.client("sqs").create_queue(QueueName=stack.name)["QueueUrl"]
    with pytest.raises(stack.cloudformation.exceptions.ClientError, match="does not exist"):
        stack.cloudformation.describe_stack_resources(PhysicalResourceId=url)
