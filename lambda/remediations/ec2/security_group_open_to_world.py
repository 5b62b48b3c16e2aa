"""Revokes the rules of a security group that violate a control, and no others.

Source: https://docs.aws.amazon.com/securityhub/latest/userguide/ec2-controls.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from remediations.contract import (
    CannotRemediateError,
    Change,
    PartlyUndoneError,
    Plan,
    Setting,
    name_in_arn,
    nothing_to_restore,
    resource_of,
)
from remediations.controls import control_of, parameters_of

if TYPE_CHECKING:
    from boto3.session import Session

    from securityhub.events import Finding

CONTROL_IDS: Final = ("EC2.2", "EC2.13", "EC2.14", "EC2.18", "EC2.19")
RESOURCE_TYPES: Final = ("AwsEc2SecurityGroup",)
DESCRIPTION: Final = "Revokes the rules of a security group that violate the control, and no others"
STATEMENTS: Final = (
    # Describing has no resource-level permission.
    {"Action": ("ec2:DescribeSecurityGroupRules", "ec2:DescribeSecurityGroups"), "Resource": ("*",)},
    {
        "Action": ("ec2:RevokeSecurityGroupEgress", "ec2:RevokeSecurityGroupIngress"),
        "Resource": ("arn:${Partition}:ec2:${Region}:${Account}:security-group/*",),
    },
)
UNDO_STATEMENTS: Final = (
    {"Action": ("ec2:DescribeSecurityGroupRules",), "Resource": ("*",)},
    {
        "Action": ("ec2:AuthorizeSecurityGroupEgress", "ec2:AuthorizeSecurityGroupIngress"),
        "Resource": ("arn:${Partition}:ec2:${Region}:${Account}:security-group/*",),
    },
)

_GROUP_ID: Final = re.compile(r"sg-([0-9a-f]{8}|[0-9a-f]{17})")
_EXISTS: Final = "InvalidPermission.Duplicate"
_FULL: Final = "RulesPerSecurityGroupLimitExceeded"
_GONE: Final = "InvalidGroup.NotFound"
# Of the group itself, and of what a rule names:
# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
# https://github.com/aws-cloudformation/rain/issues/308
_NOT_FOUND: Final = re.compile(r"Invalid(Group|SecurityGroupID|PrefixListI[dD])\.NotFound")
_WORLD: Final = ("0.0.0.0/0", "::/0")
_ALL_PROTOCOLS: Final = "-1"
_PROTOCOL_NAMES: Final = {"6": "tcp", "17": "udp"}
_ALL_PORTS: Final = (0, 65_535)
_SSH: Final = (22,)
_RDP: Final = (3389,)
_OF_DEFAULT_GROUP, _OF_AUTHORIZED_PORTS = "EC2.2", "EC2.18"
# By protocol, the parameter of EC2.18 and its default.
_AUTHORIZED_PORTS: Final = {"tcp": ("authorizedTcpPorts", ("80", "443")), "udp": ("authorizedUdpPorts", ())}
_JUDGED: Final = (*_AUTHORIZED_PORTS, _ALL_PROTOCOLS)
_PORT: Final = re.compile(r"[1-9][0-9]{0,4}")
_HIGH_RISK_PORTS: Final = (
    *(20, 21, 22, 23, 25, 110, 135, 143, 445, 1433, 1434, 3000, 3306, 3389, 4333, 5000, 5432, 5500, 5601),
    *(8080, 8088, 8888, 9200, 9300),
)
# What AuthorizeSecurityGroupIngress needs to restore a rule.
_KEPT_FIELDS: Final = (
    *("SecurityGroupRuleId", "IsEgress", "IpProtocol", "FromPort", "ToPort", "CidrIpv4", "CidrIpv6"),
    *("PrefixListId", "ReferencedGroupInfo", "Description"),
)

Rule = Mapping[str, Any]


def plan(finding: Finding, session: Session) -> Plan:
    """Find the rules that violate the finding's control."""
    resource = resource_of(finding, RESOURCE_TYPES)
    group_id = name_in_arn(resource)
    # A filter would match every group for `*`, and none for what isn't an ID, as if the group were gone.
    if not _GROUP_ID.fullmatch(group_id):
        raise CannotRemediateError(
            f"{resource.id!r} doesn't end in the ID of a security group, such as sg-0abc. Remediate "
            "the finding manually."
        )
    offends = _objection_of(finding)
    group = _find(group_id, session)
    if group is None:
        return Plan.gone(resource.id, "The security group")
    _require_own(group, finding.aws_account_id)
    if control_of(finding) == _OF_DEFAULT_GROUP:
        _require_default(group)
    found = _rules_of(group_id, session)
    rules = [{key: rule[key] for key in _KEPT_FIELDS if key in rule} for rule in found if offends(rule)]
    # The control's documentation doesn't say whether these violate it.
    others = [_describe(rule) for rule in found if _is_open(rule) and _protocol(rule) not in _JUDGED]
    is_unclear = others and not rules and control_of(finding) == _OF_AUTHORIZED_PORTS
    return Plan(
        resource=resource.id,
        description=f"Revoke {len(rules)} rule(s): {', '.join(_describe(rule) for rule in rules)}"
        if rules
        else "No rule of the security group violates the control",
        prior_state={"GroupId": group_id, "Rules": rules},
        is_needed=bool(rules),
        remains=f"Decide manually on {', '.join(others)}" if is_unclear else "",
    )


def apply(plan: Plan, session: Session) -> Change:
    """Revoke the rules by their IDs, so that a rule that was added meanwhile stays."""
    client = session.client("ec2")
    group_id: Any = plan.prior_state["GroupId"]
    ingress, egress = _by_direction(plan.prior_state)
    if ingress:
        client.revoke_security_group_ingress(
            GroupId=group_id, SecurityGroupRuleIds=[rule["SecurityGroupRuleId"] for rule in ingress]
        )
    if egress:
        client.revoke_security_group_egress(
            GroupId=group_id, SecurityGroupRuleIds=[rule["SecurityGroupRuleId"] for rule in egress]
        )
    return plan.done()


def look(change: Change, session: Session) -> list[Setting]:
    """Read which of the rules exist again. Other rules are none of this remediation's business."""
    group_id: Any = change.prior_state["GroupId"]
    rules: Any = change.prior_state["Rules"]
    present = {_describe(rule) for rule in _rules_of(group_id, session)}
    return [
        Setting(
            name=name, before="authorized", left="revoked", now="authorized" if name in present else "revoked"
        )
        for name in map(_describe, rules)
    ]


def undo(change: Change, session: Session, _settings: Sequence[Setting]) -> None:
    """Authorize the revoked rules again, one by one, except for those that exist.

    They get new IDs, and no tags.

    Raises:
        PartlyUndoneError: A rule names a security group or prefix list that no longer exists, or the security
            group is full. Others are restored.
        CannotRemediateError: The same of all rules, or the security group itself no longer exists.
    """
    client = session.client("ec2")
    group_id: Any = change.prior_state["GroupId"]
    ingress, egress = _by_direction(change.prior_state)
    left: dict[str, list[str]] = {}
    for rule in (*ingress, *egress):
        authorize = (
            client.authorize_security_group_egress
            if rule["IsEgress"]
            else client.authorize_security_group_ingress
        )
        try:
            authorize(GroupId=group_id, IpPermissions=[_to_permission(rule)])
        except ClientError as error:
            if (reason := _why_not(rule, group_id, error)) is None:
                raise
            if reason:
                left.setdefault(reason, []).append(_describe(rule))
    if left:
        number = sum(map(len, left.values()))
        kind = PartlyUndoneError if number < len(ingress) + len(egress) else CannotRemediateError
        reasons = "; ".join(f"{reason}, so they stay revoked: {', '.join(of)}" for reason, of in left.items())
        raise kind(f"{reasons}. Authorize others manually if you need them.")


def _why_not(rule: Rule, group_id: str, error: ClientError) -> str | None:
    """Return why a rule can't be authorized, or an empty text if it exists; None if a retry can help.

    Raises:
        CannotRemediateError: The security group no longer exists.

    Source: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
    """
    code = error.response["Error"]["Code"]
    if code == _EXISTS:
        return ""
    if code == _FULL:
        return "The security group has as many rules as it may have"
    if not _NOT_FOUND.fullmatch(code):
        return None
    if not _names_another(rule, group_id):
        raise nothing_to_restore("The security group") from error
    # It could be deleted only since the rule doesn't name it anymore.
    return "The security group, or what these rules name, no longer exists"


def _names_another(rule: Rule, group_id: str) -> bool:
    """Return whether a rule names a prefix list, or another security group than its own."""
    named = rule.get("ReferencedGroupInfo", {}).get("GroupId", group_id)
    return "PrefixListId" in rule or named != group_id


def _by_direction(state: Mapping[str, object]) -> tuple[list[Rule], list[Rule]]:
    rules: Any = state["Rules"]
    return [rule for rule in rules if not rule["IsEgress"]], [rule for rule in rules if rule["IsEgress"]]


def _is_open(rule: Rule) -> bool:
    return not rule["IsEgress"] and (rule.get("CidrIpv4") in _WORLD or rule.get("CidrIpv6") in _WORLD)


def _protocol(rule: Rule) -> str:
    given: str = rule["IpProtocol"]
    return _PROTOCOL_NAMES.get(given, given)


def _ports(rule: Rule) -> tuple[int, int]:
    if _protocol(rule) == _ALL_PROTOCOLS:
        return _ALL_PORTS
    return rule.get("FromPort", _ALL_PORTS[0]), rule.get("ToPort", _ALL_PORTS[1])


def _opens_any_of(ports: tuple[int, ...], protocols: tuple[str, ...]) -> Callable[[Rule], bool]:
    def offends(rule: Rule) -> bool:
        first, last = _ports(rule)
        return (
            _is_open(rule)
            and _protocol(rule) in (*protocols, _ALL_PROTOCOLS)
            and any(first <= port <= last for port in ports)
        )

    return offends


def _opens_other_than(authorized: Mapping[str, Collection[int]]) -> Callable[[Rule], bool]:
    def offends(rule: Rule) -> bool:
        first, last = _ports(rule)
        protocol = _protocol(rule)
        return (
            _is_open(rule)
            and protocol in (*authorized, _ALL_PROTOCOLS)
            and any(port not in authorized.get(protocol, ()) for port in range(first, last + 1))
        )

    return offends


def _any_rule(_rule: Rule) -> bool:
    return True


_OBJECTIONS: Mapping[str, Callable[[Rule], bool]] = {
    _OF_DEFAULT_GROUP: _any_rule,
    "EC2.13": _opens_any_of(_SSH, ("tcp",)),
    "EC2.14": _opens_any_of(_RDP, ("tcp",)),
    "EC2.19": _opens_any_of(_HIGH_RISK_PORTS, ("tcp", "udp")),
}


def _objection_of(finding: Finding) -> Callable[[Rule], bool]:
    control = control_of(finding) or ""
    if control == _OF_AUTHORIZED_PORTS:
        return _opens_other_than(_authorized_ports(finding))
    if control not in _OBJECTIONS:
        raise CannotRemediateError(f"No security group control has the ID {control_of(finding)}.")
    return _OBJECTIONS[control]


def _authorized_ports(finding: Finding) -> Mapping[str, Collection[int]]:
    """Return the ports that may be open, by protocol, as the control's parameters were for the finding."""
    given = parameters_of(finding)
    authorized = {}
    for protocol, (name, default) in _AUTHORIZED_PORTS.items():
        ports = given.get(name) or default
        if wrong := [port for port in ports if not _PORT.fullmatch(port) or int(port) > _ALL_PORTS[1]]:
            raise CannotRemediateError(
                f"The finding says that {name} has {', '.join(wrong)}, but ports from 1 to {_ALL_PORTS[1]} "
                "are allowed. Remediate the finding manually."
            )
        authorized[protocol] = {int(port) for port in ports}
    return authorized


def _find(group_id: str, session: Session) -> Any:  # noqa: ANN401 - as boto3 has it
    """Return what EC2 says about a security group, or None if the account has no such group."""
    try:
        found = session.client("ec2").describe_security_groups(GroupIds=[group_id])["SecurityGroups"]
    except ClientError as error:
        if error.response["Error"]["Code"] == _GONE:
            return None
        raise
    return next(iter(found), None)


def _rules_of(group_id: str, session: Session) -> list[Rule]:
    """Return the rules of a group, sorted: AWS documents no order, and what was approved is a plan."""
    pages: Any = session.client("ec2").get_paginator("describe_security_group_rules")
    found = (
        rule
        for page in pages.paginate(Filters=[{"Name": "group-id", "Values": [group_id]}])
        for rule in page["SecurityGroupRules"]
    )
    return sorted(found, key=lambda rule: str(rule["SecurityGroupRuleId"]))


def _require_own(group: Mapping[str, Any], account: str) -> None:
    """Refuse a group that another account shares, whose rules only its owner can change.

    Source: https://docs.aws.amazon.com/vpc/latest/userguide/security-group-sharing.html
    """
    if group["OwnerId"] != account:
        raise CannotRemediateError(
            f"The security group {group['GroupId']} belongs to account {group['OwnerId']}. Remediate the "
            "finding there, and suppress this one."
        )


def _require_default(group: Mapping[str, Any]) -> None:
    """Refuse a group that is not its VPC's default, since all its rules would be revoked."""
    if group["GroupName"] != "default":
        raise CannotRemediateError(
            f"The security group {group['GroupId']} is named {group['GroupName']}, but {_OF_DEFAULT_GROUP} "
            "is about the default security group of a VPC. Remediate the finding manually."
        )


def _peer(rule: Rule) -> str:
    group = rule.get("ReferencedGroupInfo", {}).get("GroupId")
    return str(rule.get("CidrIpv4") or rule.get("CidrIpv6") or rule.get("PrefixListId") or group)


def _describe(rule: Rule) -> str:
    protocol = "all" if _protocol(rule) == _ALL_PROTOCOLS else _protocol(rule)
    first, last = _ports(rule)
    ports = str(first) if first == last else f"{first}-{last}"
    return f"{'egress' if rule['IsEgress'] else 'ingress'} {protocol} {ports} {_peer(rule)}"


def _to_permission(rule: Rule) -> dict[str, Any]:
    note = {"Description": rule["Description"]} if "Description" in rule else {}
    permission: dict[str, Any] = {"IpProtocol": rule["IpProtocol"]}
    if _protocol(rule) != _ALL_PROTOCOLS:
        permission |= {field: rule[field] for field in ("FromPort", "ToPort") if field in rule}
    if "CidrIpv4" in rule:
        permission["IpRanges"] = [{"CidrIp": rule["CidrIpv4"], **note}]
    elif "CidrIpv6" in rule:
        permission["Ipv6Ranges"] = [{"CidrIpv6": rule["CidrIpv6"], **note}]
    elif "PrefixListId" in rule:
        permission["PrefixListIds"] = [{"PrefixListId": rule["PrefixListId"], **note}]
    else:
        group = rule["ReferencedGroupInfo"]
        pair = {key: group[key] for key in ("GroupId", "UserId", "VpcId") if key in group}
        permission["UserIdGroupPairs"] = [{**pair, **note}]
    return permission
