"""Automation rules and suppressions: which findings they change, how, and until when."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from securityhub_actions.cli.review.names import Names, as_mapping
from securityhub_actions.cli.review.notes import Attention, Note, Topic
from securityhub_actions.cli.review.pairs import StackPair
from securityhub_actions.cli.review.resources import Resource
from securityhub_actions.cli.review.texts import at, mappings_of
from securityhub_actions.quotas import AUTOMATION_RULE, AUTOMATION_RULE_V2

_SUPPRESSED_ID: Final = 3
_WORDS: Final[Mapping[str, str]] = {
    "EQUALS": "",
    "PREFIX": "begins with ",
    "CONTAINS": "contains ",
    "NOT_EQUALS": "not ",
    "PREFIX_NOT_EQUALS": "doesn't begin with ",
    "NOT_CONTAINS": "doesn't contain ",
}
_OPENED: Final = "what it has suppressed and no longer matches is opened"
# What a suppression writes has a digest of the criteria, which are named already.
_DIGEST: Final = re.compile(r'(?<=/[0-9a-f]{8})\.[0-9a-f]{8}(?=[":])')
_FIELDS: Final = (
    "StringFilters",
    "NumberFilters",
    "MapFilters",
    "DateFilters",
    "BooleanFilters",
    "IpFilters",
)


def automation_rule_notes(pair: StackPair, names: Names) -> Iterator[Note]:
    """Name the automation rules of a stack that are added, removed, or changed."""
    for kind in (AUTOMATION_RULE, AUTOMATION_RULE_V2):
        for one in pair.of_type(kind):
            if one.before is None and one.after is not None:
                yield _note(one.after, "added", Attention.HIGH, _summary(one.after), _lines(one.after, names))
            elif one.after is None and one.before is not None:
                opened = "what it suppressed is opened" if _suppresses(one.before) else ""
                yield _note(one.before, "removed", Attention.MEDIUM, opened, _lines(one.before, names))
            elif one.before is not None and one.after is not None:
                yield from _changed(one.before, one.after, names)


def _changed(before: Resource, after: Resource, names: Names) -> Iterator[Note]:
    was_enabled, is_enabled = (one.properties.get("RuleStatus") != "DISABLED" for one in (before, after))
    if was_enabled != is_enabled:
        word = "enabled" if is_enabled else "disabled"
        yield _note(after, word, Attention.HIGH if is_enabled else Attention.MEDIUM, _summary(after), [])
    old, new = (_criteria(one) for one in (before, after))
    if old != new:
        changes = [
            *(f"+ {line}" for line in new if line not in old),
            *(f"- {line}" for line in old if line not in new),
        ]
        lines = [names.readable(line, stack=after.stack) for line in changes]
        opened = [_OPENED] if _suppresses(before) and _suppresses(after) else []
        yield _note(after, "criteria changed", Attention.HIGH, "; ".join(lines), [*lines, *opened])
    old, new = (_updates(one) for one in (before, after))
    summaries = [_summary(one) for one in (before, after)]
    if old != new or summaries[0] != summaries[1]:
        said = [names.readable(line, stack=after.stack) for line in (*(f"- {one}" for one in old), *new)]
        yield _note(after, "changed", Attention.HIGH, " -> ".join(dict.fromkeys(summaries)), said)
    orders = [one.properties.get("RuleOrder") for one in (before, after)]
    if orders[0] != orders[1]:
        yield _note(after, "order changed", Attention.LOW, f"{orders[0]} -> {orders[1]}", [])


def _note(rule: Resource, verb: str, attention: Attention, essence: str, details: Sequence[str]) -> Note:
    return Note(
        attention=attention,
        topic=Topic.RULE,
        title=f"{'Suppression' if _suppresses(rule) else 'Automation rule'} {verb}",
        subject=rule.path,
        essence=essence,
        details=list(details),
    )


def _summary(rule: Resource) -> str:
    return str(rule.properties.get("Description", ""))


def _lines(rule: Resource, names: Names) -> list[str]:
    lines = [*(f"of findings with {line}" for line in _criteria(rule)), *_updates(rule)]
    return [names.readable(line, stack=rule.stack) for line in lines]


def _suppresses(rule: Resource) -> bool:
    return any(
        at(update, "Workflow.Status") == "SUPPRESSED" or update.get("StatusId") == _SUPPRESSED_ID
        for update in _updates_of(rule)
    )


def _updates_of(rule: Resource) -> list[Mapping[str, Any]]:
    return [
        as_mapping(action.get("FindingFieldsUpdate"))
        for action in mappings_of(rule.properties.get("Actions"))
    ]


def _updates(rule: Resource) -> list[str]:
    """What a rule sets, in words."""
    return [
        f"sets {name}: {_DIGEST.sub('', json.dumps(value, ensure_ascii=False))}"
        for update in _updates_of(rule)
        for name, value in sorted(update.items())
    ]


def _criteria(rule: Resource) -> list[str]:
    """The criteria of a rule in words, one line for each field."""
    criteria = as_mapping(rule.properties.get("Criteria"))
    if rule.type == AUTOMATION_RULE:
        return [f"{_spaced(name)}: {_values(mappings_of(some))}" for name, some in sorted(criteria.items())]
    lines: dict[str, list[Mapping[str, Any]]] = {}
    for composite in mappings_of(at(criteria, "OcsfFindingCriteria.CompositeFilters")):
        for kind in _FIELDS:
            for one in mappings_of(composite.get(kind)):
                lines.setdefault(str(one.get("FieldName")), []).append(as_mapping(one.get("Filter")))
    return [f"{name}: {_values(some)}" for name, some in sorted(lines.items())]


def _values(filters: Sequence[Mapping[str, Any]]) -> str:
    return ", ".join(map(_value, filters))


def _value(condition: Mapping[str, Any]) -> str:
    key = f"{condition['Key']} " if "Key" in condition else ""
    if "Comparison" in condition:
        comparison = str(condition["Comparison"])
        words = _WORDS.get(comparison, f"{comparison} ")
        return f"{key}{words}{json.dumps(condition.get('Value'), ensure_ascii=False)}"
    return json.dumps(condition, ensure_ascii=False)


def _spaced(name: str) -> str:
    """`SeverityLabel` as `severity label`."""
    return re.sub(r"(?<!^)(?=[A-Z])", " ", name).lower()
