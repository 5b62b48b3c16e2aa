"""Saved queries of Athena in templates."""

from __future__ import annotations

import json
import uuid

import pytest

QUERY = {"Database": "example", "QueryString": "SELECT 1", "Name": "One", "WorkGroup": {"Ref": "Workgroup"}}


@pytest.fixture
def deploy(embedded_aws):
    """A function that deploys a stack with one saved query, and returns its status and the queries."""
    name, cloudformation = f"queries-{uuid.uuid4().hex[:8]}", embedded_aws.client("cloudformation")

    def deploy(operation, **changes):
        workgroup = {"Type": "AWS::Athena::WorkGroup", "Properties": {"Name": name}}
        query = {"Type": "AWS::Athena::NamedQuery", "Properties": {**QUERY, **changes}}
        template = {"Resources": {"Workgroup": workgroup, "Query": query}}
        getattr(cloudformation, operation)(StackName=name, TemplateBody=json.dumps(template))

        def status():
            (stack,) = cloudformation.describe_stacks(StackName=name)["Stacks"]
            return None if stack["StackStatus"].endswith("IN_PROGRESS") else stack["StackStatus"]

        reached = embedded_aws.wait_until(status, what="the stack")
        athena = embedded_aws.client("athena")
        ids = athena.list_named_queries(WorkGroup=name)["NamedQueryIds"]
        return reached, [athena.get_named_query(NamedQueryId=one)["NamedQuery"] for one in ids]

    yield deploy
    cloudformation.delete_stack(StackName=name)


def test_a_query_is_saved_and_replaced_when_it_changes(deploy):
    status, (saved,) = deploy("create_stack")
    assert (status, saved["Name"], saved["QueryString"]) == ("CREATE_COMPLETE", "One", "SELECT 1")
    status, (changed,) = deploy("update_stack", QueryString="SELECT 2")
    assert (status, changed["QueryString"]) == ("UPDATE_COMPLETE", "SELECT 2")
    assert changed["NamedQueryId"] != saved["NamedQueryId"]


@pytest.mark.parametrize("wrong", [{"QueryString": ""}, {"WorkGroup": "unknown"}])
def test_a_query_without_text_or_workgroup_fails(deploy, wrong):
    status, queries = deploy("create_stack", **wrong)
    assert status.startswith("ROLLBACK")
    assert queries == []
