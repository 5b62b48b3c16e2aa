from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from remediations.contract import CannotRemediateError
from remediations.rds.neptune_backup_retention import RUNBOOK, apply, look, plan, undo
from remediations.runbooks import RunbookError, RunbookStillRunningError

PLACE = {"DBClusterIdentifier": "graph"}


@pytest.fixture
def ssm(member):
    return member.client("ssm")


@pytest.fixture
def finding(member, rds):
    made = rds.create_db_cluster(**PLACE, Engine="neptune", BackupRetentionPeriod=1)["DBCluster"]
    return member.finding("Neptune.5", "AwsRdsDbCluster", made["DBClusterArn"])


@pytest.fixture
def customized(member, finding):
    """A function that returns the finding of a control whose parameter was customized."""

    def make(value):
        parameters = [{"Name": "minimumBackupRetentionPeriod", "Value": value}]
        compliance = {"SecurityControlId": "Neptune.5", "SecurityControlParameters": parameters}
        resource = finding.resources[0]
        return member.finding("Neptune.5", resource.type, resource.id, raw={"Compliance": compliance})

    return make


def days(rds):
    return rds.describe_db_clusters(**PLACE)["DBClusters"][0]["BackupRetentionPeriod"]


def executions(ssm):
    filters = [{"Key": "DocumentNamePrefix", "Values": [RUNBOOK]}]
    return ssm.describe_automation_executions(Filters=filters)["AutomationExecutionMetadataList"]


def test_a_plan_changes_nothing_and_starts_nothing(member, rds, ssm, finding):
    made = plan(finding, member.session)
    assert (made.is_needed, made.description) == (True, "Retain backups for 7 days instead of 1")
    assert days(rds) == 1
    assert executions(ssm) == []


def test_the_runbook_sets_the_days_and_undoing_restores_them(member, rds, ssm, finding, with_automation_role):
    with_automation_role("neptune_backup_retention")
    change = apply(plan(finding, member.session), member.session)
    assert days(rds) == 7
    (execution,) = executions(ssm)
    assert execution["AutomationExecutionStatus"] == "Success"
    assert change.description == (
        f"Retain backups for 7 days instead of 1 by {RUNBOOK}, execution {execution['AutomationExecutionId']}"
    )
    undo(change, member.session, look(change, member.session))
    assert days(rds) == 1


def test_a_second_time_nothing_is_needed(member, finding, with_automation_role):
    with_automation_role("neptune_backup_retention")
    apply(plan(finding, member.session), member.session)
    made = plan(finding, member.session)
    assert (made.is_needed, made.description) == (False, "Backups are already retained for 7 days")


def test_the_days_that_a_customized_control_asks_for_are_set(member, rds, customized, with_automation_role):
    with_automation_role("neptune_backup_retention")
    apply(plan(customized(["14"]), member.session), member.session)
    assert days(rds) == 14


def test_a_customized_control_without_a_value_asks_for_the_default(member, customized):
    assert plan(customized([]), member.session).description == "Retain backups for 7 days instead of 1"


@pytest.mark.parametrize("value", [["36"], ["6"], ["many"], ["7", "8"]])
def test_days_that_the_runbook_does_not_take_are_refused(member, customized, value):
    with pytest.raises(CannotRemediateError, match="accepts one number from 7 to 35"):
        plan(customized(value), member.session)


def test_a_cluster_that_is_not_available_is_waited_for_and_the_retry_starts_no_second_execution(
    member, rds, ssm, finding, with_automation_role
):
    with_automation_role("neptune_backup_retention")
    made = plan(finding, member.session)
    rds.stop_db_cluster(**PLACE)
    for _ in range(2):
        with pytest.raises(RunbookStillRunningError, match="is still running, at VerifyNeptuneDbStatus"):
            apply(made, member.session)
    (execution,) = executions(ssm)
    assert execution["AutomationExecutionStatus"] == "InProgress"
    assert days(rds) == 1

    # The cluster starts when the retry has found the execution. If it had ended before, only the token, which
    # is valid for a minute, would keep the retry from starting another.
    def start(**_):
        if not started:
            started.append(rds.start_db_cluster(**PLACE))

    started = []
    member.register("before-call.ssm.GetAutomationExecution", start)

    change = apply(made, member.session)
    assert execution["AutomationExecutionId"] in change.description
    assert days(rds) == 7


def test_an_execution_for_another_cluster_is_not_waited_for(member, rds, ssm, finding, with_automation_role):
    with_automation_role("neptune_backup_retention")
    other = rds.create_db_cluster(DBClusterIdentifier="other", Engine="neptune", BackupRetentionPeriod=1)
    made = plan(finding, member.session)
    rds.stop_db_cluster(**PLACE)
    with pytest.raises(RunbookStillRunningError):
        apply(made, member.session)
    another = member.finding("Neptune.5", "AwsRdsDbCluster", other["DBCluster"]["DBClusterArn"])
    apply(plan(another, member.session), member.session)
    assert len(executions(ssm)) == 2


def test_a_cancelled_execution_is_an_error_that_names_it_and_the_step(
    member, rds, ssm, finding, with_automation_role
):
    with_automation_role("neptune_backup_retention")
    made = plan(finding, member.session)
    rds.stop_db_cluster(**PLACE)
    with pytest.raises(RunbookStillRunningError):
        apply(made, member.session)
    (execution,) = executions(ssm)
    ssm.stop_automation_execution(AutomationExecutionId=execution["AutomationExecutionId"])
    with pytest.raises(
        RunbookError, match=f"{execution['AutomationExecutionId']} .*Cancelled at VerifyNeptune"
    ):
        apply(made, member.session)


@pytest.mark.parametrize("action", ["rds:DescribeDBClusters", "rds:ModifyDBCluster"])
def test_without_one_action_of_its_role_the_runbook_fails_at_the_step_and_says_so(
    member, rds, finding, with_automation_role, action
):
    with_automation_role("neptune_backup_retention", without=[action])
    with pytest.raises(RunbookError, match=rf"Failed at \w+: .*does not allow {action}"):
        apply(plan(finding, member.session), member.session)
    assert days(rds) == 1


@pytest.mark.usefixtures("with_automation_role")
def test_without_the_role_nothing_is_started(member, ssm, finding):
    with pytest.raises(ClientError, match="assume role is unable to be assumed"):
        apply(plan(finding, member.session), member.session)
    assert executions(ssm) == []


def test_a_cluster_that_is_not_found_is_not_settled_because_it_can_have_been_renamed(member, rds, finding):
    rds.delete_db_cluster(**PLACE, SkipFinalSnapshot=True)
    with pytest.raises(CannotRemediateError, match="There is no database"):
        plan(finding, member.session)


def test_a_cluster_of_another_engine_is_refused(member, rds):
    made = rds.create_db_cluster(
        **PLACE, Engine="aurora-mysql", MasterUsername="root", MasterUserPassword="a-test's-own"
    )["DBCluster"]
    with pytest.raises(
        CannotRemediateError, match="engine is aurora-mysql, but the control is about neptune"
    ):
        plan(member.finding("Neptune.5", "AwsRdsDbCluster", made["DBClusterArn"]), member.session)


def test_the_statements_are_what_it_takes(prove_statements, finding, with_automation_role):
    with_automation_role("neptune_backup_retention")
    prove_statements("neptune_backup_retention", finding)
