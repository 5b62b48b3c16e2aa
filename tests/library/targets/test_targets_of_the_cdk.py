"""Targets of the CDK get what this library's have: retries, dead letters, and a role for these rules only."""

from __future__ import annotations

import pytest
from aws_cdk import App, Environment, Stack
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_appsync as appsync
from aws_cdk import aws_codebuild as codebuild
from aws_cdk import aws_codepipeline as codepipeline
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as events_targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kinesis as kinesis
from aws_cdk import aws_stepfunctions as stepfunctions
from aws_cdk.assertions import Template

from securityhub_actions import FindingFilter, ImportedFindingsRule

ACCOUNT, REGION = "111122223333", "us-east-1"
ARN = f":{REGION}:{ACCOUNT}:"
SCHEMA = "type Query { say: String } type Mutation { say: String } schema { query: Query mutation: Mutation }"


def ecs_task(stack, _):
    vpc = ec2.Vpc.from_vpc_attributes(
        stack, "Vpc", vpc_id="vpc-0123456789abcdef0", availability_zones=[f"{REGION}a"]
    )
    task = ecs.Ec2TaskDefinition(stack, "Task")
    task.add_container("Main", image=ecs.ContainerImage.from_registry("example"), memory_limit_mib=128)
    return events_targets.EcsTask(cluster=ecs.Cluster(stack, "Cluster", vpc=vpc), task_definition=task)


def batch_job(stack, _):
    queue, definition = f"arn:aws:batch{ARN}job-queue/q", f"arn:aws:batch{ARN}job-definition/d:1"
    return events_targets.BatchJob(queue, stack, definition, stack)


def codebuild_project(stack, _):
    spec = codebuild.BuildSpec.from_object({"version": "0.2"})
    return events_targets.CodeBuildProject(codebuild.Project(stack, "Project", build_spec=spec))


def code_pipeline(stack, _):
    pipeline = codepipeline.Pipeline.from_pipeline_arn(
        stack, "Pipeline", f"arn:aws:codepipeline{ARN}pipeline"
    )
    return events_targets.CodePipeline(pipeline)


def rest_api(stack, _):
    api = apigateway.RestApi(stack, "Api")
    api.root.add_method("POST")
    return events_targets.ApiGateway(api, method="POST", path="/", stage="prod")


def app_sync(stack, folder):
    schema = folder / "schema.graphql"
    schema.write_text(SCHEMA)
    mode = appsync.AuthorizationMode(authorization_type=appsync.AuthorizationType.IAM)
    api = appsync.GraphqlApi(
        stack,
        "Graph",
        name="graph",
        definition=appsync.Definition.from_schema(appsync.SchemaFile.from_asset(str(schema))),
        authorization_config=appsync.AuthorizationConfig(default_authorization=mode),
    )
    return events_targets.AppSync(api, graph_ql_operation="mutation Say { say }")


def redshift_query(_, __):
    cluster = f"arn:aws:redshift{ARN}cluster:c"
    return events_targets.RedshiftQuery(cluster, database="dev", sql=["select 1"])


def kinesis_stream(stack, _):
    return events_targets.KinesisStream(kinesis.Stream(stack, "Stream"))


def state_machine(stack, _):
    body = stepfunctions.DefinitionBody.from_chainable(stepfunctions.Pass(stack, "Pass"))
    return events_targets.SfnStateMachine(stepfunctions.StateMachine(stack, "Machine", definition_body=body))


EVERY_TARGET = {
    "ecs:RunTask": ecs_task,
    "batch:SubmitJob": batch_job,
    "codebuild:StartBuild": codebuild_project,
    "codepipeline:StartPipelineExecution": code_pipeline,
    "execute-api:Invoke": rest_api,
    "appsync:GraphQL": app_sync,
    "redshift-data:ExecuteStatement": redshift_query,
    "kinesis:PutRecord": kinesis_stream,
    "states:StartExecution": state_machine,
}


@pytest.fixture
def stack():
    return Stack(App(), "Stack", env=Environment(account=ACCOUNT, region=REGION))


def roles_of(stack):
    """The roles that EventBridge can assume, with the statements of their policies, by logical ID."""
    template = Template.from_stack(stack)
    roles = {
        name: role["Properties"]["AssumeRolePolicyDocument"]["Statement"]
        for name, role in template.find_resources("AWS::IAM::Role").items()
        if "events.amazonaws.com" in str(role["Properties"]["AssumeRolePolicyDocument"])
    }
    policies = [one["Properties"] for one in template.find_resources("AWS::IAM::Policy").values()]
    return {
        name: (
            trust,
            [
                statement
                for policy in policies
                if {"Ref": name} in policy["Roles"]
                for statement in policy["PolicyDocument"]["Statement"]
            ],
        )
        for name, trust in roles.items()
    }


@pytest.mark.parametrize("action", EVERY_TARGET)
def test_only_rules_of_this_account_and_region_can_use_the_role(stack, action, tmp_path):
    target = EVERY_TARGET[action](stack, tmp_path)
    ImportedFindingsRule(stack, "Findings", findings=FindingFilter(severity="HIGH"), targets=[target])
    ((trust, statements),) = roles_of(stack).values()
    (statement,) = trust
    assert statement["Condition"]["StringEquals"] == {"aws:SourceAccount": ACCOUNT}
    assert f":events:{REGION}:{ACCOUNT}:rule/*" in str(statement["Condition"]["ArnLike"]["aws:SourceArn"])
    allowed = [one for one in statements if action in one["Action"]]
    assert allowed
    assert all(one["Resource"] != "*" for one in statements)
    assert not any("*" in str(one["Action"]) for one in statements)


@pytest.mark.parametrize("action", EVERY_TARGET)
def test_events_are_retried_and_then_kept_in_a_dead_letter_queue(stack, action, tmp_path):
    target = EVERY_TARGET[action](stack, tmp_path)
    ImportedFindingsRule(stack, "Findings", findings=FindingFilter(severity="HIGH"), targets=[target])
    (rule,) = Template.from_stack(stack).find_resources("AWS::Events::Rule").values()
    (found,) = rule["Properties"]["Targets"]
    assert found["RetryPolicy"]["MaximumRetryAttempts"] == 185
    assert "SecurityHubDeadLetterQueue" in str(found["DeadLetterConfig"]["Arn"])


def test_a_role_of_ones_own_stays_as_it_is(stack):
    trust = iam.ServicePrincipal("events.amazonaws.com", conditions={"Bool": {"aws:SecureTransport": "true"}})
    role = iam.Role(stack, "Own", assumed_by=trust)
    spec = codebuild.BuildSpec.from_object({"version": "0.2"})
    project = codebuild.Project(stack, "Project", build_spec=spec)
    target = events_targets.CodeBuildProject(project, event_role=role)
    ImportedFindingsRule(stack, "Findings", findings=FindingFilter(severity="HIGH"), targets=[target])
    (((statement,), _),) = roles_of(stack).values()
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "true"}}


def test_rules_that_share_a_target_share_its_role(stack):
    target = codebuild_project(stack, None)
    for severity in ("HIGH", "LOW"):
        ImportedFindingsRule(stack, severity, findings=FindingFilter(severity=severity), targets=[target])
    (((statement,), _),) = roles_of(stack).values()
    assert statement["Condition"]["StringEquals"] == {"aws:SourceAccount": ACCOUNT}


def test_a_plain_rule_of_the_cdk_keeps_the_role_of_the_cdk(stack):
    pattern = events.EventPattern(source=["aws.securityhub"])
    events.Rule(stack, "Plain", event_pattern=pattern).add_target(codebuild_project(stack, None))
    (((statement,), _),) = roles_of(stack).values()
    assert "Condition" not in statement
