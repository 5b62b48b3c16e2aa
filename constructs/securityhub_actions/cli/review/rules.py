"""Rules: their filters, whether they're enabled, and their targets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from securityhub_actions.cli.assembly import Rule, Target, shown
from securityhub_actions.cli.review.filter_words import Change, filter_change, filter_in_words
from securityhub_actions.cli.review.names import Names, short_path
from securityhub_actions.cli.review.notes import Attention, Note, Topic
from securityhub_actions.cli.review.pairs import StackPair
from securityhub_actions.cli.review.target_changes import target_in_words, target_notes

RULE: Final = "AWS::Events::Rule"
_ATTENTION: Final[Mapping[Change, Attention]] = {
    Change.SAME: Attention.LOW,
    Change.WIDER: Attention.HIGH,
    Change.NARROWER: Attention.HIGH,
    Change.OTHER: Attention.HIGH,
}


def rule_notes(pair: StackPair, names: Names) -> Iterator[Note]:
    """Name what changed of the rules of a stack.

    Rules that only follow an action with another ARN, or a queue with another name, aren't named again.
    """
    for one in pair.of_type(RULE):
        before = pair.rules_before.get(one.before.logical_id) if one.before else None
        after = pair.rules_after.get(one.after.logical_id) if one.after else None
        if before is None and after is not None:
            yield _added(after, names)
        elif after is None and before is not None:
            yield _removed(before, names)
        elif before is not None and after is not None:
            yield from _changed(before, after, pair, names)


def _added(rule: Rule, names: Names) -> Note:
    targets = [target_in_words(target, names, stack=rule.stack) for target in rule.targets]
    return Note(
        attention=Attention.MEDIUM,
        topic=Topic.RULE,
        title="Rule added",
        subject=short_path(rule.path),
        essence="" if rule.enabled else "disabled",
        details=[*_when(rule, names), *(f"target: {target}" for target in targets)],
        after=shown(rule.pattern),
    )


def _removed(rule: Rule, names: Names) -> Note:
    targets = [target_in_words(target, names, stack=rule.stack) for target in rule.targets]
    return Note(
        attention=Attention.HIGH,
        topic=Topic.RULE,
        title="Rule removed",
        subject=short_path(rule.path),
        details=[*_when(rule, names), *(f"no longer receives its events: {target}" for target in targets)],
        before=shown(rule.pattern),
    )


def _when(rule: Rule, names: Names) -> list[str]:
    """Return in words when a rule fires."""
    lines = [names.readable(line, stack=rule.stack) for line in filter_in_words(shown(rule.pattern))]
    return lines if rule.schedule is None else [*lines, f"schedule: {rule.schedule}"]


def _changed(before: Rule, after: Rule, pair: StackPair, names: Names) -> Iterator[Note]:
    subject = short_path(after.path)
    if before.enabled != after.enabled:
        yield Note(
            attention=Attention.MEDIUM if after.enabled else Attention.HIGH,
            topic=Topic.RULE,
            title="Rule enabled" if after.enabled else "Rule disabled",
            subject=subject,
            essence="" if after.enabled else "its targets receive nothing",
        )
    for what, old, new in (
        ("Bus", pair.renames.applied(shown(before.bus)), shown(after.bus)),
        ("Schedule", before.schedule, after.schedule),
    ):
        if old != new:
            yield Note(
                attention=Attention.HIGH,
                topic=Topic.RULE,
                title=f"{what} changed",
                subject=subject,
                essence=names.readable(f"{old} -> {new}", stack=after.stack),
                before=old,
                after=new,
            )
    yield from _filter_notes(before, after, pair, names)
    yield from target_notes(_renamed_targets(before, pair), after.targets, after, names)


def _filter_notes(before: Rule, after: Rule, pair: StackPair, names: Names) -> Iterator[Note]:
    old, new = pair.renames.applied(shown(before.pattern)), shown(after.pattern)
    if old == new or old is None or new is None:
        return
    change = filter_change(old, new)
    lines = [names.readable(line, stack=after.stack) for line in change.lines]
    yield Note(
        attention=_ATTENTION[change.kind],
        topic=Topic.RULE,
        title=change.kind.value,
        subject=short_path(after.path),
        essence="matches the same events" if change.kind is Change.SAME else "; ".join(lines),
        details=lines,
        before=old,
        after=new,
    )


def _renamed_targets(rule: Rule, pair: StackPair) -> list[Target]:
    return [
        Target(
            id=target.id,
            arn=pair.renames.applied(shown(target.arn)),
            kind=target.kind,
            path=target.path,
            properties=pair.renames.applied(shown(dict(target.properties))),
        )
        for target in rule.targets
    ]
