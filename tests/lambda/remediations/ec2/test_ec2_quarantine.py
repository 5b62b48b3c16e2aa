from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError

from remediations.contract import CannotRemediateError, PartlyUndoneError
from remediations.ec2.ec2_quarantine import apply, look, plan, undo


@pytest.fixture
def ec2(member):
    return member.client("ec2")


@pytest.fixture
def instance(ec2):
    """An instance with two network interfaces."""
    made = ec2.run_instances(ImageId="ami-1", MinCount=1, MaxCount=1)["Instances"][0]
    second = ec2.create_network_interface(SubnetId=made["SubnetId"])["NetworkInterface"]
    ec2.attach_network_interface(
        NetworkInterfaceId=second["NetworkInterfaceId"], InstanceId=made["InstanceId"], DeviceIndex=1
    )
    return made["InstanceId"]


def finding_about(member, instance):
    arn = f"arn:aws:ec2:{member.region}:{member.account}:instance/{instance}"
    return member.finding("none", "AwsEc2Instance", arn)


def groups(ec2, instance):
    found = ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]
    return {
        one["NetworkInterfaceId"]: [group["GroupId"] for group in one["Groups"]]
        for one in found["NetworkInterfaces"]
    }


def quarantines(ec2):
    filters = [{"Name": "group-name", "Values": ["security-hub-quarantine"]}]
    return ec2.describe_security_groups(Filters=filters)["SecurityGroups"]


def test_every_interface_moves_into_a_group_without_rules_and_back(member, ec2, instance):
    before = groups(ec2, instance)
    made = plan(finding_about(member, instance), member.session)
    assert (groups(ec2, instance), len(before), quarantines(ec2)) == (before, 2, [])
    change = apply(made, member.session)
    (group,) = quarantines(ec2)
    assert (group["IpPermissions"], group["IpPermissionsEgress"]) == ([], [])
    assert groups(ec2, instance) == {one: [group["GroupId"]] for one in before}
    undo(change, member.session, look(change, member.session))
    assert groups(ec2, instance) == before


def test_the_plan_does_not_depend_on_the_order_of_interfaces_and_groups(
    member, ec2, instance, plan_in_both_orders
):
    more = [
        ec2.create_security_group(GroupName=name, Description="A test's")["GroupId"] for name in ("b", "a")
    ]
    for interface in groups(ec2, instance):
        ec2.modify_network_interface_attribute(NetworkInterfaceId=interface, Groups=more)
    first, other = plan_in_both_orders(plan, finding_about(member, instance))
    assert [sorted(more)] * 2 == list(first.prior_state["NetworkInterfaces"].values())
    assert (other, other.description) == (first, first.description)


def test_a_group_that_is_not_found_at_once_is_waited_for(member, ec2, instance, monkeypatch):
    monkeypatch.setattr("botocore.waiter.time", SimpleNamespace(sleep=lambda _: None))
    answers = iter(["missing", "missing"])

    def hide(http_response, parsed, model, **_):
        made = model.name == "DescribeSecurityGroups" and quarantines(ec2)
        if made and next(answers, None):
            http_response.status_code = 400
            parsed["SecurityGroups"] = []
            parsed["Error"] = {"Code": "InvalidGroup.NotFound", "Message": "It does not exist"}

    member.register("after-call.ec2", hide)
    apply(plan(finding_about(member, instance), member.session), member.session)
    (group,) = quarantines(ec2)
    assert set(map(tuple, groups(ec2, instance).values())) == {(group["GroupId"],)}
    assert list(answers) == []


@pytest.mark.parametrize("is_revoked", [False, True])
def test_two_instances_of_a_vpc_that_are_isolated_at_the_same_time_share_the_group(
    member, ec2, instance, is_revoked
):
    made = plan(finding_about(member, instance), member.session)

    def create_first(params, **_):
        if not quarantines(ec2):
            group = ec2.create_security_group(**params)["GroupId"]
            if is_revoked:
                (rule,) = quarantines(ec2)
                ec2.revoke_security_group_egress(GroupId=group, IpPermissions=rule["IpPermissionsEgress"])

    member.register("provide-client-params.ec2.CreateSecurityGroup", create_first)
    apply(made, member.session)
    (group,) = quarantines(ec2)
    assert group["IpPermissionsEgress"] == []
    assert set(map(tuple, groups(ec2, instance).values())) == {(group["GroupId"],)}


@pytest.mark.parametrize("code", ["InvalidPermission.NotFound", "UnauthorizedOperation"])
def test_a_rule_that_somebody_else_has_revoked_from_the_group_keeps_nothing_open(member, ec2, instance, code):
    made = plan(finding_about(member, instance), member.session)

    def revoke_first(params, **_):
        ec2.revoke_security_group_egress(**params)

    def refuse(http_response, parsed, **_):
        http_response.status_code = 400
        parsed["Error"] = {"Code": code, "Message": "The specified rule does not exist"}

    member.register("provide-client-params.ec2.RevokeSecurityGroupEgress", revoke_first)
    member.register("after-call.ec2.RevokeSecurityGroupEgress", refuse)
    if code == "UnauthorizedOperation":
        with pytest.raises(ClientError, match=code):
            apply(made, member.session)
        return
    apply(made, member.session)
    (group,) = quarantines(ec2)
    assert set(map(tuple, groups(ec2, instance).values())) == {(group["GroupId"],)}


def test_interfaces_in_several_vpcs_are_isolated_each_in_its_own(member, ec2, instance):
    other = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=other, CidrBlock="10.9.0.0/24")["Subnet"]["SubnetId"]
    third = ec2.create_network_interface(SubnetId=subnet)["NetworkInterface"]["NetworkInterfaceId"]
    ec2.attach_network_interface(NetworkInterfaceId=third, InstanceId=instance, DeviceIndex=2)
    before = groups(ec2, instance)

    def tell_vpc(parsed, **_):
        """AWS tells the VPC of each interface of an instance."""
        for reservation in parsed["Reservations"]:
            for one in reservation["Instances"][0]["NetworkInterfaces"]:
                if one["NetworkInterfaceId"] == third:
                    one["VpcId"] = other

    member.register("after-call.ec2.DescribeInstances", tell_vpc)
    change = apply(plan(finding_about(member, instance), member.session), member.session)

    of_vpc = {group["VpcId"]: group["GroupId"] for group in quarantines(ec2)}
    assert len(of_vpc) == 2
    assert groups(ec2, instance)[third] == [of_vpc[other]]
    undo(change, member.session, look(change, member.session))
    assert groups(ec2, instance) == before


def test_an_undo_notices_an_interface_that_somebody_has_moved_on_and_restores_the_others(
    member, ec2, instance, changed_since
):
    before = groups(ec2, instance)
    change = apply(plan(finding_about(member, instance), member.session), member.session)
    forensics = ec2.create_security_group(GroupName="forensics", Description="A test's")["GroupId"]
    first, second = before
    ec2.modify_network_interface_attribute(NetworkInterfaceId=first, Groups=[forensics])
    (isolating,) = quarantines(ec2)
    assert changed_since(look, change) == [f"{first} is {forensics} instead of {isolating['GroupId']}"]
    # Records of version 0.1.0 don't say whose group it is.
    state = {name: value for name, value in change.prior_state.items() if name != "OwnerId"}
    assert changed_since(look, replace(change, prior_state=state)) == []
    undo(change, member.session, [one for one in look(change, member.session) if not one.is_changed])
    assert groups(ec2, instance) == {first: [forensics], second: before[second]}


def test_an_instance_that_is_isolated_again_gets_back_the_groups_that_it_had_at_last(member, ec2, instance):
    finding, before = finding_about(member, instance), groups(ec2, instance)
    isolated = apply(plan(finding, member.session), member.session)
    forensics = ec2.create_security_group(GroupName="forensics", Description="A test's")["GroupId"]
    first, second = before
    ec2.modify_network_interface_attribute(NetworkInterfaceId=first, Groups=[forensics])
    again = apply(plan(finding, member.session), member.session).after(isolated)
    undo(again, member.session, look(again, member.session))
    assert groups(ec2, instance) == {first: [forensics], second: before[second]}


def test_an_undo_notices_that_the_instance_is_terminated(member, ec2, instance, changed_since):
    change = apply(plan(finding_about(member, instance), member.session), member.session)
    ec2.terminate_instances(InstanceIds=[instance])
    assert len(changed_since(look, change)) == len(change.prior_state["NetworkInterfaces"])


def test_an_interface_that_was_deleted_meanwhile_keeps_no_other_isolated(member, ec2, instance):
    before = groups(ec2, instance)
    change = apply(plan(finding_about(member, instance), member.session), member.session)
    first, second = before

    def lose(model, params, **_):
        """The embedded AWS has no such error."""
        if params["body"]["NetworkInterfaceId"] == first:
            raise ClientError({"Error": {"Code": "InvalidNetworkInterfaceID.NotFound"}}, model.name)

    member.session.events.register("before-call.ec2.ModifyNetworkInterfaceAttribute", lose)
    undo(change, member.session, look(change, member.session))
    assert groups(ec2, instance)[second] == before[second]


@pytest.mark.parametrize("code", ["InvalidGroup.NotFound", "InvalidSecurityGroupID.NotFound"])
def test_a_group_that_was_deleted_meanwhile_keeps_no_other_interface_isolated(member, ec2, instance, code):
    before = groups(ec2, instance)
    first, second = before
    gone = ec2.create_security_group(GroupName="gone", Description="A test's")["GroupId"]
    ec2.modify_network_interface_attribute(NetworkInterfaceId=first, Groups=[gone])
    change = apply(plan(finding_about(member, instance), member.session), member.session)

    def refuse(params, model, **_):
        if params["body"].get("SecurityGroupId.1") == gone:
            raise ClientError({"Error": {"Code": code, "Message": "gone"}}, model.name)

    member.register("before-call.ec2.ModifyNetworkInterfaceAttribute", refuse)
    of_both = look(change, member.session)
    of_first = [one for one in of_both if one.name == first]
    with pytest.raises(
        CannotRemediateError, match=f"stay isolated: {first}, which had {gone}. Choose"
    ) as found:
        undo(change, member.session, of_first)
    assert not isinstance(found.value, PartlyUndoneError)
    with pytest.raises(PartlyUndoneError, match=f"stay isolated: {first}, which had {gone}. Choose"):
        undo(change, member.session, of_both)
    assert groups(ec2, instance)[second] == before[second]


def refuse_to_move(member, *interfaces, code="AuthFailure"):
    """The embedded AWS manages no network interfaces for other services."""

    def refuse(params, model, **_):
        if params["body"]["NetworkInterfaceId"] in interfaces:
            message = "You do not have permission to access the specified resource."
            raise ClientError({"Error": {"Code": code, "Message": message}}, model.name)

    member.register("before-call.ec2.ModifyNetworkInterfaceAttribute", refuse)


@pytest.mark.parametrize("code", ["AuthFailure", "OperationNotPermitted"])
def test_an_interface_that_another_service_manages_keeps_no_other_open(member, ec2, instance, code):
    before = groups(ec2, instance)
    managed, other = sorted(before)
    refuse_to_move(member, managed, code=code)
    change = apply(plan(finding_about(member, instance), member.session), member.session)
    (group,) = quarantines(ec2)
    assert groups(ec2, instance) == before | {other: [group["GroupId"]]}
    assert change.description.startswith(f"Moved {other} into")
    assert change.remains.startswith(f"{managed} can't be moved, because another AWS service manages it")
    settings = look(change, member.session)
    assert [one.name for one in settings if one.is_restored] == [managed]
    undo(change, member.session, settings)
    assert groups(ec2, instance) == before


@pytest.mark.parametrize("is_whole", [False, True])
def test_what_iam_denies_about_an_interface_with_an_operator_is_left_to_a_person(
    member, ec2, instance, is_whole
):
    before = groups(ec2, instance)
    operated, other = sorted(before)

    def tell_operator(parsed, **_):
        """AWS tells who operates an instance and its interfaces."""
        for reservation in parsed["Reservations"]:
            (found,) = reservation["Instances"]
            ours = [one for one in found["NetworkInterfaces"] if one["NetworkInterfaceId"] == operated]
            for one in [found] if is_whole else ours:
                one["Operator"] = {"Managed": True, "Principal": "eks.amazonaws.com"}

    member.register("after-call.ec2.DescribeInstances", tell_operator)
    refuse_to_move(member, operated, code="UnauthorizedOperation")
    change = apply(plan(finding_about(member, instance), member.session), member.session)
    assert change.remains.startswith(f"{operated} can't be moved, because another AWS service manages it")
    assert groups(ec2, instance)[other] != before[other]
    undo(change, member.session, look(change, member.session))
    assert groups(ec2, instance) == before


def test_what_is_behind_a_trunk_interface_is_left_to_a_person(member, ec2, instance):
    trunk, _ = sorted(groups(ec2, instance))

    def tell_type(parsed, **_):
        """The embedded AWS has no trunk interfaces."""
        for reservation in parsed["Reservations"]:
            for one in reservation["Instances"][0]["NetworkInterfaces"]:
                one["InterfaceType"] = "trunk" if one["NetworkInterfaceId"] == trunk else "interface"

    finding = finding_about(member, instance)
    assert plan(finding, member.session).remains == ""
    member.register("after-call.ec2.DescribeInstances", tell_type)
    made = plan(finding, member.session)
    assert made.remains == (
        f"Isolate or stop the pods or tasks with a network interface of their own behind {trunk}"
    )
    apply(made, member.session)
    again = plan(finding, member.session)
    assert (again.is_needed, again.remains) == (False, made.remains)


def test_what_other_services_manage_alone_is_left_to_a_person(member, ec2, instance):
    before = groups(ec2, instance)
    refuse_to_move(member, *before)
    with pytest.raises(CannotRemediateError, match="because another AWS service manages it"):
        apply(plan(finding_about(member, instance), member.session), member.session)
    assert groups(ec2, instance) == before


def test_another_error_is_retried_after_the_other_interfaces_have_moved(member, ec2, instance):
    first, second = sorted(groups(ec2, instance))
    refuse_to_move(member, first, code="UnauthorizedOperation")
    with pytest.raises(ClientError, match="UnauthorizedOperation"):
        apply(plan(finding_about(member, instance), member.session), member.session)
    (group,) = quarantines(ec2)
    assert groups(ec2, instance)[second] == [group["GroupId"]]


def test_an_interface_that_was_moved_and_cannot_be_moved_back_fails_the_undo(member, ec2, instance):
    change = apply(plan(finding_about(member, instance), member.session), member.session)
    refuse_to_move(member, *groups(ec2, instance))
    with pytest.raises(ClientError, match="AuthFailure"):
        undo(change, member.session, look(change, member.session))


def test_a_second_time_nothing_is_needed(member, instance):
    finding = finding_about(member, instance)
    apply(plan(finding, member.session), member.session)
    made = plan(finding, member.session)
    assert (made.is_needed, made.description) == (False, "The instance is already isolated")


def test_a_group_of_that_name_that_lets_something_in_is_refused(member, ec2, instance):
    finding = finding_about(member, instance)
    apply(plan(finding, member.session), member.session)
    ec2.authorize_security_group_ingress(
        GroupId=quarantines(ec2)[0]["GroupId"],
        IpPermissions=[{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}],
    )
    with pytest.raises(CannotRemediateError, match="must not allow inbound traffic"):
        plan(finding, member.session)


@pytest.mark.parametrize("lets_in", [False, True])
def test_a_group_of_that_name_of_another_account_in_a_shared_vpc_is_left_alone(
    member, ec2, instance, lets_in
):
    rules = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}] if lets_in else []
    foreign = {"GroupId": "sg-00000000", "OwnerId": "999999999999", "IpPermissions": rules}

    def show_others(parsed, **_):
        """AWS shows the owner of a VPC the groups of those with whom it's shared."""
        parsed["SecurityGroups"].append(foreign | {"IpPermissionsEgress": []})

    member.register("after-call.ec2.DescribeSecurityGroups", show_others)
    before = groups(ec2, instance)
    apply(plan(finding_about(member, instance), member.session), member.session)
    (own,) = quarantines(ec2)
    assert groups(ec2, instance) == {one: [own["GroupId"]] for one in before}


def test_nothing_is_needed_for_an_instance_that_is_gone(member):
    assert not plan(finding_about(member, "i-00000000000000000"), member.session).is_needed


def test_what_is_not_an_instance_is_refused(member):
    with pytest.raises(CannotRemediateError, match="doesn't end in the ID of an instance"):
        plan(finding_about(member, "vol-0abc"), member.session)


def test_the_statements_are_what_it_takes(prove_statements, member, instance):
    prove_statements("ec2_quarantine", finding_about(member, instance))
