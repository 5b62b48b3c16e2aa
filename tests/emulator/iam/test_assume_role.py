from __future__ import annotations

import json
import textwrap
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from tests.emulator.functions import zipped

ADMINISTRATOR, MEMBER = "111122223333", "444455556666"
EVERYBODY = {"AWS": "*"}


@pytest.fixture
def new_role(embedded_aws):
    """A function that makes a role with a trust policy, and a policy of its own, and returns its ARN."""

    def make(account, trust, *, allowed=None, path="/"):
        iam = embedded_aws.client("iam", account=account)
        name = f"role-{uuid4().hex[:8]}"
        document = json.dumps({"Version": "2012-10-17", "Statement": trust})
        role = iam.create_role(RoleName=name, Path=path, AssumeRolePolicyDocument=document)["Role"]
        if allowed:
            statement = {"Effect": "Allow", "Action": allowed, "Resource": "*"}
            policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
            iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=policy)
        return role["Arn"]

    return make


def allow(*actions, principal=EVERYBODY, **conditions):
    statement = {"Effect": "Allow", "Action": list(actions), "Principal": principal}
    return {**statement, "Condition": conditions} if conditions else statement


def assume(sts, role, **parameters):
    return sts.assume_role(RoleArn=role, RoleSessionName="session", **parameters)["Credentials"]


def refusal(sts, role, **parameters):
    with pytest.raises(ClientError) as caught:
        assume(sts, role, **parameters)
    assert caught.value.response["Error"]["Code"] == "AccessDenied"
    return caught.value.response["Error"]["Message"]


@pytest.fixture
def administrator(embedded_aws):
    return embedded_aws.client("sts", account=ADMINISTRATOR)


@pytest.fixture
def as_role(embedded_aws, new_role, administrator):
    """A function that returns STS as a role of the administrator account with some permissions uses it."""

    def assume_first(*allowed):
        arn = new_role(ADMINISTRATOR, [allow("sts:AssumeRole")], allowed=list(allowed))
        return arn, embedded_aws.client_of_session(assume(administrator, arn), "sts")

    return assume_first


def test_a_role_that_does_not_exist_cannot_be_assumed(administrator):
    message = refusal(administrator, f"arn:aws:iam::{MEMBER}:role/missing")
    assert message.endswith(f"sts:AssumeRole on resource: arn:aws:iam::{MEMBER}:role/missing")


def test_a_role_under_another_path_is_another_role(administrator, new_role):
    arn = new_role(MEMBER, [allow("sts:AssumeRole")], path="/here/")
    assume(administrator, arn)
    refusal(administrator, arn.replace("/here/", "/"))


def test_a_session_acts_in_the_account_of_its_role(embedded_aws, administrator, new_role):
    credentials = assume(administrator, new_role(MEMBER, [allow("sts:AssumeRole")]))
    assert embedded_aws.client_of_session(credentials, "sts").get_caller_identity()["Account"] == MEMBER


def test_a_role_that_trusts_another_account_refuses(administrator, new_role):
    trusted = {"AWS": "arn:aws:iam::777788889999:root"}
    refusal(administrator, new_role(MEMBER, [allow("sts:AssumeRole", principal=trusted)]))


def test_a_denial_wins(administrator, new_role):
    deny = {**allow("sts:AssumeRole"), "Effect": "Deny"}
    refusal(administrator, new_role(MEMBER, [allow("sts:AssumeRole"), deny]))


def test_the_external_id_must_be_the_one_that_is_asked_for(administrator, new_role):
    role = new_role(MEMBER, [allow("sts:AssumeRole", StringEquals={"sts:ExternalId": "right"})])
    assume(administrator, role, ExternalId="right")
    refusal(administrator, role, ExternalId="wrong")
    refusal(administrator, role)


def test_the_organization_must_be_the_callers(embedded_aws, administrator, new_role):
    organizations = embedded_aws.client("organizations", account=ADMINISTRATOR)
    own = organizations.describe_organization()["Organization"]["Id"]

    def role_for(organization):
        condition = {"aws:PrincipalOrgID": organization}
        return new_role(MEMBER, [allow("sts:AssumeRole", StringEquals=condition)])

    assume(administrator, role_for(own))
    refusal(administrator, role_for("o-another0000"))


def test_a_source_identity_must_be_allowed_and_fit(administrator, new_role):
    without = new_role(MEMBER, [allow("sts:AssumeRole")])
    assert "sts:SetSourceIdentity" in refusal(administrator, without, SourceIdentity="somebody")
    condition = {"StringLike": {"sts:SourceIdentity": "some*"}}
    role = new_role(MEMBER, [allow("sts:AssumeRole", "sts:SetSourceIdentity", **condition)])
    assume(administrator, role, SourceIdentity="somebody")
    refusal(administrator, role, SourceIdentity="nobody")
    refusal(administrator, role)


def test_a_role_that_is_trusted_by_its_arn_is_let_in_and_no_other(as_role, new_role):
    trusted, sts = as_role("sts:AssumeRole")
    _, other = as_role("sts:AssumeRole")
    root = {"AWS": f"arn:aws:iam::{ADMINISTRATOR}:root"}
    condition = {"aws:PrincipalArn": trusted}
    role = new_role(MEMBER, [allow("sts:AssumeRole", principal=root, StringEquals=condition)])
    assume(sts, role)
    refusal(other, role)


def test_a_role_needs_the_permission_itself_to_enter_another_account(as_role, new_role):
    role = new_role(MEMBER, [allow("sts:AssumeRole", "sts:SetSourceIdentity")])
    _, powerless = as_role("s3:GetObject")
    refusal(powerless, role)
    _, powerful = as_role("sts:AssumeRole")
    assume(powerful, role)
    assert "sts:SetSourceIdentity" in refusal(powerful, role, SourceIdentity="somebody")


def test_a_function_acts_as_its_execution_role(embedded_aws, new_role):
    code = textwrap.dedent("""
        import boto3
        def handle(event, context):
            return boto3.client("sts").get_caller_identity()["Arn"]
    """)
    role = new_role(ADMINISTRATOR, [allow("sts:AssumeRole", principal={"Service": "lambda.amazonaws.com"})])
    functions = embedded_aws.client("lambda", account=ADMINISTRATOR)
    name = f"identity-{uuid4().hex[:8]}"
    functions.create_function(
        FunctionName=name, Runtime="python3.13", Handler="index.handle", Role=role,
        Code={"ZipFile": zipped(code)}, Timeout=30,
    )  # fmt: skip
    answer = json.loads(functions.invoke(FunctionName=name)["Payload"].read())
    role_name = role.rpartition("/")[2]
    assert answer == f"arn:aws:sts::{ADMINISTRATOR}:assumed-role/{role_name}/{name}"


@pytest.mark.parametrize(("length", "is_refused"), [(2048, False), (2049, True)])
def test_a_session_policy_has_2048_characters(embedded_aws, new_role, length, is_refused):
    role = new_role(ADMINISTRATOR, [allow("sts:AssumeRole")])
    sts = embedded_aws.client("sts", account=ADMINISTRATOR)
    statement = {"Effect": "Allow", "Action": "s3:*", "Resource": "*", "Sid": ""}
    statement["Sid"] = "x" * (length - len(json.dumps({"Statement": [statement]})))
    policy = json.dumps({"Statement": [statement]})
    if not is_refused:
        assume(sts, role, Policy=policy)
        return
    with pytest.raises(ClientError, match=r"ValidationError.*2049 characters.*less than or equal to 2048"):
        assume(sts, role, Policy=policy)
