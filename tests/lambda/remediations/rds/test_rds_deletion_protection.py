from __future__ import annotations

from dataclasses import replace

import pytest

from remediations.contract import CannotRemediateError
from remediations.rds.rds_deletion_protection import apply, look, plan, undo

LOGIN = {"MasterUsername": "root", "MasterUserPassword": "a-test's-own"}


@pytest.fixture
def cluster(member, rds):
    made = rds.create_db_cluster(DBClusterIdentifier="shops", Engine="aurora-postgresql", **LOGIN)
    return member.finding("RDS.7", "AwsRdsDbCluster", made["DBCluster"]["DBClusterArn"])


@pytest.fixture
def instance(member, make_shop):
    return member.finding("RDS.8", "AwsRdsDbInstance", make_shop())


@pytest.fixture(params=["cluster", "instance"])
def subject(request, rds):
    """A finding, whether what it is about is protected, and a function that deletes that."""
    finding = request.getfixturevalue(request.param)

    def is_protected():
        if request.param == "cluster":
            return rds.describe_db_clusters(DBClusterIdentifier="shops")["DBClusters"][0][
                "DeletionProtection"
            ]
        return rds.describe_db_instances(DBInstanceIdentifier="shop")["DBInstances"][0]["DeletionProtection"]

    def delete():
        if request.param == "cluster":
            rds.delete_db_cluster(DBClusterIdentifier="shops", SkipFinalSnapshot=True)
        else:
            rds.delete_db_instance(DBInstanceIdentifier="shop", SkipFinalSnapshot=True)

    return finding, is_protected, delete


def test_a_plan_changes_nothing(member, subject):
    finding, is_protected, _ = subject
    made = plan(finding, member.session)
    assert (made.is_needed, made.description) == (True, "Turn on DeletionProtection")
    assert not is_protected()


def test_it_is_turned_on_and_off_again(member, subject):
    finding, is_protected, _ = subject
    change = apply(plan(finding, member.session), member.session)
    assert is_protected()
    assert change.description == "Turned on DeletionProtection"
    undo(change, member.session, look(change, member.session))
    assert not is_protected()


def test_there_is_nothing_to_restore_of_what_is_gone(member, subject):
    finding, _, delete = subject
    change = apply(plan(finding, member.session), member.session)
    undo(change, member.session, look(change, member.session))
    delete()
    with pytest.raises(CannotRemediateError, match="was deleted, or renamed"):
        look(change, member.session)


def test_a_database_to_which_the_name_has_passed_on_stays_protected(member, subject):
    finding, _, _ = subject
    change = apply(plan(finding, member.session), member.session)
    (unique,) = {"DbiResourceId", "DbClusterResourceId"} & set(change.prior_state)
    renamed = replace(change, prior_state={**change.prior_state, unique: "RENAMED"})
    with pytest.raises(CannotRemediateError, match="was deleted, or renamed"):
        look(renamed, member.session)
    # Records of version 0.1.0 don't say which one it was.
    state = {name: value for name, value in change.prior_state.items() if name != unique}
    older = replace(change, prior_state=state)
    undo(older, member.session, look(older, member.session))


def test_a_second_time_nothing_is_needed(member, subject):
    finding, _, _ = subject
    apply(plan(finding, member.session), member.session)
    made = plan(finding, member.session)
    assert (made.is_needed, made.description) == (False, "DeletionProtection is already on")


def test_a_database_that_is_not_found_is_not_settled_because_it_can_have_been_renamed(member, subject):
    finding, _, delete = subject
    delete()
    with pytest.raises(CannotRemediateError, match="There is no database"):
        plan(finding, member.session)


@pytest.mark.usefixtures("cluster")
def test_an_instance_of_a_cluster_is_refused_and_the_cluster_named(member, rds):
    made = rds.create_db_instance(
        DBInstanceIdentifier="shop",
        DBInstanceClass="db.t3.medium",
        Engine="aurora-postgresql",
        DBClusterIdentifier="shops",
    )
    finding = member.finding("RDS.8", "AwsRdsDbInstance", made["DBInstance"]["DBInstanceArn"])
    with pytest.raises(CannotRemediateError, match="belongs to the DB cluster shops"):
        plan(finding, member.session)


def test_a_cluster_is_not_taken_for_an_instance(member, cluster):
    finding = member.finding("RDS.8", "AwsRdsDbCluster", cluster.resources[0].id)
    with pytest.raises(CannotRemediateError, match="0 resources of type AwsRdsDbInstance"):
        plan(finding, member.session)


def test_another_control_is_refused(member, cluster):
    finding = member.finding("RDS.2", "AwsRdsDbCluster", cluster.resources[0].id)
    with pytest.raises(CannotRemediateError, match=r"control RDS\.2"):
        plan(finding, member.session)


def test_the_statements_are_what_it_takes(prove_statements, cluster, instance):
    prove_statements("rds_deletion_protection", cluster, instance)
