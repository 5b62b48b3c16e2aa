"""Which dead letters a command is about."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from securityhub_actions.cli.dead_letters.model import DeadLetter


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What dead letters must have; all of it.

    Attributes:
        ids: Their IDs, or the IDs of their events. Empty for any.
        rule: A text in the ARN of the rule, or None for any.
        target: A text in the ARN of the target, or None for any.
        error: A text in the error, in any case, or None for any.
        older_than: They have been there for longer.
        newer_than: They haven't been there for so long.
    """

    ids: Collection[str] = ()
    rule: str | None = None
    target: str | None = None
    error: str | None = None
    older_than: timedelta | None = None
    newer_than: timedelta | None = None

    def includes(self, letter: DeadLetter, *, now: datetime | None = None) -> bool:
        """Whether a dead letter is chosen."""
        age = (now or datetime.now(UTC)) - letter.since
        return (
            (not self.ids or letter.id in self.ids or letter.event_id in self.ids)
            and _contains(letter.rule, self.rule)
            and _contains(letter.target, self.target)
            and _contains(f"{letter.error} {letter.explanation}".lower(), self.error and self.error.lower())
            and (self.older_than is None or age > self.older_than)
            and (self.newer_than is None or age < self.newer_than)
        )


def _contains(text: str | None, part: str | None) -> bool:
    return part is None or part in (text or "")
