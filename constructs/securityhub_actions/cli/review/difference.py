"""Puts together what a reviewer must know of an app, or of two versions of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from securityhub_actions.cli.assembly import App, Stack
from securityhub_actions.cli.review.actions import action_notes
from securityhub_actions.cli.review.automation_rules import automation_rule_notes
from securityhub_actions.cli.review.data import data_notes
from securityhub_actions.cli.review.limits import Usage, limit_notes, usages
from securityhub_actions.cli.review.names import Names, as_mapping
from securityhub_actions.cli.review.notes import Attention, Note, Topic, arranged
from securityhub_actions.cli.review.pairs import StackPair, paired
from securityhub_actions.cli.review.permissions import permission_notes
from securityhub_actions.cli.review.replacement import lost_with, word_for
from securityhub_actions.cli.review.resources import resources_of
from securityhub_actions.cli.review.rules import rule_notes
from securityhub_actions.cli.review.samples import SampleOutcome, outcomes
from securityhub_actions.cli.review.settings import setting_notes


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """What a reviewer must know.

    Attributes:
        before: The app before, or None if only one version is reviewed.
        after: The app after.
        notes: What to name of the difference, the most urgent first.
        outcomes: Which rules sample findings match.
        usages: How much is used of each quota, before and after. Before is None if there is no such app.
    """

    before: App | None
    after: App
    notes: Sequence[Note]
    outcomes: Sequence[SampleOutcome]
    usages: Sequence[tuple[Usage | None, Usage]]

    @property
    def names(self) -> Names:
        """The names of the resources."""
        return Names([self.before, self.after] if self.before else [self.after])

    def count(self, attention: Attention) -> int:
        """Return how many notes have an urgency."""
        return sum(note.attention is attention for note in self.notes)


def review(
    before: App | None,
    after: App,
    *,
    account: str | None = None,
    region: str | None = None,
    by_position: bool = False,
) -> Review:
    """Review an app, or the difference between two versions of it.

    Args:
        before: The app before, or None.
        after: The app after.
        account: The account of sample findings.
        region: The Region of sample findings.
        by_position: Match stacks by position instead of name, because names of files aren't those of stacks.
    """
    used = usages(after)
    former: Sequence[Usage | None] = usages(before) if before else [None] * len(used)
    notes: list[Note] = []
    if before:
        names = Names([before, after])
        for pair in paired(before, after, by_position=by_position):
            notes += _stack_notes(pair, names)
        notes += limit_notes([one for one in former if one is not None], used)
    return Review(
        before=before,
        after=after,
        notes=arranged(notes),
        outcomes=outcomes(before, after, account=account, region=region),
        usages=list(zip(former, used, strict=True)),
    )


def _stack_notes(pair: StackPair, names: Names) -> Iterator[Note]:
    if pair.after is None and pair.before is not None:
        yield _removed_stack(pair.before)
        return
    if pair.before is None and pair.after is not None:
        yield _stack_note(
            pair.after, "Stack added", Attention.MEDIUM, f"{len(pair.after.resources)} resources"
        )
    elif pair.before is not None and pair.after is not None:
        yield from _moved(pair.before, pair.after)
        yield from _outputs(pair.before, pair.after)
    yield from action_notes(pair)
    yield from rule_notes(pair, names)
    yield from automation_rule_notes(pair, names)
    yield from permission_notes(pair, names)
    yield from data_notes(pair)
    yield from setting_notes(pair, names)


def _removed_stack(stack: Stack) -> Note:
    kept = [one for one in resources_of(stack) if lost_with(one)]
    return _stack_note(
        stack,
        "Stack removed",
        Attention.HIGH,
        f"its {len(stack.resources)} resources stay until it is deleted",
        [
            f"It's in {stack.account or 'any account'} and {stack.region or 'any Region'}.",
            "A deployment leaves stacks alone that the app no longer has.",
            *(f"action: {action.id}" for action in stack.actions),
            *(f"rule: {rule.path}" for rule in stack.rules),
            *(f"{word_for(one.type)}: {one.path}, with {lost_with(one)}" for one in kept),
        ],
    )


def _moved(before: Stack, after: Stack) -> Iterator[Note]:
    for word, old, new in (
        ("account", before.account, after.account),
        ("Region", before.region, after.region),
    ):
        if old != new:
            yield _stack_note(
                after,
                f"Stack in another {word}",
                Attention.HIGH,
                f"{old or 'any'} -> {new or 'any'}",
                ["A new stack is created there. The one that was deployed stays."],
            )


def _outputs(before: Stack, after: Stack) -> Iterator[Note]:
    old, new = (as_mapping(one.template.get("Outputs")) for one in (before, after))
    for name in sorted(old.keys() - new.keys()):
        is_export = "Export" in as_mapping(old[name])
        yield _stack_note(
            after,
            "Export removed" if is_export else "Output removed",
            Attention.MEDIUM if is_export else Attention.LOW,
            name,
            ["The deployment fails while another stack imports it."] if is_export else [],
        )


def _stack_note(
    stack: Stack, title: str, attention: Attention, essence: str, details: Sequence[Any] = ()
) -> Note:
    topic = Topic.OTHER if attention is not Attention.HIGH else Topic.DATA
    return Note(
        attention=attention,
        topic=topic,
        title=title,
        subject=stack.name,
        essence=essence,
        details=list(details),
    )
