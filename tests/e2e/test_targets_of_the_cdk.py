"""Targets of the CDK, and OpsItems: what a finding started is read back from the services themselves."""

from __future__ import annotations

import json
from itertools import count

import pytest
from aws_cdk import Duration
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_appsync as appsync
from aws_cdk import aws_codebuild as codebuild
from aws_cdk import aws_codepipeline as codepipeline
from aws_cdk import aws_codepipeline_actions as codepipeline_actions
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as events_targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3 as s3

from emulator.server import DEFAULT_ACCOUNT
from securityhub_actions import CustomAction, CustomActionRule, FindingFilter, ImportedFindingsRule, targets
from tests.e2e.findings import control_finding

# Of its own, so that no other test's findings come along.
REGION = "ap-south-1"
QUEUE = f"arn:aws:batch:{REGION}:{DEFAULT_ACCOUNT}:job-queue/triage"
DEFINITION = f"arn:aws:batch:{REGION}:{DEFAULT_ACCOUNT}:job-definition/triage:1"
ACTION = f"arn:aws:securityhub:{REGION}:{DEFAULT_ACCOUNT}:action/custom/Item"
CLUSTER = f"arn:aws:redshift:{REGION}:{DEFAULT_ACCOUNT}:cluster:warehouse"
SQL = "insert into findings_seen values (current_timestamp)"
MUTATION = "mutation Record($title: String!) { createRecord(title: $title) { title } }"
SCHEMA = """
type Record { title: String! }
type Query { getRecord(title: String!): Record }
type Mutation { createRecord(title: String!): Record }
"""
TITLE = events.EventField.from_path("$.detail.findings[0].Title")
PRINT = """
import json

def handle(event, context):
    print(json.loads(event["body"])["detail"]["findings"][0]["Title"])
    return {"statusCode": 200}
"""


def ecs_task(stack):
    vpc = ec2.Vpc.from_vpc_attributes(
        stack,
        "Vpc",
        vpc_id="vpc-0123456789abcdef0",
        availability_zones=[f"{REGION}a"],
        private_subnet_ids=["subnet-0123456789abcdef0"],
    )
    task = ecs.FargateTaskDefinition(stack, "Task")
    task.add_container("Main", image=ecs.ContainerImage.from_registry("example"))
    overrides = events_targets.ContainerOverride(
        container_name="Main", environment=[events_targets.TaskEnvironmentVariable(name="TITLE", value=TITLE)]
    )
    return events_targets.EcsTask(
        cluster=ecs.Cluster(stack, "Cluster", vpc=vpc),
        task_definition=task,
        container_overrides=[overrides],
        security_groups=[ec2.SecurityGroup.from_security_group_id(stack, "Group", "sg-0123456789abcdef0")],
    )


def codebuild_project(stack):
    spec = codebuild.BuildSpec.from_object({"version": "0.2"})
    project = codebuild.Project(stack, "Project", build_spec=spec)
    given = events.RuleTargetInput.from_object({"sourceVersion": TITLE})
    return events_targets.CodeBuildProject(project, event=given)


def rest_api(stack):
    function = lambda_.Function(
        stack,
        "Behind",
        runtime=lambda_.Runtime.PYTHON_3_13,
        handler="index.handle",
        timeout=Duration.minutes(5),  # not what a busy machine exceeds
        code=lambda_.Code.from_inline(PRINT),
    )
    api = apigateway.RestApi(stack, "Api", cloud_watch_role=False)
    api.root.add_method("POST", apigateway.LambdaIntegration(function))
    return events_targets.ApiGateway(api, method="POST", path="/", stage="prod")


def pipeline(stack):
    bucket = s3.Bucket(stack, "Sources", versioned=True)
    artifact = codepipeline.Artifact("Source")
    source = codepipeline_actions.S3SourceAction(
        action_name="Source",
        bucket=bucket,
        bucket_key="source.zip",
        output=artifact,
        trigger=codepipeline_actions.S3Trigger.NONE,
    )
    approval = codepipeline_actions.ManualApprovalAction(action_name="Approve")
    stages = [
        codepipeline.StageProps(stage_name="Source", actions=[source]),
        codepipeline.StageProps(stage_name="Approve", actions=[approval]),
    ]
    return events_targets.CodePipeline(
        codepipeline.Pipeline(stack, "Pipeline", artifact_bucket=bucket, stages=stages)
    )


def graphql_api(stack, folder):
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
    key = dynamodb.Attribute(name="title", type=dynamodb.AttributeType.STRING)
    table = dynamodb.Table(stack, "Records", partition_key=key)
    stored = appsync.MappingTemplate.dynamo_db_put_item(
        appsync.PrimaryKey.partition("title").is_("title"), appsync.Values.projecting()
    )
    api.add_dynamo_db_data_source("Table", table).create_resolver(
        "Create",
        type_name="Mutation",
        field_name="createRecord",
        request_mapping_template=stored,
        response_mapping_template=appsync.MappingTemplate.dynamo_db_result_item(),
    )
    variables = events.RuleTargetInput.from_object({"title": TITLE})
    return events_targets.AppSync(api, graph_ql_operation=MUTATION, variables=variables)


def redshift_query(stack):
    # The CDK lets its own role execute statements, and not connect to the database.
    role = iam.Role(stack, "Warehouse", assumed_by=iam.ServicePrincipal("events.amazonaws.com"))
    start = f"arn:aws:redshift:{REGION}:{DEFAULT_ACCOUNT}"
    resources = [f"{start}:dbuser:warehouse/writer", f"{start}:dbname:warehouse/dev"]
    role.add_to_policy(iam.PolicyStatement(actions=["redshift:GetClusterCredentials"], resources=resources))
    return events_targets.RedshiftQuery(
        CLUSTER, database="dev", db_user="writer", sql=[SQL], statement_name="findings", role=role
    )


def declare(stack, folder):
    ImportedFindingsRule(
        stack,
        "More",
        findings=FindingFilter(severity="HIGH"),
        targets=[pipeline(stack), graphql_api(stack, folder), redshift_query(stack)],
    )
    ImportedFindingsRule(
        stack,
        "Findings",
        findings=FindingFilter(severity="HIGH"),
        targets=[
            ecs_task(stack),
            events_targets.BatchJob(QUEUE, stack, DEFINITION, stack, job_name="triage"),
            codebuild_project(stack),
            rest_api(stack),
            targets.OpsItem(severity=targets.OpsItemSeverity.HIGH),
        ],
    )
    action = CustomAction(
        stack, "Action", action_id="Item", action_name="Item", description="An item for each"
    )
    item = targets.OpsItem(severity=targets.OpsItemSeverity.MEDIUM)
    case = targets.SecurityIncidentCase(stack, "Incident", watchers=["security@example.com"])
    each = [targets.EachFinding(item), targets.EachFinding(case)]
    CustomActionRule(stack, "Press", action=action, targets=each)


class Scene:
    """The deployed stack, and what the services say about it."""

    def __init__(self, aws, deployment):
        self.aws, self.deployment = aws, deployment
        self._minutes = count(10)

    def client(self, service):
        return self.aws.client(service, region=REGION)

    def import_finding(self, name, *, severity="HIGH", title=None):
        """Import a finding, and return it with its event once its deliveries are over."""
        finding = control_finding(
            "S3.8", name, region=REGION, Severity={"Label": severity}, Title=title or f"Finding {name}"
        )
        # An update has to be newer than what is there.
        finding["UpdatedAt"] = f"2026-02-01T00:{next(self._minutes)}:00Z"
        finding["ProductArn"] = f"arn:aws:securityhub:{REGION}::product/aws/securityhub"
        before = {one["id"] for one in self.aws.events(region=REGION)}
        answer = self.client("securityhub").batch_import_findings(Findings=[finding])
        assert answer["FailedCount"] == 0, answer
        sent = [
            one
            for one in self.aws.events(region=REGION)
            if one["id"] not in before and one["source"] == "aws.securityhub"
        ]
        self.settle(sent)
        return finding

    def settle(self, sent):
        def over():
            found = [
                one for event in sent for one in self.aws.deliveries(event_id=event["id"], region=REGION)
            ]
            return all(one.outcome != "pending" for one in found)

        self.aws.wait_until(over, what="every delivery to be over")

    def only(self, resource_type):
        (found,) = self.deployment.resources(resource_type).values()
        return found

    def tasks(self):
        client, cluster = self.client("ecs"), self.only("AWS::ECS::Cluster")
        arns = client.list_tasks(cluster=cluster)["taskArns"]
        return client.describe_tasks(cluster=cluster, tasks=arns)["tasks"] if arns else []

    def builds(self):
        client = self.client("codebuild")
        ids = client.list_builds_for_project(projectName=self.only("AWS::CodeBuild::Project"))["ids"]
        return client.batch_get_builds(ids=ids)["builds"]

    def jobs(self):
        return self.client("batch").list_jobs(jobQueue=QUEUE, jobStatus="SUCCEEDED")["jobSummaryList"]

    def printed(self):
        (name,) = (
            one for one in self.deployment.resources("AWS::Lambda::Function").values() if "Behind" in one
        )
        found = self.client("logs").filter_log_events(logGroupName=f"/aws/lambda/{name}")["events"]
        return [entry["message"].strip() for entry in found]

    def executions(self):
        """What EventBridge started. A pipeline also starts when it's created."""
        name = self.only("AWS::CodePipeline::Pipeline")
        found = self.client("codepipeline").list_pipeline_executions(pipelineName=name)
        return [
            one
            for one in found["pipelineExecutionSummaries"]
            if one["trigger"]["triggerType"] == "CloudWatchEvent"
        ]

    def records(self):
        found = self.client("dynamodb").scan(TableName=self.only("AWS::DynamoDB::Table"))["Items"]
        return [one["title"]["S"] for one in found]

    def statements(self):
        client = self.client("redshift-data")
        ids = [one["Id"] for one in client.list_statements(StatementName="findings")["Statements"]]
        return [client.describe_statement(Id=one) for one in ids]

    def items(self):
        client = self.client("ssm")
        found = client.describe_ops_items()["OpsItemSummaries"]
        return [client.get_ops_item(OpsItemId=one["OpsItemId"])["OpsItem"] for one in found]

    def dead_letters(self):
        client, taken = self.client("sqs"), []
        url = self.deployment.physical_id("AWS::SQS::Queue", "SecurityHubDeadLetterQueue")
        request = {"QueueUrl": url, "MaxNumberOfMessages": 10, "MessageAttributeNames": ["All"]}
        while found := client.receive_message(**request).get("Messages"):
            for message in found:
                client.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            taken += found
        return [
            {name: value["StringValue"] for name, value in one["MessageAttributes"].items()} for one in taken
        ]


@pytest.fixture(scope="module")
def scene(aws, new_module_deployment, tmp_path_factory):
    deployment, folder = new_module_deployment(REGION), tmp_path_factory.mktemp("graph")
    deployment.deploy(lambda stack: declare(stack, folder))
    return Scene(aws, deployment)


@pytest.fixture(scope="module")
def imported(scene):
    finding = scene.import_finding("first")
    assert scene.dead_letters() == []
    return finding


def test_a_task_runs_with_a_value_of_the_finding(scene, imported):
    (task,) = scene.tasks()
    (container,) = task["overrides"]["containerOverrides"]
    assert container["environment"] == [{"name": "TITLE", "value": imported["Title"]}]


@pytest.mark.usefixtures("imported")
def test_a_job_is_submitted(scene):
    assert [job["jobName"] for job in scene.jobs()] == ["triage"]


def test_a_build_starts_with_a_value_of_the_finding(scene, imported):
    assert [build["sourceVersion"] for build in scene.builds()] == [imported["Title"]]


def test_a_rest_api_gets_the_event(scene, imported):
    scene.aws.wait_until(lambda: imported["Title"] in scene.printed(), what="the output of the function")


@pytest.mark.usefixtures("imported")
def test_a_pipeline_starts_and_names_the_rule(scene):
    (execution,) = scene.executions()
    rules = scene.deployment.resources("AWS::Events::Rule").values()
    assert execution["trigger"]["triggerDetail"].rpartition("/")[2] in rules
    name, identifier = scene.only("AWS::CodePipeline::Pipeline"), execution["pipelineExecutionId"]
    found = scene.client("codepipeline").get_pipeline_execution(
        pipelineName=name, pipelineExecutionId=identifier
    )
    assert found["pipelineExecution"]["status"] == "Succeeded"


def test_a_mutation_stores_a_value_of_the_finding(scene, imported):
    assert scene.records() == [imported["Title"]]


@pytest.mark.usefixtures("imported")
def test_a_statement_is_executed_as_the_user_of_the_database(scene):
    (statement,) = scene.statements()
    assert (statement["QueryString"], statement["Status"]) == (SQL, "FINISHED")
    assert (statement["ClusterIdentifier"], statement["Database"]) == ("warehouse", "dev")
    assert statement["DbUser"] == "writer"


def test_an_ops_item_is_about_the_finding(scene, imported):
    item = next(one for one in scene.items() if one["Title"] == imported["Title"])
    assert (item["Status"], item["Severity"], item["Category"]) == ("Open", "2", "Security")
    assert item["OperationalData"]["Finding"]["Value"] == imported["Id"]


def test_an_open_item_is_not_repeated_and_after_it_is_resolved_there_is_a_new_one(scene, imported):
    name = imported["Id"].rpartition("/")[2]
    scene.import_finding(name, title="Updated")
    about = [one for one in scene.items() if one["OperationalData"]["Finding"]["Value"] == imported["Id"]]
    assert len(about) == 1
    (letter,) = scene.dead_letters()
    assert "deduplication" in letter["ERROR_MESSAGE"]
    scene.client("ssm").update_ops_item(OpsItemId=about[0]["OpsItemId"], Status="Resolved")
    scene.import_finding(name, title="Updated again")
    about = [one for one in scene.items() if one["OperationalData"]["Finding"]["Value"] == imported["Id"]]
    assert sorted(one["Status"] for one in about) == ["Open", "Resolved"]


def test_a_press_makes_an_item_for_each_finding_with_a_link(scene):
    findings = [scene.import_finding(f"pressed-{number}", severity="LOW") for number in range(3)]
    (event,) = scene.aws.press(ACTION, findings=findings, region=REGION)
    wanted = {one["Id"] for one in findings}

    def made():
        found = [one for one in scene.items() if one["OperationalData"]["Finding"]["Value"] in wanted]
        return found if len(found) == len(findings) else None

    items = scene.aws.wait_until(made, what=f"the items of {event['id']}")
    assert {one["OperationalData"]["Finding"]["Value"] for one in items} == wanted
    assert all(one["OperationalData"]["Console"]["Value"].startswith(f"https://{REGION}.") for one in items)
    assert {one["Severity"] for one in items} == {"3"}


def test_a_press_makes_a_case_for_each_finding(scene):
    findings = [scene.import_finding(f"case-{number}", severity="LOW") for number in range(3)]
    scene.aws.press(ACTION, findings=findings, region=REGION)
    client, wanted = scene.client("security-ir"), {one["Title"] for one in findings}

    def made():
        found = [one for one in client.list_cases()["items"] if one["title"] in wanted]
        return found if len(found) == len(findings) else None

    cases = scene.aws.wait_until(made, what="the cases")
    case = client.get_case(caseId=cases[0]["caseId"])
    assert {one["title"] for one in cases} == wanted
    assert (case["resolverType"], case["impactedAccounts"]) == ("Self", [DEFAULT_ACCOUNT])
    assert case["impactedAwsRegions"] == [{"region": REGION}]
    assert "Control: S3.8" in case["description"]


@pytest.mark.usefixtures("imported")
def test_without_their_permissions_each_delivery_is_a_dead_letter(scene):
    client = scene.client("iam")
    for role in scene.deployment.resources("AWS::IAM::Role").values():
        if "events.amazonaws.com" in json.dumps(
            client.get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"]
        ):
            for name in client.list_role_policies(RoleName=role)["PolicyNames"]:
                client.delete_role_policy(RoleName=role, PolicyName=name)
    scene.import_finding("refused")
    letters = scene.dead_letters()
    services = {letter["TARGET_ARN"].split(":")[2] for letter in letters}
    assert services == {
        *("ecs", "batch", "codebuild", "execute-api", "ssm"),
        *("codepipeline", "appsync", "redshift"),
    }
    assert {letter["ERROR_CODE"] for letter in letters} == {"NO_PERMISSIONS"}
