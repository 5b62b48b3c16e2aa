"""Event buses of a template have the policies that it gives them."""

from __future__ import annotations

import json
import uuid

import pytest

ACCOUNT = "111122223333"


def rule(**properties):
    return {"Type": "AWS::Events::Rule", "Properties": {"EventPattern": {"source": ["a"]}, **properties}}


class Template:
    """A stack with an event bus."""

    def __init__(self, aws):
        self.aws, self.name = aws, f"buses-{uuid.uuid4().hex[:8]}"
        self.cloudformation = aws.client("cloudformation")
        self.arn = f"arn:aws:events:eu-west-1:{ACCOUNT}:event-bus/{self.name}"

    def deploy(self, *policies, operation="create_stack", rules=None, **properties):
        """Deploy the bus with properties, and policies and rules apart from it."""
        bus = {"Type": "AWS::Events::EventBus", "Properties": {"Name": self.name, **properties}}
        resources = {"Bus": bus, **{name: rule(**one) for name, one in (rules or {}).items()}}
        for one in policies:
            resources[one["StatementId"]] = {
                "Type": "AWS::Events::EventBusPolicy",
                "Properties": {"EventBusName": {"Ref": "Bus"}, **one},
            }
        getattr(self.cloudformation, operation)(
            StackName=self.name, TemplateBody=json.dumps({"Resources": resources})
        )
        assert self.aws.wait_until(self._status, what="the stack").endswith(
            ("CREATE_COMPLETE", "UPDATE_COMPLETE")
        )

    def _status(self):
        (stack,) = self.cloudformation.describe_stacks(StackName=self.name)["Stacks"]
        return None if stack["StackStatus"].endswith("IN_PROGRESS") else stack["StackStatus"]

    def physical_id(self, logical_id):
        resource = self.cloudformation.describe_stack_resource(
            StackName=self.name, LogicalResourceId=logical_id
        )
        return resource["StackResourceDetail"]["PhysicalResourceId"]

    def statements(self):
        policy = self.aws.client("events").describe_event_bus(Name=self.name).get("Policy")
        return None if policy is None else json.loads(policy)["Statement"]


@pytest.fixture
def template(embedded_aws):
    stack = Template(embedded_aws)
    yield stack
    stack.cloudformation.delete_stack(StackName=stack.name)


def denial(arn):
    return {"Effect": "Deny", "Principal": "*", "Action": "events:PutEvents", "Resource": arn}


def test_a_policy_that_is_a_property_comes_and_goes_with_it(template):
    statement = denial(template.arn)
    template.deploy(Policy={"Version": "2012-10-17", "Statement": [statement]})
    assert template.statements() == [statement]
    template.deploy(operation="update_stack")
    assert template.statements() is None


def test_an_update_of_something_else_leaves_policies_of_others_alone(template):
    template.deploy()
    template.aws.client("events").put_permission(
        EventBusName=template.name, StatementId="Other", Action="events:PutEvents", Principal="444455556666"
    )
    template.deploy(operation="update_stack", Description="Changed")
    assert [one["Sid"] for one in template.statements()] == ["Other"]


def test_statements_are_added_replaced_and_removed_one_by_one(template):
    first = {"StatementId": "First", "Statement": {**denial(template.arn), "Effect": "Allow"}}
    second = {"StatementId": "Second", "Action": "events:PutEvents", "Principal": "444455556666"}
    template.deploy(first, second)
    assert {one["Sid"]: one["Effect"] for one in template.statements()} == {
        "First": "Allow",
        "Second": "Allow",
    }
    template.deploy({**first, "Statement": denial(template.arn)}, operation="update_stack")
    assert template.statements() == [{**denial(template.arn), "Sid": "First"}]


def test_a_condition_without_a_statement_is_one_of_the_statement(template):
    condition = {"Type": "StringEquals", "Key": "aws:PrincipalOrgID", "Value": "o-example"}
    template.deploy(
        {"StatementId": "Org", "Action": "events:PutEvents", "Principal": "*", "Condition": condition}
    )
    (statement,) = template.statements()
    assert statement["Condition"] == {"StringEquals": {"aws:PrincipalOrgID": "o-example"}}


def test_the_id_of_a_rule_on_another_bus_than_the_default_one_begins_with_the_bus(template):
    on_bus = {"EventBusName": {"Ref": "Bus"}, "Name": f"{template.name}-own"}
    on_default = {"Name": f"{template.name}-default"}
    template.deploy(rules={"Own": on_bus, "Default": on_default})
    names = [f"{template.name}|{template.name}-own", f"{template.name}-default"]
    assert [template.physical_id(one) for one in ("Own", "Default")] == names
    # The ID leads to the rule: it's updated, and then deleted.
    changed = {**on_bus, "Description": "Changed"}
    template.deploy(rules={"Own": changed, "Default": on_default}, operation="update_stack")
    events = template.aws.client("events")
    (found,) = events.list_rules(EventBusName=template.name)["Rules"]
    assert (found["Name"], found["Description"]) == (f"{template.name}-own", "Changed")
    template.deploy(operation="update_stack")
    assert events.list_rules(EventBusName=template.name)["Rules"] == []
