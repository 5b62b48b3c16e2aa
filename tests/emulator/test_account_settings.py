from __future__ import annotations

import re

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

ACCOUNT = "222233334444"
ALL_ON = dict.fromkeys(
    ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True
)


@pytest.fixture
def s3control(embedded_aws):
    """S3 Control; boto3 puts the account before the host's name, which for an address leads nowhere."""
    client = boto3.client(
        "s3control",
        region_name="eu-west-1",
        endpoint_url=embedded_aws.endpoint_url,
        aws_access_key_id=ACCOUNT,
        aws_secret_access_key="test",  # noqa: S106
        config=Config(proxies={}),
    )

    def to_the_address(request, **_):
        request.url = re.sub(r"//[0-9]{12}\.", "//", request.url)

    client.meta.events.register("before-send.s3-control", to_the_address)
    return client


def test_ebs_encryption_by_default_belongs_to_an_account_and_region(embedded_aws):
    here = embedded_aws.client("ec2", account=ACCOUNT, region="eu-west-1")
    assert here.get_ebs_encryption_by_default()["EbsEncryptionByDefault"] is False
    assert here.enable_ebs_encryption_by_default()["EbsEncryptionByDefault"] is True
    assert here.get_ebs_encryption_by_default()["EbsEncryptionByDefault"] is True
    for account, region in ((ACCOUNT, "us-east-1"), ("333344445555", "eu-west-1")):
        elsewhere = embedded_aws.client("ec2", account=account, region=region)
        assert elsewhere.get_ebs_encryption_by_default()["EbsEncryptionByDefault"] is False
    assert here.disable_ebs_encryption_by_default()["EbsEncryptionByDefault"] is False


def test_the_public_access_block_of_an_account_is_kept_until_it_is_deleted(s3control):
    def code_of_get():
        with pytest.raises(ClientError) as caught:
            s3control.get_public_access_block(AccountId=ACCOUNT)
        return caught.value.response["Error"]["Code"]

    assert code_of_get() == "NoSuchPublicAccessBlockConfiguration"
    s3control.put_public_access_block(
        AccountId=ACCOUNT, PublicAccessBlockConfiguration={**ALL_ON, "IgnorePublicAcls": False}
    )
    kept = s3control.get_public_access_block(AccountId=ACCOUNT)["PublicAccessBlockConfiguration"]
    assert kept == {**ALL_ON, "IgnorePublicAcls": False}
    s3control.delete_public_access_block(AccountId=ACCOUNT)
    assert code_of_get() == "NoSuchPublicAccessBlockConfiguration"


def test_an_account_cannot_ask_for_another(s3control):
    with pytest.raises(ClientError, match="AccessDenied"):
        s3control.get_public_access_block(AccountId="999988887777")


def test_what_a_password_policy_does_not_ask_any_more_is_over(embedded_aws):
    iam = embedded_aws.client("iam", account=ACCOUNT)
    iam.update_account_password_policy(MinimumPasswordLength=14, RequireSymbols=True, MaxPasswordAge=90)
    iam.update_account_password_policy(RequireNumbers=True)
    policy = iam.get_account_password_policy()["PasswordPolicy"]
    assert (policy["MinimumPasswordLength"], policy["RequireSymbols"]) == (6, False)
    assert policy["RequireNumbers"]
    assert "MaxPasswordAge" not in policy
