"""Custom actions that are added, removed, renamed, or replaced."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from securityhub_actions.cli.assembly import Action, Rule, Stack, shown
from securityhub_actions.cli.assembly.attributes import CUSTOM_ACTION_TYPES
from securityhub_actions.cli.review.names import short_path
from securityhub_actions.cli.review.notes import Attention, Note, Topic
from securityhub_actions.cli.review.pairs import Pair, StackPair
from securityhub_actions.cli.review.replacement import taken_name
from securityhub_actions.cli.review.texts import mentions

_NAMED: Sequence[tuple[str, str]] = (("Name", "name"), ("Description", "description"))


def action_notes(pair: StackPair) -> Iterator[Note]:
    """Name what changed of the custom actions of a stack."""
    for one, (before, after) in zip(pair.of_type(*CUSTOM_ACTION_TYPES), _both(pair), strict=True):
        if before is None and after is not None:
            yield _note(
                after,
                "Action added",
                Attention.MEDIUM,
                essence=f"ID {after.id}",
                details=[f'name: "{after.name}"', f"description: {after.description}"],
            )
        elif after is None and before is not None:
            yield _note(
                before,
                "Action removed",
                Attention.HIGH,
                essence=f"ID {before.id}",
                details=["Analysts can't choose it anymore, and rules on its ARN match nothing."],
            )
        elif before is not None and after is not None:
            yield from _changed(before, after, one, pair)


def _changed(before: Action, after: Action, one: Pair, pair: StackPair) -> Iterator[Note]:
    if before.id != after.id:
        yield _replaced(before, after, pair)
    elif taken_name(one):
        yield _note(
            after,
            "Deployment fails",
            Attention.HIGH,
            essence=f"the ID {after.id} is taken until the old action is deleted",
            details=[
                f"The logical ID changed from {before.logical_id} to {after.logical_id}.",
                "CloudFormation creates the new action before it deletes the old one. Keep the construct's "
                "ID, or change the action's ID as well.",
            ],
        )
    for name, word in _NAMED:
        old, new = getattr(before, word), getattr(after, word)
        if old != new:
            yield _note(
                after,
                f"Action {word} changed" if name != "Name" else "Action renamed",
                Attention.LOW if name != "Name" else Attention.MEDIUM,
                essence=f'"{old}" -> "{new}"',
                details=["CloudFormation updates it in place: its ID and its ARN stay."],
            )


def _replaced(before: Action, after: Action, pair: StackPair) -> Note:
    following = [f"The rule {short_path(rule.path)} follows." for rule in _rules_on(after, pair.after)]
    return _note(
        after,
        "Action replaced",
        Attention.HIGH,
        essence=f"ID {before.id} -> {after.id}",
        details=[
            f"ARN before: {shown(before.arn)}",
            f"ARN after: {shown(after.arn)}",
            *following,
            "Other rules and permissions on the old ARN match nothing anymore.",
        ],
    )


def _rules_on(action: Action, stack: Stack | None) -> list[Rule]:
    rules = stack.rules if stack else []
    return [rule for rule in rules if rule.pattern is not None and mentions(rule.pattern, action.arn)]


def _both(pair: StackPair) -> list[tuple[Action | None, Action | None]]:
    old = {action.logical_id: action for action in pair.before.actions} if pair.before else {}
    new = {action.logical_id: action for action in pair.after.actions} if pair.after else {}
    return [
        (
            old.get(one.before.logical_id) if one.before else None,
            new.get(one.after.logical_id) if one.after else None,
        )
        for one in pair.of_type(*CUSTOM_ACTION_TYPES)
    ]


def _note(action: Action, title: str, attention: Attention, *, essence: str, details: Sequence[str]) -> Note:
    arn = [] if any(line.startswith("ARN") for line in details) else [f"ARN: {shown(action.arn)}"]
    return Note(
        attention=attention,
        topic=Topic.ACTION,
        title=title,
        subject=short_path(action.path),
        essence=essence,
        details=[*arn, *details],
    )
