"""An EventBridge event pattern that can be matched, explained, and measured without AWS."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from securityhub_actions.argument_words import described
from securityhub_actions.patterns.conditions import Condition, InexactNumber, Scalar
from securityhub_actions.patterns.engine_faults import misleads_the_engine
from securityhub_actions.patterns.errors import EngineFaultWarning, InvalidPatternError
from securityhub_actions.patterns.leaves import PathReader, has_empty_names, require_event
from securityhub_actions.patterns.matching import BranchMatcher
from securityhub_actions.patterns.plain_events import PlainEvents
from securityhub_actions.patterns.syntax import Branch, parse_branches, parse_json

MOST_CHARACTERS: Final = 2048
"""The default quota for the size of an event pattern. AWS increases it on request.

Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """The event matches. A match is true in a Boolean context."""

    def __bool__(self) -> bool:
        return True

    def __str__(self) -> str:
        return "the event matches"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mismatch:
    """The event doesn't match, and the first reason why. A mismatch is false in a Boolean context.

    If the pattern has several branches because of ``$or``, the reason is that of the closest branch.

    Attributes:
        paths: The path that doesn't match, or several paths that match individually, but not in one array
            element.
        conditions: The conditions at the first of the paths, of which one must match.
        seen: The values of the event at that path; empty if there are none.
        branches: How many branches the pattern has.
    """

    paths: tuple[str, ...]
    conditions: tuple[Condition, ...]
    seen: tuple[Scalar, ...]
    branches: int

    def __bool__(self) -> bool:
        return False

    def __str__(self) -> str:
        closest = f" (closest of {self.branches} branches)" if self.branches > 1 else ""
        if len(self.paths) > 1:
            return f"{', '.join(self.paths)} do not match in the same array element{closest}"
        wanted = " or ".join(_compact(condition.to_json()) for condition in self.conditions)
        seen = f"is {', '.join(map(_compact, self.seen))}" if self.seen else "is missing"
        return f"{self.paths[0]} {seen}, wanted {wanted}{closest}"


@dataclass(frozen=True, slots=True)
class EventPattern:
    """A valid event pattern, compiled once to match many events.

    Create it with :meth:`parse`. It matches like EventBridge's engine (https://github.com/aws/event-ruler),
    with these exceptions:

    * Numbers are compared as EventBridge documents it: beyond five billion, or with more than six decimal
      places, as text. Version 2 of the engine compares more of them as numbers.
    * In a list with an IP address or ``cidr`` and other operators, the engine also compares the other
      operators with an encoded address: ``[10000000, {"cidr": "1.0.0.0/8"}]`` matches ``"16.0.0.0"``.
    * Lists that the engine matches incorrectly (:class:`EngineFaultWarning`) are matched as documented.
    * Numbers in an event have the text that Python gives them: ``1.00`` becomes ``1.0``.

    Attributes:
        document: The decoded pattern.
        branches: The alternatives after ``$or`` is expanded, each of which maps paths to conditions.
    """

    document: Mapping[str, Any]
    branches: tuple[Branch, ...] = field(repr=False, compare=False)
    _reader: PathReader = field(repr=False, compare=False)
    _matchers: tuple[BranchMatcher, ...] = field(repr=False, compare=False)
    _plain: PlainEvents | None = field(repr=False, compare=False)

    @classmethod
    def parse(cls, source: str | Mapping[str, Any]) -> EventPattern:
        """Parse and validate a pattern.

        Args:
            source: JSON text or the decoded object.

        Warns:
            EngineFaultWarning: EventBridge doesn't match the pattern as documented.

        Raises:
            InvalidPatternError: EventBridge would reject the pattern; or the pattern has a duplicate key, of
                which EventBridge would silently use the last.
        """
        document = parse_json(source) if isinstance(source, str) else source
        if not isinstance(document, Mapping):
            raise InvalidPatternError("", f"source must be an object, not {described(document, 'source')}")
        branches = parse_branches(document)
        for branch in branches:
            for path, conditions in branch.items():
                if misleads_the_engine(conditions):
                    _warn_of_order(path)
        paths = {path for branch in branches for path in branch}
        reader = PathReader(paths, follows_empty_keys=has_empty_names(paths))
        matchers = tuple(map(BranchMatcher, branches))
        return cls(document, branches, reader, matchers, PlainEvents.of(branches))

    def matches(self, event: dict[str, Any]) -> bool:
        """Whether a rule with this pattern would receive the event.

        Args:
            event: The entire event, decoded from JSON.
        """
        if not isinstance(event, dict):
            require_event(event)
        if self._plain is not None:
            verdict = self._plain.matches(event)
            if verdict is not None:
                return verdict
        leaves = self._reader.read(event)
        return any(matcher.matches(leaves) for matcher in self._matchers)

    def explain(self, event: dict[str, Any]) -> Match | Mismatch:
        """Match the event, and return the reason if it doesn't match.

        Args:
            event: The entire event, decoded from JSON.
        """
        require_event(event)
        leaves = self._reader.read(event)
        failures = []
        for matcher in self._matchers:
            failure = matcher.failure(leaves)
            if failure is None:
                return Match()
            failures.append(failure)
        closest = max(failures, key=lambda failure: failure.satisfied)
        return Mismatch(
            paths=closest.paths,
            conditions=closest.conditions,
            seen=closest.seen,
            branches=len(failures),
        )

    @property
    def size(self) -> int:
        """The length of the pattern as compact JSON, in characters. Compare :data:`MOST_CHARACTERS`."""
        return len(_compact(self.document))


def _warn_of_order(path: str) -> None:
    message = (
        f"EventBridge matches the list at {path} incorrectly: a wildcard that begins with an asterisk is "
        "before a condition that ignores case or a suffix with characters outside ASCII. Move the wildcard "
        "to the end of the list."
    )
    warnings.warn(message, EngineFaultWarning, stacklevel=3)


def _compact(value: object) -> str:
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{_compact(key)}:{_compact(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(_compact, value)) + "]"
    return value.text if isinstance(value, InexactNumber) else json.dumps(value, ensure_ascii=False)
