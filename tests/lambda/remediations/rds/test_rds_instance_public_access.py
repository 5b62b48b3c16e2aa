from __future__ import annotations

from dataclasses import replace

import pytest
from botocore.exceptions import ClientError

from remediations.contract import CannotRemediateError
from remediations.registry import all_remediations

SWITCH = all_remediations()["rds_instance_public_access"]
plan, apply, look, undo = SWITCH.plan, SWITCH.apply, SWITCH.look, SWITCH.undo


@pytest.fixture
def finding(member, make_shop):
    arn = make_shop(engine="postgres", PubliclyAccessible=True)
    return member.finding("RDS.2", "AwsRdsDbInstance", arn)


def shop(rds):
    return rds.describe_db_instances(DBInstanceIdentifier="shop")["DBInstances"][0]


def test_a_plan_changes_nothing(member, rds, finding):
    made = plan(finding, member.session)
    assert (made.is_needed, made.description) == (True, "Turn off PubliclyAccessible")
    assert shop(rds)["PubliclyAccessible"]


def test_it_is_turned_off_and_on_again(member, rds, finding):
    change = apply(plan(finding, member.session), member.session)
    assert not shop(rds)["PubliclyAccessible"]
    assert change.description == "Turned off PubliclyAccessible"
    undo(change, member.session, look(change, member.session))
    assert shop(rds)["PubliclyAccessible"]


def test_an_undo_leaves_another_instance_alone_to_which_the_name_has_passed_on(
    member, rds, finding, changed_since
):
    change = apply(plan(finding, member.session), member.session)
    state = {**change.prior_state, "DbiResourceId": "db-RENAMED"}
    other = f"that of another resource, whose DbiResourceId is {shop(rds)['DbiResourceId']},"
    renamed = replace(change, prior_state=state)
    assert changed_since(look, renamed) == [f"PubliclyAccessible is {other} instead of False"]
    # Records of version 0.1.0 don't say which instance it was.
    del state["DbiResourceId"]
    assert changed_since(look, renamed) == []


def test_an_undo_where_the_vpc_lets_no_instance_be_public_is_refused(member, finding):
    """The embedded AWS doesn't look at the VPC."""
    change = apply(plan(finding, member.session), member.session)

    def refuse(model, **_):
        message = "The specified VPC has no internet gateway attached. Update the VPC and then try again"
        error = {"Code": "InvalidVPCNetworkStateFault", "Message": message}
        raise ClientError({"Error": error}, model.name)

    member.register("before-call.rds.ModifyDBInstance", refuse)
    with pytest.raises(
        CannotRemediateError, match=r"AWS refuses to change PubliclyAccessible of .* no internet"
    ):
        undo(change, member.session, look(change, member.session))


def test_a_second_time_nothing_is_needed(member, finding):
    apply(plan(finding, member.session), member.session)
    made = plan(finding, member.session)
    assert (made.is_needed, made.description) == (False, "PubliclyAccessible is already off")


def test_a_change_that_awaits_the_maintenance_window_goes_on_waiting(member, rds, finding):
    rds.modify_db_instance(DBInstanceIdentifier="shop", DBInstanceClass="db.m5.large")
    apply(plan(finding, member.session), member.session)
    assert shop(rds)["DBInstanceClass"] == "db.t3.micro"
    assert shop(rds)["PendingModifiedValues"] == {"DBInstanceClass": "db.m5.large"}


def test_an_instance_that_is_not_found_is_not_settled_because_it_can_have_been_renamed(member, rds, finding):
    rds.delete_db_instance(DBInstanceIdentifier="shop", SkipFinalSnapshot=True)
    with pytest.raises(CannotRemediateError, match="was deleted, or renamed"):
        plan(finding, member.session)


def test_a_refusal_is_not_taken_for_an_absence(member, finding):
    def refuse(model, **_):
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, model.name)

    member.session.events.register("before-call.rds", refuse)
    with pytest.raises(ClientError, match="AccessDenied"):
        plan(finding, member.session)


def test_the_statements_are_what_it_takes(prove_statements, finding):
    prove_statements("rds_instance_public_access", finding)
