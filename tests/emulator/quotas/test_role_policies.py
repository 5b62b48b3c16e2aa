from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError

from emulator.quotas.role_policies import size_of

TRUST = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}


def document(characters):
    """A policy of so many characters, with white space, which doesn't count."""
    statement = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": ["arn:aws:s3:::"]}
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    statement["Resource"][0] += "x" * (characters - size_of(policy))
    assert size_of(policy) == characters
    return policy


def trust(characters):
    policy = {"Version": "2012-10-17", "Statement": [{**TRUST, "Sid": ""}]}
    policy["Statement"][0]["Sid"] = "x" * (characters - size_of(policy))
    return policy


@pytest.fixture
def role(chain):
    iam = chain.aws.client("iam")
    iam.create_role(RoleName=chain.name, AssumeRolePolicyDocument=json.dumps(trust(2048), indent=4))
    return chain.name


def refused(call, message, **request):
    with pytest.raises(ClientError, match=message) as caught:
        call(**request)
    assert caught.value.response["Error"]["Code"] == "LimitExceeded"
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 409


def test_a_trust_policy_has_2048_characters_without_white_space(chain, role):
    iam = chain.aws.client("iam")
    text = json.dumps(trust(2049))
    message = "Cannot exceed quota for ACLSizePerRole: 2048"
    refused(iam.update_assume_role_policy, message, RoleName=role, PolicyDocument=text)
    refused(iam.create_role, message, RoleName=f"{role}-2", AssumeRolePolicyDocument=text)


def test_the_inline_policies_of_a_role_have_10240_characters_together(chain, role):
    iam = chain.aws.client("iam")
    for name, size in (("A", 5000), ("B", 5240), ("A", 5000)):
        iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=json.dumps(document(size)))
    message = f"Maximum policy size of 10240 bytes exceeded for role {role}"
    text = json.dumps(document(5001))
    refused(iam.put_role_policy, message, RoleName=role, PolicyName="A", PolicyDocument=text)


def test_a_managed_policy_has_6144_characters(chain):
    iam = chain.aws.client("iam")
    text = json.dumps(document(6144), indent=4)
    arn = iam.create_policy(PolicyName=chain.name, PolicyDocument=text)["Policy"]["Arn"]
    message = "Cannot exceed quota for PolicySize: 6144"
    text = json.dumps(document(6145))
    refused(iam.create_policy, message, PolicyName=f"{chain.name}-2", PolicyDocument=text)
    refused(iam.create_policy_version, message, PolicyArn=arn, PolicyDocument=text)


def test_a_role_has_ten_managed_policies(chain, role):
    iam = chain.aws.client("iam")
    for number in range(10):
        arn = f"arn:aws:iam::aws:policy/P{number}"
        iam.attach_role_policy(RoleName=role, PolicyArn=arn)
    iam.attach_role_policy(RoleName=role, PolicyArn=arn)
    message = "Cannot exceed quota for PoliciesPerRole: 10"
    refused(iam.attach_role_policy, message, RoleName=role, PolicyArn="arn:aws:iam::aws:policy/P10")


def resource_of(kind, chain, **properties):
    """A resource of a stack that has a role; the policies are created after it."""
    defaults = {
        "Role": {"RoleName": f"{chain.name}-stack", "AssumeRolePolicyDocument": trust(2048)},
        "ManagedPolicy": {"PolicyDocument": document(6144)},
        "Policy": {
            "PolicyName": "P",
            "PolicyDocument": document(10_000),
            "Roles": [f"{chain.name}-stack"],
        },
    }
    resource = {"Type": f"AWS::IAM::{kind}", "Properties": defaults[kind] | properties}
    return resource if kind == "Role" else resource | {"DependsOn": "Role"}


INLINE = [{"PolicyName": str(number), "PolicyDocument": document(5121)} for number in range(2)]


@pytest.mark.parametrize(
    ("kind", "changes", "reason"),
    [
        ("Role", {"AssumeRolePolicyDocument": trust(2049)}, "ACLSizePerRole: 2048"),
        ("Role", {"Policies": INLINE}, "10240 bytes exceeded for role"),
        ("Role", {"ManagedPolicyArns": [f"arn:aws:iam::aws:policy/P{n}" for n in range(11)]}, "PerRole: 10"),
        ("ManagedPolicy", {"PolicyDocument": document(6145)}, "PolicySize: 6144"),
        ("Policy", {"PolicyDocument": document(10_241)}, "10240 bytes exceeded for role"),
    ],
)
def test_a_stack_can_neither_create_nor_change_what_is_too_long(chain, kind, changes, reason):
    good = {name: resource_of(name, chain) for name in ("Role", kind)}
    bad = good | {kind: resource_of(kind, chain, **changes)}
    status, reasons = chain.deploy(bad)
    assert status == "ROLLBACK_COMPLETE"
    assert reason in reasons
    chain.aws.client("cloudformation").delete_stack(StackName=chain.name)
    assert chain.deploy(good)[0] == "CREATE_COMPLETE"
    status, reasons = chain.deploy(bad, operation="update_stack")
    assert status == "UPDATE_ROLLBACK_COMPLETE"
    assert reason in reasons


def test_the_policies_that_stacks_attach_to_a_role_count_together(chain):
    arns = [f"arn:aws:iam::aws:policy/P{number}" for number in range(10)]
    status, reasons = chain.deploy(
        {
            "Role": resource_of("Role", chain, ManagedPolicyArns=arns),
            "Policy": resource_of("ManagedPolicy", chain, Roles=[f"{chain.name}-stack"]),
        }
    )
    assert status == "ROLLBACK_COMPLETE"
    assert "Cannot exceed quota for PoliciesPerRole: 10" in reasons
