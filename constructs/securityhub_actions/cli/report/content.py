"""What the page says of an app."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from securityhub_actions.cli.assembly import Action, App, Rule, Stack, Target, shown
from securityhub_actions.cli.each_finding import origin_of
from securityhub_actions.cli.explanation import Received, received_by
from securityhub_actions.cli.report.permissions import Permissions
from securityhub_actions.cli.report.samples import Sample, samples_for
from securityhub_actions.cli.review.filter_words import filter_in_words
from securityhub_actions.cli.review.names import Names, short_path
from securityhub_actions.cli.review.texts import mentions


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleView:
    """A sample event, and what each target would get of it.

    Attributes:
        sample: The event.
        received: What each target would get.
    """

    sample: Sample
    received: Sequence[Received]


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetView:
    """A target of a rule.

    Attributes:
        target: The target.
        name: Its construct path, or else its ARN.
        dead_letters: The dead-letter queue, or an empty string.
    """

    target: Target
    name: str
    dead_letters: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleView:
    """A rule.

    Attributes:
        rule: The rule.
        name: The construct path.
        conditions: Its filter in words.
        targets: Its targets.
        permissions: Who may do what for it, by principal.
        samples: Events that match it.
    """

    rule: Rule
    name: str
    conditions: Sequence[str]
    targets: Sequence[TargetView]
    permissions: Mapping[str, Sequence[str]]
    samples: Sequence[SampleView]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A custom action with its rules, or a rule for events that nobody has to choose.

    Attributes:
        action: The custom action, or None.
        title: The name of the action, or the path of the rule.
        stack: The name of the stack.
        rules: The rules.
    """

    action: Action | None
    title: str
    stack: str
    rules: Sequence[RuleView]


def entries_of(app: App) -> list[Entry]:
    """Return the custom actions of an app with their rules, and then its other rules."""
    names = Names([app])
    views = _Views(app, names)
    rules_of: dict[str, list[Rule]] = defaultdict(list)
    others = []
    for rule in app.rules:
        origin = origin_of(rule, app.rules)
        pattern = rule.pattern if origin is None else origin[0].pattern
        actions = [action for action in app.actions if mentions(pattern, action.arn)]
        for action in actions:
            rules_of[action.arn].append(rule)
        if not actions:
            others.append(rule)
    entries = [
        Entry(
            action=action,
            title=action.name or action.id,
            stack=action.stack,
            rules=[views.of(rule, action) for rule in rules_of[action.arn]],
        )
        for action in app.actions
    ]
    return entries + [
        Entry(action=None, title=short_path(rule.path), stack=rule.stack, rules=[views.of(rule, None)])
        for rule in others
    ]


class _Views:
    """Describes the rules of an app."""

    def __init__(self, app: App, names: Names) -> None:
        self._names = names
        self._permissions = {stack.name: Permissions(stack, names) for stack in app.stacks}

    def of(self, rule: Rule, action: Action | None) -> RuleView:
        return RuleView(
            rule=rule,
            name=_within(short_path(rule.path), rule),
            conditions=list(self._conditions(rule)),
            targets=[self._target(target, rule) for target in rule.targets],
            permissions=self._permissions[rule.stack].of(rule),
            samples=[
                SampleView(
                    sample=sample,
                    received=[received_by(target, rule, sample.event) for target in rule.targets],
                )
                for sample in samples_for(rule, action)
            ],
        )

    def _conditions(self, rule: Rule) -> Iterator[str]:
        if rule.schedule:
            yield f"schedule: {shown(rule.schedule)}"
        for line in filter_in_words(shown(rule.pattern)):
            yield self._names.readable(line, stack=rule.stack)

    def _target(self, target: Target, rule: Rule) -> TargetView:
        queue = target.dead_letter_arn
        return TargetView(
            target=target,
            name=_within(target.path, rule)
            if target.path
            else self._names.readable(shown(target.arn), stack=rule.stack),
            dead_letters="" if queue is None else self._names.readable(shown(queue), stack=rule.stack),
        )


def _within(path: str, rule: Rule) -> str:
    """Return a construct path without the stack, if that is the rule's own."""
    return path.removeprefix(f"{rule.path.partition('/')[0]}/")


def stacks_of(app: App) -> list[Stack]:
    """Return the stacks that have custom actions or rules."""
    return [stack for stack in app.stacks if stack.actions or stack.rules]
