from __future__ import annotations

from dataclasses import replace

import boto3
import pytest

from remediations.contract import CannotRemediateError
from remediations.kms.kms_key_rotation import apply, look, plan, undo


@pytest.fixture
def kms(member):
    return member.client("kms")


@pytest.fixture
def key(kms):
    return kms.create_key()["KeyMetadata"]["Arn"]


def finding_about(member, key):
    return member.finding("KMS.4", "AwsKmsKey", key)


def rotates(kms, key):
    return kms.get_key_rotation_status(KeyId=key)["KeyRotationEnabled"]


def test_rotation_is_turned_on_and_off_again(member, kms, key):
    change = apply(plan(finding_about(member, key), member.session), member.session)
    assert rotates(kms, key)
    assert not plan(finding_about(member, key), member.session).is_needed
    undo(change, member.session, look(change, member.session))
    assert not rotates(kms, key)


def test_an_undo_notices_that_somebody_has_chosen_another_period_since(member, kms, key, changed_since):
    change = apply(plan(finding_about(member, key), member.session), member.session)
    kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=90)
    assert changed_since(look, change) == ["Rotation of the key is every 90 days instead of every 365 days"]


def test_a_plan_changes_nothing(member, kms, key):
    assert plan(finding_about(member, key), member.session).is_needed
    assert not rotates(kms, key)


def test_a_key_that_is_pending_deletion_is_refused_because_the_deletion_can_be_canceled(member, kms, key):
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    with pytest.raises(CannotRemediateError, match="KeyState is Enabled only; this one's is PendingDeletion"):
        plan(finding_about(member, key), member.session)


def test_nothing_is_needed_for_a_key_that_is_gone(member):
    key = f"arn:aws:kms:{member.region}:{member.account}:key/00000000-0000-0000-0000-000000000000"
    assert not plan(finding_about(member, key), member.session).is_needed


def test_there_is_nothing_to_restore_of_a_key_that_is_gone(member, key):
    change = apply(plan(finding_about(member, key), member.session), member.session)
    gone = replace(change, resource=f"{key.rpartition('/')[0]}/00000000-0000-0000-0000-000000000000")
    with pytest.raises(CannotRemediateError, match="The key no longer exists"):
        look(gone, member.session)


@pytest.mark.parametrize("code", ["DisabledException", "KMSInvalidStateException"])
def test_the_rotation_of_a_key_that_is_not_enabled_is_not_undone(member, key, code):
    change = apply(plan(finding_about(member, key), member.session), member.session)

    def refuse(http_response, parsed, **_):
        http_response.status_code = 400
        parsed["Error"] = {"Code": code, "Message": f"{key} is disabled."}

    member.register("after-call.kms.DisableKeyRotation", refuse)
    with pytest.raises(CannotRemediateError, match=r"is disabled\. Enable the key, or cancel its deletion"):
        undo(change, member.session, look(change, member.session))


def test_a_key_that_kms_cannot_rotate_is_refused(member, kms):
    key = kms.create_key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")["KeyMetadata"]["Arn"]
    with pytest.raises(
        CannotRemediateError, match="KeySpec is SYMMETRIC_DEFAULT only; this one's is HMAC_256"
    ):
        plan(finding_about(member, key), member.session)


def test_a_replica_is_left_to_its_primary_key(member, kms):
    primary = kms.create_key(MultiRegion=True)["KeyMetadata"]["Arn"]
    replica = kms.replicate_key(KeyId=primary, ReplicaRegion="us-east-1")["ReplicaKeyMetadata"]["Arn"]
    with pytest.raises(CannotRemediateError, match=f"Remediate the finding of its primary key, {primary}"):
        plan(replace(finding_about(member, replica), region="us-east-1"), in_region(member, "us-east-1"))


def in_region(member, region):
    """The member's session for another region."""
    credentials = member.session.get_credentials()
    return boto3.Session(credentials.access_key, credentials.secret_key, region_name=region)


def test_the_statements_are_what_it_takes(prove_statements, member, key):
    prove_statements("kms_key_rotation", finding_about(member, key))
