from __future__ import annotations

import pytest

from remediations.contract import CannotRemediateError
from remediations.rds.rds_multi_az import apply, look, plan, undo
from remediations.runbooks import RunbookError

PLACE = {"DBInstanceIdentifier": "shop"}
LOGIN = {"MasterUsername": "root", "MasterUserPassword": "a-test's-own"}


@pytest.fixture
def finding(member, make_shop):
    return member.finding("RDS.5", "AwsRdsDbInstance", make_shop())


def multi_az(rds):
    """Whether the instance is a Multi-AZ deployment, and whether it will be."""
    (found,) = rds.describe_db_instances(**PLACE)["DBInstances"]
    return found["MultiAZ"], found["PendingModifiedValues"].get("MultiAZ", False)


def test_a_plan_changes_nothing(member, rds, finding):
    made = plan(finding, member.session)
    assert (made.is_needed, made.description) == (True, "Turn on MultiAZ")
    assert "can be canceled or fail until then" in made.remains
    assert multi_az(rds) == (False, False)


def test_the_runbook_has_it_turned_on_in_the_maintenance_window_until_it_is_undone(
    member, rds, finding, with_automation_role
):
    with_automation_role("rds_multi_az")
    change = apply(plan(finding, member.session), member.session)
    assert multi_az(rds) == (False, True)
    assert change.description.startswith(
        "Turned on MultiAZ by AWSConfigRemediation-EnableMultiAZOnRDSInstance"
    )
    undo(change, member.session, look(change, member.session))
    assert multi_az(rds) == (False, False)


def test_while_it_awaits_the_maintenance_window_nothing_is_needed_but_it_is_not_settled(
    member, finding, with_automation_role
):
    with_automation_role("rds_multi_az")
    apply(plan(finding, member.session), member.session)
    made = plan(finding, member.session)
    assert not made.is_needed
    assert made.description == "MultiAZ is already pending"
    assert made.remains == (
        "The instance becomes a Multi-AZ deployment in its maintenance window, and that can be canceled or "
        "fail until then"
    )


def test_an_instance_that_is_a_multi_az_deployment_needs_nothing(member, rds, finding):
    rds.modify_db_instance(**PLACE, MultiAZ=True, ApplyImmediately=True)
    made = plan(finding, member.session)
    assert (made.is_needed, made.description, made.remains) == (
        False,
        "The instance is already a Multi-AZ deployment",
        "",
    )


def test_an_instance_that_is_not_available_is_not_changed_and_the_step_named(
    member, rds, finding, with_automation_role
):
    with_automation_role("rds_multi_az")
    made = plan(finding, member.session)
    rds.stop_db_instance(**PLACE)
    with pytest.raises(
        RunbookError, match=r"Failed at VerifyDBInstanceStatus: .*DBInstanceStatus is stopped"
    ):
        apply(made, member.session)
    assert multi_az(rds) == (False, False)


@pytest.mark.parametrize("action", ["rds:DescribeDBInstances", "rds:ModifyDBInstance"])
def test_without_one_action_of_its_role_the_runbook_fails(member, rds, finding, with_automation_role, action):
    with_automation_role("rds_multi_az", without=[action])
    with pytest.raises(RunbookError, match=f"does not allow {action}"):
        apply(plan(finding, member.session), member.session)
    assert multi_az(rds) == (False, False)


def test_an_instance_that_is_not_found_is_not_settled_because_it_can_have_been_renamed(member, rds, finding):
    rds.delete_db_instance(**PLACE, SkipFinalSnapshot=True)
    with pytest.raises(CannotRemediateError, match="There is no database"):
        plan(finding, member.session)


def test_an_instance_of_a_cluster_is_refused_and_the_cluster_named(member, rds):
    rds.create_db_cluster(DBClusterIdentifier="shops", Engine="aurora-postgresql", **LOGIN)
    made = rds.create_db_instance(
        **PLACE, DBInstanceClass="db.t3.medium", Engine="aurora-postgresql", DBClusterIdentifier="shops"
    )
    finding = member.finding("RDS.5", "AwsRdsDbInstance", made["DBInstance"]["DBInstanceArn"])
    with pytest.raises(CannotRemediateError, match="belongs to the DB cluster shops"):
        plan(finding, member.session)


def test_the_statements_are_what_it_takes(prove_statements, finding, with_automation_role):
    with_automation_role("rds_multi_az")
    prove_statements("rds_multi_az", finding)
