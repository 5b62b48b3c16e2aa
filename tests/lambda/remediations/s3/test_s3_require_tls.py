from __future__ import annotations

import json
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from remediations.contract import CannotRemediateError
from remediations.s3.buckets import bucket_of
from remediations.s3.s3_require_tls import apply, look, plan, undo

OTHER = {
    "Sid": "Readers",
    "Effect": "Allow",
    "Principal": {"AWS": "arn:aws:iam::111122223333:root"},
    "Action": "s3:ListBucket",
}


@pytest.fixture
def s3(member):
    return member.client("s3")


@pytest.fixture
def new_bucket(member, s3):
    """A function that makes a bucket, with a policy of the statements if any; it returns the name."""

    def make(*statements):
        name = f"bucket-{uuid4().hex[:12]}"
        s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": member.region})
        if statements:
            write(s3, name, {"Version": "2012-10-17", "Statement": [for_bucket(s, name) for s in statements]})
        return name

    return make


def for_bucket(statement, name):
    return {"Resource": f"arn:aws:s3:::{name}", **statement}


def deny_without_tls(name, **changes):
    both = [f"arn:aws:s3:::{name}", f"arn:aws:s3:::{name}/*"]
    return {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": both,
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    } | changes


def read(s3, name):
    try:
        return json.loads(s3.get_bucket_policy(Bucket=name)["Policy"])
    except ClientError:
        return None


def write(s3, name, policy):
    s3.put_bucket_policy(Bucket=name, Policy=json.dumps(policy))


def finding_about(member, name):
    return member.finding("S3.5", "AwsS3Bucket", f"arn:aws:s3:::{name}")


@pytest.mark.parametrize("name", ["Legacy_Reports", "a" * 255])
def test_an_older_name_of_a_bucket_is_taken(member, name):
    assert bucket_of(finding_about(member, name))[1]["Bucket"] == name


@pytest.mark.parametrize(
    "resource", ["name", "arn:aws:s3:::name/key", "arn:aws:s3:::ab", f"arn:aws:s3:::{'a' * 256}"]
)
def test_what_is_not_the_arn_of_a_bucket_is_refused(member, resource):
    with pytest.raises(CannotRemediateError, match="is not the ARN of a bucket"):
        plan(member.finding("S3.5", "AwsS3Bucket", resource), member.session)


def test_a_plan_changes_nothing(member, s3, new_bucket):
    name = new_bucket()
    assert plan(finding_about(member, name), member.session).is_needed
    assert read(s3, name) is None


def test_a_bucket_without_a_policy_gets_one_that_undoing_deletes(member, s3, new_bucket):
    name = new_bucket()
    change = apply(plan(finding_about(member, name), member.session), member.session)
    assert read(s3, name) == {"Version": "2012-10-17", "Statement": [deny_without_tls(name)]}
    undo(change, member.session, look(change, member.session))
    assert read(s3, name) is None


def test_other_statements_stay_as_they_are(member, s3, new_bucket):
    name = new_bucket(OTHER)
    before = read(s3, name)
    change = apply(plan(finding_about(member, name), member.session), member.session)
    assert read(s3, name)["Statement"] == [for_bucket(OTHER, name), deny_without_tls(name)]
    undo(change, member.session, look(change, member.session))
    assert read(s3, name) == before


def test_a_statement_that_was_added_meanwhile_survives_applying_and_undoing(member, s3, new_bucket):
    name = new_bucket()
    made = plan(finding_about(member, name), member.session)
    meanwhile = {"Version": "2012-10-17", "Statement": for_bucket(OTHER, name)}
    write(s3, name, meanwhile)
    change = apply(made, member.session)
    undo(change, member.session, look(change, member.session))
    assert read(s3, name) == {**meanwhile, "Statement": [meanwhile["Statement"]]}


def test_an_undo_notices_a_statement_that_somebody_has_rewritten(member, s3, new_bucket, changed_since):
    name = new_bucket()
    change = apply(plan(finding_about(member, name), member.session), member.session)
    rewritten = deny_without_tls(name) | {"Sid": "RequireTls"}
    write(s3, name, {"Version": "2012-10-17", "Statement": [rewritten]})
    (told,) = changed_since(look, change)
    assert told.startswith("The statement is another one, which also denies requests without TLS instead of")


def test_a_policy_that_names_who_was_deleted_is_left_to_a_person(member, s3, new_bucket):
    """S3 checks the whole policy anew, and knows no principal of another statement that is gone."""
    name = new_bucket(OTHER)
    finding = finding_about(member, name)

    def refuse(model, **_):
        error = {"Code": "MalformedPolicy", "Message": "Invalid principal in policy"}
        raise ClientError({"Error": error}, model.name)

    change = apply(plan(finding, member.session), member.session)
    settings = look(change, member.session)
    s3.put_bucket_policy(Bucket=name, Policy=json.dumps({"Statement": [for_bucket(OTHER, name)]}))
    made = plan(finding, member.session)
    member.register("before-call.s3.PutBucketPolicy", refuse)
    message = rf"S3 refuses the policy of the bucket {name}: Invalid principal in policy\. If it names"
    with pytest.raises(CannotRemediateError, match=message):
        apply(made, member.session)
    with pytest.raises(CannotRemediateError, match=message):
        undo(change, member.session, settings)


def test_a_public_policy_that_block_public_access_keeps_from_being_written_is_left_to_a_person(
    member, s3, new_bucket
):
    """It doesn't touch a policy from before, but refuses any change that doesn't make it private."""
    name = new_bucket(OTHER | {"Principal": "*"})
    finding = finding_about(member, name)

    def refuse(model, **_):
        message = (
            "User: arn:aws:sts::111122223333:assumed-role/R/s is not authorized to perform: "
            f's3:PutBucketPolicy on resource: "arn:aws:s3:::{name}" because public policies are blocked by '
            "the BlockPublicPolicy block public access setting."
        )
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": message}}, model.name)

    change = apply(plan(finding, member.session), member.session)
    settings = look(change, member.session)
    write(s3, name, {"Statement": [for_bucket(OTHER | {"Principal": "*"}, name)]})
    made = plan(finding, member.session)
    member.register("before-call.s3.PutBucketPolicy", refuse)
    message = f"The policy of the bucket {name} also allows public access, .* Remove from it what is public"
    with pytest.raises(CannotRemediateError, match=message):
        apply(made, member.session)
    with pytest.raises(CannotRemediateError, match=message):
        undo(change, member.session, settings)


def test_another_error_of_writing_the_policy_is_retried(member, new_bucket):
    made = plan(finding_about(member, new_bucket()), member.session)

    def refuse(model, **_):
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, model.name)

    member.register("before-call.s3.PutBucketPolicy", refuse)
    with pytest.raises(ClientError, match="AccessDenied"):
        apply(made, member.session)


def test_undoing_where_the_policy_is_gone_does_nothing(member, s3, new_bucket):
    name = new_bucket()
    change = apply(plan(finding_about(member, name), member.session), member.session)
    s3.delete_bucket_policy(Bucket=name)
    undo(change, member.session, look(change, member.session))
    assert read(s3, name) is None


def test_there_is_nothing_to_restore_of_a_bucket_that_is_gone(member, s3, new_bucket):
    name = new_bucket()
    change = apply(plan(finding_about(member, name), member.session), member.session)
    s3.delete_bucket(Bucket=name)
    with pytest.raises(CannotRemediateError, match="The bucket no longer exists"):
        look(change, member.session)


def test_a_second_time_nothing_is_needed_and_applying_again_adds_nothing(member, s3, new_bucket):
    finding = finding_about(member, new_bucket())
    made = plan(finding, member.session)
    name = apply(made, member.session).prior_state["Bucket"]
    again = plan(finding, member.session)
    assert not again.is_needed
    assert again.description == "The bucket policy already denies requests without TLS"
    apply(made, member.session)
    assert len(read(s3, name)["Statement"]) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"Principal": {"AWS": "*"}},
        {"Action": ["s3:*"]},
        {"Action": "*", "Resource": "*"},
        {"Condition": {"Bool": {"aws:securetransport": ["false"]}}},
        {"Condition": {"Bool": {"aws:SecureTransport": False}}},
    ],
)
def test_the_same_written_otherwise_is_enough(member, s3, new_bucket, changes):
    name = new_bucket()
    write(s3, name, {"Version": "2012-10-17", "Statement": [deny_without_tls(name, **changes)]})
    assert not plan(finding_about(member, name), member.session).is_needed


@pytest.mark.parametrize(
    "changes",
    [
        {"Effect": "Allow"},
        {"Principal": {"AWS": "arn:aws:iam::111122223333:root"}},
        {"Action": "s3:GetObject"},
        {"Resource": "arn:aws:s3:::other/*"},
        {"Condition": {"Bool": {"aws:SecureTransport": "true"}}},
        {
            "Condition": {
                "Bool": {"aws:SecureTransport": "false"},
                "StringEquals": {"aws:PrincipalOrgID": "o-1"},
            }
        },
    ],
)
def test_a_weaker_statement_is_not_enough(member, s3, new_bucket, changes):
    name = new_bucket()
    write(s3, name, {"Version": "2012-10-17", "Statement": [deny_without_tls(name, **changes)]})
    assert plan(finding_about(member, name), member.session).is_needed


def test_nothing_is_needed_for_a_bucket_that_is_gone(member):
    made = plan(finding_about(member, "gone-bucket"), member.session)
    assert (made.is_needed, made.description) == (False, "The bucket no longer exists")


def test_a_refusal_is_not_taken_for_an_absence(member, new_bucket):
    def refuse(model, **_):
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, model.name)

    member.session.events.register("before-call.s3.GetBucketPolicy", refuse)
    with pytest.raises(ClientError, match="AccessDenied"):
        plan(finding_about(member, new_bucket()), member.session)


def test_the_statements_are_what_it_takes(prove_statements, member, new_bucket):
    prove_statements(
        "s3_require_tls", finding_about(member, new_bucket()), finding_about(member, new_bucket(OTHER))
    )
