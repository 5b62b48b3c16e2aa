from __future__ import annotations

from dataclasses import replace

import pytest

from remediations.contract import CannotRemediateError
from remediations.rds.documentdb_backup_retention import apply, look, plan, undo
from remediations.runbooks import RunbookError

PLACE = {"DBClusterIdentifier": "documents"}
LOGIN = {"MasterUsername": "root", "MasterUserPassword": "a-test's-own"}


@pytest.fixture
def finding(member, rds):
    made = rds.create_db_cluster(**PLACE, Engine="docdb", BackupRetentionPeriod=2, **LOGIN)["DBCluster"]
    return member.finding("DocumentDB.2", "AwsRdsDbCluster", made["DBClusterArn"])


def days(rds):
    return rds.describe_db_clusters(**PLACE)["DBClusters"][0]["BackupRetentionPeriod"]


def test_a_plan_changes_nothing(member, rds, finding):
    assert plan(finding, member.session).description == "Retain backups for 7 days instead of 2"
    assert days(rds) == 2


def test_the_runbook_sets_the_days_and_undoing_restores_them(member, rds, finding, with_automation_role):
    with_automation_role("documentdb_backup_retention")
    change = apply(plan(finding, member.session), member.session)
    assert days(rds) == 7
    assert not plan(finding, member.session).is_needed
    undo(change, member.session, look(change, member.session))
    assert days(rds) == 2


def test_an_undo_notices_that_somebody_has_chosen_more_days_since(
    member, rds, finding, with_automation_role, changed_since
):
    with_automation_role("documentdb_backup_retention")
    change = apply(plan(finding, member.session), member.session)
    rds.modify_db_cluster(**PLACE, BackupRetentionPeriod=35)
    assert changed_since(look, change) == ["BackupRetentionPeriod is 35 instead of 7"]


def test_an_undo_notices_that_the_cluster_is_gone_or_its_name_has_passed_on(
    member, rds, finding, with_automation_role
):
    with_automation_role("documentdb_backup_retention")
    change = apply(plan(finding, member.session), member.session)
    state = {**change.prior_state, "DbClusterResourceId": "cluster-ANOTHER"}
    with pytest.raises(CannotRemediateError, match="was deleted, or renamed"):
        look(replace(change, prior_state=state), member.session)
    rds.delete_db_cluster(**PLACE, SkipFinalSnapshot=True)
    with pytest.raises(CannotRemediateError, match="was deleted, or renamed"):
        look(change, member.session)


@pytest.mark.parametrize("action", ["rds:DescribeDBClusters", "rds:ModifyDBCluster"])
def test_without_one_action_of_its_role_the_runbook_fails(member, rds, finding, with_automation_role, action):
    with_automation_role("documentdb_backup_retention", without=[action])
    with pytest.raises(RunbookError, match=f"does not allow {action}"):
        apply(plan(finding, member.session), member.session)
    assert days(rds) == 2


def test_a_cluster_of_another_engine_is_refused(member, rds):
    made = rds.create_db_cluster(**PLACE, Engine="neptune")["DBCluster"]
    with pytest.raises(CannotRemediateError, match="engine is neptune, but the control is about docdb"):
        plan(member.finding("DocumentDB.2", "AwsRdsDbCluster", made["DBClusterArn"]), member.session)


def test_the_statements_are_what_it_takes(prove_statements, finding, with_automation_role):
    with_automation_role("documentdb_backup_retention")
    prove_statements("documentdb_backup_retention", finding)
