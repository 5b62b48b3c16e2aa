"""Uses a custom action without the console, by way of a bus that its construct made for that.

EventBridge accepts sources that start with `aws.` only from AWS services, and a pattern can't see who sent an
event. A press therefore goes to a bus of its own, whose policy says who may.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from securityhub_actions.cli import envelopes
from securityhub_actions.cli.assembly.model import DEFAULT_BUS
from securityhub_actions.cli.aws import Aws
from securityhub_actions.cli.errors import CommandError, ExitCode
from securityhub_actions.cli.findings import findings_with_ids, insight_with_results
from securityhub_actions.cli.live_rules import event_buses, rules_on
from securityhub_actions.cli.sending import NotSentError, put_event
from securityhub_actions.event_names import PRESS_SOURCE


@dataclass(frozen=True, slots=True, kw_only=True)
class PressRule:
    """A rule that matches presses of an action.

    Attributes:
        bus: The ARN of the bus.
        arn: The ARN of the rule.
    """

    bus: str
    arn: str


def press_rule(aws: Aws, action_arn: str, *, bus: str | None = None) -> PressRule:
    """Find the rule that matches presses of an action.

    Args:
        aws: The account.
        action_arn: The ARN of the action.
        bus: The name or ARN of the bus. Default: the only one that has such a rule.

    Raises:
        CommandError: There is none, or it's disabled, or several buses have one.
    """
    found = [rule for rule in _press_rules(aws, action_arn) if bus in {None, rule.bus, _name(rule.bus)}]
    if not found:
        where = f"on the bus {bus}" if bus else f"in {aws.region}"
        raise CommandError(
            f"No enabled rule {where} matches presses of {action_arn}. Use the console, or pass "
            "press_bus=PressBus(...) to its CustomActionRule and deploy."
        )
    buses = {rule.bus for rule in found}
    if len(buses) > 1:
        names = ", ".join(map(_name, sorted(buses)))
        raise CommandError(f"Several buses take presses of {action_arn}: {names}. Specify one with --bus.")
    return found[0]


def events_of(
    aws: Aws,
    action: Mapping[str, Any],
    *,
    findings: Sequence[str] = (),
    insight: str | None = None,
    results: Sequence[str] = (),
) -> Iterator[tuple[dict[str, Any], dict[str, Any] | None]]:
    """Return each event that Security Hub would send for an action, with its finding if it's about one.

    Args:
        aws: The account.
        action: The action as DescribeActionTargets returns it.
        findings: The IDs of the findings that it's chosen for. Each becomes an event of its own.
        insight: The ARN of the insight that it's chosen for, or None.
        results: The chosen results of the insight. Default: all.

    Raises:
        CommandError: A finding, the insight, or one of the results doesn't exist.
    """
    about = {
        "arn": action["ActionTargetArn"],
        "name": action["Name"],
        "description": action["Description"],
        "account": aws.account,
        "region": aws.region,
    }
    for finding in findings_with_ids(aws, findings):
        yield envelopes.custom_action([finding], **about), finding
    if insight:
        found, values = insight_with_results(aws, insight, results)
        yield envelopes.insight_results(values, insight=found, **about), None


def press(aws: Aws, rule: PressRule, event: Mapping[str, Any]) -> str:
    """Put an event on the bus, and return the ID that it has there.

    Args:
        aws: The account.
        rule: The rule that matches it.
        event: The event as Security Hub would send it.

    Raises:
        CommandError: The bus didn't accept it.
    """
    try:
        return put_event(aws, rule.bus, {**event, "source": PRESS_SOURCE})
    except NotSentError as error:
        raise CommandError(f"{error}.", code=ExitCode.FAILED) from error


def _press_rules(aws: Aws, action_arn: str) -> Iterator[PressRule]:
    for bus in event_buses(aws):
        if bus["Name"] == DEFAULT_BUS:
            continue
        for rule in rules_on(aws, bus["Name"]):
            pattern = json.loads(rule.get("EventPattern") or "{}")
            matches = pattern.get("source") == [PRESS_SOURCE] and action_arn in pattern.get("resources", [])
            if matches and rule.get("State") == "ENABLED":
                yield PressRule(bus=bus["Arn"], arn=rule["Arn"])


def _name(bus: str) -> str:
    return bus.rpartition("/")[2]
