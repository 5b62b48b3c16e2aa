"""A role that uses what a customer managed key encrypts needs the key as well, through the service."""

from __future__ import annotations

import json
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

REGION = "eu-west-1"
OWN_ACTIONS = {
    "sqs": "sqs:SendMessage",
    "sns": "sns:Publish",
    "dynamodb": "dynamodb:PutItem",
    "s3": "s3:PutObject",
}
ON_KEY = ["kms:Decrypt", "kms:GenerateDataKey"]


def allow(action, resource="*", **conditions):
    statement = {"Effect": "Allow", "Action": action, "Resource": resource}
    return {**statement, "Condition": conditions} if conditions else statement


@pytest.fixture
def key(embedded_aws):
    return embedded_aws.client("kms").create_key()["KeyMetadata"]["Arn"]


def bucket(aws, name, key):
    s3 = aws.client("s3")
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}
    rules = [{"ApplyServerSideEncryptionByDefault": default, "BucketKeyEnabled": True}]
    s3.put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration={"Rules": rules})
    return lambda client: client("s3").put_object(Bucket=name, Key="key", Body=b"")


def table(aws, name, key):
    aws.client("dynamodb").create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        SSESpecification={"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": key},
    )
    return lambda client: client("dynamodb").put_item(TableName=name, Item={"id": {"S": "one"}})


def queue(aws, name, key):
    url = aws.client("sqs").create_queue(QueueName=name, Attributes={"KmsMasterKeyId": key})["QueueUrl"]
    return lambda client: client("sqs").send_message(QueueUrl=url, MessageBody="text")


def topic(aws, name, key):
    arn = aws.client("sns").create_topic(Name=name, Attributes={"KmsMasterKeyId": key})["TopicArn"]
    return lambda client: client("sns").publish(TopicArn=arn, Message="text")


@pytest.mark.parametrize(
    ("service", "make"), [("s3", bucket), ("dynamodb", table), ("sqs", queue), ("sns", topic)]
)
def test_the_key_has_to_be_allowed_through_the_service(embedded_aws, as_role, key, service, make):
    use = make(embedded_aws, f"encrypted-{uuid4().hex[:8]}", key)
    own = allow(OWN_ACTIONS[service])

    def on_key(via):
        endpoint = f"{via}.{REGION}.amazonaws.com"
        return allow(ON_KEY, key, StringEquals={"kms:ViaService": endpoint})

    use(as_role(own, on_key(service)))
    for statements in ([own], [own, on_key("ec2")], [on_key(service)]):
        with pytest.raises(ClientError, match=r"not authorized to perform|AccessDenied"):
            use(as_role(*statements))


def test_a_key_of_aws_needs_no_permission(embedded_aws, as_role):
    publish = topic(embedded_aws, f"encrypted-{uuid4().hex[:8]}", "alias/aws/sns")
    assert publish(as_role(allow("sns:Publish")))["MessageId"]


def test_an_error_names_the_action_on_the_key(embedded_aws, as_role, key):
    send = queue(embedded_aws, f"encrypted-{uuid4().hex[:8]}", key)
    with pytest.raises(ClientError) as caught:
        send(as_role(allow("sqs:SendMessage")))
    message = json.dumps(caught.value.response["Error"])
    assert "kms:GenerateDataKey" in message
    assert key in message


RS256, RS512 = "RSASSA_PKCS1_V1_5_SHA_256", "RSASSA_PKCS1_V1_5_SHA_512"


@pytest.mark.parametrize(
    ("allowed", "algorithm", "message_type", "is_allowed"),
    [
        ({"kms:SigningAlgorithm": RS256}, RS256, "RAW", True),
        ({"kms:SigningAlgorithm": RS256}, RS512, "RAW", False),
        ({"kms:MessageType": "DIGEST"}, RS256, "DIGEST", True),
        ({"kms:MessageType": "DIGEST"}, RS256, "RAW", False),
    ],
)
def test_a_role_signs_only_as_the_conditions_of_its_policy_say(  # noqa: PLR0917 - a table
    embedded_aws, as_role, allowed, algorithm, message_type, is_allowed
):
    kms = embedded_aws.client("kms")
    key = kms.create_key(KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["Arn"]
    role = as_role(allow("kms:Sign", key, StringEquals=allowed))
    request = {
        "KeyId": key,
        "Message": bytes(32),
        "MessageType": message_type,
        "SigningAlgorithm": algorithm,
    }
    if is_allowed:
        signature = role("kms").sign(**request)["Signature"]
        assert kms.verify(**request, Signature=signature)["SignatureValid"]
    else:
        with pytest.raises(ClientError, match="not authorized to perform: kms:Sign"):
            role("kms").sign(**request)
