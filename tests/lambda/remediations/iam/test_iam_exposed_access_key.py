from __future__ import annotations

import pytest

from remediations.contract import CannotRemediateError
from remediations.iam.iam_exposed_access_key import apply, look, plan, undo
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
    undo(change, member.session, look(change, member.session))
    assert statuses(iam) == before


def test_an_undo_notices_that_the_key_was_deleted(member, iam, keys, changed_since):
    change = apply(plan(finding_about(member, keys[0]), member.session), member.session)
    iam.delete_access_key(UserName=USER, AccessKeyId=keys[0])
    assert changed_since(look, change) == [f"{keys[0]} is not one of {USER} instead of Inactive"]


def test_a_plan_changes_nothing(member, iam, keys):
    assert plan(finding_about(member, keys[0]), member.session).is_needed
    assert set(statuses(iam).values()) == {"Active"}


def test_a_second_time_nothing_is_needed(member, keys):
    finding = finding_about(member, keys[0])
    apply(plan(finding, member.session), member.session)
    made = plan(finding, member.session)
    assert (made.is_needed, made.description) == (
        False,
        f"The access key {keys[0]} of the IAM user {USER} is already inactive",
    )


def test_a_finding_that_names_the_user_in_the_old_way_is_enough(member, keys):
    finding = finding_about(member, keys[0], PrincipalName=None, UserName=USER)
    assert plan(finding, member.session).is_needed


UNIQUE_ID = "AIDACKCEVSQ6C2EXAMPLE"


@pytest.mark.parametrize("named", [USER, "earlier-name"])
def test_a_key_that_the_named_user_does_not_have_is_looked_for_at_the_user_with_the_unique_id(
    member, iam, keys, answer_ids, named
):
    answer_ids(**{OTHER: UNIQUE_ID})
    made = plan(finding_about(member, keys[2], PrincipalName=named, PrincipalId=UNIQUE_ID), member.session)
    assert made.prior_state["UserName"] == OTHER
    apply(made, member.session)
    assert statuses(iam)[keys[2]] == "Inactive"


def test_nothing_is_needed_for_a_key_that_its_user_certainly_has_no_more(member, iam, keys, answer_ids):
    iam.delete_access_key(UserName=USER, AccessKeyId=keys[0])
    answer_ids(**{USER: UNIQUE_ID})
    made = plan(finding_about(member, keys[0], PrincipalId=UNIQUE_ID), member.session)
    assert (made.is_needed, made.description) == (
        False,
        f"The access key {keys[0]} of the IAM user {USER} was deleted",
    )


def test_nothing_is_needed_for_a_key_whose_user_certainly_was_deleted(member, keys):
    finding = finding_about(member, "AKIAIOSFODNN7EXAMPLE", PrincipalName="gone", PrincipalId=UNIQUE_ID)
    assert keys
    assert not plan(finding, member.session).is_needed


def test_a_key_that_is_not_found_and_of_whom_the_finding_does_not_say_for_certain_is_refused(member, keys):
    with pytest.raises(CannotRemediateError, match=f"no IAM user {USER} with the access key {keys[2]}"):
        plan(finding_about(member, keys[2]), member.session)


ROLE = {"PrincipalType": "AssumedRole", "PrincipalName": "app"}


@pytest.mark.parametrize(
    ("key", "details", "message"),
    [
        (
            "ASIAIOSFODNN7EXAMPLE",
            ROLE,
            "of app is temporary and can't be deactivated. Revoke the sessions of",
        ),
        (
            "ASIAIOSFODNN7EXAMPLE",
            {"PrincipalType": "Root"},
            "is the root user's, .* Sign in as the root user",
        ),
        ("AKIAIOSFODNN7EXAMPLE", {"PrincipalType": "Root"}, "is the root user's"),
        ("GeneratedFindingAccessKeyId", {}, "must end in the ID of an access key"),
        (
            "AKIAIOSFODNN7EXAMPLE",
            {"PrincipalName": ""},
            "PrincipalName in the finding doesn't say whose access key",
        ),
        (
            "AKIAIOSFODNN7EXAMPLE",
            {"PrincipalName": 7},
            "PrincipalName in the finding doesn't say whose access key",
        ),
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
    with pytest.raises(CannotRemediateError, match="PrincipalName in the finding doesn't say"):
        plan(finding, member.session)


def test_a_finding_with_two_keys_is_refused(member):
    two = tuple(Resource(type="AwsIamAccessKey", id=f"AWS::IAM::AccessKey:{n}", region=None) for n in "12")
    with pytest.raises(CannotRemediateError, match="names 2 resources of type AwsIamAccessKey"):
        plan(member.finding("none", "", "", resources=two), member.session)


def test_the_statements_are_what_it_takes(prove_statements, member, keys, answer_ids):
    answer_ids(**{OTHER: UNIQUE_ID})
    finding = finding_about(member, keys[2], PrincipalId=UNIQUE_ID)
    prove_statements("iam_exposed_access_key", finding)
