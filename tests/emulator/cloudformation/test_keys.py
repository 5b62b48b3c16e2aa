"""What a template encrypts with a key keeps it on the embedded AWS."""

from __future__ import annotations

import json
import uuid

import pytest

KEY = "arn:aws:kms:eu-west-1:111122223333:key/0f1e2d3c-0001"
OTHER_KEY = "arn:aws:kms:eu-west-1:111122223333:key/0f1e2d3c-0002"


class Encrypted:
    """A stack with one topic, one stream, one table, and one bucket."""

    def __init__(self, aws):
        self.aws, self.name = aws, f"encrypted-{uuid.uuid4().hex[:8]}"
        self.cloudformation = aws.client("cloudformation")

    def deploy(self, key, *, operation="create_stack"):
        stream = {"StreamEncryption": {"EncryptionType": "KMS", "KeyId": key}} if key else {}
        topic = {"KmsMasterKeyId": key} if key else {}
        table = {"SSEEnabled": True, "SSEType": "KMS", "KMSMasterKeyId": key}
        default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}
        bucket = [{"ServerSideEncryptionByDefault": default, "BucketKeyEnabled": True}]
        resources = {
            "Topic": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": self.name, **topic}},
            "Stream": {
                "Type": "AWS::Kinesis::Stream",
                "Properties": {"Name": self.name, "ShardCount": 1, **stream},
            },
            "Table": {
                "Type": "AWS::DynamoDB::Table",
                "Properties": {
                    "TableName": self.name,
                    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
                    "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
                    "BillingMode": "PAY_PER_REQUEST",
                    **({"SSESpecification": table} if key else {}),
                },
            },
            "Bucket": {
                "Type": "AWS::S3::Bucket",
                "Properties": {
                    "BucketName": self.name,
                    **({"BucketEncryption": {"ServerSideEncryptionConfiguration": bucket}} if key else {}),
                },
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
        table = self.aws.client("dynamodb").describe_table(TableName=self.name)["Table"]
        encryption = self.aws.client("s3").get_bucket_encryption(Bucket=self.name)
        (rule,) = encryption["ServerSideEncryptionConfiguration"]["Rules"]
        return (
            topic.get("KmsMasterKeyId"),
            summary.get("KeyId"),
            table.get("SSEDescription", {}).get("KMSMasterKeyArn"),
            rule["ApplyServerSideEncryptionByDefault"].get("KMSMasterKeyID"),
        )


@pytest.fixture
def encrypted(embedded_aws):
    return Encrypted(embedded_aws)


def test_a_template_sets_the_keys(encrypted):
    encrypted.deploy(KEY)
    assert encrypted.keys() == (KEY,) * 4


def test_an_update_changes_the_keys(encrypted):
    encrypted.deploy(KEY)
    encrypted.deploy(OTHER_KEY, operation="update_stack")
    assert encrypted.keys() == (OTHER_KEY,) * 4


def test_an_update_takes_the_keys_away(encrypted):
    encrypted.deploy(KEY)
    encrypted.deploy(None, operation="update_stack")
    assert encrypted.keys() == (None,) * 4
