"""Topics and streams of a template on the embedded AWS keep the keys that they are encrypted with."""

from __future__ import annotations

import json
import uuid

import pytest

KEY = "arn:aws:kms:eu-west-1:111122223333:key/0f1e2d3c-0001"
OTHER_KEY = "arn:aws:kms:eu-west-1:111122223333:key/0f1e2d3c-0002"


class Encrypted:
    """A stack with one topic and one stream."""

    def __init__(self, aws):
        self.aws, self.name = aws, f"encrypted-{uuid.uuid4().hex[:8]}"
        self.cloudformation = aws.client("cloudformation")

    def deploy(self, key, *, operation="create_stack"):
        stream = {"StreamEncryption": {"EncryptionType": "KMS", "KeyId": key}} if key else {}
        topic = {"KmsMasterKeyId": key} if key else {}
        resources = {
            "Topic": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": self.name, **topic}},
            "Stream": {
                "Type": "AWS::Kinesis::Stream",
                "Properties": {"Name": self.name, "ShardCount": 1, **stream},
            },
        }
        getattr(self.cloudformation, operation)(
            StackName=self.name, TemplateBody=json.dumps({"Resources": resources})
        )
        assert self.aws.wait_until(self._status, what="the stack").endswith(
            ("CREATE_COMPLETE", "UPDATE_COMPLETE")
        )

    def _status(self):
        (stack,) = self.cloudformation.describe_stacks(StackName=self.name)["Stacks"]
        return None if stack["StackStatus"].endswith("IN_PROGRESS") else stack["StackStatus"]

    def keys(self):
        arn = f"arn:aws:sns:eu-west-1:111122223333:{self.name}"
        topic = self.aws.client("sns").get_topic_attributes(TopicArn=arn)["Attributes"]
        stream = self.aws.client("kinesis").describe_stream_summary(StreamName=self.name)
        summary = stream["StreamDescriptionSummary"]
        return topic.get("KmsMasterKeyId"), summary["EncryptionType"], summary.get("KeyId")


@pytest.fixture
def encrypted(embedded_aws):
    return Encrypted(embedded_aws)


def test_a_template_sets_the_keys(encrypted):
    encrypted.deploy(KEY)
    assert encrypted.keys() == (KEY, "KMS", KEY)


def test_an_update_changes_the_keys(encrypted):
    encrypted.deploy(KEY)
    encrypted.deploy(OTHER_KEY, operation="update_stack")
    assert encrypted.keys() == (OTHER_KEY, "KMS", OTHER_KEY)


def test_an_update_takes_the_keys_away(encrypted):
    encrypted.deploy(KEY)
    encrypted.deploy(None, operation="update_stack")
    assert encrypted.keys() == (None, "NONE", None)
