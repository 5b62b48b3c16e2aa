"""Rotation of secrets: which steps the function gets, who may invoke it, and what is refused."""

from __future__ import annotations

import json
from itertools import count

import pytest

from tests.emulator.functions import zipped

REGION = "eu-west-1"
_accounts = count(520000000001)
_CODE = """
import json, os, urllib.request
import boto3

def handle(event, context):
    client, step = boto3.client("secretsmanager"), event["Step"]
    secret, token = event["SecretId"], event["ClientRequestToken"]
    current = json.loads(client.get_secret_value(SecretId=secret)["SecretString"])
    if step == "createSecret":
        try:
            client.get_secret_value(SecretId=secret, VersionId=token, VersionStage="AWSPENDING")
        except client.exceptions.ResourceNotFoundException:
            new = {"steps": current["steps"] + 1}
            client.put_secret_value(
                SecretId=secret,
                ClientRequestToken=token,
                SecretString=json.dumps(new),
                VersionStages=["AWSPENDING"],
            )
    if step == current.get("fails"):
        raise ValueError(step)
    if step == "finishSecret":
        versions = client.describe_secret(SecretId=secret)["VersionIdsToStages"]
        (old,) = [one for one, stages in versions.items() if "AWSCURRENT" in stages]
        client.update_secret_version_stage(
            SecretId=secret, VersionStage="AWSCURRENT", MoveToVersionId=token, RemoveFromVersionId=old
        )
"""


class Rotated:
    """An account with a secret and a function that counts its rotations."""

    def __init__(self, aws):
        self.aws, self.account = aws, str(next(_accounts))
        self.secrets = aws.client("secretsmanager", account=self.account, region=REGION)
        self.functions = aws.client("lambda", account=self.account, region=REGION)
        role = aws.client("iam", account=self.account, region=REGION).create_role(
            RoleName="rotation",
            AssumeRolePolicyDocument=json.dumps(
                {
                    "Statement": [
                        {
                            "Effect": "Allow",
                            "Principal": {"Service": "lambda.amazonaws.com"},
                            "Action": "sts:AssumeRole",
                        }
                    ]
                }
            ),
        )["Role"]["Arn"]
        statement = {"Effect": "Allow", "Action": "secretsmanager:*", "Resource": "*"}
        aws.client("iam", account=self.account, region=REGION).put_role_policy(
            RoleName="rotation", PolicyName="rotate", PolicyDocument=json.dumps({"Statement": [statement]})
        )
        self.function = self.functions.create_function(
            FunctionName="rotation",
            Runtime="python3.13",
            Handler="index.handle",
            Role=role,
            Code={"ZipFile": zipped(_CODE)},
        )["FunctionArn"]
        self.arn = self.secrets.create_secret(Name="app", SecretString='{"steps": 0}')["ARN"]

    def allow(self, **conditions):
        self.functions.add_permission(
            FunctionName="rotation",
            StatementId=f"s{next(_accounts)}",
            Action="lambda:InvokeFunction",
            Principal="secretsmanager.amazonaws.com",
            **conditions,
        )

    def rotate(self, **changes):
        rules = {"ScheduleExpression": "rate(4 hours)"}
        self.secrets.rotate_secret(
            **{"SecretId": "app", "RotationLambdaARN": self.function, "RotationRules": rules, **changes}
        )

    def value(self):
        return json.loads(self.secrets.get_secret_value(SecretId="app")["SecretString"])


@pytest.fixture
def rotated(embedded_aws):
    return Rotated(embedded_aws)


def test_a_function_that_secrets_manager_may_invoke_gets_all_steps(rotated):
    rotated.allow(SourceAccount=rotated.account, SourceArn=f"{rotated.arn[:-6]}??????")
    rotated.rotate()
    rotated.aws.wait_until(lambda: rotated.value() == {"steps": 1}, what="the rotation")
    described = rotated.secrets.describe_secret(SecretId="app")
    assert described["RotationEnabled"]
    assert described["RotationRules"] == {"ScheduleExpression": "rate(4 hours)"}
    rotated.secrets.cancel_rotate_secret(SecretId="app")
    assert not rotated.secrets.describe_secret(SecretId="app")["RotationEnabled"]


def test_a_permission_for_another_secret_or_account_lets_nothing_in(rotated):
    rotated.allow(SourceAccount="111122223333", SourceArn=rotated.arn)
    rotated.allow(SourceAccount=rotated.account, SourceArn=f"{rotated.arn}x")
    rotated.rotate()
    pending = "A previous rotation isn't complete"
    with pytest.raises(rotated.secrets.exceptions.InvalidRequestException, match=pending):
        rotated.rotate()
    rotated.allow(SourceAccount=rotated.account, SourceArn=rotated.arn)
    with pytest.raises(rotated.secrets.exceptions.InvalidRequestException, match=pending):
        rotated.rotate()
    rotated.aws.wait_until(lambda: rotated.value() == {"steps": 1}, what="the repeated rotation")


def test_a_failed_step_leaves_the_secret_as_it_was(rotated):
    rotated.allow(SourceAccount=rotated.account)
    rotated.secrets.put_secret_value(SecretId="app", SecretString='{"steps": 0, "fails": "testSecret"}')
    rotated.rotate()

    def pending():
        versions = rotated.secrets.describe_secret(SecretId="app")["VersionIdsToStages"]
        return next(one for one, stages in versions.items() if stages == ["AWSPENDING"])

    version = pending()
    rotated.aws.wait_until(
        lambda: _value_of(rotated.secrets, version) == '{"steps": 1}', what="the version that isn't current"
    )
    assert rotated.value()["steps"] == 0
    assert pending() == version
    with pytest.raises(rotated.secrets.exceptions.ResourceExistsException):
        rotated.secrets.put_secret_value(
            SecretId="app", ClientRequestToken=version, SecretString="another", VersionStages=["AWSPENDING"]
        )


def _value_of(secrets, version):
    try:
        return secrets.get_secret_value(SecretId="app", VersionId=version)["SecretString"]
    except secrets.exceptions.ResourceNotFoundException:
        return None


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"SecretId": "missing"}, "ResourceNotFoundException"),
        ({"RotationRules": {"ScheduleExpression": "rate(3 hours)"}}, "InvalidParameterException"),
    ],
)
def test_what_secrets_manager_refuses(rotated, change, error):
    with pytest.raises(getattr(rotated.secrets.exceptions, error)):
        rotated.rotate(**change)
