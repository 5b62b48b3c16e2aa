"""What the function may do in a member account at one moment: no more than one remediation needs."""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError

from functions.remediate.session_policy import session_policy
from remediations.registry import all_remediations

# https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
MOST_CHARACTERS = 2048


def policy(name, **changes):
    settings = {
        "account": "444455556666",
        "partition": "aws-us-gov",
        "automation_role": f"securityhub/{'a' * 64}",
        "undoes": False,
        "reads_tags": False,
    }
    return session_policy(all_remediations()[name], **settings | changes)


def actions(text):
    return {
        action
        for statement in json.loads(text)["Statement"]
        for action in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
    }


@pytest.mark.parametrize("reads_tags", [False, True])
@pytest.mark.parametrize("undoes", [False, True])
@pytest.mark.parametrize("name", all_remediations())
def test_the_policy_of_each_session_has_room_at_sts(name, undoes, reads_tags):
    assert len(policy(name, undoes=undoes, reads_tags=reads_tags)) <= MOST_CHARACTERS


@pytest.mark.parametrize("name", all_remediations())
def test_a_session_is_of_the_findings_account_and_has_no_placeholder_left(name):
    text = policy(name)
    assert "${" not in text
    resources = [one["Resource"] for one in json.loads(text)["Statement"]]
    names = [name for one in resources for name in ([one] if isinstance(one, str) else one) if name != "*"]
    assert {name.split(":")[4] for name in names} <= {"", "*", "444455556666"}


@pytest.mark.parametrize("undoes", [False, True])
@pytest.mark.parametrize("name", ["s3_public_access", "s3_require_tls"])
def test_a_session_reaches_buckets_of_the_account_only(name, undoes):
    statements = json.loads(policy(name, undoes=undoes))["Statement"]
    (buckets,) = [one for one in statements if one["Resource"] == "arn:aws-us-gov:s3:::*"]
    assert buckets["Condition"] == {"StringEquals": {"aws:ResourceAccount": "444455556666"}}


@pytest.mark.parametrize(
    ("action", "shared"),
    [("ec2:CreateSecurityGroup", "vpc/*"), ("ec2:ModifyNetworkInterfaceAttribute", "subnet/*")],
)
def test_an_instance_can_be_isolated_in_a_vpc_that_another_account_shares(action, shared):
    statements = json.loads(policy("ec2_quarantine"))["Statement"]
    (resources,) = [one["Resource"] for one in statements if one["Action"] == action]
    others = {name for name in resources if name.split(":")[4] != "444455556666"}
    assert others == {f"arn:aws-us-gov:ec2:*:*:{shared}"}


def test_a_session_that_undoes_may_not_do_it_again():
    assert "ec2:RevokeSecurityGroupIngress" in actions(policy("security_group_open_to_world"))
    assert "ec2:RevokeSecurityGroupIngress" not in actions(
        policy("security_group_open_to_world", undoes=True)
    )


@pytest.mark.parametrize("undoes", [False, True])
def test_tags_are_read_only_where_they_decide(undoes):
    assert "tag:GetResources" in actions(policy("s3_public_access", undoes=undoes, reads_tags=True))
    assert "tag:GetResources" not in actions(policy("s3_public_access", undoes=undoes))


def test_who_looks_up_what_it_changes_may_do_so_before_undoing_where_tags_decide():
    looked_up = actions(policy("ebs_public_snapshot", undoes=True, reads_tags=True))
    assert "ec2:DescribeSnapshots" in looked_up
    assert "tag:GetResources" not in looked_up


def test_a_role_is_passed_only_where_a_runbook_runs():
    assert "iam:PassRole" in actions(policy("rds_multi_az"))
    assert not any(
        "iam:PassRole" in actions(policy(name)) for name in ("s3_public_access", "kms_key_rotation")
    )


def test_a_session_for_a_finding_about_a_bucket_cannot_touch_iam(member):
    text = session_policy(
        all_remediations()["s3_public_access"],
        account=member.account,
        partition="aws",
        automation_role="Automation",
        undoes=False,
        reads_tags=True,
    )
    member.client("iam").create_user(UserName="somebody")
    client = member.in_session(text).client("iam")
    for call in (
        lambda: client.create_access_key(UserName="somebody"),
        lambda: client.delete_user(UserName="somebody"),
        lambda: client.list_access_keys(UserName="somebody"),
    ):
        with pytest.raises(ClientError, match="AccessDenied"):
            call()
