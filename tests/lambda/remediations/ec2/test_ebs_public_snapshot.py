from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from remediations.contract import CannotRemediateError, PartlyUndoneError
from remediations.ec2.ebs_public_snapshot import apply, look, plan, tags_of_changed, undo
from remediations.registry import all_remediations


@pytest.fixture
def ec2(member):
    return member.client("ec2")


@pytest.fixture
def snapshots(ec2):
    """Two public snapshots, and one that is private."""
    volume = ec2.create_volume(AvailabilityZone="eu-west-1a", Size=1)["VolumeId"]
    made = [ec2.create_snapshot(VolumeId=volume)["SnapshotId"] for _ in range(3)]
    for snapshot in made[:2]:
        ec2.modify_snapshot_attribute(
            SnapshotId=snapshot,
            Attribute="createVolumePermission",
            OperationType="add",
            GroupNames=["all"],
        )
    return made


@pytest.fixture
def finding(member):
    return member.finding("EC2.1", "AwsAccount", f"AWS::::Account:{member.account}")


def public(ec2):
    found = ec2.describe_snapshots(OwnerIds=["self"], RestorableByUserIds=["all"])["Snapshots"]
    return {snapshot["SnapshotId"] for snapshot in found}


def test_a_plan_names_the_public_snapshots_and_changes_nothing(member, ec2, snapshots, finding):
    made = plan(finding, member.session)
    named = ", ".join(sorted(snapshots[:2]))
    assert made.description == f"Make 2 public snapshot(s) private in eu-west-1: {named}"
    assert public(ec2) == set(snapshots[:2])


def test_they_are_made_private_and_undoing_makes_the_same_public(member, ec2, snapshots, finding):
    change = apply(plan(finding, member.session), member.session)
    assert public(ec2) == set()
    undo(change, member.session, look(change, member.session))
    assert public(ec2) == set(snapshots[:2])


def test_an_undo_notices_a_snapshot_that_was_deleted(member, ec2, snapshots, finding, changed_since):
    change = apply(plan(finding, member.session), member.session)
    ec2.delete_snapshot(SnapshotId=snapshots[0])
    assert changed_since(look, change) == [f"{snapshots[0]} is deleted instead of private"]


@pytest.mark.usefixtures("snapshots")
def test_a_second_time_nothing_is_needed(member, finding):
    apply(plan(finding, member.session), member.session)
    made = plan(finding, member.session)
    assert (made.is_needed, made.description) == (False, "No snapshot is public in eu-west-1")


def test_one_that_was_deleted_meanwhile_does_not_keep_the_others_public(member, ec2, snapshots, finding):
    made = plan(finding, member.session)
    ec2.delete_snapshot(SnapshotId=min(snapshots[:2]))
    apply(made, member.session)
    assert public(ec2) == set()


def refuse(member, snapshots, code):
    """Policies with conditions on tags, and what an account blocks, which the embedded AWS doesn't have."""

    def raise_error(params, model, **_):
        if params["body"]["SnapshotId"] in snapshots:
            raise ClientError({"Error": {"Code": code, "Message": "Not this one."}}, model.name)

    member.register("before-call.ec2.ModifySnapshotAttribute", raise_error)


def test_one_that_a_policy_protects_does_not_keep_the_others_public(member, ec2, snapshots, finding):
    made = plan(finding, member.session)
    first, second = sorted(snapshots[:2])
    refuse(member, [first], "UnauthorizedOperation")
    with pytest.raises(ClientError, match="UnauthorizedOperation"):
        apply(made, member.session)
    assert public(ec2) == {first}
    assert plan(finding, member.session).prior_state == {"SnapshotIds": [first]}
    assert second in made.prior_state["SnapshotIds"]


def test_snapshots_that_ec2_does_not_let_be_public_again_are_told(member, ec2, snapshots, finding):
    change = apply(plan(finding, member.session), member.session)
    first, second = sorted(snapshots[:2])
    settings = look(change, member.session)
    blocked = [first]
    refuse(member, blocked, "OperationNotPermitted")
    message = f"they stay private: {first}. It says: Not this one."
    with pytest.raises(PartlyUndoneError, match=message):
        undo(change, member.session, settings)
    assert public(ec2) == {second}
    blocked.append(second)
    with pytest.raises(CannotRemediateError, match="they stay private") as found:
        undo(change, member.session, settings)
    assert not isinstance(found.value, PartlyUndoneError)


def test_a_permission_to_make_them_public_again_that_is_missing_is_retried(member, snapshots, finding):
    change = apply(plan(finding, member.session), member.session)
    refuse(member, snapshots, "UnauthorizedOperation")
    with pytest.raises(ClientError, match="UnauthorizedOperation"):
        undo(change, member.session, look(change, member.session))


def test_the_tags_are_those_of_the_snapshots_that_are_changed_and_still_there(
    member, ec2, snapshots, finding
):
    first, second, private = sorted(snapshots[:2]) + snapshots[2:]
    ec2.create_tags(Resources=[first, private], Tags=[{"Key": "keep", "Value": "yes"}])
    change = apply(plan(finding, member.session), member.session)
    assert tags_of_changed(change, member.session) == {first: {"keep": "yes"}, second: {}}
    ec2.delete_snapshot(SnapshotId=second)
    assert tags_of_changed(change, member.session) == {first: {"keep": "yes"}}


def test_a_finding_that_is_not_about_the_account_is_refused(member):
    with pytest.raises(CannotRemediateError, match="0 resources of type AwsAccount"):
        plan(member.finding("EC2.1", "AwsEc2Volume", "vol-0abc"), member.session)


def test_the_tags_of_the_snapshots_decide_and_not_those_of_the_account():
    assert all_remediations()["ebs_public_snapshot"].tags_of_changed.__wrapped__ is tags_of_changed


@pytest.mark.usefixtures("snapshots")
def test_the_statements_are_what_it_takes(prove_statements, finding):
    prove_statements("ebs_public_snapshot", finding)
