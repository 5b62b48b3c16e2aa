"""Stacks whose stores have a customer managed key, and what happens to a press if the key is denied."""

from __future__ import annotations

import json

import pytest
from aws_cdk import App, Environment

from emulator.server import DEFAULT_ACCOUNT, DEFAULT_REGION
from stacks.analyst_actions import AnalystActionsStack
from stacks.encryption import encrypt_stacks
from stacks.outcomes import OutcomesStack
from stacks.settings.encryption import EncryptionSettings
from tests.e2e.findings import control_finding, import_findings
from tests.e2e.observed import dead_letters, press
from tests.e2e.stacks import deployed, physical_id
from tests.shipped_settings import load_shipped_settings

KEY_STACK, STACK, OUTCOMES = "SecurityHubKey", "EncryptedActions", "EncryptedOutcomes"


@pytest.fixture(scope="module")
def app(aws, feature_flags, tmp_path_factory):
    folder = tmp_path_factory.mktemp("encrypted")
    cdk = App(context=feature_flags, analytics_reporting=False, outdir=str(folder))
    environment = Environment(account=DEFAULT_ACCOUNT, region=DEFAULT_REGION)
    AnalystActionsStack(cdk, STACK, env=environment)
    OutcomesStack(cdk, OUTCOMES, settings=load_shipped_settings().outcomes, env=environment)
    encrypt_stacks(cdk, EncryptionSettings(key="create", earlier_keys=[]), environment)
    with deployed(aws, cdk, KEY_STACK, STACK, OUTCOMES):
        yield aws


def press_on_new_finding(aws, name):
    finding = control_finding("S3.8", name)
    import_findings(aws, [finding])
    return press(aws, "InsightDigest", [finding])


@pytest.mark.long
def test_a_digest_is_published_with_the_key_and_without_it_waits_in_the_dead_letter_queue(app):
    topic = physical_id(app, STACK, "AWS::SNS::Topic", "DigestTopic")
    key = app.client("sns").get_topic_attributes(TopicArn=topic)["Attributes"]["KmsMasterKeyId"]
    assert app.client("kms").describe_key(KeyId=key)["KeyMetadata"]["KeyManager"] == "CUSTOMER"
    assert press_on_new_finding(app, "allowed").function_error is None

    role = physical_id(app, STACK, "AWS::IAM::Role", "InsightDigestFunctionRole")
    iam = app.client("iam")
    (name,) = iam.list_role_policies(RoleName=role)["PolicyNames"]
    document = iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
    without = json.dumps(document).replace(f"sns.{DEFAULT_REGION}.", f"ec2.{DEFAULT_REGION}.")
    assert without != json.dumps(document)
    iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=without)

    assert press_on_new_finding(app, "denied").function_error
    (letter,) = dead_letters(app, STACK)
    assert "kms:GenerateDataKey" in str(letter)


@pytest.mark.long
def test_an_outcome_is_kept_in_a_stream_with_the_key(app):
    app.client("events").put_events(
        Entries=[
            {
                "EventBusName": OUTCOMES,
                "Source": "securityhub-actions.outcomes",
                "DetailType": "Security Hub Action Outcome",
                "Detail": json.dumps({"outcome": "done"}),
            }
        ]
    )
    bucket = physical_id(app, OUTCOMES, "AWS::S3::Bucket", "AuditBucket")
    client = app.client("s3")
    app.wait_until(lambda: client.list_objects_v2(Bucket=bucket).get("Contents"), what="the record")


@pytest.mark.long
def test_query_results_are_encrypted_with_the_key(app):
    workgroup = app.client("athena").get_work_group(WorkGroup=OUTCOMES)["WorkGroup"]
    encryption = workgroup["Configuration"]["ResultConfiguration"]["EncryptionConfiguration"]
    assert encryption["EncryptionOption"] == "SSE_KMS"
    key = app.client("kms").describe_key(KeyId=encryption["KmsKey"])["KeyMetadata"]
    assert key["KeyManager"] == "CUSTOMER"
