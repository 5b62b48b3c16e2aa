from __future__ import annotations

import io
import json
import uuid
import zipfile
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from tests.serving import serving

ACCOUNT, REGION = "111122223333", "eu-west-1"
EVENTS_SERVICE = {"Service": "events.amazonaws.com"}


class Chain:
    """A rule of its own for one test, and what a target of it needs."""

    def __init__(self, aws):
        self.aws = aws
        self.name = f"test-{uuid.uuid4().hex[:8]}"
        self.source = f"app.{self.name}"
        self.events = aws.client("events")
        pattern = json.dumps({"source": [self.source]})
        self.rule_arn = self.events.put_rule(Name=self.name, EventPattern=pattern)["RuleArn"]

    def queue(self, suffix="queue", *, policy_for=None, account=ACCOUNT):
        sqs = self.aws.client("sqs", account=account)
        url = sqs.create_queue(QueueName=f"{self.name}-{suffix}")["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        if policy_for:
            statement = allow("sqs:SendMessage", arn, policy_for)
            sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy(statement)})
        return url, arn

    def role(self, action, resource, *, condition=None, trust_condition=None, service="events.amazonaws.com"):
        iam = self.aws.client("iam")
        name = f"{self.name}-{uuid.uuid4().hex[:6]}"
        trust = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
        if trust_condition:
            trust["Condition"] = trust_condition
        arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=policy(trust))["Role"]["Arn"]
        grant = {"Effect": "Allow", "Action": action, "Resource": resource}
        if condition:
            grant["Condition"] = condition
        iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=policy(grant))
        return arn

    def function(self, code, *, allow_rule=True, source_arn=None, role=None):
        functions = self.aws.client("lambda")
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr("index.py", code)
        arn = functions.create_function(
            FunctionName=self.name,
            Runtime="python3.13",
            Handler="index.handle",
            Role=role or "arn:aws:iam::111122223333:role/none",
            Code={"ZipFile": packed.getvalue()},
        )["FunctionArn"]
        if allow_rule:
            functions.add_permission(
                FunctionName=self.name,
                StatementId="events",
                Action="lambda:InvokeFunction",
                Principal="events.amazonaws.com",
                SourceArn=source_arn or self.rule_arn,
            )
        return arn

    def target(self, arn, **settings):
        answer = self.events.put_targets(Rule=self.name, Targets=[{"Id": "T", "Arn": arn, **settings}])
        assert answer["FailedEntryCount"] == 0

    def send(self, detail=None, *, resources=()):
        entry = {
            "Source": self.source,
            "DetailType": "Test",
            "Detail": json.dumps(detail or {}),
            "Resources": list(resources),
        }
        return self.events.put_events(Entries=[entry])["Entries"][0]["EventId"]

    def outcome(self, event_id, **wanted):
        def settled():
            found = self.aws.deliveries(event_id=event_id, rule_arn=self.rule_arn, **wanted)
            return found and found[0].outcome != "pending" and found[0]

        return self.aws.wait_until(settled, what="the delivery's outcome")

    def received(self, url, *, account=ACCOUNT):
        sqs = self.aws.client("sqs", account=account)

        def messages():
            return sqs.receive_message(
                QueueUrl=url, MessageAttributeNames=["All"], MaxNumberOfMessages=10
            ).get("Messages")

        return self.aws.wait_until(messages, what="a message in the queue")


def allow(action, resource, rule_arn, **changes):
    condition = {"ArnEquals": {"aws:SourceArn": rule_arn}}
    return {
        "Effect": "Allow",
        "Principal": EVENTS_SERVICE,
        "Action": action,
        "Resource": resource,
        "Condition": condition,
    } | changes


def policy(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


@pytest.fixture
def chain(embedded_aws):
    return Chain(embedded_aws)


def test_a_queue_with_a_policy_for_the_rule_gets_the_event(chain):
    url, arn = chain.queue(policy_for=chain.rule_arn)
    chain.target(arn)
    event_id = chain.send({"answer": 42}, resources=["arn:aws:x:::y"])
    event = json.loads(chain.received(url)[0]["Body"])
    assert (event["id"], event["detail"], event["account"]) == (event_id, {"answer": 42}, ACCOUNT)
    assert chain.outcome(event_id).outcome == "delivered"
    assert event in chain.aws.events()


def test_a_delivery_is_in_the_log_as_soon_as_the_event_was_taken(chain):
    _, arn = chain.queue(policy_for=chain.rule_arn)
    chain.target(arn)
    [delivery] = chain.aws.deliveries(event_id=chain.send())
    assert (delivery.rule_arn, delivery.target_id, delivery.target_arn) == (chain.rule_arn, "T", arn)


def test_a_queue_without_a_policy_refuses_and_the_event_is_lost(chain):
    _, arn = chain.queue()
    chain.target(arn)
    delivery = chain.outcome(chain.send())
    assert (delivery.outcome, delivery.error_code, delivery.attempts) == ("lost", "NO_PERMISSIONS", 1)


def test_a_policy_for_another_rule_does_not_let_this_one_in(chain):
    _, arn = chain.queue(policy_for=f"{chain.rule_arn}-other")
    dead_url, dead_arn = chain.queue("dead", policy_for=chain.rule_arn)
    chain.target(arn, DeadLetterConfig={"Arn": dead_arn})
    event_id = chain.send({"n": 1})
    message = chain.received(dead_url)[0]
    assert json.loads(message["Body"])["id"] == event_id
    attributes = {name: value["StringValue"] for name, value in message["MessageAttributes"].items()}
    assert attributes.pop("ERROR_MESSAGE").startswith(f"The resource policy of {arn}")
    assert attributes == {
        "RULE_ARN": chain.rule_arn,
        "TARGET_ARN": arn,
        "ERROR_CODE": "NO_PERMISSIONS",
        "RETRY_ATTEMPTS": "0",
    }
    assert chain.outcome(event_id).outcome == "dead-lettered"


def test_a_deny_wins_over_an_allow(chain):
    url, arn = chain.queue(policy_for=chain.rule_arn)
    statements = (
        allow("sqs:SendMessage", arn, chain.rule_arn),
        {"Effect": "Deny", "Principal": "*", "Action": "sqs:*", "Resource": arn},
    )
    chain.aws.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy(*statements)})
    chain.target(arn)
    assert chain.outcome(chain.send()).error_code == "NO_PERMISSIONS"


def test_a_deny_of_insecure_transport_does_not_concern_eventbridge(chain):
    url, arn = chain.queue()
    insecure = {"Bool": {"aws:SecureTransport": "false"}}
    statements = (
        allow("sqs:SendMessage", arn, chain.rule_arn),
        {"Effect": "Deny", "Principal": "*", "Action": "sqs:*", "Resource": arn, "Condition": insecure},
    )
    chain.aws.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy(*statements)})
    chain.target(arn)
    assert chain.outcome(chain.send()).outcome == "delivered"


def test_a_dead_letter_queue_that_refuses_loses_the_event_and_the_log_says_why(chain):
    _, arn = chain.queue()
    _, dead_arn = chain.queue("dead")
    chain.target(arn, DeadLetterConfig={"Arn": dead_arn})
    delivery = chain.outcome(chain.send())
    assert delivery.outcome == "lost"
    assert dead_arn in delivery.error_message


def test_an_encrypted_dead_letter_queue_needs_a_key_that_lets_eventbridge_in(chain):
    sqs, kms = chain.aws.client("sqs"), chain.aws.client("kms")
    dead_url, dead_arn = chain.queue("dead", policy_for=chain.rule_arn)
    chain.target(f"arn:aws:sqs:{REGION}:{ACCOUNT}:nowhere", DeadLetterConfig={"Arn": dead_arn})
    sqs.set_queue_attributes(QueueUrl=dead_url, Attributes={"KmsMasterKeyId": "alias/aws/sqs"})
    assert "alias/aws/sqs" in chain.outcome(chain.send()).error_message
    key = kms.create_key()["KeyMetadata"]["Arn"]
    sqs.set_queue_attributes(QueueUrl=dead_url, Attributes={"KmsMasterKeyId": key})
    assert "kms:GenerateDataKey" in chain.outcome(chain.send()).error_message
    statement = allow(["kms:GenerateDataKey", "kms:Decrypt"], "*", chain.rule_arn)
    kms.put_key_policy(KeyId=key, PolicyName="default", Policy=policy(statement))
    assert chain.outcome(chain.send()).outcome == "dead-lettered"


def test_a_target_that_does_not_exist_is_not_retried(chain):
    chain.target(f"arn:aws:sqs:{REGION}:{ACCOUNT}:nowhere")
    delivery = chain.outcome(chain.send())
    assert (delivery.outcome, delivery.error_code, delivery.attempts) == ("lost", "NO_RESOURCE", 1)


def test_an_input_transformer_reaches_into_arrays(chain):
    url, arn = chain.queue(policy_for=chain.rule_arn)
    transformer = {
        "InputPathsMap": {"first": "$.detail.findings[0].Id", "all": "$.detail.findings[*].Id"},
        "InputTemplate": '{"first": <first>, "all": <all>, "text": "see <first>", '
        '"rule": <aws.events.rule-name>}',
    }
    chain.target(arn, InputTransformer=transformer)
    chain.send({"findings": [{"Id": "a"}, {"Id": "b"}]})
    assert json.loads(chain.received(url)[0]["Body"]) == {
        "first": "a",
        "all": ["a", "b"],
        "text": "see a",
        "rule": chain.name,
    }


def test_a_topic_needs_a_policy_for_the_rule(chain):
    sns = chain.aws.client("sns")
    arn = sns.create_topic(Name=chain.name)["TopicArn"]
    chain.target(arn)
    assert chain.outcome(chain.send()).error_code == "NO_PERMISSIONS"
    statement = allow("sns:Publish", arn, chain.rule_arn)
    sns.set_topic_attributes(TopicArn=arn, AttributeName="Policy", AttributeValue=policy(statement))
    assert chain.outcome(chain.send()).outcome == "delivered"


def test_the_log_shows_what_the_lambda_answered(chain):
    chain.target(chain.function("def handle(event, context):\n    return {'seen': event['detail']['n']}\n"))
    event_id = chain.send({"n": 7})
    answer = chain.aws.wait_until(lambda: chain.outcome(event_id).answer, what="the Lambda's answer")
    assert (answer.payload, answer.function_error, answer.attempts) == ({"seen": 7}, None, 1)


def test_a_lambda_reaches_the_same_server(chain):
    call = "boto3.client('sts').get_caller_identity()['Account']"
    chain.target(chain.function(f"import boto3\ndef handle(event, context):\n    return {call}\n"))
    event_id = chain.send()
    answer = chain.aws.wait_until(lambda: chain.outcome(event_id).answer, what="the Lambda's answer")
    assert answer.payload == ACCOUNT


def test_a_lambda_without_a_permission_for_the_rule_is_not_invoked(chain):
    chain.target(chain.function("def handle(event, context):\n    pass\n", allow_rule=False))
    assert chain.outcome(chain.send()).error_code == "NO_PERMISSIONS"


def test_a_lambda_permission_for_another_rule_does_not_count(chain):
    other = f"{chain.rule_arn}-other"
    chain.target(chain.function("def handle(event, context):\n    pass\n", source_arn=other))
    assert chain.outcome(chain.send()).error_code == "NO_PERMISSIONS"


def test_a_failing_lambda_is_retried_twice_and_its_record_goes_to_the_on_failure_queue(chain):
    url, arn = chain.queue("failed")
    role = chain.role("sqs:SendMessage", arn, service="lambda.amazonaws.com")
    function_arn = chain.function("def handle(event, context):\n    raise ValueError('broken')\n", role=role)
    chain.aws.client("lambda").put_function_event_invoke_config(
        FunctionName=chain.name, DestinationConfig={"OnFailure": {"Destination": arn}}
    )
    chain.target(function_arn)
    event_id = chain.send({"n": 1})
    record = json.loads(chain.received(url)[0]["Body"])
    assert record["requestPayload"]["id"] == event_id
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert record["requestContext"]["functionArn"] == f"{function_arn}:$LATEST"
    assert record["requestContext"]["approximateInvokeCount"] == 3
    assert record["responseContext"]["functionError"] == "Unhandled"
    assert record["responsePayload"]["errorMessage"] == "broken"
    delivery = chain.outcome(event_id)
    assert delivery.outcome == "delivered"
    assert delivery.answer.function_error == "Unhandled"


def test_a_lambda_role_without_permission_keeps_the_record_from_its_destination(chain):
    _, arn = chain.queue("failed")
    role = chain.role("sqs:SendMessage", f"{arn}-other", service="lambda.amazonaws.com")
    function_arn = chain.function("def handle(event, context):\n    raise ValueError('broken')\n", role=role)
    chain.aws.client("lambda").put_function_event_invoke_config(
        FunctionName=chain.name, DestinationConfig={"OnFailure": {"Destination": arn}}
    )
    chain.target(function_arn)
    event_id = chain.send()
    answer = chain.aws.wait_until(lambda: chain.outcome(event_id).answer, what="the Lambda's answer")
    assert answer.destination_error.startswith("NO_PERMISSIONS")


def test_an_on_success_destination_gets_the_answer(chain):
    url, arn = chain.queue("succeeded")
    role = chain.role("sqs:SendMessage", arn, service="lambda.amazonaws.com")
    chain.target(chain.function("def handle(event, context):\n    return 'done'\n", role=role))
    chain.aws.client("lambda").put_function_event_invoke_config(
        FunctionName=chain.name, DestinationConfig={"OnSuccess": {"Destination": arn}}
    )
    event_id = chain.send()
    record = json.loads(chain.received(url)[0]["Body"])
    assert record["requestContext"]["condition"] == "Success"
    assert (record["requestPayload"]["id"], record["responsePayload"]) == (event_id, "done")
    assert record["responseContext"] == {"statusCode": 200, "executedVersion": "$LATEST"}


def test_a_functions_dead_letter_queue_gets_the_event_itself(chain):
    url, arn = chain.queue("failed")
    role = chain.role("sqs:SendMessage", arn, service="lambda.amazonaws.com")
    chain.target(chain.function("def handle(event, context):\n    raise ValueError('broken')\n", role=role))
    chain.aws.client("lambda").update_function_configuration(
        FunctionName=chain.name, DeadLetterConfig={"TargetArn": arn}
    )
    event_id = chain.send()
    message = chain.received(url)[0]
    assert json.loads(message["Body"])["id"] == event_id
    assert message["MessageAttributes"]["ErrorMessage"]["StringValue"] == "broken"


def test_a_function_that_is_throttled_for_too_long_fails_with_its_events_age(chain):
    url, arn = chain.queue("failed")
    role = chain.role("sqs:SendMessage", arn, service="lambda.amazonaws.com")
    chain.target(chain.function("def handle(event, context):\n    return 1\n", role=role))
    functions = chain.aws.client("lambda")
    functions.put_function_concurrency(FunctionName=chain.name, ReservedConcurrentExecutions=0)
    functions.put_function_event_invoke_config(
        FunctionName=chain.name,
        MaximumEventAgeInSeconds=60,
        DestinationConfig={"OnFailure": {"Destination": arn}},
    )
    chain.send()
    context = json.loads(chain.received(url)[0]["Body"])["requestContext"]
    assert (context["condition"], context["approximateInvokeCount"]) == ("EventAgeExceeded", 0)


def test_a_state_machine_starts_with_the_role_of_the_target(chain):
    states = chain.aws.client("stepfunctions")
    definition = json.dumps({"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}})
    role = chain.role("states:*", "*", service="states.amazonaws.com")
    arn = states.create_state_machine(name=chain.name, definition=definition, roleArn=role)["stateMachineArn"]
    chain.target(arn, RoleArn=chain.role("states:StartExecution", arn))
    event_id = chain.send()
    assert chain.outcome(event_id).outcome == "delivered"
    execution = states.list_executions(stateMachineArn=arn)["executions"][0]["executionArn"]
    assert json.loads(states.describe_execution(executionArn=execution)["input"])["id"] == event_id


@pytest.mark.parametrize(
    ("grant", "trust_condition", "error"),
    [
        ("kinesis:GetRecords", None, "NO_PERMISSIONS"),
        (
            "kinesis:PutRecord",
            {"ArnEquals": {"aws:SourceArn": "arn:aws:events:eu-west-1:111122223333:rule/other"}},
            "FAILED_TO_ASSUME_ROLE",
        ),
    ],
)
def test_a_role_that_does_not_fit_is_refused(chain, grant, trust_condition, error):
    arn = f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/{chain.name}"
    chain.target(arn, RoleArn=chain.role(grant, arn, trust_condition=trust_condition))
    assert chain.outcome(chain.send()).error_code == error


def test_a_target_that_needs_a_role_is_refused_without_one(chain):
    chain.target(f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/{chain.name}")
    assert chain.outcome(chain.send()).error_code == "NO_PERMISSIONS"


def test_a_kinesis_stream_gets_the_event_under_the_partition_key_of_the_path(chain):
    kinesis = chain.aws.client("kinesis")
    kinesis.create_stream(StreamName=chain.name, ShardCount=1)
    arn = kinesis.describe_stream_summary(StreamName=chain.name)["StreamDescriptionSummary"]["StreamARN"]
    role = chain.role("kinesis:PutRecord", arn)
    chain.target(arn, RoleArn=role, KinesisParameters={"PartitionKeyPath": "$.detail.findings[0].Id"})
    event_id = chain.send({"findings": [{"Id": "key"}]})
    assert chain.outcome(event_id).outcome == "delivered"
    shard = kinesis.list_shards(StreamName=chain.name)["Shards"][0]["ShardId"]
    start = kinesis.get_shard_iterator(StreamName=chain.name, ShardId=shard, ShardIteratorType="TRIM_HORIZON")
    record = kinesis.get_records(ShardIterator=start["ShardIterator"])["Records"][0]
    assert (record["PartitionKey"], json.loads(record["Data"])["id"]) == ("key", event_id)


def test_a_role_needs_the_key_of_an_encrypted_kinesis_stream(chain):
    kinesis, kms = chain.aws.client("kinesis"), chain.aws.client("kms")
    kinesis.create_stream(StreamName=chain.name, ShardCount=1)
    arn = f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/{chain.name}"
    key = kms.create_key()["KeyMetadata"]["Arn"]
    kinesis.start_stream_encryption(StreamName=chain.name, EncryptionType="KMS", KeyId=key)
    chain.target(arn, RoleArn=chain.role("kinesis:PutRecord", arn))
    assert "kms:GenerateDataKey" in chain.outcome(chain.send()).error_message
    chain.target(arn, RoleArn=chain.role(["kinesis:PutRecord", "kms:GenerateDataKey"], [arn, key]))
    assert chain.outcome(chain.send()).outcome == "delivered"


def test_a_firehose_stream_writes_the_event_to_its_bucket(chain):
    s3, firehose = chain.aws.client("s3"), chain.aws.client("firehose")
    s3.create_bucket(Bucket=chain.name, CreateBucketConfiguration={"LocationConstraint": REGION})
    arn = firehose.create_delivery_stream(
        DeliveryStreamName=chain.name,
        ExtendedS3DestinationConfiguration={
            "BucketARN": f"arn:aws:s3:::{chain.name}",
            "RoleARN": chain.role("s3:PutObject", "*", service="firehose.amazonaws.com"),
        },
    )["DeliveryStreamARN"]
    chain.target(arn, RoleArn=chain.role("firehose:PutRecord", arn))
    event_id = chain.send()
    assert chain.outcome(event_id).outcome == "delivered"
    key = s3.list_objects_v2(Bucket=chain.name)["Contents"][0]["Key"]
    assert json.loads(s3.get_object(Bucket=chain.name, Key=key)["Body"].read())["id"] == event_id


def test_a_log_group_needs_a_logs_resource_policy(chain):
    logs = chain.aws.client("logs")
    group = f"/aws/events/{chain.name}"
    logs.create_log_group(logGroupName=group)
    arn = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{group}"
    chain.target(arn)
    assert chain.outcome(chain.send()).error_code == "NO_PERMISSIONS"
    streams = allow("logs:CreateLogStream", f"{arn}:*", chain.rule_arn)
    entries = allow("logs:PutLogEvents", f"{arn}:*", chain.rule_arn)
    logs.put_resource_policy(policyName=chain.name, policyDocument=policy(streams, entries))
    refusal = chain.outcome(chain.send()).error_message
    assert "logs:CreateLogStream" in refusal, "EventBridge does not name the rule to this action"
    del streams["Condition"]
    logs.put_resource_policy(policyName=chain.name, policyDocument=policy(streams, entries))
    event_id = chain.send()
    assert chain.outcome(event_id).outcome == "delivered"
    found = logs.filter_log_events(logGroupName=group)["events"]
    assert [json.loads(entry["message"])["id"] for entry in found] == [event_id]


def test_run_command_gets_the_parameters_of_the_input_and_reaches_instances_by_tag(chain):
    ec2, ssm = chain.aws.client("ec2"), chain.aws.client("ssm")
    tags = [{"ResourceType": "instance", "Tags": [{"Key": "Role", "Value": chain.name}]}]
    instance = ec2.run_instances(ImageId="ami-12345678", MinCount=1, MaxCount=1, TagSpecifications=tags)
    instance_id = instance["Instances"][0]["InstanceId"]
    arn = f"arn:aws:ssm:{REGION}::document/AWS-RunShellScript"
    chain.target(
        arn,
        RoleArn=chain.role(
            "ssm:SendCommand", [arn, f"arn:aws:ec2:{REGION}:{ACCOUNT}:instance/{instance_id}"]
        ),
        RunCommandParameters={"RunCommandTargets": [{"Key": "tag:Role", "Values": [chain.name]}]},
        Input=json.dumps({"commands": ["uptime"]}),
    )
    assert chain.outcome(chain.send()).outcome == "delivered"
    command = ssm.list_commands(InstanceId=instance_id)["Commands"][0]
    assert command["Parameters"] == {"commands": ["uptime"]}
    invocation = ssm.get_command_invocation(CommandId=command["CommandId"], InstanceId=instance_id)
    assert invocation["Status"] == "Success"


def test_an_automation_starts_with_the_parameters_of_the_input(chain):
    ssm = chain.aws.client("ssm")
    arn = f"arn:aws:ssm:{REGION}:{ACCOUNT}:automation-definition/{chain.name}:$DEFAULT"
    chain.target(
        arn,
        RoleArn=chain.role("ssm:StartAutomationExecution", arn),
        InputTransformer={"InputPathsMap": {"id": "$.detail.id"}, "InputTemplate": '{"GroupId": [<id>]}'},
    )
    assert chain.outcome(chain.send({"id": "sg-1"})).outcome == "delivered"
    filters = [{"Key": "DocumentNamePrefix", "Values": [chain.name]}]
    found = ssm.describe_automation_executions(Filters=filters)["AutomationExecutionMetadataList"]
    execution = ssm.get_automation_execution(AutomationExecutionId=found[0]["AutomationExecutionId"])
    assert execution["AutomationExecution"]["Parameters"] == {"GroupId": ["sg-1"]}


@pytest.mark.parametrize(("allowed", "outcome"), [("yes", "delivered"), ("no", "lost")])
def test_a_role_can_be_tied_to_the_instances_with_a_tag(chain, allowed, outcome):
    tags = [{"ResourceType": "instance", "Tags": [{"Key": chain.name, "Value": "yes"}]}]
    chain.aws.client("ec2").run_instances(ImageId="ami-1", MinCount=1, MaxCount=1, TagSpecifications=tags)
    arn = f"arn:aws:ssm:{REGION}:{ACCOUNT}:document/{chain.name}"
    condition = {"StringEqualsIfExists": {f"ssm:resourceTag/{chain.name}": allowed}}
    instances = f"arn:aws:ec2:{REGION}:{ACCOUNT}:instance/*"
    chain.target(
        arn,
        RoleArn=chain.role("ssm:SendCommand", [arn, instances], condition=condition),
        RunCommandParameters={"RunCommandTargets": [{"Key": f"tag:{chain.name}", "Values": ["yes"]}]},
        Input="{}",
    )
    assert chain.outcome(chain.send()).outcome == outcome


@pytest.mark.parametrize(
    ("service", "outcome"), [("ssm.amazonaws.com", "delivered"), ("ec2.amazonaws.com", "lost")]
)
def test_an_automation_gets_an_assume_role_only_if_the_target_may_pass_it_to_systems_manager(
    chain, service, outcome
):
    arn = f"arn:aws:ssm:{REGION}:{ACCOUNT}:automation-definition/{chain.name}:$DEFAULT"
    passed = f"arn:aws:iam::{ACCOUNT}:role/{chain.name}-runbook"
    role = chain.role(
        ["ssm:StartAutomationExecution", "iam:PassRole"],
        [arn, passed],
        condition={"StringEqualsIfExists": {"iam:PassedToService": service}},
    )
    chain.target(arn, RoleArn=role, Input=json.dumps({"AutomationAssumeRole": [passed]}))
    assert chain.outcome(chain.send()).outcome == outcome


def test_an_event_goes_on_to_the_rules_of_another_bus(chain):
    bus = chain.events.create_event_bus(Name=chain.name)["EventBusArn"]
    url, arn = chain.queue()
    rule = chain.events.put_rule(
        Name=chain.name, EventBusName=chain.name, EventPattern=json.dumps({"source": [chain.source]})
    )["RuleArn"]
    statement = allow("sqs:SendMessage", arn, rule)
    chain.aws.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy(statement)})
    chain.events.put_targets(Rule=chain.name, EventBusName=chain.name, Targets=[{"Id": "Q", "Arn": arn}])
    chain.target(bus, RoleArn=chain.role("events:PutEvents", bus))
    event_id = chain.send()
    assert json.loads(chain.received(url)[0]["Body"])["id"] == event_id


def test_another_account_must_let_the_sender_in(chain):
    other = "444455556666"
    events = chain.aws.client("events", account=other)
    bus = events.create_event_bus(Name=chain.name)["EventBusArn"]
    chain.target(bus, RoleArn=chain.role("events:PutEvents", bus))
    assert chain.outcome(chain.send()).error_code == "NO_PERMISSIONS"
    events.put_permission(
        EventBusName=chain.name, Action="events:PutEvents", Principal=ACCOUNT, StatementId="sender"
    )
    event_id = chain.send()
    assert chain.outcome(event_id).outcome == "delivered"
    arrived = [event for event in chain.aws.events(account=other) if event["id"] == event_id]
    assert [event["account"] for event in arrived] == [ACCOUNT]


def test_a_bus_takes_a_whole_policy(chain):
    other = "444455556666"
    events = chain.aws.client("events", account=other)
    bus = events.create_event_bus(Name=chain.name)["EventBusArn"]
    role = chain.role("events:PutEvents", bus)
    chain.target(bus, RoleArn=role)
    statement = {"Effect": "Allow", "Principal": {"AWS": role}, "Action": "events:PutEvents", "Resource": bus}
    events.put_permission(EventBusName=chain.name, Policy=policy({**statement, "Principal": {"AWS": other}}))
    assert chain.outcome(chain.send()).error_code == "NO_PERMISSIONS"
    events.put_permission(EventBusName=chain.name, Policy=policy(statement))
    assert chain.outcome(chain.send()).outcome == "delivered"


@pytest.mark.parametrize("key", ["events:source", "events:detail-type"])
def test_a_bus_policy_can_ask_where_an_event_comes_from(chain, key):
    other = "444455556666"
    events = chain.aws.client("events", account=other)
    bus = events.create_event_bus(Name=chain.name)["EventBusArn"]
    chain.target(bus, RoleArn=chain.role("events:PutEvents", bus))
    wanted = {"events:source": chain.source, "events:detail-type": "Test"}[key]
    for value, outcome in ((wanted, "delivered"), (f"not {wanted}", "lost")):
        condition = {"StringEquals": {key: value}}
        statement = allow("events:PutEvents", bus, "", Principal={"AWS": ACCOUNT}, Condition=condition)
        events.put_permission(EventBusName=chain.name, Policy=policy(statement))
        assert chain.outcome(chain.send()).outcome == outcome


@pytest.fixture
def unavailable():
    """A web server that counts its calls and answers each with 503."""
    calls = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            calls.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(503)
            self.end_headers()

        def log_message(self, *_):
            pass

    with serving(HTTPServer(("127.0.0.1", 0), Handler)) as url:
        yield url, calls


def test_an_unavailable_api_destination_is_retried_as_the_policy_says_and_then_dead_lettered(
    chain, unavailable
):
    url, calls = unavailable
    connection = chain.events.create_connection(
        Name=chain.name,
        AuthorizationType="API_KEY",
        AuthParameters={"ApiKeyAuthParameters": {"ApiKeyName": "X-Key", "ApiKeyValue": "secret"}},
    )["ConnectionArn"]
    arn = chain.events.create_api_destination(
        Name=chain.name, ConnectionArn=connection, InvocationEndpoint=url, HttpMethod="POST"
    )["ApiDestinationArn"]
    dead_url, dead_arn = chain.queue("dead", policy_for=chain.rule_arn)
    chain.target(
        arn,
        RoleArn=chain.role("events:InvokeApiDestination", arn),
        RetryPolicy={"MaximumRetryAttempts": 3, "MaximumEventAgeInSeconds": 3600},
        DeadLetterConfig={"Arn": dead_arn},
    )
    delivery = chain.outcome(chain.send())
    assert (delivery.outcome, delivery.attempts, len(calls)) == ("dead-lettered", 4, 4)
    attributes = chain.received(dead_url)[0]["MessageAttributes"]
    assert attributes["EXHAUSTED_RETRY_CONDITION"]["StringValue"] == "MaximumRetryAttempts"
    assert attributes["RETRY_ATTEMPTS"]["StringValue"] == "3"
    assert attributes["ERROR_CODE"]["StringValue"] == "ERROR_FROM_TARGET"


def test_a_kind_of_target_that_is_not_supported_says_so(chain):
    chain.target(f"arn:aws:batch:{REGION}:{ACCOUNT}:job-queue/x", RoleArn="arn:aws:iam::111122223333:role/r")
    delivery = chain.outcome(chain.send())
    assert delivery.outcome == "lost"
    assert "does not deliver to" in delivery.error_message
