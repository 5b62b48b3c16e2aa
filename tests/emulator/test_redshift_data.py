"""The Data API of Redshift takes statements, and says what it took."""

from __future__ import annotations

import uuid

import pytest
from botocore.exceptions import ClientError

DATABASE = {"ClusterIdentifier": "warehouse", "Database": "dev"}


@pytest.fixture
def client(embedded_aws):
    return embedded_aws.client("redshift-data")


def test_a_statement_can_be_described_and_found_by_the_start_of_its_name(client):
    name = f"findings-{uuid.uuid4().hex[:8]}"
    sent = client.execute_statement(**DATABASE, DbUser="writer", Sql="select 1", StatementName=f"{name}-1")
    described = client.describe_statement(Id=sent["Id"])
    assert (described["QueryString"], described["Status"]) == ("select 1", "FINISHED")
    assert (described["DbUser"], described["Database"]) == ("writer", "dev")
    (listed,) = client.list_statements(StatementName=name)["Statements"]
    assert (listed["Id"], listed["QueryString"]) == (sent["Id"], "select 1")


def test_a_batch_is_one_statement_with_parts(client):
    texts = ["select 1", "select 2"]
    sent = client.batch_execute_statement(**DATABASE, Sqls=texts)
    described = client.describe_statement(Id=sent["Id"])
    assert [one["QueryString"] for one in described["SubStatements"]] == texts


@pytest.mark.parametrize(
    "request_",
    [
        {"Sql": " ", **DATABASE},
        {"Sql": "select 1", "Database": "dev"},
        {"Sql": "select 1", "ClusterIdentifier": "warehouse"},
        {"Sql": "select 1", "WorkgroupName": "other", **DATABASE},
        {"Sql": "select 1", "DbUser": "writer", "SecretArn": "arn:aws:secretsmanager:x", **DATABASE},
    ],
)
def test_what_the_service_cannot_connect_with_is_refused(client, request_):
    with pytest.raises(ClientError, match="ValidationException"):
        client.execute_statement(**request_)


def test_a_statement_that_does_not_exist_is_an_error(client):
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        client.describe_statement(Id="0f1e2d3c-0000-4000-8000-000000000000")
