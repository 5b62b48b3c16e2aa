"""Sessions of roles on the embedded AWS."""

from __future__ import annotations

import json
from uuid import uuid4

import pytest

ACCOUNT = "111122223333"
REGION = "eu-west-1"
ASSUME = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": ACCOUNT}}


@pytest.fixture
def as_role(embedded_aws):
    """A function that returns what makes clients of a session of a new role with some statements."""

    def make(*statements, name="role", boundary=None):
        iam = embedded_aws.client("iam", account=ACCOUNT)
        name = f"{name}-{uuid4().hex[:8]}"
        trust = json.dumps({"Version": "2012-10-17", "Statement": [ASSUME]})
        limit = {"PermissionsBoundary": boundary} if boundary else {}
        role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust, **limit)["Role"]["Arn"]
        if statements:
            document = json.dumps({"Version": "2012-10-17", "Statement": statements})
            iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=document)
        sts = embedded_aws.client("sts", account=ACCOUNT)
        credentials = sts.assume_role(RoleArn=role, RoleSessionName="session")["Credentials"]
        return lambda service, region=REGION: embedded_aws.client_of_session(
            credentials, service, region=region
        )

    return make
