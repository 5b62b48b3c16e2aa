from __future__ import annotations

import itertools

import pytest
from botocore.exceptions import ClientError

from remediations.contract import CannotRemediateError, Change, PartlyUndoneError
from remediations.ec2.security_group_open_to_world import apply, look, plan, undo

WORLD, WORLD_6, INSIDE = "0.0.0.0/0", "::/0", "10.0.0.0/8"
_names = itertools.count()


@pytest.fixture
def ec2(member):
    return member.client("ec2")


@pytest.fixture
def new_group(ec2):
    """A function that makes a group with ingress rules: protocol, first and last port, network."""

    def make(*rules):
        group = ec2.create_security_group(GroupName=f"group-{next(_names)}", Description="A test's")[
            "GroupId"
        ]
        allow(ec2, group, *rules)
        return group

    return make


def allow(ec2, group, *rules):
    for protocol, first, last, network in rules:
        ranges = (
            {"Ipv6Ranges": [{"CidrIpv6": network}]}
            if ":" in network
            else {"IpRanges": [{"CidrIp": network, "Description": "why"}]}
        )
        ec2.authorize_security_group_ingress(
            GroupId=group,
            IpPermissions=[{"IpProtocol": protocol, "FromPort": first, "ToPort": last, **ranges}],
        )


def rules_of(ec2, group, *, egress=False):
    found = ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [group]}])
    return {
        (r["IpProtocol"], r["FromPort"], r["ToPort"], r.get("CidrIpv4") or r.get("CidrIpv6"))
        for r in found["SecurityGroupRules"]
        if r["IsEgress"] == egress
    }


def finding_about(member, group, control):
    arn = f"arn:aws:ec2:{member.region}:{member.account}:security-group/{group}"
    return member.finding(control, "AwsEc2SecurityGroup", arn)


SSH, SSH_6 = ("tcp", 22, 22, WORLD), ("tcp", 22, 22, WORLD_6)
RDP, WEB = ("tcp", 3389, 3389, WORLD), ("tcp", 443, 443, WORLD)
DNS, WIDE = ("udp", 53, 53, WORLD), ("tcp", 20, 100, WORLD)
DATABASE, INNER_SSH = ("tcp", 5432, 5432, WORLD), ("tcp", 22, 22, INSIDE)
ALL = (SSH, SSH_6, RDP, WEB, DNS, WIDE, DATABASE, INNER_SSH)


@pytest.mark.parametrize(
    ("control", "offending"),
    [
        ("EC2.13", {SSH, SSH_6, WIDE}),
        ("EC2.14", {RDP}),
        ("EC2.18", {SSH, SSH_6, RDP, DNS, WIDE, DATABASE}),
        ("EC2.19", {SSH, SSH_6, RDP, WIDE, DATABASE}),
    ],
)
def test_only_the_rules_that_the_control_objects_to_are_revoked(member, ec2, new_group, control, offending):
    group = new_group(*ALL)
    apply(plan(finding_about(member, group, control), member.session), member.session)
    assert rules_of(ec2, group) == set(ALL) - offending
    assert rules_of(ec2, group, egress=True)


def test_the_plan_does_not_depend_on_the_order_of_the_rules(member, new_group, plan_in_both_orders):
    first, other = plan_in_both_orders(plan, finding_about(member, new_group(*ALL), "EC2.19"))
    assert len(first.prior_state["Rules"]) == 5
    assert other == first


@pytest.mark.parametrize("control", ["EC2.13", "EC2.14", "EC2.18", "EC2.19"])
def test_a_rule_for_all_protocols_offends_every_control(member, ec2, new_group, control):
    group = new_group(("-1", -1, -1, WORLD), WEB)
    apply(plan(finding_about(member, group, control), member.session), member.session)
    assert rules_of(ec2, group) == {WEB}


@pytest.fixture
def default_group(ec2):
    """The default group of a VPC, which lets itself in and everything out."""
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    wanted = [{"Name": "vpc-id", "Values": [vpc]}, {"Name": "group-name", "Values": ["default"]}]
    group = ec2.describe_security_groups(Filters=wanted)["SecurityGroups"][0]["GroupId"]
    itself = {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": group}]}
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[itself])
    return group


def test_a_default_group_loses_every_rule_in_both_directions(member, ec2, default_group):
    group = default_group
    assert rules_of(ec2, group)
    assert rules_of(ec2, group, egress=True)
    apply(plan(finding_about(member, group, "EC2.2"), member.session), member.session)
    assert rules_of(ec2, group) == set()
    assert rules_of(ec2, group, egress=True) == set()


def test_a_group_that_is_not_the_default_of_its_vpc_keeps_its_rules(member, new_group):
    with pytest.raises(
        CannotRemediateError, match=r"is named group-\d+, but EC2\.2 is about the default sec"
    ):
        plan(finding_about(member, new_group(SSH), "EC2.2"), member.session)


def with_ports(member, group, **values):
    """A finding of EC2.18 that was made with these values of its parameters."""
    given = [{"Name": name, "Value": value} for name, value in values.items()]
    raw = {"Compliance": {"SecurityControlId": "EC2.18", "SecurityControlParameters": given}}
    arn = f"arn:aws:ec2:{member.region}:{member.account}:security-group/{group}"
    return member.finding("EC2.18", "AwsEc2SecurityGroup", arn, raw=raw)


@pytest.mark.parametrize(
    ("parameters", "kept"),
    [
        ({"authorizedTcpPorts": ["80", "443"], "authorizedUdpPorts": []}, {WEB}),
        ({"authorizedTcpPorts": ["22", "5432"], "authorizedUdpPorts": ["53"]}, {SSH, SSH_6, DATABASE, DNS}),
        ({"authorizedUdpPorts": ["53"]}, {WEB, DNS}),
        ({"authorizedTcpPorts": [str(port) for port in range(20, 101)]}, {SSH, SSH_6, WIDE}),
    ],
)
def test_ports_that_the_control_was_told_to_authorize_stay_open(member, ec2, new_group, parameters, kept):
    group = new_group(*ALL)
    apply(plan(with_ports(member, group, **parameters), member.session), member.session)
    assert rules_of(ec2, group) == kept | {INNER_SSH}


@pytest.mark.parametrize("port", ["0", "65536", "20-22", "any", ""])
def test_authorized_ports_that_are_none_are_refused(member, new_group, port):
    finding = with_ports(member, new_group(SSH), authorizedUdpPorts=["53", port])
    with pytest.raises(CannotRemediateError, match="but ports from 1 to 65535 are allowed"):
        plan(finding, member.session)


@pytest.mark.parametrize(("control", "left"), [("EC2.18", True), ("EC2.13", False)])
def test_another_protocol_that_is_open_to_the_world_is_left_to_decide_by_hand(
    member, new_group, control, left
):
    made = plan(finding_about(member, new_group(WEB, ("icmp", 8, 0, WORLD)), control), member.session)
    assert not made.is_needed
    assert made.remains == ("Decide manually on ingress icmp 8-0 0.0.0.0/0" if left else "")


def test_a_plan_names_the_rules_and_changes_nothing(member, ec2, new_group):
    group = new_group(SSH, WEB)
    made = plan(finding_about(member, group, "EC2.13"), member.session)
    assert made.description == "Revoke 1 rule(s): ingress tcp 22 0.0.0.0/0"
    assert rules_of(ec2, group) == {SSH, WEB}


def test_a_second_time_nothing_is_needed(member, new_group):
    finding = finding_about(member, new_group(SSH), "EC2.13")
    apply(plan(finding, member.session), member.session)
    assert not plan(finding, member.session).is_needed


@pytest.mark.parametrize("control", ["EC2.2", "EC2.13"])
def test_nothing_is_needed_for_a_group_that_is_gone(member, control):
    assert not plan(finding_about(member, "sg-00000000000000000", control), member.session).is_needed


@pytest.mark.parametrize("group", ["*", "sg-*", "vpc-0abc"])
def test_what_is_not_a_group_is_refused(member, new_group, group):
    new_group(SSH)
    with pytest.raises(CannotRemediateError, match="doesn't end in the ID of a security group"):
        plan(finding_about(member, group, "EC2.13"), member.session)


def test_undoing_brings_back_the_same_rules_with_their_descriptions(member, ec2, new_group):
    group = new_group(*ALL)
    change = apply(plan(finding_about(member, group, "EC2.18"), member.session), member.session)
    undo(change, member.session, look(change, member.session))
    assert rules_of(ec2, group) == set(ALL)
    found = ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [group]}])
    described = [r for r in found["SecurityGroupRules"] if r.get("CidrIpv4") == WORLD and not r["IsEgress"]]
    assert {rule["Description"] for rule in described} == {"why"}


def test_there_is_nothing_to_restore_of_a_group_that_is_gone(member, ec2, new_group):
    group = new_group(SSH)
    change = apply(plan(finding_about(member, group, "EC2.13"), member.session), member.session)
    ec2.delete_security_group(GroupId=group)
    with pytest.raises(CannotRemediateError, match="The security group no longer exists"):
        undo(change, member.session, look(change, member.session))


def losing(member, *codes):
    """Let what rules of these codes name be gone. The embedded AWS restores such rules all the same."""
    named = {"InvalidGroup.NotFound": "Groups.1.GroupId", "InvalidPrefixListID.NotFound": "PrefixListIds"}

    def lose(params, model, **_):
        for code in codes:
            if any(named[code] in key for key in params["body"]):
                raise ClientError({"Error": {"Code": code, "Message": "gone"}}, model.name)

    member.register("before-call.ec2.AuthorizeSecurityGroupIngress", lose)


def record_of(group, *rules):
    """A change that has revoked rules for TCP on port 22."""
    common = {"IsEgress": False, "IpProtocol": "tcp", "FromPort": 22, "ToPort": 22}
    return Change(
        resource=group,
        description="Revoked them",
        prior_state={"GroupId": group, "Rules": [{**common, **rule} for rule in rules]},
    )


OTHER, LIST = {"ReferencedGroupInfo": {"GroupId": "sg-0abc"}}, {"PrefixListId": "pl-1"}


@pytest.mark.parametrize(
    ("gone", "code"), [(OTHER, "InvalidGroup.NotFound"), (LIST, "InvalidPrefixListID.NotFound")]
)
def test_a_rule_that_names_what_is_gone_keeps_no_other_revoked(member, ec2, new_group, gone, code):
    group = new_group()
    losing(member, code)
    with pytest.raises(PartlyUndoneError, match=r"stay revoked: ingress tcp 22 (sg-0abc|pl-1)\. Auth"):
        undo(record_of(group, gone, {"CidrIpv4": WORLD}), member.session, [])
    assert rules_of(ec2, group) == {SSH}
    with pytest.raises(CannotRemediateError, match="so they stay revoked") as found:
        undo(record_of(group, gone), member.session, [])
    assert not isinstance(found.value, PartlyUndoneError)


def test_a_group_that_is_full_by_now_gets_back_what_fits(member, ec2, new_group):
    group = new_group()

    def refuse(params, model, **_):
        if "10.0.0.0/8" in params["body"].values():
            error = {"Code": "RulesPerSecurityGroupLimitExceeded", "Message": "full"}
            raise ClientError({"Error": error}, model.name)

    member.register("before-call.ec2.AuthorizeSecurityGroupIngress", refuse)
    change = record_of(group, {"CidrIpv4": WORLD}, {"CidrIpv4": INSIDE})
    with pytest.raises(
        PartlyUndoneError, match=r"as many rules as it may have, so they stay revoked: ingress"
    ):
        undo(change, member.session, [])
    assert rules_of(ec2, group) == {SSH}


def test_what_a_retry_can_help_is_retried(member, new_group):
    def refuse(model, **_):
        raise ClientError({"Error": {"Code": "RequestLimitExceeded", "Message": "slow"}}, model.name)

    member.register("before-call.ec2.AuthorizeSecurityGroupIngress", refuse)
    with pytest.raises(ClientError, match="RequestLimitExceeded"):
        undo(record_of(new_group(), {"CidrIpv4": WORLD}), member.session, [])


def test_a_rule_that_names_its_own_group_is_gone_with_it(member, new_group):
    group = new_group()
    losing(member, "InvalidGroup.NotFound")
    with pytest.raises(CannotRemediateError, match="The security group no longer exists"):
        undo(record_of(group, {"ReferencedGroupInfo": {"GroupId": group}}), member.session, [])


def test_undoing_brings_back_what_was_revoked_at_first_and_what_was_opened_and_revoked_since(
    member, ec2, new_group
):
    group = new_group(SSH, DATABASE)
    finding = finding_about(member, group, "EC2.18")
    first = apply(plan(finding, member.session), member.session)
    allow(ec2, group, SSH, RDP)
    second = apply(plan(finding, member.session), member.session).after(first)
    assert rules_of(ec2, group) == set()
    undo(second, member.session, look(second, member.session))
    assert rules_of(ec2, group) == {SSH, DATABASE, RDP}


def test_a_control_that_is_not_about_security_groups_is_refused(member, new_group):
    with pytest.raises(CannotRemediateError, match=r"No security group control has the ID S3.8"):
        plan(finding_about(member, new_group(SSH), "S3.8"), member.session)


def test_the_statements_are_what_it_takes(prove_statements, member, default_group):
    prove_statements("security_group_open_to_world", finding_about(member, default_group, "EC2.2"))
