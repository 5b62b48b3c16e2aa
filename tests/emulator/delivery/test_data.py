"""Mutations of AppSync APIs and statements of Redshift need a role that can do all that it takes."""

from __future__ import annotations

import pytest

START = "arn:aws:redshift:eu-west-1:111122223333"
CLUSTER = f"{START}:cluster:warehouse"
LOGIN_ARN = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:warehouse-AbCdEf"
EXECUTE, BATCH = "redshift-data:ExecuteStatement", "redshift-data:BatchExecuteStatement"
CREDENTIALS = "redshift:GetClusterCredentials"
NAME, USER = f"{START}:dbname:warehouse/dev", f"{START}:dbuser:warehouse/writer"
SCHEMA = "type Query { said: String } type Mutation { say(text: String!): String }"
SAY = "mutation Say($text: String!) { say(text: $text) }"


@pytest.mark.parametrize(
    ("settings", "actions", "resources"),
    [
        ({"Sql": "select 1"}, [EXECUTE, f"{CREDENTIALS}WithIAM"], [CLUSTER, NAME]),
        ({"Sqls": ["select 1", "select 2"]}, [BATCH, f"{CREDENTIALS}WithIAM"], [CLUSTER, NAME]),
        ({"Sql": "select 1", "DbUser": "writer"}, [EXECUTE, CREDENTIALS], [CLUSTER, NAME, USER]),
        (
            {"Sql": "select 1", "SecretManagerArn": LOGIN_ARN},
            [EXECUTE, "secretsmanager:GetSecretValue"],
            [CLUSTER, LOGIN_ARN],
        ),
    ],
)
def test_a_statement_needs_the_cluster_and_the_access_to_its_database(chain, settings, actions, resources):
    given = {"Database": "dev", "StatementName": chain.name, **settings}
    for fewer in (actions[:1], actions[1:]):
        chain.target(CLUSTER, RoleArn=chain.role(fewer, resources), RedshiftDataParameters=given)
        assert chain.outcome(chain.send()).error_code == "NO_PERMISSIONS"
    chain.target(CLUSTER, RoleArn=chain.role(actions, resources[:-1]), RedshiftDataParameters=given)
    assert chain.outcome(chain.send()).error_code == "NO_PERMISSIONS"
    chain.target(CLUSTER, RoleArn=chain.role(actions, resources), RedshiftDataParameters=given)
    assert chain.outcome(chain.send()).outcome == "delivered"
    listed = chain.aws.client("redshift-data").list_statements(StatementName=chain.name)["Statements"]
    assert len(listed) == 1


@pytest.fixture
def api(chain):
    """The ID of an API that a stack created, and the ARN of its endpoint from the stack."""
    stacks = chain.aws.client("cloudformation")
    api = {"Type": "AWS::AppSync::GraphQLApi", "Properties": {"Name": "g", "AuthenticationType": "AWS_IAM"}}
    schema = {"ApiId": {"Fn::GetAtt": ["Api", "ApiId"]}, "Definition": SCHEMA}
    # The stack hands the endpoint out as the tag of a queue.
    tag = {"Key": "endpoint", "Value": {"Fn::GetAtt": ["Api", "GraphQLEndpointArn"]}}
    resources = {
        "Api": api,
        "Schema": {"Type": "AWS::AppSync::GraphQLSchema", "Properties": schema},
        "Queue": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": chain.name, "Tags": [tag]}},
    }
    status, reasons = chain.deploy(resources)
    assert status == "CREATE_COMPLETE", reasons
    found = stacks.describe_stack_resource(StackName=chain.name, LogicalResourceId="Api")
    sqs = chain.aws.client("sqs")
    url = sqs.get_queue_url(QueueName=chain.name)["QueueUrl"]
    endpoint = sqs.list_queue_tags(QueueUrl=url)["Tags"]["endpoint"]
    return found["StackResourceDetail"]["PhysicalResourceId"].rpartition("/")[2], endpoint


def test_a_mutation_needs_the_permission_for_its_field(chain, api):
    api_id, endpoint = api
    fields = f"arn:aws:appsync:eu-west-1:111122223333:apis/{api_id}/types/Mutation/fields"
    settings = {"AppSyncParameters": {"GraphQLOperation": SAY}, "Input": '{"text": "x"}'}
    chain.target(endpoint, RoleArn=chain.role("appsync:GraphQL", f"{fields}/other"), **settings)
    assert chain.outcome(chain.send()).error_code == "NO_PERMISSIONS"
    chain.target(endpoint, RoleArn=chain.role("appsync:GraphQL", f"{fields}/say"), **settings)
    assert chain.outcome(chain.send()).outcome == "delivered"


@pytest.mark.parametrize(
    ("operation", "given", "error"),
    [
        ("query { said }", "{}", "INVALID_PARAMETER"),
        (SAY, '{"other": 1}', "ERROR_FROM_TARGET"),
        ("mutation { unknown }", "{}", "ERROR_FROM_TARGET"),
    ],
)
def test_what_is_no_mutation_of_the_api_is_refused(chain, api, operation, given, error):
    role = chain.role("appsync:GraphQL", "*")
    chain.target(api[1], RoleArn=role, AppSyncParameters={"GraphQLOperation": operation}, Input=given)
    assert chain.outcome(chain.send()).error_code == error


def test_an_api_that_does_not_exist_is_told(chain):
    endpoint = "arn:aws:appsync:eu-west-1:111122223333:endpoints/graphql-api/missing"
    role = chain.role("appsync:GraphQL", "*")
    chain.target(endpoint, RoleArn=role, AppSyncParameters={"GraphQLOperation": SAY}, Input='{"text": "x"}')
    assert chain.outcome(chain.send()).error_code == "NO_RESOURCE"
