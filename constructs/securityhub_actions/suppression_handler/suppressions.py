"""The suppressions of a stack, as the event and the environment variables of the function say."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class Suppression:
    """A suppression that ends."""

    key: str
    name: str
    hub: str
    rule: str
    reason: str
    until: date
    topic: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Suppressions:
    """The suppressions of the stack, as they are now.

    Attributes:
        now: When the invocation was scheduled.
        markers: What their markers begin with.
        until: The day on which each ends, by its key; `date.max` for those that don't end.
        ending: Those that end.
    """

    now: datetime
    markers: str
    until: Mapping[str, date]
    ending: Sequence[Suppression]

    @classmethod
    def parse(cls, event: Mapping[str, Any], environment: Mapping[str, str]) -> Suppressions:
        """Read the event and the environment variables.

        Raises:
            ValueError: The event has no scheduled time.
        """
        now = datetime.fromisoformat(str(event.get("scheduledTime")))
        until: dict[str, date] = {}
        for item in filter(None, environment["IN_FORCE"].split(",")):
            key, _, day = item.partition(":")
            until[key] = datetime.strptime(day, "%Y%m%d").replace(tzinfo=UTC).date() if day else date.max
        return cls(
            now=now if now.tzinfo else now.replace(tzinfo=UTC),
            markers=environment["MARKERS"],
            until=until,
            ending=[
                Suppression(**one, until=until[one["key"]])
                for one in event["suppressions"]
                # What the function doesn't know any more is of an event that is delivered late.
                if one["key"] in until
            ],
        )

    def in_force(self) -> list[str]:
        """The keys of those that haven't ended."""
        return [key for key, until in self.until.items() if until > self.now.date()]
