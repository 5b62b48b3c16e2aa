"""Permissions that are granted and taken away."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from securityhub_actions.cli.review.grants import NO_CONDITION, Grant, grants_of
from securityhub_actions.cli.review.names import Names
from securityhub_actions.cli.review.notes import Attention, Note, Topic
from securityhub_actions.cli.review.pairs import StackPair

_PRINCIPAL: Final = re.compile(r"^arn:|^\d{12}$")
_NEGATED: Final = "Not"


def permission_notes(pair: StackPair, names: Names) -> Iterator[Note]:
    """Name the permissions in a stack that are granted and taken away.

    What denies less grants, and what denies more takes away.
    """
    before = list(dict.fromkeys(grants_of(one.before for one in pair.pairs if one.before)))
    after = list(dict.fromkeys(grants_of(one.after for one in pair.pairs if one.after)))
    come = [one for one in after if one not in before]
    gone = [one for one in before if one not in after]
    changed = _same_but_for_conditions(gone, come)
    come = [one for one in come if one not in {new for _, new in changed}]
    gone = [one for one in gone if one not in {old for old, _ in changed}]
    more = [one for one in come if not any(old.covers(one) for old in before)]
    less = [one for one in gone if not any(new.covers(one) for new in after)]
    known = {one.who for one in before}
    report = _Report(names, known, pair)
    yield from report.of(more, granted=True)
    yield from report.of(less, granted=False)
    yield from report.of_conditions(changed)


def _same_but_for_conditions(gone: Iterable[Grant], come: Iterable[Grant]) -> list[tuple[Grant, Grant]]:
    left = defaultdict(list)
    for one in come:
        left[one.key].append(one)
    return [(one, left[one.key].pop(0)) for one in gone if left[one.key]]


class _Report:
    """Puts the grants of one principal on the same resource into one note."""

    def __init__(self, names: Names, known: set[str], pair: StackPair) -> None:
        self._names = names
        self._stack = pair.name
        stack = pair.after or pair.before
        self._account = (stack.account if stack else None) or "${AWS::AccountId}"
        self._known = known
        self._paths = {one.after.path for one in pair.pairs if one.after}
        self._new_paths = {one.any.path for one in pair.pairs if one.before is None}

    def of(self, grants: Sequence[Grant], *, granted: bool) -> Iterator[Note]:
        groups: dict[tuple[str, bool, bool], list[Grant]] = defaultdict(list)
        for one in grants:
            groups[one.who if one.who else one.path, one.allows, self._is_wide(one)].append(one)
        for (who, allows, wide), members in groups.items():
            yield self._note(who, members, more=granted == allows, allows=allows, wide=wide)

    def _is_wide(self, grant: Grant) -> bool:
        return grant.allows and grant.has_wildcard

    def _note(self, who: str, members: Sequence[Grant], *, more: bool, allows: bool, wide: bool) -> Note:
        lines = [line.removeprefix("denied: ") for line in self._lines(members)]
        title = {
            (True, True): "Permission granted",
            (False, True): "Permission removed",
            (True, False): "Denial removed",
            (False, False): "Denial added",
        }[more, allows]
        if wide and more:
            title = "Wildcard granted"
        rest = f" and {len(lines) - 1} more" if len(lines) > 1 else ""
        return Note(
            attention=self._attention(members, more=more, allows=allows, wide=wide),
            topic=Topic.PERMISSION,
            title=title,
            subject=self._readable(who),
            essence=f"{lines[0]}{rest}",
            details=[*lines, *(f"policy: {path}" for path in dict.fromkeys(one.path for one in members))],
        )

    def _attention(self, members: Sequence[Grant], *, more: bool, allows: bool, wide: bool) -> Attention:
        if not more:
            exists = any(one.path in self._paths for one in members)
            return Attention.MEDIUM if exists else Attention.LOW
        is_new = all(one.path in self._new_paths for one in members) or members[0].who not in self._known
        if is_new and not wide and all(_lets_a_service_in(one) for one in members):
            return Attention.LOW
        outside = any(self._is_outside(one.who) for one in members)
        if wide or not allows or outside or not is_new:
            return Attention.HIGH
        return Attention.MEDIUM

    def _is_outside(self, who: str) -> bool:
        return who == "*" or bool(_PRINCIPAL.search(who) and self._account not in who)

    def of_conditions(self, changed: Iterable[tuple[Grant, Grant]]) -> Iterator[Note]:
        groups: dict[tuple[str, str, str, bool], list[tuple[Grant, Grant]]] = defaultdict(list)
        for old, new in changed:
            groups[old.who, old.condition, new.condition, old.allows].append((old, new))
        for (who, before, after, allows), members in groups.items():
            how, lines = condition_change(json.loads(before), json.loads(after))
            what = self._lines([replace(new, condition=NO_CONDITION) for _, new in members])
            harmless = how in ({"added", "narrowed"} if allows else {"removed", "widened"})
            follows = how == "widened" and self._are_new_resources(json.loads(before), json.loads(after))
            yield Note(
                attention=Attention.LOW if harmless or follows else Attention.HIGH,
                topic=Topic.PERMISSION,
                title=f"Condition {'' if allows else 'of a denial '}{how}",
                subject=self._readable(who),
                essence=self._readable("; ".join(lines)),
                details=[*what, *(self._readable(line) for line in lines), f"policy: {members[0][1].path}"],
                before=json.loads(before),
                after=json.loads(after),
            )

    def _are_new_resources(self, before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
        """Whether a condition only lets in what the stack creates itself, such as a new rule."""
        old, new = _flat(before), _flat(after)
        come = [value for key in new for value in new[key] if value not in old.get(key, ())]
        return bool(come) and all(self._readable(value) in self._new_paths for value in come)

    def _lines(self, members: Iterable[Grant]) -> list[str]:
        return grants_in_words(members, self._names, stack=self._stack)

    def _readable(self, text: str) -> str:
        return self._names.readable(text, stack=self._stack)


def grants_in_words(grants: Iterable[Grant], names: Names, *, stack: str) -> list[str]:
    """Return one line for each resource and condition, such as `sqs:SendMessage on Stack/Queue`."""
    by_place: dict[tuple[str, str, bool], list[str]] = defaultdict(list)
    for one in grants:
        by_place[one.resource, one.condition, one.allows].append(one.action)
    lines = []
    for (resource, condition, allows), actions in by_place.items():
        only_if = f" if {condition_in_words(json.loads(condition))}" if condition != NO_CONDITION else ""
        line = f"{', '.join(sorted(set(actions)))} on {resource}{only_if}"
        lines.append(("" if allows else "denied: ") + names.readable(line, stack=stack))
    return lines


def _lets_a_service_in(grant: Grant) -> bool:
    """Whether an AWS service is allowed something under a condition, as every rule does for its targets."""
    return grant.allows and grant.who.endswith(".amazonaws.com") and grant.condition != NO_CONDITION


def condition_in_words(condition: Mapping[str, Any]) -> str:
    """Return a condition in words."""
    parts = []
    for operator, keys in condition.items():
        if isinstance(keys, Mapping):
            parts += [f"{key} {operator} {_any_of(values)}" for key, values in keys.items()]
        else:
            parts.append(f"{operator} is {_any_of(keys)}")
    return " and ".join(parts)


def condition_change(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[str, list[str]]:
    """Return how a condition changed (`added`, `removed`, `widened`, `narrowed`, `changed`), and in what."""
    old, new = _flat(before), _flat(after)
    gone, come = old.keys() - new.keys(), new.keys() - old.keys()
    lines = [f"no longer: {key} {_any_of(old[key])}" for key in sorted(gone)]
    lines += [f"only if {key} {_any_of(new[key])}" for key in sorted(come)]
    hows = {"removed"} if gone else set()
    hows |= {"added"} if come else set()
    for key in sorted(old.keys() & new.keys()):
        more = [one for one in new[key] if one not in old[key]]
        less = [one for one in old[key] if one not in new[key]]
        if not more and not less:
            continue
        values = [*(f"+ {one}" for one in more), *(f"- {one}" for one in less)]
        lines.append(f"{key} {', '.join(values)}")
        negated = _NEGATED in key.rpartition(" ")[2]  # the operator, not the name of a tag
        hows |= {"narrowed" if negated else "widened"} if more else set()
        hows |= {"widened" if negated else "narrowed"} if less else set()
    return (hows.pop() if len(hows) == 1 else "changed"), lines


def _flat(condition: Mapping[str, Any]) -> dict[str, list[str]]:
    flat = {}
    for operator, keys in condition.items():
        if isinstance(keys, Mapping):
            flat.update({f"{key} {operator}": _texts(values) for key, values in keys.items()})
        else:
            flat[f"{operator} is"] = _texts(keys)
    return flat


def _texts(values: object) -> list[str]:
    return [str(one) for one in (values if isinstance(values, list) else [values])]


def _any_of(values: object) -> str:
    return " or ".join(_texts(values))
