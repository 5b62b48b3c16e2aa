"""All checks, in the order in which they're reported."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from securityhub_actions.cli.aws import code_of, denied_action, reason_of
from securityhub_actions.cli.doctor import (
    connections,
    deploying,
    event_buses,
    limits,
    member_roles,
    references,
    running,
    secrets,
    security_hub,
    slack_tokens,
    stop_switch,
    trackers,
    turned_off,
)
from securityhub_actions.cli.doctor.model import Check, skipped, warning
from securityhub_actions.cli.doctor.patient import Patient
from securityhub_actions.cli.doctor.trackers import webhooks

_CHECKS: Final[Mapping[str, Callable[[Patient], Iterable[Check]]]] = {
    "security-hub": security_hub.cspm,
    "security-hub-v2": security_hub.version_2,
    "aggregation": security_hub.aggregation,
    "aggregation-v2": security_hub.aggregation_v2,
    "administrator": security_hub.administrator,
    "bootstrap": deploying.bootstrap,
    "stacks": deploying.stacks,
    "references": references.references,
    "turned-off": turned_off.turned_off,
    "action-type": deploying.action_type,
    "action-ids": deploying.action_ids,
    "action-quota": limits.actions,
    "rule-quota": limits.rules,
    "member-roles": member_roles.member_roles,
    "secrets": secrets.secrets,
    "slack-tokens": slack_tokens.slack_tokens,
    "connections": connections.connections,
    "trackers": trackers.trackers,
    "webhooks": webhooks.webhooks,
    "stop-switch": stop_switch.stop_switch,
    "event-buses": event_buses.event_buses,
    "topics": running.topics,
    "dead-letters": running.dead_letters,
}
# What the embedded AWS answers, and AWS in Regions without the operation.
_NOT_OFFERED: Final = frozenset({"InvalidAction", "NotImplemented", "UnknownOperationException"})


def number_of_checks() -> int:
    """Return how many checks there are."""
    return len(_CHECKS)


def examine(patient: Patient) -> Iterator[tuple[str, list[Check]]]:
    """Return what each check found, by the name of the check.

    What AWS refuses to tell is a warning, and the other checks go on.
    """
    for name, check in _CHECKS.items():
        yield name, list(_results(check, patient))


def _results(check: Callable[[Patient], Iterable[Check]], patient: Patient) -> Iterator[Check]:
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - takes long to import

    try:
        yield from check(patient)
    except (BotoCoreError, ClientError) as error:
        yield _unchecked(error)


def _unchecked(error: Exception) -> Check:
    """What a refusal says about what was to be checked."""
    code, action = code_of(error), denied_action(error)
    if code == "InvalidAccessException":
        return skipped("There is nothing to check as long as Security Hub CSPM is not enabled.")
    if action is not None:
        return warning(
            f"This could not be checked: it needs {action}.",
            f"Allow {action}, or specify another --profile.",
        )
    operation = getattr(error, "operation_name", "")
    if code in _NOT_OFFERED:
        return warning(f"This could not be checked: {operation} is not available here.", "")
    return warning(f"This could not be checked: {reason_of(error)}", "")
