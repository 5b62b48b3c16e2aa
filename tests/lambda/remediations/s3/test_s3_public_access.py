from __future__ import annotations

from dataclasses import replace
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from remediations.contract import CannotRemediateError
from remediations.s3.s3_public_access import apply, look, plan, undo

SETTINGS = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
ALL_ON = dict.fromkeys(SETTINGS, True)


@pytest.fixture
def bucket(member):
    name = f"bucket-{uuid4().hex[:12]}"
    member.client("s3").create_bucket(
        Bucket=name, CreateBucketConfiguration={"LocationConstraint": member.region}
    )
    return name


@pytest.fixture(params=["bucket", "account"])
def subject(request, member, bucket):
    """A finding about a bucket or an account, and a function that reads its settings."""
    if request.param == "bucket":
        finding = member.finding("S3.8", "AwsS3Bucket", f"arn:aws:s3:::{bucket}")
        client, place = member.client("s3"), {"Bucket": bucket}
    else:
        finding = member.finding("S3.1", "AwsAccount", f"AWS::::Account:{member.account}")
        client, place = member.client("s3control"), {"AccountId": member.account}

    def read():
        try:
            return client.get_public_access_block(**place)["PublicAccessBlockConfiguration"]
        except ClientError:
            return None

    def write(settings):
        client.put_public_access_block(**place, PublicAccessBlockConfiguration=settings)

    return finding, read, write


def test_a_plan_changes_nothing(member, subject):
    finding, read, _ = subject
    made = plan(finding, member.session)
    assert made.is_needed
    assert made.description == f"Turn on {', '.join(SETTINGS)}"
    assert read() is None


def test_all_four_settings_are_turned_on(member, subject):
    finding, read, _ = subject
    apply(plan(finding, member.session), member.session)
    assert read() == ALL_ON


def test_only_what_is_off_is_named_and_undoing_restores_it(member, subject):
    finding, read, write = subject
    partly = {**ALL_ON, "BlockPublicPolicy": False}
    write(partly)
    change = apply(plan(finding, member.session), member.session)
    assert change.description == "Turned on BlockPublicPolicy"
    undo(change, member.session, look(change, member.session))
    assert read() == partly


def test_undoing_removes_the_settings_where_there_were_none(member, subject):
    finding, read, _ = subject
    change = apply(plan(finding, member.session), member.session)
    undo(change, member.session, look(change, member.session))
    assert read() is None


@pytest.mark.parametrize("before", [None, {**ALL_ON, "BlockPublicAcls": False, "BlockPublicPolicy": False}])
def test_undoing_what_was_remediated_twice_turns_off_what_either_time_has_turned_on(member, subject, before):
    finding, read, write = subject
    if before:
        write(before)
    first = apply(plan(finding, member.session), member.session)
    write({**ALL_ON, "IgnorePublicAcls": False})
    change = apply(plan(finding, member.session), member.session).after(first)
    undo(change, member.session, look(change, member.session))
    expected = {**before, "IgnorePublicAcls": False} if before else dict.fromkeys(SETTINGS, False)
    assert read() == expected
    assert [one.is_restored for one in look(change, member.session)] == [True]


def test_a_record_without_a_list_of_what_was_off_is_undone(member, subject):
    finding, read, write = subject
    partly = {**ALL_ON, "BlockPublicPolicy": False}
    write(partly)
    change = apply(plan(finding, member.session), member.session)
    state = {name: value for name, value in change.prior_state.items() if name != "Off"}
    change = replace(change, prior_state=state)
    undo(change, member.session, look(change, member.session))
    assert read() == partly


def test_an_undo_notices_what_somebody_has_opened_since_and_what_is_restored(member, subject, changed_since):
    finding, _, write = subject
    change = apply(plan(finding, member.session), member.session)
    write(dict.fromkeys(SETTINGS, False) | {"BlockPublicAcls": True})
    assert changed_since(look, change) == ["Block Public Access is on for BlockPublicAcls only instead of on"]
    # A configuration with nothing on is as good as none.
    write(dict.fromkeys(SETTINGS, False))
    assert [one.is_restored for one in look(change, member.session)] == [True]


def test_there_is_nothing_to_restore_of_a_bucket_that_is_gone(member, bucket):
    finding = member.finding("S3.8", "AwsS3Bucket", f"arn:aws:s3:::{bucket}")
    change = apply(plan(finding, member.session), member.session)
    member.client("s3").delete_bucket(Bucket=bucket)
    with pytest.raises(CannotRemediateError, match="The bucket no longer exists"):
        look(change, member.session)


def test_nothing_is_needed_where_all_are_on(member, subject):
    finding, _, write = subject
    write(ALL_ON)
    assert not plan(finding, member.session).is_needed


def test_nothing_is_needed_for_a_bucket_that_is_gone(member):
    made = plan(member.finding("S3.2", "AwsS3Bucket", "arn:aws:s3:::gone-bucket"), member.session)
    assert (made.is_needed, made.description) == (False, "The bucket no longer exists")


def test_a_refusal_is_not_taken_for_an_absence(member, bucket):
    def refuse(model, **_):
        if model.name == "GetPublicAccessBlock":
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, model.name)

    member.session.events.register("before-call.s3", refuse)
    with pytest.raises(ClientError, match="AccessDenied"):
        plan(member.finding("S3.8", "AwsS3Bucket", f"arn:aws:s3:::{bucket}"), member.session)


def test_the_statements_are_what_it_takes(prove_statements, member, bucket):
    prove_statements(
        "s3_public_access",
        member.finding("S3.8", "AwsS3Bucket", f"arn:aws:s3:::{bucket}"),
        member.finding("S3.1", "AwsAccount", f"AWS::::Account:{member.account}"),
    )
