from __future__ import annotations

import pytest

from remediations.registry import all_remediations

SWITCH = all_remediations()["ebs_default_encryption"]
plan, apply, look, undo = SWITCH.plan, SWITCH.apply, SWITCH.look, SWITCH.undo


@pytest.fixture
def finding(member):
    return member.finding("EC2.7", "AwsAccount", f"AWS::::Account:{member.account}")


def is_on(member):
    return member.client("ec2").get_ebs_encryption_by_default()["EbsEncryptionByDefault"]


def test_a_plan_changes_nothing(member, finding):
    assert plan(finding, member.session).is_needed
    assert not is_on(member)


def test_it_is_turned_on_and_off_again(member, finding):
    change = apply(plan(finding, member.session), member.session)
    assert is_on(member)
    assert change.description == "Turned on EBS encryption by default in eu-west-1"
    undo(change, member.session, look(change, member.session))
    assert not is_on(member)


def test_nothing_is_needed_where_it_is_on(member, finding):
    member.client("ec2").enable_ebs_encryption_by_default()
    made = plan(finding, member.session)
    assert not made.is_needed
    assert made.description == "EBS encryption by default is already on in eu-west-1"


def test_the_statements_are_what_it_takes(prove_statements, finding):
    prove_statements("ebs_default_encryption", finding)
