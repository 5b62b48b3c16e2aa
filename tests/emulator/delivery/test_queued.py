from __future__ import annotations

import json

import pytest

from emulator.server import EmbeddedAws
from tests.emulator.functions import zipped

VISIBILITY_SECONDS = 40_000


@pytest.mark.long
def test_what_a_function_fails_to_handle_is_received_again_on_the_faster_clock_and_ends_as_dead_letter():
    with EmbeddedAws.start(visibility_second=1 / VISIBILITY_SECONDS) as aws:
        sqs, functions = aws.client("sqs"), aws.client("lambda")
        dead, queue = (sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("Dead", "Findings"))
        arns = {
            url: sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
            for url in (dead, queue)
        }
        redrive = {"deadLetterTargetArn": arns[dead], "maxReceiveCount": 3}
        attributes = {"VisibilityTimeout": str(VISIBILITY_SECONDS), "RedrivePolicy": json.dumps(redrive)}
        sqs.set_queue_attributes(QueueUrl=queue, Attributes=attributes)
        role = aws.client("iam").create_role(RoleName="Role", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
        functions.create_function(
            FunctionName="Fails",
            Runtime="python3.13",
            Role=role,
            Handler="index.handle",
            Code={"ZipFile": zipped("def handle(event, context):\n    raise ValueError('always')\n")},
        )
        functions.create_event_source_mapping(FunctionName="Fails", EventSourceArn=arns[queue])
        sqs.send_message(QueueUrl=queue, MessageBody="finding")

        (letter,) = aws.wait_until(
            lambda: sqs.receive_message(QueueUrl=dead, MessageSystemAttributeNames=["All"]).get("Messages"),
            what="the dead letter",
        )

    assert letter["Body"] == "finding"
    assert int(letter["Attributes"]["ApproximateReceiveCount"]) > 3
