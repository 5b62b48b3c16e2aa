"""What the tests of the targets share: a stack, a rule with one target, and what the template has of it."""

from __future__ import annotations

import pytest
from aws_cdk import App, Environment, Stack
from aws_cdk.assertions import Template

from securityhub_actions import ImportedFindingsRule

ACCOUNT = "111122223333"
REGION = "us-east-1"
RULE = "AWS::Events::Rule"
ROLE = "AWS::IAM::Role"


@pytest.fixture
def stack():
    return Stack(App(), "Stack", env=Environment(account=ACCOUNT, region=REGION))


@pytest.fixture
def send(stack):
    """A function that makes a rule which sends findings to a target."""

    def make(target, construct_id="Findings", *, scope=stack, **settings):
        return ImportedFindingsRule(scope, construct_id, targets=[target], **settings).rule

    return make


@pytest.fixture
def target_of():
    """A function that returns the one target of the one rule in a stack's template."""

    def find(stack):
        (rule,) = Template.from_stack(stack).find_resources(RULE).values()
        (target,) = rule["Properties"]["Targets"]
        return target

    return find


@pytest.fixture
def events_role_of():
    """A function that returns the one role in a stack that EventBridge may assume."""

    def find(stack):
        (role,) = [
            role["Properties"]
            for role in Template.from_stack(stack).find_resources(ROLE).values()
            if "events.amazonaws.com" in str(role["Properties"]["AssumeRolePolicyDocument"])
        ]
        return role

    return find


@pytest.fixture
def permissions_of(events_role_of):
    """A function that returns the statements of the one role in a stack that EventBridge may assume."""

    def find(stack):
        (policy,) = events_role_of(stack)["Policies"]
        return policy["PolicyDocument"]["Statement"]

    return find


@pytest.fixture
def statements_of():
    """A function that returns the statements with a sid in a stack's policies of a resource type."""

    def find(stack, resource_type, sid="SecurityHubRules"):
        return [
            statement
            for policy in Template.from_stack(stack).find_resources(resource_type).values()
            for statement in policy["Properties"]["PolicyDocument"]["Statement"]
            if statement.get("Sid") == sid
        ]

    return find
