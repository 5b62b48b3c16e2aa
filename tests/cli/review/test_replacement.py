"""The table of properties that replace a resource is that of CloudFormation's own schemas."""

from __future__ import annotations

import json

import pytest
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

from securityhub_actions.cli.assembly.attributes import CUSTOM_ACTION_TYPES
from securityhub_actions.cli.review.replacement import MAYBE_REPLACING, REPLACING

ROLE, QUEUE = "AWS::IAM::Role", "AWS::SQS::Queue"
MEMBER = {"RoleName": "Member", "Path": "/a/"}


def properties(schema, name):
    """The properties at the top level that a schema lists."""
    paths = [path.removeprefix("/properties/") for path in schema.get(name) or []]
    return {path for path in paths if "/" not in path}


@pytest.mark.parametrize("resource_type", sorted(set(REPLACING) - CUSTOM_ACTION_TYPES))
def test_a_type_is_replaced_for_what_its_schema_says(resource_type):
    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", resource_type).schema
    assert REPLACING[resource_type] == properties(schema, "createOnlyProperties")


@pytest.mark.parametrize("resource_type", sorted(MAYBE_REPLACING))
def test_a_type_may_be_replaced_for_what_its_schema_says(resource_type):
    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", resource_type).schema
    assert MAYBE_REPLACING[resource_type] <= properties(schema, "conditionalCreateOnlyProperties")


@pytest.fixture
def headlines(cli, tmp_path):
    """A function that reviews one resource whose properties change: the headlines."""

    def reviewed(resource_type, before, after):
        for name, properties in (("before", before), ("after", after)):
            resources = {"One": {"Type": resource_type, "Properties": properties}}
            (tmp_path / f"{name}.json").write_text(json.dumps({"Resources": resources}))
        files = [tmp_path / f"{name}.json" for name in ("before", "after")]
        ran = cli("review", files[0], "--template", files[1], "--json")
        return [(one["title"], one["essence"]) for one in ran.document["notes"]]

    return reviewed


@pytest.mark.parametrize(
    ("resource_type", "before", "change", "word"),
    [
        (ROLE, MEMBER, {"Path": "/b/"}, "role"),
        ("AWS::IAM::ManagedPolicy", {"ManagedPolicyName": "Member"}, {"Description": "x"}, "managed policy"),
        ("AWS::Events::Archive", {"ArchiveName": "Member", "SourceArn": "a"}, {"SourceArn": "b"}, "archive"),
        ("AWS::SSM::Document", {"Name": "Member"}, {"DocumentType": "Automation"}, "document"),
    ],
)
def test_what_has_a_name_of_its_own_cant_be_replaced_under_it(headlines, resource_type, before, change, word):
    essence = f"the {word} can't be replaced under the same name, Member"
    assert headlines(resource_type, before, {**before, **change}) == [("Deployment fails", essence)]


@pytest.mark.parametrize(
    ("resource_type", "before", "after"),
    [
        (ROLE, MEMBER, {"RoleName": "Other", "Path": "/b/"}),
        (ROLE, {"Path": "/a/"}, {"Path": "/b/"}),
        (QUEUE, {"QueueName": "Member"}, {"QueueName": "Other"}),
    ],
)
def test_what_gets_another_name_can_be_replaced(headlines, resource_type, before, after):
    assert "Deployment fails" not in [title for title, _ in headlines(resource_type, before, after)]


@pytest.mark.parametrize(
    ("resource_type", "name", "title"),
    [
        (QUEUE, "QueueName", "Queue replaced"),
        ("AWS::SNS::Topic", "TopicName", "Topic replaced"),
        (ROLE, "RoleName", "Role replaced"),
    ],
)
def test_what_gets_another_name_is_replaced(headlines, resource_type, name, title):
    assert title in [found for found, _ in headlines(resource_type, {name: "Member"}, {name: "Other"})]


def stack_set(properties):
    body = {"Resources": {"Role": {"Type": ROLE, "Properties": properties}}}
    return {"StackSetName": "members", "TemplateBody": json.dumps(body)}


def test_the_role_of_a_stack_sets_template_cant_be_replaced_under_its_name_either(headlines):
    changed = stack_set({**MEMBER, "Path": "/b/"})
    found = headlines("AWS::CloudFormation::StackSet", stack_set(MEMBER), changed)
    assert ("Deployment fails", "the role can't be replaced under the same name, Member") in found


@pytest.mark.parametrize("body", ["Resources: {}", '{"Resources": []}', "[]", '{"Resources": {"One": 1}}'])
def test_a_stack_set_with_another_template_is_compared_all_the_same(headlines, body):
    given = {"StackSetName": "members", "TemplateBody": body}
    assert headlines("AWS::CloudFormation::StackSet", given, stack_set(MEMBER))
