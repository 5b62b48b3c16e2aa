from __future__ import annotations

import json

import pytest

from tests.emulator.delivery.chain import ACCOUNT, REGION, allow, policy


def test_a_queue_with_a_policy_for_the_rule_gets_the_event(chain):
    url, arn = chain.queue(policy_for=chain.rule_arn)
    chain.target(arn)
    event_id = chain.send({"answer": 42}, resources=["arn:aws:x:::y"])
    event = json.loads(chain.received(url)[0]["Body"])
    assert (event["id"], event["detail"], event["account"]) == (event_id, {"answer": 42}, ACCOUNT)
    assert chain.outcome(event_id).outcome == "delivered"
    assert event in chain.aws.events()


# Neither topics nor their keys can have a condition on the rule, so far as the guides of AWS say.
@pytest.mark.parametrize(
    ("operator", "result"), [("ArnEquals", "NO_PERMISSIONS"), ("ArnEqualsIfExists", "delivered")]
)
@pytest.mark.parametrize("with_key", [False, True])
def test_a_topic_needs_a_policy_that_requires_no_rule(chain, operator, result, with_key):
    sns, kms = chain.aws.client("sns"), chain.aws.client("kms")
    arn = sns.create_topic(Name=chain.name)["TopicArn"]
    chain.target(arn)
    assert chain.outcome(chain.send()).error_code == "NO_PERMISSIONS"
    condition = {operator: {"aws:SourceArn": chain.rule_arn}}
    limited = {"Condition": {"ArnEqualsIfExists": condition[operator]} if with_key else condition}
    statement = allow("sns:Publish", arn, chain.rule_arn, **limited)
    sns.set_topic_attributes(TopicArn=arn, AttributeName="Policy", AttributeValue=policy(statement))
    if with_key:
        key = kms.create_key()["KeyMetadata"]["Arn"]
        uses = allow(["kms:GenerateDataKey", "kms:Decrypt"], key, chain.rule_arn, Condition=condition)
        kms.put_key_policy(KeyId=key, PolicyName="default", Policy=policy(uses))
        sns.set_topic_attributes(TopicArn=arn, AttributeName="KmsMasterKeyId", AttributeValue=key)
    found = chain.outcome(chain.send())
    assert (found.error_code or found.outcome) == result


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


@pytest.mark.parametrize("moment", ["1767225600000", "2026-01-01T00:00:00Z"])
def test_a_log_event_has_the_message_and_the_time_of_the_template(chain, moment):
    logs = chain.aws.client("logs")
    group = f"/aws/events/{chain.name}"
    logs.create_log_group(logGroupName=group)
    arn = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{group}"
    streams = allow("logs:CreateLogStream", f"{arn}:*", chain.rule_arn)
    entries = allow("logs:PutLogEvents", f"{arn}:*", chain.rule_arn)
    del streams["Condition"]
    logs.put_resource_policy(policyName=chain.name, policyDocument=policy(streams, entries))
    template = '{"timestamp": <at>, "message": "It: <text>"}'
    paths = {"at": "$.detail.at", "text": "$.detail.text"}
    chain.target(arn, InputTransformer={"InputPathsMap": paths, "InputTemplate": template})
    assert chain.outcome(chain.send({"at": moment, "text": "Open"})).outcome == "delivered"
    (entry,) = logs.filter_log_events(logGroupName=group)["events"]
    assert (entry["message"], entry["timestamp"]) == ("It: Open", 1767225600000)


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


def started(chain):
    """What a role needs to start the runbook."""
    place = f"arn:aws:ssm:{REGION}:{ACCOUNT}"
    return [f"{place}:document/{chain.name}", f"{place}:automation-execution/*"]


def test_a_role_for_the_definition_of_a_runbook_alone_cannot_start_it(chain):
    arn = f"arn:aws:ssm:{REGION}:{ACCOUNT}:automation-definition/{chain.name}:$DEFAULT"
    chain.target(arn, RoleArn=chain.role("ssm:StartAutomationExecution", arn), Input="{}")
    assert chain.outcome(chain.send()).outcome == "lost"


def test_an_automation_starts_with_the_parameters_of_the_input(chain):
    ssm = chain.aws.client("ssm")
    arn = f"arn:aws:ssm:{REGION}:{ACCOUNT}:automation-definition/{chain.name}:$DEFAULT"
    chain.target(
        arn,
        RoleArn=chain.role("ssm:StartAutomationExecution", started(chain)),
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
        [*started(chain), passed],
        condition={"StringEqualsIfExists": {"iam:PassedToService": service}},
    )
    chain.target(arn, RoleArn=role, Input=json.dumps({"AutomationAssumeRole": [passed]}))
    assert chain.outcome(chain.send()).outcome == outcome
