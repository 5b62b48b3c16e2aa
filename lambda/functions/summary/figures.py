"""The figures of one summary, which are kept for the trend and for a repeated attempt to send them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, Final

SCHEMA: Final = 1
"""The version of the stored form. Figures of another version are left out of the trend."""

SEVERITIES: Final = ("CRITICAL", "HIGH", "MEDIUM", "LOW", "INFORMATIONAL")
AGES: Final = (7, 30, 90)
"""The upper bounds of the groups by age, in days. The last group has no bound."""

SHOWN_GROUPS: Final = 20
"""The accounts and controls with the most severe findings, which are kept; the others are only counted."""

BySeverity = tuple[int, ...]
"""One number for each of `SEVERITIES`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The open findings of one account or control.

    Attributes:
        key: The account ID; the control ID, or the product where there is no control.
        name: The name of the account or the title of the control, if it's known. Others can write it.
        open: The open findings.
        new: Those that weren't open in the previous summary.
        overdue: Those that are older than the limit of their severity.
    """

    key: str
    name: str | None
    open: BySeverity
    new: int
    overdue: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Remediations:
    """Findings that were remediated, and that could not be, since the previous summary."""

    done: int
    failed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Expiring:
    """A suppression that ends soon."""

    name: str
    until: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """The figures of one summary.

    Attributes:
        schedule: `daily` or `weekly`.
        scheduled: When it was due.
        since: When the previous summary of the schedule that could count everything was due. None if there
            was none; then, `new` are findings of the last day or week, and what was fixed isn't known.
        missing: What could not be counted, and why.
        open: Active findings that are new or notified, and don't say that a check passed. What could not be
            checked is among them if it was open before.
        new: Those that weren't open in the previous summary.
        overdue: Those that are older than the limit of their severity.
        ages: For each group of `AGES`, the open findings.
        fixed: Findings that were open and are neither open nor suppressed: resolved, passed, or archived.
            None if it isn't known.
        suppressed: Active findings that are suppressed.
        newly_suppressed: Those that were open in the previous summary. None if it isn't known.
        accounts: The accounts with the most severe findings.
        account_count: The number of all accounts with open findings.
        controls: The controls and products with the most severe findings.
        control_count: The number of all controls and products with open findings.
        unreadable: Findings that can't be read, which are in none of the other figures.
        remediations: What remediation did. None if it isn't deployed or isn't known.
        dead_letters: The number of messages in the dead-letter queue of each stack. None if it isn't known.
        expiring: Suppressions that end soon.
    """

    schedule: str
    scheduled: datetime
    since: datetime | None
    missing: tuple[str, ...] = ()
    open: BySeverity
    new: BySeverity
    overdue: BySeverity
    ages: tuple[BySeverity, ...]
    fixed: BySeverity | None
    suppressed: int
    newly_suppressed: int | None
    accounts: tuple[Group, ...]
    account_count: int
    controls: tuple[Group, ...]
    control_count: int
    unreadable: int = 0
    remediations: Remediations | None = None
    dead_letters: Mapping[str, int] | None = field(default_factory=dict)
    expiring: tuple[Expiring, ...] = ()

    @property
    def is_complete(self) -> bool:
        """Whether everything could be counted."""
        return not self.missing

    @property
    def waiting_dead_letters(self) -> int:
        """The number of messages in all dead-letter queues that are known."""
        return sum((self.dead_letters or {}).values())

    def to_json(self) -> dict[str, Any]:
        """Return the figures as they are stored."""
        values = dataclasses.asdict(self)
        for name in ("scheduled", "since"):
            values[name] = values[name] and values[name].isoformat()
        values["expiring"] = [{**one, "until": one["until"].isoformat()} for one in values["expiring"]]
        return {"schema": SCHEMA, **values}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Figures:
        """Return figures that were stored.

        Raises:
            ValueError: They are of another version.
        """
        if stored.get("schema") != SCHEMA:
            raise ValueError(f"The figures have schema {stored.get('schema')!r} instead of {SCHEMA}.")
        values = {name: value for name, value in stored.items() if name != "schema"}
        for name in ("open", "new", "overdue", "fixed"):
            values[name] = None if values[name] is None else tuple(values[name])
        for name in ("accounts", "controls"):
            values[name] = tuple(Group(**{**one, "open": tuple(one["open"])}) for one in values[name])
        remediations = values["remediations"]
        return cls(
            **{
                **values,
                "scheduled": _moment(values["scheduled"]),
                "since": values["since"] and _moment(values["since"]),
                "missing": tuple(values["missing"]),
                "ages": tuple(tuple(one) for one in values["ages"]),
                "remediations": remediations and Remediations(**remediations),
                "expiring": tuple(
                    Expiring(name=one["name"], until=date.fromisoformat(one["until"]))
                    for one in values["expiring"]
                ),
            }
        )


def ranked(groups: Sequence[Group]) -> tuple[Group, ...]:
    """Return the groups with the most severe findings, these first."""
    ordered = sorted(groups, key=lambda group: ([-count for count in group.open], group.key))
    return tuple(ordered[:SHOWN_GROUPS])


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
