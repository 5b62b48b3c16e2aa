"""The suppressions of a stack, as the event and the environment variables of the function say."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Suppression:
    """A suppression in force.

    Attributes:
        key: The last part of its marker, up to the digest.
        name: What messages call it.
        hub: Whose findings it suppresses, `cspm` or `v2`.
        rule: The ARN of its automation rule.
        reason: Why the findings are accepted.
        until: The day on which it ends; `date.max` if it doesn't end.
        topic: The ARN of the topic to tell; None for nobody.
        digest: The digest of its filter; None in an event of an earlier version, which had none.
    """

    key: str
    name: str
    hub: str
    rule: str
    reason: str
    until: date
    topic: str | None
    digest: str | None = None

    @property
    def marked(self) -> str:
        """The key as the markers of its findings have it now."""
        return f"{self.key}.{self.digest}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Suppressions:
    """The suppressions of the stack, as they are now.

    Attributes:
        now: When the invocation was scheduled.
        markers: What their markers begin with.
        until: The day on which each ends, by its key; `date.max` for those that don't end.
        known: Those of which the event tells more, by their key.
    """

    now: datetime
    markers: str
    until: Mapping[str, date]
    known: Mapping[str, Suppression]

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
            known={
                one["key"]: Suppression(
                    key=one["key"],
                    name=one["name"],
                    hub=one["hub"],
                    rule=one["rule"],
                    reason=one["reason"],
                    until=until[one["key"]],
                    # The AWS CDK leaves out what is null.
                    topic=one.get("topic"),
                    digest=one.get("digest"),
                )
                for one in event["suppressions"]
                # What the function doesn't know any more is of an event that is delivered late.
                if one["key"] in until
            },
        )

    @property
    def ending(self) -> list[Suppression]:
        """Those that end."""
        return [one for one in self.known.values() if one.until != date.max]

    def in_force(self) -> list[str]:
        """The keys of those that haven't ended."""
        return [key for key, until in self.until.items() if until > self.now.date()]
