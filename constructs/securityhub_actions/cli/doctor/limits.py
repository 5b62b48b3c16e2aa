"""Does what the app adds fit into the quotas of the account and Region?

Sources:
    https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub_limits.html
    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from securityhub_actions.cli.assembly import is_known
from securityhub_actions.cli.assembly.model import DEFAULT_BUS
from securityhub_actions.cli.doctor.model import Check, fault, ok, warning
from securityhub_actions.cli.doctor.patient import Patient
from securityhub_actions.cli.live_rules import rules_on
from securityhub_actions.quotas import MAX_ACTIONS, NEARLY, RULES_QUOTA, max_rules_per_bus

_QUOTA_OF_RULES: Final = "L-244521F2"


def actions(patient: Patient) -> Iterator[Check]:
    """An account has at most 50 custom actions in a Region."""
    known = {action.arn for action in patient.app.actions if is_known(action.arn)}
    added = len(known - patient.custom_actions.keys())
    yield _compared(
        f"{patient.aws.region} has {{number}} custom actions",
        existing=len(patient.custom_actions),
        added=added,
        limit=MAX_ACTIONS,
        cure="Delete custom actions that nobody uses, with `aws securityhub delete-action-target`.",
    )


def rules(patient: Patient) -> Iterator[Check]:
    """An event bus has at most 300 rules, or 100 in some Regions, unless the quota was increased."""
    limit = _rules_allowed(patient)
    buses = dict.fromkeys([DEFAULT_BUS, *(rule.bus_name for rule in patient.app.rules if is_known(rule.bus))])
    for bus in buses:
        new = [
            rule
            for rule in patient.app.rules
            if rule.bus_name == bus and not patient.is_deployed(rule.stack, rule.logical_id)
        ]
        yield _compared(
            f"The event bus {bus} has {{number}} rules",
            existing=_rules_on(patient, bus),
            added=len(new),
            limit=limit,
            cure=f"Request an increase of EventBridge's quota {_QUOTA_OF_RULES}, or delete rules that nobody "
            "needs.",
        )


def _rules_on(patient: Patient, bus: str) -> int:
    client = patient.aws.client("events")
    try:
        return len(list(rules_on(patient.aws, bus)))
    except client.exceptions.ResourceNotFoundException:
        return 0


def _rules_allowed(patient: Patient) -> int:
    """The quota of the account; if Service Quotas doesn't tell, what the app says, or AWS's default."""
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - takes long to import

    try:
        client = patient.aws.client("service-quotas")
        quota = client.get_service_quota(ServiceCode="events", QuotaCode=_QUOTA_OF_RULES)["Quota"]
        return int(quota["Value"])
    except (BotoCoreError, ClientError):
        said = [
            one.raised_quotas[RULES_QUOTA] for one in patient.app.stacks if RULES_QUOTA in one.raised_quotas
        ]
        return max(said, default=max_rules_per_bus(patient.aws.region))


def _compared(text: str, *, existing: int, added: int, limit: int, cure: str) -> Check:
    plus = f", and the app adds {added:,}" if added else ""
    text = f"{text.format(number=f'{existing:,} of {limit:,}')}{plus}."
    if existing + added > limit:
        return fault(text, cure)
    return warning(text, cure) if existing + added >= limit * NEARLY else ok(text)
