from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError

from emulator.quotas.queue_policies import refusal_of
from tests.emulator.delivery.chain import ACCOUNT, allow, policy


def statements(arn, number):
    return [allow("sqs:SendMessage", arn, "r", Sid=str(position)) for position in range(number)]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (policy(*statements("q", 20)), None),
        (policy(*statements("q", 21)), "21 statements were found in the submitted policy, max allowed is 20"),
        (policy(allow(["sqs:A"] * 7, "q", "r")), None),
        (policy(allow(["sqs:A"] * 8, "q", "r")), "8 actions were found in a statement"),
        (policy(allow("sqs:A", "é" * 4000, "r")), "Submitted policy is over max allowed size."),
        (json.dumps({"Statement": allow("sqs:A", "q", "r")}), None),
        ("not JSON", None),
        ("[]", None),
    ],
)
def test_a_policy_has_a_size_and_statements_and_actions(text, reason):
    refusal = refusal_of(text)
    assert (refusal and refusal.message.startswith(reason)) if reason else refusal is None


def test_a_queue_refuses_what_is_over_the_limit_however_it_comes(chain):
    sqs = chain.aws.client("sqs")
    url, arn = chain.queue()
    attributes = {"Policy": policy(*statements(arn, 21))}
    for call in (
        lambda: sqs.set_queue_attributes(QueueUrl=url, Attributes=attributes),
        lambda: sqs.create_queue(QueueName=f"{chain.name}-new", Attributes=attributes),
    ):
        with pytest.raises(ClientError, match="OverLimit") as refused:
            call()
        assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy(*statements(arn, 20))})
    with pytest.raises(ClientError, match="21 statements"):
        sqs.add_permission(QueueUrl=url, Label="more", AWSAccountIds=[ACCOUNT], Actions=["SendMessage"])
    answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])
    assert len(json.loads(answer["Attributes"]["Policy"])["Statement"]) == 20


def test_a_stacks_queue_policy_over_the_limit_fails(chain):
    url, arn = chain.queue()
    document = json.loads(policy(*statements(arn, 21)))
    properties = {"Queues": [url], "PolicyDocument": document}
    status, reasons = chain.deploy({"Policy": {"Type": "AWS::SQS::QueuePolicy", "Properties": properties}})
    assert status.startswith("ROLLBACK")
    assert "21 statements" in reasons
