"""EventBridge: rules, targets, and patterns; and the queues that a target can't use.

Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from ministack.core.responses import get_region
from ministack.services import eventbridge
from ministack.services.cloudformation import provisioners

from emulator.delivery.inputs import INPUTS, PLACEHOLDER, PREDEFINED, fields_of, has_own_input
from emulator.quotas.wrapping import Document, Refusal, check_before, compact, fail_if_refused

MAX_RULES: Final = 300
"""Rules of an event bus in most Regions."""
MAX_RULES_IN_SMALL_REGIONS: Final = 100
"""Rules of an event bus in the Regions of `SMALL_REGIONS`."""
SMALL_REGIONS: Final = frozenset({"af-south-1", "eu-south-1"})
MAX_WILDCARD_RULES: Final = 30
"""Rules of an event bus whose pattern has a wildcard. AWS doesn't raise this quota."""
MAX_TARGETS: Final = 5
"""Targets of a rule."""
MAX_PATTERN_CHARACTERS: Final = 2048
"""Characters of an event pattern. AWS raises this quota to 4,096 at most."""

_RULE: Final = "AWS::Events::Rule"
_LIMIT_EXCEEDED: Final = "LimitExceededException"
_TOO_MANY: Final = "The requested resource exceeds the maximum number allowed."
_FIFO_SUFFIX: Final = ".fifo"
_create_rule = provisioners._eb_rule_create  # noqa: SLF001 - see tests/emulator/contract
_update_rule = provisioners._eb_rule_update  # noqa: SLF001


def register() -> None:
    """Check PutRule, PutTargets, and the rules of stacks."""
    check_before(eventbridge, "_put_rule", _refusal_of_rule)
    check_before(eventbridge, "_put_targets", _refusal_of_put_targets)
    check_before(eventbridge, "_delete_rule", _refusal_of_deletion)
    # An update that replaces the rule looks this function up by its name.
    provisioners._eb_rule_create = _create_stack_rule  # noqa: SLF001
    handlers = provisioners._RESOURCE_HANDLERS  # noqa: SLF001
    handlers[_RULE] = {**handlers[_RULE], "create": _create_stack_rule, "update": _update_stack_rule}


def _create_stack_rule(logical_id: str, properties: Document, stack_name: str) -> Any:  # noqa: ANN401
    """Create a stack's rule like PutRule and PutTargets, which MiniStack bypasses."""
    rule = _with_compact_pattern(properties)
    name = rule.get("Name") or provisioners._physical_name(stack_name, logical_id, max_len=64)  # noqa: SLF001
    bus_name = provisioners._eb_rule_bus_name(rule)  # noqa: SLF001
    fail_if_refused(_refusal_of_rule({**rule, "Name": name, "EventBusName": bus_name}))
    fail_if_refused(_refusal_of_targets({}, rule.get("Targets") or []))
    return _create_rule(logical_id, rule, stack_name)


def _update_stack_rule(physical_id: str, old: Document, new: Document, *more: Any) -> Any:  # noqa: ANN401
    return _update_rule(physical_id, old, _with_compact_pattern(new), *more)


def _with_compact_pattern(properties: Document) -> Document:
    """Properties with the pattern as text, as CloudFormation sends it."""
    if not properties.get("EventPattern"):
        return properties
    return {**properties, "EventPattern": compact(properties["EventPattern"])}


def _refusal_of_rule(request: Document) -> Refusal | None:
    bus_name, pattern = request.get("EventBusName", "default"), request.get("EventPattern") or ""
    if not pattern and not request.get("ScheduleExpression"):
        # https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutRule.html
        message = "Parameter(s) EventPattern or ScheduleExpression must be specified."
        return Refusal("ValidationException", message)
    if len(pattern) > MAX_PATTERN_CHARACTERS:
        # AWS doesn't document this error.
        message = f"The event pattern has {len(pattern)} characters; the quota is {MAX_PATTERN_CHARACTERS}."
        return Refusal(_LIMIT_EXCEEDED, message)
    own_key = eventbridge._rule_key(request.get("Name", ""), bus_name)  # noqa: SLF001
    others = [
        rule
        for key, rule in eventbridge._rules.items()  # noqa: SLF001
        if key != own_key and rule["EventBusName"] == bus_name
    ]
    most = MAX_RULES_IN_SMALL_REGIONS if get_region() in SMALL_REGIONS else MAX_RULES
    if len(others) >= most:
        return Refusal(_LIMIT_EXCEEDED, _TOO_MANY)
    if has_wildcard(pattern):
        with_wildcard = [rule for rule in others if has_wildcard(rule.get("EventPattern") or "")]
        if len(with_wildcard) >= MAX_WILDCARD_RULES:
            return Refusal(_LIMIT_EXCEEDED, _TOO_MANY)
    return None


def _refusal_of_deletion(request: Document) -> Refusal | None:
    """Why a rule can't be deleted, as LocalStack recorded it from AWS.

    Source: https://github.com/localstack/localstack/blob/main/tests/aws/services/events/test_events.snapshot.json
    """
    key = eventbridge._rule_key(request.get("Name", ""), request.get("EventBusName", "default"))  # noqa: SLF001
    if eventbridge._targets.get(key):  # noqa: SLF001
        return Refusal("ValidationException", "Rule can't be deleted since it has targets.")
    return None


def _refusal_of_put_targets(request: Document) -> Refusal | None:
    key = eventbridge._rule_key(request.get("Rule", ""), request.get("EventBusName", "default"))  # noqa: SLF001
    present = {target["Id"]: target for target in eventbridge._targets.get(key, [])}  # noqa: SLF001
    return _refusal_of_targets(present, request.get("Targets") or [])


def _refusal_of_targets(present: Mapping[str, object], targets: Iterable[Document]) -> Refusal | None:
    """Why targets can't be added to a rule, if they can't.

    Source: https://github.com/aws-cloudformation/cfn-lint/issues/306 (the error at the quota)
    Source: https://dev.classmethod.jp/articles/tsnote-eventbridge-can-a-fifo-queue-be-specified-as-the-dead-letter-queue-for-an-eventbridge-rule
    Source: https://github.com/awslabs/aws-ddk/issues/183 (the error of a FIFO queue without a group)
    """
    for target in targets:
        dead_letters = (target.get("DeadLetterConfig") or {}).get("Arn") or ""
        if dead_letters.endswith(_FIFO_SUFFIX):
            return Refusal("ValidationException", "SQS FIFO is not supported by Dead Letter Queues.")
        group = (target.get("SqsParameters") or {}).get("MessageGroupId")
        if _is_fifo_queue(target.get("Arn") or "") and not group:
            message = f"Parameter(s) SqsParameters must be specified for target: {target['Id']}."
            return Refusal("ValidationException", message)
        if (fault := _fault_of_input(target)) is not None:
            return Refusal("ValidationException", fault)
    if len({*present, *(target["Id"] for target in targets)}) > MAX_TARGETS:
        return Refusal(_LIMIT_EXCEEDED, _TOO_MANY)
    return None


def _fault_of_input(target: Document) -> str | None:
    """What is wrong with the input settings of a target. AWS's words for log groups aren't known.

    Source: https://github.com/localstack/localstack/blob/main/tests/aws/services/events/test_events_inputs.snapshot.json
    Source: https://github.com/aws/aws-cdk/pull/20748 (log groups)
    """
    name = target["Id"]
    if sum(bool(target.get(setting)) for setting in INPUTS) > 1:
        return f"Only one of Input, InputPath, or InputTransformer must be provided for target {name}."
    transformer = target.get("InputTransformer") or {}
    template = str(transformer.get("InputTemplate", ""))
    known = {*(transformer.get("InputPathsMap") or {}), *PREDEFINED}
    for placeholder in PLACEHOLDER.findall(template):
        if placeholder not in known:
            return f"InputTemplate for target {name} contains invalid placeholder {placeholder}."
    is_log_group = str(target.get("Arn") or "").split(":")[2:3] == ["logs"]
    if is_log_group and has_own_input(target) and fields_of(template) != {"timestamp", "message"}:
        return f'Target {name} requires an InputTemplate {{"timestamp": <timestamp>, "message": <message>}}.'
    return None


def _is_fifo_queue(arn: str) -> bool:
    return arn.split(":")[2:3] == ["sqs"] and arn.endswith(_FIFO_SUFFIX)


def has_wildcard(pattern: str) -> bool:
    """Whether an event pattern has a `wildcard` condition, alone or in `anything-but`."""
    try:
        return _has_wildcard_field(json.loads(pattern))
    except ValueError:
        return False


def _has_wildcard_field(fields: object) -> bool:
    """Whether a field of a pattern's object has such a condition. A field can itself be named wildcard."""
    if not isinstance(fields, dict):
        return False
    for name, value in fields.items():
        if isinstance(value, list):
            check = _has_wildcard_field if name == "$or" else _is_wildcard
            if any(check(entry) for entry in value):
                return True
        elif _has_wildcard_field(value):
            return True
    return False


def _is_wildcard(condition: object) -> bool:
    if not isinstance(condition, dict):
        return False
    return "wildcard" in condition or _is_wildcard(condition.get("anything-but"))
