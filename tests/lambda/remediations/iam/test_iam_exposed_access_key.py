from __future__ import annotations

import pytest

from remediations.contract import CannotRemediateError
from remediations.iam.iam_exposed_access_key import apply, plan, undo
from securityhub.events import Resource

USER, OTHER = "ann", "ben"


@pytest.fixture
def iam(member):
    client = member.client("iam")
    for user in (USER, OTHER):
        client.create_user(UserName=user, Path="/people/")
    return client


@pytest.fixture
def keys(iam):
    """Two keys of a user and one of another."""
    return [iam.create_access_key(UserName=user)["AccessKey"]["AccessKeyId"] for user in (USER, USER, OTHER)]


def finding_about(member, key, **details):
    """A finding of GuardDuty as Security Hub has it."""
    resource = {"Type": "AwsIamAccessKey", "Id": f"AWS::IAM::AccessKey:{key}"}
    told = {"PrincipalId": "AIDAEXAMPLE", "PrincipalType": "IAMUser", "PrincipalName": USER} | details
    return member.finding(
        "none",
        resource["Type"],
        resource["Id"],
        product_arn=f"arn:aws:securityhub:{member.region}::product/aws/guardduty",
        raw={"Resources": [{"Id": "i-1"}, resource | {"Details": {"AwsIamAccessKey": told}}]},
    )


def statuses(iam):
    return {
        key["AccessKeyId"]: key["Status"]
        for user in (USER, OTHER)
        for key in iam.list_access_keys(UserName=user)["AccessKeyMetadata"]
    }


def test_only_the_key_that_is_named_is_deactivated_and_activated_again(member, iam, keys):
    before = statuses(iam)
    change = apply(plan(finding_about(member, keys[0]), member.session), member.session)
    assert statuses(iam) == before | {keys[0]: "Inactive"}
    assert change.description == f"Deactivated the access key {keys[0]} of the IAM user {USER}"
    undo(change, member.session)
    assert statuses(iam) == before


def test_a_plan_changes_nothing(member, iam, keys):
    assert plan(finding_about(member, keys[0]), member.session).is_needed
    assert set(statuses(iam).values()) == {"Active"}


def test_a_second_time_nothing_is_needed(member, keys):
    finding = finding_about(member, keys[0])
    apply(plan(finding, member.session), member.session)
    made = plan(finding, member.session)
    assert (made.is_needed, made.description) == (
        False,
        f"The access key {keys[0]} of the IAM user {USER} is inactive already",
    )


def test_a_finding_that_names_the_user_in_the_old_way_is_enough(member, keys):
    finding = finding_about(member, keys[0], PrincipalName=None, UserName=USER)
    assert plan(finding, member.session).is_needed


def test_nothing_is_needed_for_a_key_that_is_not_the_users(member, keys):
    made = plan(finding_about(member, keys[2]), member.session)
    assert (made.is_needed, made.description) == (
        False,
        f"The IAM user {USER} has no access key {keys[2]} any more",
    )


def test_a_user_of_whom_nobody_can_say_whether_it_was_renamed_with_its_key_is_refused(member):
    def lose(http_response, parsed, **_):
        http_response.status_code = 404
        parsed["Error"] = {"Code": "NoSuchEntity", "Message": "The user cannot be found."}

    member.session.events.register("after-call.iam.ListAccessKeys", lose)
    with pytest.raises(CannotRemediateError, match=f"no IAM user {USER}, who was deleted or renamed"):
        plan(finding_about(member, "AKIAIOSFODNN7EXAMPLE"), member.session)


ROLE = {"PrincipalType": "AssumedRole", "PrincipalName": "app"}


@pytest.mark.parametrize(
    ("key", "details", "message"),
    [
        (
            "ASIAIOSFODNN7EXAMPLE",
            ROLE,
            "of app is temporary and cannot be deactivated. Revoke the sessions of",
        ),
        (
            "ASIAIOSFODNN7EXAMPLE",
            {"PrincipalType": "Root"},
            "is the root user's, .* Sign in as the root user",
        ),
        ("AKIAIOSFODNN7EXAMPLE", {"PrincipalType": "Root"}, "is the root user's"),
        ("GeneratedFindingAccessKeyId", {}, "must end in the id of an access key"),
        ("AKIAIOSFODNN7EXAMPLE", {"PrincipalName": ""}, "does not say in PrincipalName whose access key"),
        ("AKIAIOSFODNN7EXAMPLE", {"PrincipalName": 7}, "does not say in PrincipalName whose access key"),
    ],
)
def test_what_cannot_be_deactivated_is_refused_with_what_to_do(member, key, details, message):
    with pytest.raises(CannotRemediateError, match=message):
        plan(finding_about(member, key, **details), member.session)
    assert member.actions == set()


@pytest.mark.parametrize(
    "resources", [None, {}, [None], [{"Id": 1}], [{"Id": "AWS::IAM::AccessKey:AKIAIOSFODNN7EXAMPLE"}]]
)
def test_details_that_are_not_as_documented_are_none(member, resources):
    finding = member.finding(
        "none",
        "AwsIamAccessKey",
        "AWS::IAM::AccessKey:AKIAIOSFODNN7EXAMPLE",
        raw={"Resources": resources},
    )
    with pytest.raises(CannotRemediateError, match="does not say in PrincipalName"):
        plan(finding, member.session)


def test_a_finding_with_two_keys_is_refused(member):
    two = tuple(Resource(type="AwsIamAccessKey", id=f"AWS::IAM::AccessKey:{n}", region=None) for n in "12")
    with pytest.raises(CannotRemediateError, match="names 2 resources of type AwsIamAccessKey"):
        plan(member.finding("none", "", "", resources=two), member.session)


def test_the_statements_are_what_it_takes(prove_statements, member, keys):
    prove_statements("iam_exposed_access_key", finding_about(member, keys[0]))
