"""Security groups refuse a duplicate rule, which MiniStack silently accepts.

Source: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AuthorizeSecurityGroupIngress.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from ministack.services import ec2

_RULES: Final = {
    "AuthorizeSecurityGroupIngress": "IpPermissions",
    "AuthorizeSecurityGroupEgress": "IpPermissionsEgress",
}


def register() -> None:
    """Answer InvalidPermission.Duplicate if a rule exists, and add none of the request."""
    for operation, rules in _RULES.items():
        ec2._ACTION_MAP[operation] = _checked(ec2._ACTION_MAP[operation], rules)  # noqa: SLF001 - see tests/emulator/contract


def _checked(authorize: Callable[[Mapping[str, Any]], Any], rules: str) -> Callable[[Mapping[str, Any]], Any]:
    def handle(parameters: Mapping[str, Any]) -> Any:  # noqa: ANN401 - MiniStack is untyped
        group = ec2._security_groups.get(ec2._p(parameters, "GroupId")) or {}  # noqa: SLF001
        wanted = ec2._parse_ip_permissions(parameters, "IpPermissions")  # noqa: SLF001
        if any(ec2._rules_match(rule, there) for rule in wanted for there in group.get(rules, ())):  # noqa: SLF001
            message = "The specified rule already exists."
            return ec2._error("InvalidPermission.Duplicate", message, 400)  # noqa: SLF001
        return authorize(parameters)

    return handle
