"""Counts findings, one at a time, and keeps nothing of them but numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from functions.summary.figures import AGES, SEVERITIES, BySeverity, Group, ranked
from functions.summary.open_findings import SUPPRESSED, OpenFindings, Seen, number_of, seen
from invocation.topic import one_line
from securityhub.events import Finding

MAX_GROUPS: Final = 20_000
"""The accounts and controls that are counted separately. A finding can name any; more share one line."""

OTHERS: Final = "(others)"

_SECONDS_OF_A_DAY: Final = 86_400
_OPEN: Final = frozenset({"NEW", "NOTIFIED"})
_PASSED: Final = "PASSED"
# What a check that could not be made says, for example because of an outage. That's no failure, and doesn't
# say that what failed before passes now. What doesn't apply, Security Hub archives after three days.
# https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_Compliance.html
_NOT_CHECKED: Final = "NOT_AVAILABLE"
_SECURITY_HUB: Final = "::product/aws/securityhub"
_NAME_CHARACTERS: Final = 100
# In the counts of a group, behind those of each severity.
_NEW: Final = len(SEVERITIES)
_OVERDUE: Final = len(SEVERITIES) + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """What a summary compares with.

    Attributes:
        scheduled: When the summary is due.
        start: When the previous one was due, or would have been.
        previous: What was open then. None if it isn't known.
        overdue_days: For each severity, the age in days after which a finding is overdue; 0 for never.
    """

    scheduled: datetime
    start: datetime
    previous: OpenFindings | None
    overdue_days: BySeverity

    @classmethod
    def until(
        cls,
        scheduled: datetime,
        *,
        length: timedelta,
        previous: OpenFindings | None,
        overdue_days: BySeverity,
    ) -> Period:
        """Return the period from the previous summary, or of a length if there was none."""
        start = previous.scheduled if previous else scheduled - length
        return cls(scheduled=scheduled, start=start, previous=previous, overdue_days=overdue_days)

    @property
    def today(self) -> int:
        """The day of the summary."""
        return day_of(self.scheduled)

    def opened(self, finding: Finding, number: int) -> tuple[int, bool]:
        """Return since which day a finding has been open, and whether that is new.

        What was open in the previous summary has been open since the day that it kept. A control that fails
        again, after it passed, is the finding that it was, with its old time: it's open since today.
        """
        created = finding.created_at
        day = min(day_of(created), self.today) if created else self.today
        if self.previous is None:
            return day, created is not None and created > self.start
        if (before := self.open_before(number)) is not None:
            return before.day, False
        return (day if created and created > self.start else self.today), True

    def open_before(self, number: int) -> Seen | None:
        """Return what the previous summary kept of a finding, or None if it wasn't open then."""
        before = self.previous.find(number) if self.previous else None
        return None if before is None or before.severity == SUPPRESSED else before


def day_of(moment: datetime) -> int:
    """Return the day of a moment, in days since the epoch."""
    return int(moment.timestamp() // _SECONDS_OF_A_DAY)


class Tally:
    """The counts, which are stored where a summary is to be continued.

    Attributes:
        seen: What is kept of each finding, by its number. A finding counts once, even if Security Hub returns
            it twice because it changes while it's counted.
        unreadable: The number of findings that can't be read.
    """

    def __init__(self) -> None:
        self.seen: dict[int, Seen] = {}
        self.unreadable = 0
        self._counts = {name: [0] * len(SEVERITIES) for name in ("open", "new", "overdue")}
        self._ages = [[0] * len(SEVERITIES) for _ in range(len(AGES) + 1)]
        self._groups: dict[str, dict[str, list[int]]] = {"accounts": {}, "controls": {}}
        self._names: dict[str, dict[str, str]] = {"accounts": {}, "controls": {}}

    def add(self, finding: Finding, period: Period) -> None:
        """Count a finding, unless it was counted before or is neither open nor suppressed."""
        number = number_of(finding)
        if finding.record_state == "ARCHIVED" or number in self.seen:
            return
        if finding.workflow_status == "SUPPRESSED":
            self.seen[number] = seen(period.today, SUPPRESSED)
        elif finding.workflow_status in _OPEN and finding.compliance_status == _NOT_CHECKED:
            # Its own severity is that of what is no failure.
            if (before := period.open_before(number)) is not None:
                self._count(finding, number, period, severity=before.severity)
        elif finding.workflow_status in _OPEN and finding.compliance_status != _PASSED:
            self._count(finding, number, period, severity=severity_of(finding))

    def leave_out(self, number: int, period: Period) -> None:
        """Remember that a finding was open before, if it was, but can't be read now: it isn't fixed."""
        if number not in self.seen and (before := period.open_before(number)) is not None:
            self.seen[number] = before

    def _count(self, finding: Finding, number: int, period: Period, *, severity: int) -> None:
        day, is_new = period.opened(finding, number)
        self.seen[number] = seen(day, severity)
        age, limit = period.today - day, period.overdue_days[severity]
        is_overdue = 0 < limit < age
        for name, applies in (("open", True), ("new", is_new), ("overdue", is_overdue)):
            self._counts[name][severity] += applies
        self._ages[sum(age > bound for bound in AGES)][severity] += 1
        for kind, named in (("accounts", _account_of(finding)), ("controls", _control_of(finding))):
            row = self._row(kind, *named)
            row[severity] += 1
            row[_NEW] += is_new
            row[_OVERDUE] += is_overdue

    def _row(self, kind: str, key: str, name: str | None) -> list[int]:
        groups = self._groups[kind]
        if key not in groups and len(groups) >= MAX_GROUPS:
            key = OTHERS
        elif name:
            self._names[kind].setdefault(key, one_line(name)[:_NAME_CHARACTERS])
        return groups.setdefault(key, [0] * (_OVERDUE + 1))

    @property
    def suppressed(self) -> int:
        """The number of suppressed findings."""
        return sum(one.severity == SUPPRESSED for one in self.seen.values())

    def by_severity(self, name: str) -> BySeverity:
        """Return the number of `open`, `new`, or `overdue` findings."""
        return tuple(self._counts[name])

    @property
    def ages(self) -> tuple[BySeverity, ...]:
        """The number of open findings by age."""
        return tuple(tuple(one) for one in self._ages)

    def groups(self, kind: str) -> tuple[tuple[Group, ...], int]:
        """Return the `accounts` or `controls` with the most severe findings, and how many there are."""
        groups = [
            Group(
                key=key,
                name=self._names[kind].get(key),
                open=tuple(row[:_NEW]),
                new=row[_NEW],
                overdue=row[_OVERDUE],
            )
            for key, row in self._groups[kind].items()
        ]
        return ranked(groups), len(groups)

    def changes_since(self, previous: OpenFindings) -> tuple[BySeverity, int]:
        """Return how many findings were open and are neither open nor suppressed, and how many suppressed.

        It's right only if everything was counted.
        """
        fixed, suppressed = [0] * len(SEVERITIES), 0
        for number, severity in previous.severities():
            if severity == SUPPRESSED:
                continue
            now = self.seen.get(number)
            if now is None:
                fixed[severity] += 1
            elif now.severity == SUPPRESSED:
                suppressed += 1
        return tuple(fixed), suppressed

    def to_json(self, scheduled: datetime) -> dict[str, Any]:
        """Return the counts as they are stored."""
        return {
            "seen": OpenFindings(scheduled, self.seen).to_json(),
            "unreadable": self.unreadable,
            "counts": self._counts,
            "ages": self._ages,
            "groups": self._groups,
            "names": self._names,
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Tally:
        """Return counts that were stored."""
        tally = cls()
        tally.seen = OpenFindings.from_json(stored["seen"]).all()
        tally.unreadable = stored["unreadable"]
        tally._counts, tally._ages = stored["counts"], stored["ages"]
        tally._groups, tally._names = stored["groups"], stored["names"]
        return tally


def severity_of(finding: Finding) -> int:
    """Return the index of a finding's severity. One without a known severity counts as the least severe."""
    label: Sequence[str] = SEVERITIES
    return label.index(finding.severity_label) if finding.severity_label in label else len(label) - 1


def _account_of(finding: Finding) -> tuple[str, str | None]:
    return finding.aws_account_id, finding.account_name


def _control_of(finding: Finding) -> tuple[str, str | None]:
    """Return the control and its title. Only Security Hub's own findings are about controls."""
    if finding.control and finding.product_arn.endswith(_SECURITY_HUB):
        title = finding.title or ""
        return one_line(finding.control), title.removeprefix(finding.control).strip() or None
    return one_line(finding.product_arn.rpartition(":product/")[2] or finding.product_arn), None
