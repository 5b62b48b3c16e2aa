"""What changed of the targets of a rule."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from securityhub_actions.cli.assembly import Rule, Target, shown
from securityhub_actions.cli.review.names import Names, as_mapping, short_path
from securityhub_actions.cli.review.notes import Attention, Note, Topic

_INPUTS: Final = ("Input", "InputPath", "InputTransformer")
_OTHERS: Final = frozenset({*_INPUTS, "Arn", "DeadLetterConfig", "Id", "RetryPolicy"})
_RETRY_WORDS: Final = {"MaximumRetryAttempts": "attempts", "MaximumEventAgeInSeconds": "seconds"}
# Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-retry-policy.html
_RETRY_DEFAULTS: Final = {"MaximumRetryAttempts": 185, "MaximumEventAgeInSeconds": 86_400}


def target_in_words(target: Target, names: Names, *, stack: str) -> str:
    """Return what a target is, and its path or ARN."""
    return f"{target.kind} {target.path or names.readable(shown(target.arn), stack=stack)}"


def target_notes(
    before: Sequence[Target], after: Sequence[Target], rule: Rule, names: Names
) -> Iterator[Note]:
    """Name the targets that were added and removed, and what changed of the others."""
    left = list(before)
    added = []
    for target in after:
        same = [one for one in left if one.arn == shown(target.arn)]
        if not same:
            added.append(target)
            continue
        former = next((one for one in same if one.id == target.id), same[0])
        left.remove(former)
        yield from _Changes(former, target, rule, names).notes()
    for attention, title, targets in (
        (Attention.HIGH, "Target removed", left),
        (Attention.MEDIUM, "Target added", added),
    ):
        for target in targets:
            yield Note(
                attention=attention,
                topic=Topic.TARGET,
                title=title,
                subject=short_path(rule.path),
                essence=target_in_words(target, names, stack=rule.stack),
                details=[f"ARN: {shown(target.arn)}"],
            )


class _Changes:
    """What changed of one target."""

    def __init__(self, before: Target, after: Target, rule: Rule, names: Names) -> None:
        self._old: Mapping[str, Any] = before.properties
        self._new: Mapping[str, Any] = shown(dict(after.properties))
        self._rule = rule
        self._names = names
        self._target = f"target: {target_in_words(after, names, stack=rule.stack)}"

    def notes(self) -> Iterator[Note]:
        yield from self._dead_letters()
        yield from self._retries()
        if any(self._old.get(name) != self._new.get(name) for name in _INPUTS):
            yield self._note(
                Attention.MEDIUM,
                "Input changed",
                "the target receives something else",
                before={name: self._old[name] for name in _INPUTS if name in self._old},
                after={name: self._new[name] for name in _INPUTS if name in self._new},
            )
        for name in sorted((self._old.keys() | self._new.keys()) - _OTHERS):
            before, after = self._old.get(name), self._new.get(name)
            if before != after:
                values = f"{self._value(before)} -> {self._value(after)}"
                yield self._note(Attention.MEDIUM, f"{name} changed", values, before=before, after=after)

    def _dead_letters(self) -> Iterator[Note]:
        before = as_mapping(self._old.get("DeadLetterConfig")).get("Arn")
        after = as_mapping(self._new.get("DeadLetterConfig")).get("Arn")
        if before == after:
            return
        if after is None:
            title, essence = "Dead-letter queue removed", "what can't be delivered is lost"
        elif before is None:
            title, essence = "Dead-letter queue added", self._value(after)
        else:
            title, essence = "Dead-letter queue changed", f"{self._value(before)} -> {self._value(after)}"
        attention = Attention.HIGH if after is None else Attention.MEDIUM
        yield self._note(attention, title, essence, before=before, after=after)

    def _retries(self) -> Iterator[Note]:
        before, after = (
            _RETRY_DEFAULTS | dict(as_mapping(one.get("RetryPolicy"))) for one in (self._old, self._new)
        )
        changes = [
            f"{before[name]} -> {after[name]} {word}"
            for name, word in _RETRY_WORDS.items()
            if before[name] != after[name]
        ]
        if changes:
            fewer = any(_is_less(after[name], before[name]) for name in _RETRY_WORDS)
            title = "Retries reduced" if fewer else "Retries changed"
            yield self._note(Attention.MEDIUM, title, ", ".join(changes), before=before, after=after)

    def _value(self, value: Any) -> str:  # noqa: ANN401 - any JSON value
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        return self._names.readable(text, stack=self._rule.stack)

    def _note(
        self,
        attention: Attention,
        title: str,
        essence: str,
        *,
        before: Any,  # noqa: ANN401
        after: Any,  # noqa: ANN401
    ) -> Note:
        return Note(
            attention=attention,
            topic=Topic.TARGET,
            title=title,
            subject=short_path(self._rule.path),
            essence=essence,
            details=[self._target, f"before: {self._value(before)}", f"after: {self._value(after)}"],
            before=before,
            after=after,
        )


def _is_less(left: object, right: object) -> bool:
    return isinstance(left, int) and isinstance(right, int) and left < right
