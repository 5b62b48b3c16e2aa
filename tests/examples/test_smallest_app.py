from __future__ import annotations

import pytest

from tests.examples.running import deploy, ids_in, outputs, received

pytestmark = pytest.mark.long


def test_a_pressed_finding_reaches_whoever_subscribes_to_the_topic(aws, import_finding, tmp_path):
    deploy(aws, "smallest_app", tmp_path)
    sqs = aws.client("sqs")
    queue = sqs.create_queue(QueueName="team")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    topic = outputs(aws, "SmallestApp")["TopicArn"]
    raw = {"RawMessageDelivery": "true"}
    aws.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes=raw)
    known = aws.client("securityhub").describe_action_targets()["ActionTargets"]
    (action,) = (one for one in known if one["Name"] == "Send to team")
    finding = import_finding()
    aws.press(action["ActionTargetArn"], findings=[finding])
    event = received(aws, queue, finding)
    assert event["resources"] == [action["ActionTargetArn"]]
    assert ids_in(event) == [finding["Id"]]
