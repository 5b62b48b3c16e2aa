"""Each kind of target receives what the command sends to it."""

from __future__ import annotations

import json
import uuid

import pytest
from botocore.exceptions import ClientError

from securityhub_actions.cli.aws import Aws
from securityhub_actions.cli.sending import NotSentError, again_if_throttled, parcel_of, send

RULE = "arn:aws:events:eu-west-1:111122223333:rule/Rule"
EVENT = {
    "id": "b9b2cc5e-0000-4000-8000-000000000000",
    "source": "aws.securityhub",
    "detail-type": "Security Hub Findings - Imported",
    "time": "2026-11-01T12:00:00Z",
    "resources": [],
    "account": "111122223333",
    "detail": {"findings": [{"Title": "Open"}]},
}


def queue(client, name):
    url = client("sqs").create_queue(QueueName=name)["QueueUrl"]
    arn = client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    return url, arn["Attributes"]["QueueArn"]


def bodies(client, url):
    return [one["Body"] for one in client("sqs").receive_message(QueueUrl=url).get("Messages", [])]


def sqs_queue(client, name):
    url, arn = queue(client, name)
    return {"Arn": arn}, lambda: bodies(client, url)


def sns_topic(client, name):
    url, arn = queue(client, name)
    topic = client("sns").create_topic(Name=name)["TopicArn"]
    raw = {"RawMessageDelivery": "true"}
    client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes=raw)
    return {"Arn": topic}, lambda: bodies(client, url)


def kinesis_stream(client, name):
    client("kinesis").create_stream(StreamName=name, ShardCount=1)
    arn = client("kinesis").describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]["StreamARN"]

    def received():
        start = {"StreamARN": arn, "ShardIteratorType": "TRIM_HORIZON"}
        (shard,) = client("kinesis").list_shards(StreamARN=arn)["Shards"]
        iterator = client("kinesis").get_shard_iterator(ShardId=shard["ShardId"], **start)["ShardIterator"]
        records = client("kinesis").get_records(ShardIterator=iterator)["Records"]
        return [one["Data"].decode() for one in records if one["PartitionKey"] == EVENT["account"]]

    return {"Arn": arn, "KinesisParameters": {"PartitionKeyPath": "$.account"}}, received


def log_group(client, name):
    client("logs").create_log_group(logGroupName=name)
    arn = f"arn:aws:logs:eu-west-1:111122223333:log-group:{name}"

    def received():
        return [one["message"] for one in client("logs").filter_log_events(logGroupName=name)["events"]]

    return {"Arn": arn}, received


def state_machine(client, name):
    states = client("stepfunctions")
    arn = states.create_state_machine(
        name=name,
        definition=json.dumps({"StartAt": "P", "States": {"P": {"Type": "Pass", "End": True}}}),
        roleArn="arn:aws:iam::111122223333:role/r",
    )["stateMachineArn"]

    def received():
        executions = states.list_executions(stateMachineArn=arn)["executions"]
        return [states.describe_execution(executionArn=one["executionArn"])["input"] for one in executions]

    return {"Arn": arn}, received


def automation(client, name):
    arn = f"arn:aws:ssm:eu-west-1:111122223333:automation-definition/{name}:$DEFAULT"

    def received():
        executions = client("ssm").describe_automation_executions()["AutomationExecutionMetadataList"]
        own = [one["AutomationExecutionId"] for one in executions if one["DocumentName"] == name]
        found = [client("ssm").get_automation_execution(AutomationExecutionId=one) for one in own]
        return [json.dumps(one["AutomationExecution"]["Parameters"]) for one in found]

    transformer = {"InputPathsMap": {"t": "$.detail.findings[0].Title"}, "InputTemplate": '{"Title": [<t>]}'}
    return {"Arn": arn, "InputTransformer": transformer}, received


@pytest.mark.parametrize("kind", [sqs_queue, sns_topic, kinesis_stream, log_group, state_machine, automation])
def test_a_target_receives_what_event_bridge_would_send(of_account, kind):
    target, received = kind(of_account.client, f"Sent-{kind.__name__}")
    parcel = parcel_of(EVENT, target, rule_arn=RULE, key=str(uuid.uuid4()))
    send(Aws(), parcel)
    assert received() == [parcel.body]
    assert json.loads(parcel.body) == (EVENT if kind is not automation else {"Title": ["Open"]})


def test_a_log_event_has_the_message_and_the_time_of_the_template(of_account):
    target, received = log_group(of_account.client, "Sent-template")
    template = '{"timestamp": <time>, "message": "It: <id>"}'
    paths = {"time": "$.time", "id": "$.id"}
    target["InputTransformer"] = {"InputTemplate": template, "InputPathsMap": paths}
    send(Aws(), parcel_of(EVENT, target, rule_arn=RULE, key=str(uuid.uuid4())))
    assert received() == [f"It: {EVENT['id']}"]


def test_an_execution_that_was_started_is_not_started_again(of_account):
    target, received = state_machine(of_account.client, "Sent-twice")
    for _ in range(2):
        send(Aws(), parcel_of(EVENT, target, rule_arn=RULE, key="same"))
    assert len(received()) == 1


@pytest.mark.parametrize(
    ("arn", "reason"),
    [
        ("arn:aws:events:eu-west-1:1:api-destination/a/b", "only by a rule"),
        ("arn:aws:events:eu-west-1:1:event-bus/b", "only from the service"),
        ("arn:aws:batch:eu-west-1:1:job-queue/q", "not supported"),
    ],
)
@pytest.mark.usefixtures("of_account")
def test_what_cannot_be_sent_says_why_and_what_to_do(arn, reason):
    with pytest.raises(NotSentError, match=reason):
        send(Aws(), parcel_of(EVENT, {"Arn": arn}, rule_arn=RULE, key="k"))


def test_what_event_bridge_would_not_deliver_is_not_sent(of_account):
    target, _ = sqs_queue(of_account.client, "Broken")
    paths = {"f": "$.detail.findings"}
    target["InputTransformer"] = {"InputTemplate": '{"all": "<f>"}', "InputPathsMap": paths}
    with pytest.raises(NotSentError, match="invalid JSON"):
        send(Aws(), parcel_of(EVENT, target, rule_arn=RULE, key="k"))


def answering(*codes):
    """A call that is answered with errors, and then with "done"."""
    left = list(codes)

    def call():
        if left:
            raise ClientError({"Error": {"Code": left.pop(0)}}, "Send")
        return "done"

    return call


def test_only_throttling_is_tried_again():
    pauses = []
    assert (
        again_if_throttled(answering("Throttling", "TooManyRequestsException"), sleep=pauses.append) == "done"
    )
    assert pauses == sorted(pauses) != []
    with pytest.raises(ClientError, match="Internal"):
        again_if_throttled(answering("InternalError"), sleep=pauses.append)
