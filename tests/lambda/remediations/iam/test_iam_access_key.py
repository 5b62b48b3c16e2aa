from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from remediations.contract import CannotRemediateError
from remediations.iam.iam_access_key import apply, look, plan, undo

USER = "ann"
FRESH, OLD = timedelta(days=1), timedelta(days=91)


@pytest.fixture
def iam(member):
    client = member.client("iam")
    client.create_user(UserName=USER, Path="/people/")
    return client


@pytest.fixture
def new_key(member, iam):
    """A function that makes a key of an age, last used some time ago or never.

    The embedded AWS makes keys now and does not notice their use, so that its answers are given dates.
    """
    dates = {}

    def date_keys(parsed, **_):
        for key in parsed.get("AccessKeyMetadata", []):
            key["CreateDate"] = dates[key["AccessKeyId"]][0]

    def date_use(params, context, **_):
        context["key"] = params["AccessKeyId"]

    def date_used(parsed, context, **_):
        if used := dates[context["key"]][1]:
            parsed["AccessKeyLastUsed"]["LastUsedDate"] = used

    member.register("after-call.iam.ListAccessKeys", date_keys)
    member.register("before-parameter-build.iam.GetAccessKeyLastUsed", date_use)
    member.register("after-call.iam.GetAccessKeyLastUsed", date_used)

    def make(age, *, used=None):
        key = iam.create_access_key(UserName=USER)["AccessKey"]["AccessKeyId"]
        now = datetime.now(UTC)
        dates[key] = (now - age, used and now - used)
        return key

    return make


def finding_about(member, control, user=f"people/{USER}"):
    return member.finding(control, "AwsIamUser", f"arn:aws:iam::{member.account}:user/{user}")


def statuses(iam):
    keys = iam.list_access_keys(UserName=USER)["AccessKeyMetadata"]
    return {key["AccessKeyId"]: key["Status"] for key in keys}


def test_an_old_key_is_deactivated_and_a_fresh_one_stays(member, iam, new_key):
    old, fresh = new_key(OLD, used=FRESH), new_key(FRESH)
    change = apply(plan(finding_about(member, "IAM.3"), member.session), member.session)
    assert statuses(iam) == {old: "Inactive", fresh: "Active"}
    assert change.description == f"Deactivated 1 access key(s) older than 90 days: {old}"


def test_the_plan_does_not_depend_on_the_order_of_the_keys(member, new_key, plan_in_both_orders):
    keys = {new_key(OLD), new_key(OLD)}
    first, other = plan_in_both_orders(plan, finding_about(member, "IAM.3"))
    assert set(first.prior_state["ActiveAccessKeyIds"]) == keys
    assert other == first


@pytest.mark.parametrize("used", [None, OLD])
def test_a_key_without_use_is_deactivated_and_one_in_use_stays(member, iam, new_key, used):
    unused, in_use = new_key(OLD, used=used), new_key(OLD, used=FRESH)
    apply(plan(finding_about(member, "IAM.8"), member.session), member.session)
    assert statuses(iam) == {unused: "Inactive", in_use: "Active"}


def test_a_new_key_that_was_never_used_stays(member, new_key):
    new_key(FRESH)
    assert not plan(finding_about(member, "IAM.8"), member.session).is_needed


@pytest.mark.parametrize(
    ("control", "made", "used", "remains"),
    [
        ("IAM.8", OLD, OLD, True),
        ("IAM.8", OLD, None, True),
        ("IAM.8", OLD, FRESH, False),
        ("IAM.8", FRESH, None, False),
        ("IAM.8", FRESH, OLD, False),
        ("IAM.8", None, OLD, False),
        ("IAM.3", OLD, OLD, False),
    ],
)
def test_a_password_without_use_is_left_to_do_by_hand(member, iam, new_key, *, control, made, used, remains):
    new_key(OLD)
    with_password(member, iam, made=made, used=used)
    done = plan(finding_about(member, control), member.session)
    assert done.is_needed
    expected = f"Remove the console password of {USER}, unused for 90 days" if remains else ""
    assert done.remains == expected


def with_password(member, iam, *, made, used):
    """Give the user a password of an age, last used some time ago or never; none without an age."""
    now = datetime.now(UTC)

    def date_password(parsed, **_):
        if "LoginProfile" in parsed:
            parsed["LoginProfile"]["CreateDate"] = now - made

    def date_use(parsed, **_):
        if used:
            parsed["User"]["PasswordLastUsed"] = now - used

    if made:
        iam.create_login_profile(UserName=USER, Password="Correct-Horse-1")  # noqa: S106 - of no account
    member.register("after-call.iam.GetLoginProfile", date_password)
    member.register("after-call.iam.GetUser", date_use)


def test_a_plan_changes_nothing(member, iam, new_key):
    old = new_key(OLD)
    assert plan(finding_about(member, "IAM.3"), member.session).is_needed
    assert statuses(iam) == {old: "Active"}


def test_a_second_time_nothing_is_needed(member, new_key):
    new_key(OLD)
    finding = finding_about(member, "IAM.3")
    apply(plan(finding, member.session), member.session)
    made = plan(finding, member.session)
    assert (made.is_needed, made.description) == (
        False,
        "No active access key of the user is older than 90 days",
    )


def test_undoing_activates_only_what_was_active_before(member, iam, new_key):
    old, inactive = new_key(OLD), new_key(OLD)
    iam.update_access_key(UserName=USER, AccessKeyId=inactive, Status="Inactive")
    change = apply(plan(finding_about(member, "IAM.3"), member.session), member.session)
    undo(change, member.session, look(change, member.session))
    assert statuses(iam) == {old: "Active", inactive: "Inactive"}


def test_a_key_that_was_deleted_meanwhile_keeps_no_other_from_being_activated(member, iam, new_key):
    first, second = new_key(OLD), new_key(OLD)
    change = apply(plan(finding_about(member, "IAM.3"), member.session), member.session)
    iam.delete_access_key(UserName=USER, AccessKeyId=change.prior_state["ActiveAccessKeyIds"][0])
    undo(change, member.session, look(change, member.session))
    (status,) = statuses(iam).items()
    assert status in {(first, "Active"), (second, "Active")}


def test_an_undo_notices_a_key_that_was_deleted(member, iam, new_key, changed_since):
    key = new_key(OLD)
    change = apply(plan(finding_about(member, "IAM.3"), member.session), member.session)
    iam.delete_access_key(UserName=USER, AccessKeyId=key)
    assert changed_since(look, change) == [f"{key} is deleted instead of Inactive"]


def test_a_user_that_is_not_found_by_the_name_alone_may_have_been_renamed_and_keeps_its_keys(member, new_key):
    new_key(OLD)
    change = apply(plan(finding_about(member, "IAM.3"), member.session), member.session)

    def lose(http_response, parsed, **_):
        http_response.status_code = 404
        parsed["Error"] = {"Code": "NoSuchEntity", "Message": "The user cannot be found."}

    member.session.events.register("after-call.iam.ListAccessKeys", lose)
    with pytest.raises(CannotRemediateError, match="no IAM user gone: it was deleted, or it was renamed"):
        plan(finding_about(member, "IAM.3", "gone"), member.session)
    with pytest.raises(CannotRemediateError, match=f"no IAM user {USER}: it was deleted, or it was renamed"):
        look(change, member.session)


UNIQUE_ID, OTHER_ID = "AIDACKCEVSQ6C2EXAMPLE", "AIDACKCEVSQ6C3EXAMPLE"


def test_a_unique_id_in_place_of_the_name_is_looked_up(member, iam, new_key, answer_ids):
    old = new_key(OLD)
    answer_ids(**{USER: UNIQUE_ID})
    made = plan(finding_about(member, "IAM.3", UNIQUE_ID), member.session)
    assert made.is_needed
    assert made.resource.endswith(f"user/{UNIQUE_ID}")
    apply(made, member.session)
    assert statuses(iam) == {old: "Inactive"}


def test_a_user_whom_no_unique_id_of_the_account_is_does_not_exist_any_more(member, new_key, answer_ids):
    new_key(OLD)
    answer_ids(**{USER: UNIQUE_ID})
    made = plan(finding_about(member, "IAM.3", OTHER_ID), member.session)
    assert (made.is_needed, made.description) == (False, "The user no longer exists")


def test_a_user_that_was_renamed_is_found_by_the_unique_id_of_the_details(member, new_key, answer_ids):
    new_key(OLD)
    answer_ids(**{USER: UNIQUE_ID})
    finding = finding_about(member, "IAM.3", "earlier-name")
    resource = {"Id": finding.resources[0].id, "Details": {"AwsIamUser": {"UserId": UNIQUE_ID}}}
    made = plan(replace(finding, raw={**finding.raw, "Resources": [resource]}), member.session)
    assert made.prior_state["UserName"] == USER


def test_a_user_whose_name_looks_like_a_unique_id_is_found_by_its_arn(member, iam, answer_ids):
    iam.create_user(UserName=UNIQUE_ID)
    answer_ids(**{USER: OTHER_ID})
    made = plan(finding_about(member, "IAM.3", UNIQUE_ID), member.session)
    assert made.description == "No active access key of the user is older than 90 days"


@pytest.mark.parametrize(
    "resource", ["ann", "arn:aws:iam::{account}:role/ann", "arn:aws:iam::{account}:user/"]
)
def test_what_is_not_the_arn_of_a_user_is_refused(member, resource):
    finding = member.finding("IAM.3", "AwsIamUser", resource.format(account=member.account))
    with pytest.raises(CannotRemediateError, match="is not the ARN of an IAM user"):
        plan(finding, member.session)


def test_a_control_that_is_not_about_access_keys_is_refused(member):
    with pytest.raises(CannotRemediateError, match=r"No access key control has the ID IAM\.4"):
        plan(finding_about(member, "IAM.4"), member.session)


def test_the_statements_are_what_it_takes(prove_statements, member, iam, new_key):
    new_key(OLD)
    with_password(member, iam, made=OLD, used=OLD)
    unique_id = iam.get_user(UserName=USER)["User"]["UserId"]
    prove_statements("iam_access_key", finding_about(member, "IAM.8", unique_id))
