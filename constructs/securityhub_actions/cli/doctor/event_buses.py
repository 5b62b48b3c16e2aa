"""Do the event buses exist to which the app sends, and does anything listen there?

EventBridge accepts events for a bus that doesn't exist, and drops them, and no metric says so.

Source: https://github.com/aws/aws-cli/issues/9186
Source: https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_DescribeEventBus.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from securityhub_actions.cli.assembly import is_known
from securityhub_actions.cli.doctor.model import Check, fault, ok, skipped, warning
from securityhub_actions.cli.doctor.patient import Patient
from securityhub_actions.cli.live_rules import rules_on
from securityhub_actions.event_names import OUTCOME_BUS

_BUS: Final = "AWS::Events::EventBus"
_RULE: Final = "AWS::Events::Rule"


def event_buses(patient: Patient) -> Iterator[Check]:
    """What is sent to a bus that was deleted is lost, and so is what no rule passes on."""
    senders: dict[str, set[str]] = {}
    for stack, bus in patient.resources(_BUS):
        senders.setdefault(bus.physical_id, set()).add(stack)
    for function in patient.functions:
        name = function.environment.get(OUTCOME_BUS)
        if name and is_known(name) and function.role_arn is not None:
            senders.setdefault(name.rpartition("/")[2], set()).add(function.stack)
    if not senders:
        yield skipped("No deployed stack has, or sends to, an event bus of its own.")
    rules = _deployed_rules(patient)
    for name in sorted(senders):
        yield from _of_bus(patient, name, ", ".join(sorted(senders[name])), rules.get(name, {}))


def _deployed_rules(patient: Patient) -> Mapping[str, Mapping[str, str]]:
    """The rules on buses other than the default one, by bus: the stack by the rule's name.

    Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-events-rule.html
    """
    found: dict[str, dict[str, str]] = {}
    for stack, rule in patient.resources(_RULE):
        bus, separator, name = rule.physical_id.partition("|")
        if separator:
            found.setdefault(bus, {})[name] = stack
    return found


def _of_bus(patient: Patient, name: str, stacks: str, rules: Mapping[str, str]) -> Iterator[Check]:
    client = patient.aws.client("events")
    try:
        client.describe_event_bus(Name=name)
    except client.exceptions.ResourceNotFoundException:
        yield fault(
            f"There is no event bus {name}, so EventBridge drops what is sent there, without an error, by "
            f"the stacks {stacks}.",
            "Delete the stack of the bus, if it still exists, and deploy it again.",
        )
        return
    existing = {rule["Name"]: rule for rule in rules_on(patient.aws, name)}
    problems = [_of_missing(one, name, stack) for one, stack in rules.items() if one not in existing]
    problems += [
        check
        for rule in existing.values()
        # Those that EventBridge keeps for archives.
        if not rule.get("ManagedBy") and (check := _of_rule(client, rule, name))
    ]
    if not existing:
        problems.append(
            warning(
                f"The event bus {name} has no rules, so nothing gets what is sent there.",
                "Add a rule, or enable the topic or the record of outcomes in settings.toml.",
            )
        )
    yield from problems or [
        ok(f"The event bus {name} exists, and each of its {len(existing)} rules has targets.")
    ]


def _of_missing(rule: str, bus: str, stack: str) -> Check:
    return fault(
        f"The rule {rule} on the event bus {bus} was deleted, although it belongs to the stack {stack}.",
        "Delete the stack and deploy it again.",
    )


def _of_rule(client: Any, rule: Mapping[str, Any], bus: str) -> Check | None:  # noqa: ANN401 - a client of boto3
    name = rule["Name"]
    if rule.get("State") == "DISABLED":
        return warning(
            f"The rule {name} on the event bus {bus} is disabled.",
            f"Run `aws events enable-rule --event-bus-name {bus} --name {name}`.",
        )
    if not client.list_targets_by_rule(Rule=name, EventBusName=bus)["Targets"]:
        return fault(
            f"The rule {name} on the event bus {bus} has no targets, so it passes nothing on.",
            "Delete the rule's stack and deploy it again, or add a target.",
        )
    return None
