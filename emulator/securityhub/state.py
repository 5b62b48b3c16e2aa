"""The state of the service, per account and Region, until the embedded AWS is reset or ends."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from ministack.core.responses import AccountRegionScopedDict, get_account_id, get_region

from emulator.securityhub.model import Document, partition_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Hub:
    """A subscription of an account and Region to Security Hub."""

    arn: str
    subscribed_at: str
    auto_enable_controls: bool = True
    control_finding_generator: str = "SECURITY_CONTROL"


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionTarget:
    """A custom action."""

    arn: str
    name: str
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A finding and which of its attributes a customer has taken over from the finding provider."""

    document: Document
    customer_attributes: frozenset[str] = field(default_factory=frozenset)
    is_new: bool = True
    """Whether nothing has changed since the finding was created, which only OCSF tells."""
    v2_changes: Document = field(default_factory=dict)
    """What only the new Security Hub has changed: `comment`, `severity_id`, and `status_id` in OCSF."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Insight:
    """A custom insight."""

    arn: str
    name: str
    filters: Document
    group_by_attribute: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AutomationRule:
    """An automation rule of Security Hub CSPM."""

    arn: str
    created_at: str
    updated_at: str
    created_by: str
    settings: Document
    """What requests give: RuleName, RuleStatus, Description, RuleOrder, IsTerminal, Criteria, Actions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AutomationRuleV2:
    """An automation rule of the new Security Hub."""

    arn: str
    rule_id: str
    created_at: str
    updated_at: str
    settings: Document
    """RuleName, RuleStatus, Description, RuleOrder, Criteria, and Actions as requests give them."""
    client_token: str | None = None
    tags: Document = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectorV2:
    """A connector of the new Security Hub to a ticket tracker."""

    arn: str
    connector_id: str
    name: str
    provider: str
    """`JiraCloud` or `ServiceNow`."""
    settings: Document
    is_authorized: bool
    auth_state: str
    created_at: str
    updated_at: str
    client_token: str | None = None


HUB_KEY: Final = "hub"
"""The only key of `hubs` and `hubs_v2`: there is one hub an account and Region."""

hubs = AccountRegionScopedDict()
hubs_v2 = AccountRegionScopedDict()
action_targets = AccountRegionScopedDict()
findings = AccountRegionScopedDict()
insights = AccountRegionScopedDict()
automation_rules = AccountRegionScopedDict()
automation_rules_v2 = AccountRegionScopedDict()
connectors_v2 = AccountRegionScopedDict()
tickets_v2 = AccountRegionScopedDict()
call_faults = AccountRegionScopedDict()
finding_faults = AccountRegionScopedDict()
# Of all accounts, which see each other's.
finding_aggregators: dict[str, Document] = {}
"""By account."""
aggregators_v2: dict[str, Document] = {}
"""By account."""
members: dict[tuple[str, str, str], Document] = {}
"""By administrator account, Region, and member account."""
organization_admins: dict[tuple[str, str, str], str] = {}
"""The administrator account, by management account, Region, and feature."""
_STORES: Final = (
    hubs,
    hubs_v2,
    action_targets,
    findings,
    insights,
    automation_rules,
    automation_rules_v2,
    connectors_v2,
    tickets_v2,
    call_faults,
    finding_faults,
    finding_aggregators,
    aggregators_v2,
    members,
    organization_admins,
)


def reset() -> None:
    """Delete everything in every account and Region. `POST /_ministack/reset` calls it."""
    for store in _STORES:
        store.clear()


def arn_of(resource: str) -> str:
    """The ARN of one of the service's resources in the account and Region of the request."""
    region = get_region()
    return f"arn:{partition_of(region)}:securityhub:{region}:{get_account_id()}:{resource}"
