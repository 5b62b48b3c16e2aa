"""What a stack leaves behind, and what CloudFormation replaces, is in the way of no later deployment."""

from __future__ import annotations

import functools
import json

from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

from securityhub_actions.cli.doctor.turned_off import WITHOUT_QUEUE

CUSTOM = ("AWS::CloudFormation::CustomResource", "Custom::")


@functools.cache
def properties(resource_type, kind):
    """The paths of properties that the schema of a type lists, such as those that identify a resource."""
    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", resource_type).schema
    return [path.removeprefix("/properties/").split("/") for path in schema.get(kind) or ()]


def given(resource, kind):
    """Return those of the properties that a template gives: value by path."""
    found = {}
    for path in properties(resource["Type"], kind):
        value = resource.get("Properties", {})
        for name in path:
            value = value.get(name) if isinstance(value, dict) else None
        if value is not None:
            found["/".join(path)] = value
    return found


def of_aws(everything):
    return {place: one for place, one in everything.items() if not one["Type"].startswith(CUSTOM)}


def name_of_ours(resource):
    """Return what identifies a resource if the template says it all, without names that AWS generates."""
    found = given(resource, "primaryIdentifier")
    refs = [value for value in found.values() if isinstance(value, dict) and "Ref" in value]
    of_the_stack = [one for one in refs if not one["Ref"].startswith("AWS::")]
    is_whole = len(found) == len(properties(resource["Type"], "primaryIdentifier"))
    return found if is_whole and len(of_the_stack) < len(found) else {}


def test_what_is_retained_has_a_generated_name_or_the_next_deployment_would_find_it_there(everything):
    retained = {
        place: one
        for place, one in of_aws(everything).items()
        if one.get("DeletionPolicy", "Delete") != "Delete"
    }
    assert {one["Type"] for one in retained.values()} == {
        "AWS::DynamoDB::Table",
        "AWS::KMS::Key",
        "AWS::Logs::LogStream",  # in a log group that is deleted
        "AWS::S3::Bucket",
    }
    assert {place: name for place, one in retained.items() if (name := name_of_ours(one))} == {}


def test_what_has_a_name_of_ours_is_replaced_only_for_the_path_of_a_role(everything):
    """CloudFormation refuses to replace it under the same name, as docs/settings.md says of the path.

    Source: https://repost.aws/knowledge-center/cloudformation-custom-name
    """
    replacing = set()
    for one in of_aws(everything).values():
        if name := name_of_ours(one):
            others = given(one, "createOnlyProperties").keys() - name.keys()
            replacing |= {(one["Type"], path) for path in others}
    assert replacing == {("AWS::IAM::Role", "Path")}


def test_nothing_is_replaced_because_of_what_another_stack_has(everything):
    """CloudFormation doesn't know an output of another stack before it executes a change set.

    Source: https://github.com/aws/aws-cdk/pull/38831
    """
    weak = {
        (place, path)
        for place, one in of_aws(everything).items()
        for kind in ("createOnlyProperties", "conditionalCreateOnlyProperties")
        for path, value in given(one, kind).items()
        if "Fn::GetStackOutput" in json.dumps(value)
    }
    assert weak == set()


def test_the_doctor_finds_every_stack_by_its_dead_letter_queue_or_its_name(everything):
    names = {stack for stack, _ in everything}
    with_queue = {stack for stack, logical_id in everything if logical_id.startswith("SecurityHubDeadLetter")}
    assert names - with_queue == set(WITHOUT_QUEUE)
