"""The sections of a report, which are printed or written as Markdown."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from securityhub_actions.cli.assembly import App, Rule, shown
from securityhub_actions.cli.review.difference import Review
from securityhub_actions.cli.review.filter_words import filter_in_words
from securityhub_actions.cli.review.grants import Grant, grants_of
from securityhub_actions.cli.review.limits import Usage
from securityhub_actions.cli.review.names import Names, short_path
from securityhub_actions.cli.review.notes import Topic
from securityhub_actions.cli.review.permissions import grants_in_words
from securityhub_actions.cli.review.resources import resources_of
from securityhub_actions.cli.review.samples import SampleOutcome
from securityhub_actions.cli.review.target_changes import target_in_words


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A part of a section.

    Attributes:
        title: What it's about.
        lines: What to know of it.
        code: JSON to show with it, or an empty string.
    """

    title: str
    lines: Sequence[str] = ()
    code: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A section of a report."""

    title: str
    entries: Sequence[Entry]


def sections_of(review: Review) -> list[Section]:
    """Return the sections of a report, without those that have nothing to say."""
    found = list(_of_difference(review) if review.before else _of_app(review))
    return [section for section in found if section.entries]


def _of_difference(review: Review) -> Iterator[Section]:
    by_topic: dict[str, list[Entry]] = defaultdict(list)
    for note in sorted(review.notes, key=lambda one: list(Topic).index(one.topic)):
        also = [f"also: {subject}" for subject in note.also]
        by_topic[note.topic.value].append(Entry(title=note.headline, lines=[*also, *note.details]))
    for topic, entries in by_topic.items():
        yield Section(title=topic, entries=entries)
    yield Section(title="Sample findings that match other rules", entries=list(_compared(review.outcomes)))
    used = [(old, new) for old, new in review.usages if old is not None and old.used != new.used]
    entries = [Entry(title=f"{new.quota}: {old.used:,} -> {_used(new)}") for old, new in used]
    yield Section(title="Limits", entries=entries)


def _compared(outcomes: Iterable[SampleOutcome]) -> Iterator[Entry]:
    """Return what changed, with samples of which the same changed in one entry."""
    alike: dict[tuple[str, str], list[str]] = defaultdict(list)
    for one in outcomes:
        if one.changed:
            new = [path for path in one.after if path not in one.before]
            gone = [path for path in one.before if path not in one.after]
            alike[", ".join(new), ", ".join(gone)].append(one.name)
    for (new_paths, gone_paths), names in alike.items():
        lines = [f"now matches: {new_paths}"] if new_paths else []
        lines += [f"no longer matches: {gone_paths}"] if gone_paths else []
        yield Entry(title="; ".join(names), lines=lines)


def _of_app(review: Review) -> Iterator[Section]:
    app, names = review.after, review.names
    yield Section(
        title="Custom actions",
        entries=[
            Entry(
                title=f"{action.name} (ID {action.id})",
                lines=[f"ARN: {shown(action.arn)}", f"description: {action.description}"],
            )
            for action in app.actions
        ],
    )
    yield Section(title="Rules", entries=[_of_rule(rule, names) for rule in app.rules])
    yield Section(title="Who may do what", entries=list(_grants(app, names)))
    yield Section(
        title="Sample findings",
        entries=[Entry(title=f"{one.name}: {', '.join(one.after)}") for one in review.outcomes],
    )
    yield Section(
        title="Limits", entries=[Entry(title=f"{new.quota}: {_used(new)}") for _, new in review.usages]
    )


def _of_rule(rule: Rule, names: Names) -> Entry:
    lines = [names.readable(line, stack=rule.stack) for line in filter_in_words(shown(rule.pattern))]
    if rule.schedule:
        lines.append(f"schedule: {rule.schedule}")
    for target in rule.targets:
        lines.append(f"target: {target_in_words(target, names, stack=rule.stack)}")
        queue = target.dead_letter_arn
        where = names.readable(shown(queue), stack=rule.stack) if queue else "none: what fails is lost"
        lines.append(f"dead-letter queue: {where}")
    pattern = json.dumps(shown(rule.pattern), ensure_ascii=False) if rule.pattern else ""
    title = short_path(rule.path) + ("" if rule.enabled else " (disabled)")
    return Entry(title=title, lines=lines, code=pattern)


def _grants(app: App, names: Names) -> Iterator[Entry]:
    for stack in app.stacks:
        by_principal: dict[str, list[Grant]] = defaultdict(list)
        for one in grants_of(resources_of(stack)):
            by_principal[one.who].append(one)
        for who, grants in by_principal.items():
            title = f"{names.readable(who, stack=stack.name)} ({stack.name})"
            yield Entry(title=title, lines=grants_in_words(grants, names, stack=stack.name))


def _used(usage: Usage) -> str:
    where = f" ({usage.where})" if usage.where else ""
    return f"{usage.used:,} of {usage.allowed:,}{where}"
