"""With a key in the settings, all that the app stores has it, and whoever needs the key may use it."""

from __future__ import annotations

import json

import pytest

KEY = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
EARLIER_KEY = KEY.replace("90ab", "90aa")
"""As in tools/security/everything.toml."""
# What has a key: its type, and the property that names it.
STORES = {
    "AWS::Athena::WorkGroup": "KmsKey",
    "AWS::DynamoDB::Table": "KMSMasterKeyId",
    "AWS::Events::Connection": "KmsKeyIdentifier",
    "AWS::KinesisFirehose::DeliveryStream": "KeyARN",
    "AWS::Lambda::Function": "KmsKeyArn",
    "AWS::Logs::LogGroup": "KmsKeyId",
    "AWS::S3::Bucket": "KMSMasterKeyID",
    "AWS::SNS::Topic": "KmsMasterKeyId",
    "AWS::SQS::Queue": "KmsMasterKeyId",
}
USED = {
    "dynamodb": ("dynamodb:",),
    "s3": ("s3:GetObject", "s3:PutObject"),
    "sns": ("sns:Publish",),
    "sqs": ("sqs:SendMessage", "sqs:ReceiveMessage"),
}


@pytest.fixture(scope="module")
def resources(everything):
    return everything


def test_every_store_has_a_customer_managed_key(resources):
    without = {
        place
        for place, one in resources.items()
        if one["Type"] in STORES and f'"{STORES[one["Type"]]}"' not in json.dumps(one["Properties"])
    }
    assert all("AccessLogs" in logical_id for _, logical_id in without), without
    assert "alias/aws/" not in json.dumps([one for one in resources.values() if one["Type"] in STORES])


def policies(resources):
    """The policies of roles that use what is encrypted, and by which services."""
    for (stack, logical_id), one in resources.items():
        if one["Type"] == "AWS::IAM::Policy" and stack != "SecurityHubRemediationMember":
            text = json.dumps(one["Properties"]["PolicyDocument"])
            used = {service for service, actions in USED.items() if any(action in text for action in actions)}
            if used:
                yield stack, logical_id, used, one["Properties"]["PolicyDocument"]["Statement"]


def test_every_role_may_use_the_key_through_the_services_that_it_uses_and_no_other(resources):
    found = list(policies(resources))
    assert {service for _, _, used, _ in found for service in used} == set(USED)
    for stack, logical_id, used, statements in found:
        # The key that signs for ServiceNow is another one.
        actions = [(one, json.dumps(one["Action"])) for one in statements]
        on_key = [one for one, text in actions if "kms:" in text and "kms:Sign" not in text]
        text = json.dumps([one["Condition"]["StringEquals"]["kms:ViaService"] for one in on_key])
        through = {service for service in (*USED, "lambda") if f"{service}.us-east-1." in text}
        assert through - {"lambda"} == used, (stack, logical_id)


def test_eventbridge_may_use_the_key_of_each_stream_that_it_puts_events_on(resources):
    streams = [one for one in resources.values() if one["Type"] == "AWS::KinesisFirehose::DeliveryStream"]
    roles = [
        json.dumps(one["Properties"]["Policies"])
        for one in resources.values()
        if one["Type"] == "AWS::IAM::Role" and "firehose:PutRecord" in json.dumps(one)
    ]
    assert len(roles) == len(streams) > 1
    assert all("kms:GenerateDataKey" in one and "SecurityHubKey" in one for one in roles)


def test_every_function_may_decrypt_its_environment(resources):
    functions = [place for place, one in resources.items() if one["Type"] == "AWS::Lambda::Function"]
    decrypting = [
        place
        for place, one in resources.items()
        if one["Type"] == "AWS::IAM::Policy" and "lambda.us-east-1." in json.dumps(one)
    ]
    assert len(decrypting) == len(functions) > 0


def test_members_get_no_permission_for_the_key(resources):
    of_members = [one for (stack, _), one in resources.items() if stack == "SecurityHubRemediationMember"]
    assert of_members
    assert "SecurityHubKey" not in json.dumps(of_members)


def test_the_key_is_rotated_and_stays(resources):
    (key,) = (one for (stack, _), one in resources.items() if stack == "SecurityHubKey")
    assert key["Properties"]["EnableKeyRotation"] is True
    assert key["DeletionPolicy"] == "Retain"


def test_the_key_that_the_settings_name_is_used_and_none_created(synthesize_everything):
    found = synthesize_everything(KEY)
    assert "SecurityHubKey" not in {stack for stack, _ in found}
    queues = [one["Properties"] for one in found.values() if one["Type"] == "AWS::SQS::Queue"]
    assert {one["KmsMasterKeyId"] for one in queues} == {KEY}


def test_functions_that_read_messages_or_objects_may_decrypt_with_the_keys_before(resources):
    reading = {
        (stack, logical_id)
        for (stack, logical_id), one in resources.items()
        if one["Type"] == "AWS::IAM::Policy"
        and stack != "SecurityHubRemediationMember"
        and any(action in json.dumps(one) for action in ("s3:GetObject", "sqs:ReceiveMessage"))
    }
    with_key = {
        place
        for place, one in resources.items()
        if one["Type"] == "AWS::IAM::Policy" and EARLIER_KEY in json.dumps(one)
    }
    assert with_key == reading
    assert {stack for stack, _ in reading} >= {
        "SecurityHubRemediation",
        "SecurityHubSummary",
        "SecurityHubTicketing",
    }
