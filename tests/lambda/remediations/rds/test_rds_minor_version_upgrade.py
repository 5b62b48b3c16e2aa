from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from remediations.contract import CannotRemediateError
from remediations.registry import all_remediations

SWITCH = all_remediations()["rds_minor_version_upgrade"]
plan, apply, look, undo = SWITCH.plan, SWITCH.apply, SWITCH.look, SWITCH.undo


@pytest.fixture
def finding(member, make_shop):
    arn = make_shop(engine="mysql", AutoMinorVersionUpgrade=False)
    return member.finding("RDS.13", "AwsRdsDbInstance", arn)


def is_on(rds):
    shop = rds.describe_db_instances(DBInstanceIdentifier="shop")["DBInstances"][0]
    return shop["AutoMinorVersionUpgrade"]


def test_a_plan_changes_nothing(member, rds, finding):
    made = plan(finding, member.session)
    assert (made.is_needed, made.description) == (True, "Turn on AutoMinorVersionUpgrade")
    assert not is_on(rds)


def test_it_is_turned_on_and_off_again(member, rds, finding):
    change = apply(plan(finding, member.session), member.session)
    assert is_on(rds)
    assert change.description == "Turned on AutoMinorVersionUpgrade"
    undo(change, member.session, look(change, member.session))
    assert not is_on(rds)


def test_a_second_time_nothing_is_needed(member, finding):
    apply(plan(finding, member.session), member.session)
    made = plan(finding, member.session)
    assert (made.is_needed, made.description) == (False, "AutoMinorVersionUpgrade is already on")


def test_an_instance_that_is_not_found_is_not_settled_because_it_can_have_been_renamed(member, rds, finding):
    rds.delete_db_instance(DBInstanceIdentifier="shop", SkipFinalSnapshot=True)
    with pytest.raises(CannotRemediateError, match="was deleted, or renamed"):
        plan(finding, member.session)


@pytest.mark.parametrize(
    ("code", "error"),
    [("InvalidParameterCombination", CannotRemediateError), ("InvalidDBInstanceState", ClientError)],
)
def test_a_setting_that_is_the_clusters_is_for_a_person_and_a_busy_instance_is_retried(
    member, finding, code, error
):
    told = {"Code": code, "Message": "AutoMinorVersionUpgrade is a cluster setting."}

    def refuse(model, **_):
        """As Amazon RDS refuses it for instances of Amazon DocumentDB."""
        raise ClientError({"Error": told}, model.name)

    made = plan(finding, member.session)
    member.register("before-call.rds.ModifyDBInstance", refuse)
    with pytest.raises(error, match="is a cluster setting"):
        apply(made, member.session)


def test_the_statements_are_what_it_takes(prove_statements, finding):
    prove_statements("rds_minor_version_upgrade", finding)
