from __future__ import annotations

from dataclasses import replace

import pytest
from botocore.exceptions import ClientError

from remediations.contract import CannotRemediateError
from remediations.rds import rds_public_snapshot
from remediations.rds.rds_public_snapshot import apply, look, plan, undo

LOGIN = {"MasterUsername": "root", "MasterUserPassword": "a-test's-own"}
PARTNER = "444455556666"


@pytest.fixture
def of_cluster(member, rds):
    """A finding about a cluster's snapshot, and functions that list who has it, share and delete it."""
    rds.create_db_cluster(DBClusterIdentifier="shops", Engine="aurora-postgresql", **LOGIN)
    place = {"DBClusterSnapshotIdentifier": "snap"}
    made = rds.create_db_cluster_snapshot(**place, DBClusterIdentifier="shops")["DBClusterSnapshot"]

    def shared_with():
        found = rds.describe_db_cluster_snapshot_attributes(**place)["DBClusterSnapshotAttributesResult"]
        return set(found["DBClusterSnapshotAttributes"][0]["AttributeValues"])

    def share(*accounts):
        rds.modify_db_cluster_snapshot_attribute(**place, AttributeName="restore", ValuesToAdd=list(accounts))

    finding = member.finding("RDS.1", "AwsRdsDbClusterSnapshot", made["DBClusterSnapshotArn"])
    return finding, shared_with, share, lambda: rds.delete_db_cluster_snapshot(**place)


@pytest.fixture
def of_instance(member, rds):
    """The same of an instance."""
    rds.create_db_instance(
        DBInstanceIdentifier="shop",
        DBInstanceClass="db.t3.micro",
        Engine="mysql",
        AllocatedStorage=20,
        **LOGIN,
    )
    place = {"DBSnapshotIdentifier": "snap"}
    made = rds.create_db_snapshot(**place, DBInstanceIdentifier="shop")["DBSnapshot"]

    def shared_with():
        found = rds.describe_db_snapshot_attributes(**place)["DBSnapshotAttributesResult"]
        return set(found["DBSnapshotAttributes"][0]["AttributeValues"])

    def share(*accounts):
        rds.modify_db_snapshot_attribute(**place, AttributeName="restore", ValuesToAdd=list(accounts))

    finding = member.finding("RDS.1", "AwsRdsDbSnapshot", made["DBSnapshotArn"])
    return finding, shared_with, share, lambda: rds.delete_db_snapshot(**place)


@pytest.fixture(params=["of_cluster", "of_instance"])
def snapshot(request):
    return request.getfixturevalue(request.param)


def test_only_everybody_loses_the_snapshot_and_gets_it_back(member, snapshot):
    finding, shared_with, share, _ = snapshot
    share("all", PARTNER)
    change = apply(plan(finding, member.session), member.session)
    assert shared_with() == {PARTNER}
    assert change.description == "Stopped sharing the snapshot with everybody"
    undo(change, member.session, look(change, member.session))
    assert shared_with() == {"all", PARTNER}


def test_an_undo_notices_that_the_snapshot_was_deleted(member, snapshot, changed_since):
    finding, _, share, delete = snapshot
    share("all")
    change = apply(plan(finding, member.session), member.session)
    delete()
    assert changed_since(look, change) == ["The snapshot is deleted instead of private"]


def test_another_snapshot_that_has_the_name_by_now_is_left_alone(member, snapshot, changed_since):
    finding, _, share, _ = snapshot
    share("all")
    change = apply(plan(finding, member.session), member.session)
    # As if it had been taken earlier: the embedded AWS knows only seconds.
    earlier = {**change.prior_state, "SnapshotCreateTime": "2026-01-02T03:04:05+00:00"}
    assert changed_since(look, replace(change, prior_state=earlier)) == [
        "The snapshot is deleted, and another one has its name, instead of private"
    ]


def test_a_record_that_doesnt_say_when_the_snapshot_was_taken_is_undone(member, snapshot):
    finding, shared_with, share, _ = snapshot
    share("all")
    change = apply(plan(finding, member.session), member.session)
    state = {name: value for name, value in change.prior_state.items() if name != "SnapshotCreateTime"}
    assert state != change.prior_state
    change = replace(change, prior_state=state)
    undo(change, member.session, look(change, member.session))
    assert shared_with() == {"all"}


def test_a_record_of_the_last_release_needs_no_permission_that_its_role_lacks(member, snapshot, monkeypatch):
    finding, _, share, _ = snapshot
    share("all")
    change = apply(plan(finding, member.session), member.session)
    state = {name: value for name, value in change.prior_state.items() if name != "SnapshotCreateTime"}

    def refuse(*_):
        raise AssertionError("rds:DescribeDBSnapshots is only in roles that were deployed since")

    monkeypatch.setattr(rds_public_snapshot, "_taken", refuse)
    (setting,) = look(replace(change, prior_state=state), member.session)
    assert setting.now == "private"


def test_a_plan_changes_nothing(member, snapshot):
    finding, shared_with, share, _ = snapshot
    share("all")
    made = plan(finding, member.session)
    assert (made.is_needed, made.description) == (True, "Stop sharing the snapshot with everybody")
    assert shared_with() == {"all"}


def test_the_plan_does_not_depend_on_the_order_of_the_accounts(snapshot, plan_in_both_orders):
    finding, _, share, _ = snapshot
    share("all", PARTNER)
    first, other = plan_in_both_orders(plan, finding)
    assert set(first.prior_state["SharedWith"]) == {"all", PARTNER}
    assert other == first


def test_a_second_time_nothing_is_needed(member, snapshot):
    finding, _, share, _ = snapshot
    share("all")
    apply(plan(finding, member.session), member.session)
    assert not plan(finding, member.session).is_needed


def test_sharing_with_an_account_needs_nothing(member, snapshot):
    finding, _, share, _ = snapshot
    share(PARTNER)
    made = plan(finding, member.session)
    assert (made.is_needed, made.description) == (False, "The snapshot isn't shared with everybody")


def test_nothing_is_needed_for_a_snapshot_that_is_gone(member, snapshot):
    finding, _, _, delete = snapshot
    delete()
    made = plan(finding, member.session)
    assert (made.is_needed, made.description) == (False, "The snapshot no longer exists")


def test_a_refusal_is_not_taken_for_an_absence(member, snapshot):
    def refuse(model, **_):
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, model.name)

    member.session.events.register("before-call.rds", refuse)
    with pytest.raises(ClientError, match="AccessDenied"):
        plan(snapshot[0], member.session)


def test_a_resource_that_is_no_snapshot_is_refused(member):
    with pytest.raises(CannotRemediateError, match="must be an ARN such as"):
        plan(member.finding("RDS.1", "AwsRdsDbSnapshot", "snap"), member.session)


def test_the_statements_are_what_it_takes(prove_statements, of_cluster, of_instance):
    for _, _, share, _ in (of_cluster, of_instance):
        share("all")
    prove_statements("rds_public_snapshot", of_cluster[0], of_instance[0])
