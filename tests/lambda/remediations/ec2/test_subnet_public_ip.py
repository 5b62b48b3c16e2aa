from __future__ import annotations

from types import SimpleNamespace

import pytest

from remediations.contract import CannotRemediateError
from remediations.registry import all_remediations

SWITCH = all_remediations()["subnet_public_ip"]
plan, apply, look, undo = SWITCH.plan, SWITCH.apply, SWITCH.look, SWITCH.undo


@pytest.fixture
def ec2(member):
    return member.client("ec2")


@pytest.fixture
def subnet(ec2):
    """A subnet that assigns public addresses."""
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    made = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
    ec2.modify_subnet_attribute(SubnetId=made, MapPublicIpOnLaunch={"Value": True})
    return made


def finding_about(member, subnet):
    arn = f"arn:aws:ec2:{member.region}:{member.account}:subnet/{subnet}"
    return member.finding("EC2.15", "AwsEc2Subnet", arn)


def assigns(ec2, subnet):
    return ec2.describe_subnets(SubnetIds=[subnet])["Subnets"][0]["MapPublicIpOnLaunch"]


def test_a_plan_changes_nothing(member, ec2, subnet):
    assert plan(finding_about(member, subnet), member.session).is_needed
    assert assigns(ec2, subnet)


def test_it_is_turned_off_and_on_again(member, ec2, subnet):
    change = apply(plan(finding_about(member, subnet), member.session), member.session)
    assert not assigns(ec2, subnet)
    assert change.description == "Stopped the subnet from assigning public IPv4 addresses"
    undo(change, member.session, look(change, member.session))
    assert assigns(ec2, subnet)


def test_a_second_time_nothing_is_needed(member, subnet):
    finding = finding_about(member, subnet)
    apply(plan(finding, member.session), member.session)
    made = plan(finding, member.session)
    assert (made.is_needed, made.description) == (
        False,
        "The subnet doesn't assign public IPv4 addresses",
    )


def test_nothing_is_needed_for_a_subnet_that_is_gone(member):
    made = plan(finding_about(member, "subnet-00000000000000000"), member.session)
    assert (made.is_needed, made.description) == (False, "The subnet no longer exists")


@pytest.mark.parametrize("is_needed", [True, False])
def test_whether_a_subnet_assigns_ipv6_addresses_is_for_people_to_decide(member, subnet, is_needed):
    found = {"SubnetId": subnet, "MapPublicIpOnLaunch": is_needed, "AssignIpv6AddressOnCreation": True}
    client = SimpleNamespace(describe_subnets=lambda **_: {"Subnets": [found]})
    made = plan(finding_about(member, subnet), SimpleNamespace(client=lambda _: client))
    assert (made.is_needed, made.remains) == (
        is_needed,
        "Decide manually if the subnet has to assign IPv6 addresses, for which the control also fails",
    )


def test_nothing_remains_of_a_subnet_that_assigns_only_ipv4_addresses(member, subnet):
    assert plan(finding_about(member, subnet), member.session).remains == ""


def test_what_is_not_a_subnet_is_refused(member):
    with pytest.raises(CannotRemediateError, match="must be the ARN or ID of a subnet"):
        plan(finding_about(member, "vpc-0abc"), member.session)


def test_the_statements_are_what_it_takes(prove_statements, member, subnet):
    prove_statements("subnet_public_ip", finding_about(member, subnet))
