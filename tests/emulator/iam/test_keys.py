"""What was stored with a key needs that key, also after its queue or its bucket got another one."""

from __future__ import annotations

import json
import uuid

import pytest
from botocore.exceptions import ClientError

ACCOUNT = "111122223333"


@pytest.fixture
def changed(embedded_aws):
    """The URL of a queue and the name of a bucket that got another key, and the ARNs of both keys.

    What is in them was stored with the first key.
    """
    old, new = (
        embedded_aws.client("kms", account=ACCOUNT).create_key()["KeyMetadata"]["Arn"] for _ in range(2)
    )
    cloudformation = embedded_aws.client("cloudformation", account=ACCOUNT)
    name = f"changed-{uuid.uuid4().hex[:8]}"
    for operation, key in (("create_stack", old), ("update_stack", new)):
        default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}
        encryption = {"ServerSideEncryptionConfiguration": [{"ServerSideEncryptionByDefault": default}]}
        resources = {
            "Queue": {"Type": "AWS::SQS::Queue", "Properties": {"KmsMasterKeyId": key}},
            "Bucket": {"Type": "AWS::S3::Bucket", "Properties": {"BucketEncryption": encryption}},
        }
        getattr(cloudformation, operation)(StackName=name, TemplateBody=json.dumps({"Resources": resources}))
        found = cloudformation.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"]
        assert found.endswith("E_COMPLETE")
        described = cloudformation.describe_stack_resources(StackName=name)["StackResources"]
        ids = {one["LogicalResourceId"]: one["PhysicalResourceId"] for one in described}
        if key == old:
            store(embedded_aws, ids, "old")
    return ids["Queue"], ids["Bucket"], old, new


def store(aws, ids, name):
    aws.client("sqs", account=ACCOUNT).send_message(QueueUrl=ids["Queue"], MessageBody=name)
    aws.client("s3", account=ACCOUNT).put_object(Bucket=ids["Bucket"], Key=name, Body=b"")


def role_with(as_role, *keys):
    may = {"Effect": "Allow", "Action": ["sqs:*", "s3:*"], "Resource": "*"}
    return as_role(may, {"Effect": "Allow", "Action": "kms:*", "Resource": list(keys)})


def test_a_message_is_received_with_the_key_that_it_was_sent_with(as_role, changed):
    queue, _, old, new = changed
    with pytest.raises(ClientError, match=f"kms:Decrypt on resource: {old}"):
        role_with(as_role, new)("sqs").receive_message(QueueUrl=queue)
    (message,) = role_with(as_role, old, new)("sqs").receive_message(QueueUrl=queue)["Messages"]
    assert message["Body"] == "old"


def test_an_object_is_read_with_the_key_that_it_was_written_with(embedded_aws, as_role, changed):
    queue, bucket, old, new = changed
    store(embedded_aws, {"Queue": queue, "Bucket": bucket}, "new")
    of_new, of_old = (role_with(as_role, key)("s3") for key in (new, old))
    with pytest.raises(ClientError, match="AccessDenied"):
        of_new.get_object(Bucket=bucket, Key="old")
    with pytest.raises(ClientError, match="AccessDenied"):
        of_old.get_object(Bucket=bucket, Key="new")
    assert of_new.get_object(Bucket=bucket, Key="new")
    assert of_old.get_object(Bucket=bucket, Key="old")
