from __future__ import annotations

from dataclasses import replace

import pytest
from botocore.exceptions import ClientError

from functions.remediate.watched_session import WatchedSession
from remediations.cloudtrail.cloudtrail_encryption import apply, look, plan, undo
from remediations.contract import CannotRemediateError

TRAIL = "management-events"
TOLD = {"kms_key": "alias/security"}


@pytest.fixture
def cloudtrail(member):
    return member.client("cloudtrail")


@pytest.fixture
def trail(cloudtrail):
    return cloudtrail.create_trail(Name=TRAIL, S3BucketName="logs", EnableLogFileValidation=True)["TrailARN"]


@pytest.fixture
def finding(member):
    arn = f"arn:aws:cloudtrail:{member.region}:{member.account}:trail/{TRAIL}"
    return member.finding("CloudTrail.2", "AwsCloudTrailTrail", arn)


def test_the_trail_gets_the_key_and_loses_it_again(member, cloudtrail, trail, finding):
    before = cloudtrail.get_trail(Name=trail)["Trail"]
    change = apply(plan(finding, member.session, TOLD), member.session, TOLD)
    assert cloudtrail.get_trail(Name=trail)["Trail"] == before | {"KmsKeyId": "alias/security"}
    assert change.description == "Encrypted the log files with alias/security"
    undo(change, member.session, look(change, member.session))
    assert cloudtrail.get_trail(Name=trail)["Trail"] == before


def test_an_undo_notices_another_key_unless_the_record_does_not_say_which_one_was_set(
    member, cloudtrail, trail, finding, changed_since
):
    change = apply(plan(finding, member.session, TOLD), member.session, TOLD)
    cloudtrail.update_trail(Name=trail, KmsKeyId="alias/of-its-own")
    assert changed_since(look, change) == ["KmsKeyId is alias/of-its-own instead of alias/security"]
    assert changed_since(look, replace(change, left=None)) == []


@pytest.mark.usefixtures("trail")
def test_what_is_left_is_the_key_as_cloudtrail_has_it_and_not_the_alias(member, finding):
    arn = f"arn:aws:kms:{member.region}:{member.account}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
    member.register("after-call.cloudtrail.UpdateTrail", lambda parsed, **_: parsed.update(KmsKeyId=arn))
    assert apply(plan(finding, member.session, TOLD), member.session, TOLD).left == {"KmsKeyId": arn}


def test_there_is_nothing_to_restore_of_a_trail_that_is_gone(member, cloudtrail, trail, finding):
    change = apply(plan(finding, member.session, TOLD), member.session, TOLD)
    cloudtrail.delete_trail(Name=trail)
    with pytest.raises(CannotRemediateError, match="no longer exists, so there is nothing to restore"):
        look(change, member.session)


def test_a_plan_changes_nothing(member, cloudtrail, trail, finding):
    assert plan(finding, member.session, TOLD).is_needed
    assert "KmsKeyId" not in cloudtrail.get_trail(Name=trail)["Trail"]


def test_a_trail_with_another_key_keeps_it(member, cloudtrail, trail, finding):
    cloudtrail.update_trail(Name=trail, KmsKeyId="alias/of-its-own")
    made = plan(finding, member.session, TOLD)
    assert (made.is_needed, made.description) == (
        False,
        "The log files are already encrypted with alias/of-its-own",
    )


def test_nothing_is_needed_for_a_trail_that_is_gone(member, finding):
    made = plan(finding, member.session, TOLD)
    assert (made.is_needed, made.description) == (False, "The trail no longer exists")


def fail_to_update(member, code):
    def fail(model, **_):
        if model.name == "UpdateTrail":
            raise ClientError({"Error": {"Code": code, "Message": "No."}}, model.name)

    member.session.events.register("before-call.cloudtrail", fail)


@pytest.mark.usefixtures("trail")
def test_a_key_that_cloudtrail_cannot_use_is_named_with_what_to_do(member, finding):
    made = plan(finding, member.session, TOLD)
    fail_to_update(member, "InsufficientEncryptionPolicyException")
    with pytest.raises(CannotRemediateError, match=r"can't use the key alias/security .* must let cloudt"):
        apply(made, member.session, TOLD)


@pytest.mark.usefixtures("trail")
def test_a_change_through_a_watched_session_is_seen(member, finding):
    watched = WatchedSession(member.session)
    made = plan(finding, watched, TOLD)
    assert not watched.may_have_changed
    apply(made, watched, TOLD)
    assert watched.may_have_changed


@pytest.mark.usefixtures("trail")
def test_another_failure_is_tried_again(member, finding):
    made = plan(finding, member.session, TOLD)
    fail_to_update(member, "ThrottlingException")
    with pytest.raises(ClientError, match="ThrottlingException"):
        apply(made, member.session, TOLD)


@pytest.mark.usefixtures("trail")
def test_the_statements_are_what_it_takes(prove_statements, finding):
    prove_statements("cloudtrail_encryption", finding, parameters=TOLD)
