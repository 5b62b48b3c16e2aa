"""The summary in words and rows, the most important first. Each channel adds its own markup."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Final

from dateutil import tz

from functions.summary.figures import AGES, SEVERITIES, BySeverity, Figures, Group
from invocation.topic import one_line

NAMES: Final = ("Critical", "High", "Medium", "Low", "Info")
"""Short names of the severities, so that a row fits on a phone."""

_BARS: Final = "▁▂▃▄▅▆▇█"
_UNKNOWN: Final = "?"
_UNNAMED: Final = "(without a name)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Figures under short headings.

    Attributes:
        heading: What the table is about.
        columns: The headings of the numbers.
        rows: A short label and the numbers.
    """

    heading: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One of many that have findings. Others can write its label.

    Attributes:
        count: The number of open findings.
        label: The account or control, on one line.
        detail: Its findings by severity, and how many are new or overdue.
    """

    count: str
    label: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """Those that have the most severe findings, and how many more there are."""

    heading: str
    entries: tuple[Entry, ...]
    count: int

    @property
    def more(self) -> str:
        """What comes after the entries: `and 12 more`, `none`, or an empty text."""
        if (left := self.count - len(self.entries)) > 0:
            return f"and {left:,} more"
        return "" if self.entries else "none"

    def cut(self, most: int) -> Listing:
        """Return the same with fewer entries."""
        return replace(self, entries=self.entries[:most])


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A summary in words.

    Attributes:
        incomplete: What is missing, in one sentence. Empty if nothing is.
        title: What it is, and when.
        headline: The numbers of open and overdue findings.
        changes: What happened since the previous summary.
        warnings: What somebody should look at: dead letters, failures, suppressions that end.
        notes: What else is to be known.
        tables: By severity, and by age.
        listings: By account, and by control.
        trend: The numbers of open findings in the last summaries, the oldest first, with their times.
        place: Where the page is.
    """

    incomplete: str
    title: str
    headline: str
    changes: str
    warnings: tuple[str, ...]
    notes: tuple[str, ...]
    tables: tuple[Table, ...]
    listings: tuple[Listing, ...]
    trend: tuple[tuple[datetime, BySeverity], ...]
    place: str

    @property
    def subject(self) -> str:
        """The title and the headline in one line."""
        mark = "INCOMPLETE: " if self.incomplete else ""
        return f"{mark}{self.title}: {self.headline}"

    @property
    def trend_line(self) -> str:
        """The trend of all open findings as a row of bars, or an empty text if there is only one summary."""
        totals = [sum(counts) for _, counts in self.trend]
        if len(totals) < 2:  # noqa: PLR2004 - one point is no trend
            return ""
        return f"{bars(totals)} {totals[0]:,} → {totals[-1]:,}"


def report_on(
    figures: Figures, *, earlier: Sequence[Figures], place: str, timezone: str, origin: str
) -> Report:
    """Put figures into words.

    Args:
        figures: The figures.
        earlier: Those of the summaries before, the oldest first.
        place: Where the page is.
        timezone: The name of the time zone in which times are shown, such as `Europe/Berlin`.
        origin: The account and Region, in words.
    """
    complete = [one for one in (*earlier, figures) if one.is_complete]
    return Report(
        incomplete=_incomplete(figures),
        title=f"Security Hub {figures.schedule}, {local(figures.scheduled, timezone)}",
        headline=_headline(figures),
        changes=_changes(figures, timezone),
        warnings=tuple(_warnings(figures)),
        notes=(*_notes(figures), origin),
        tables=(_by_severity(figures), _by_age(figures)),
        listings=(
            _listing("Accounts", figures.accounts, figures.account_count),
            _listing("Controls and products", figures.controls, figures.control_count),
        ),
        trend=tuple((one.scheduled, one.open) for one in complete),
        place=place,
    )


def local(moment: datetime, timezone: str) -> str:
    """Return a time as people in a time zone write it: `Mon 5 Jan 2026 07:00`."""
    # The time zones of dateutil come with botocore, so that the runtime needs none.
    there = moment.astimezone(tz.gettz(timezone) or tz.UTC)
    return f"{there:%a} {there.day} {there:%b %Y %H:%M}"


def bars(values: Sequence[int]) -> str:
    """Return a bar for each number, from the lowest to the highest."""
    low, high = min(values), max(values)
    step = (high - low) / (len(_BARS) - 1) or 1
    return "".join(_BARS[round((value - low) / step)] for value in values)


def _incomplete(figures: Figures) -> str:
    missing = [one_line(one) for one in figures.missing]
    return f"This summary is incomplete. Not counted: {'; '.join(missing)}." if missing else ""


def _headline(figures: Figures) -> str:
    counts = [f"{count:,} {name.lower()}" for name, count in zip(NAMES[:2], figures.open[:2], strict=True)]
    total = sum(figures.open)
    return f"{', '.join(counts)}, {total:,} open in total"


def _changes(figures: Figures, timezone: str) -> str:
    new, overdue = f"{sum(figures.new):,}", f"{sum(figures.overdue):,}"
    if figures.since is None:
        length = "day" if figures.schedule == "daily" else "week"
        return f"First summary: {new} created in the last {length}. {overdue} overdue."
    fixed = _UNKNOWN if figures.fixed is None else f"{sum(figures.fixed):,}"
    return f"Since {local(figures.since, timezone)}: {new} new, {fixed} fixed. {overdue} overdue."


def _warnings(figures: Figures) -> Iterator[str]:
    waiting = {stack: count for stack, count in (figures.dead_letters or {}).items() if count}
    if waiting:
        places = ", ".join(f"{stack} {count:,}" for stack, count in sorted(waiting.items()))
        yield f"{_plural(figures.waiting_dead_letters, 'dead letter')} waiting: {places}"
    if figures.remediations and figures.remediations.failed:
        yield f"{_plural(figures.remediations.failed, 'remediation')} failed"
    for one in sorted(figures.expiring, key=lambda one: (one.until, one.name)):
        yield f"Suppression ends {_day(one.until)}: {one_line(one.name)}"


def _notes(figures: Figures) -> Iterator[str]:
    if figures.remediations:
        yield f"{_plural(figures.remediations.done, 'finding')} remediated"
    if figures.dead_letters is not None and not figures.waiting_dead_letters:
        yield "No dead letters waiting"
    newly = f", {figures.newly_suppressed:,} of them since then" if figures.newly_suppressed else ""
    yield f"{figures.suppressed:,} suppressed{newly}"
    if figures.unreadable:
        yield f"{_plural(figures.unreadable, 'finding')} could not be read and are left out"


def _by_severity(figures: Figures) -> Table:
    fixed = figures.fixed or (None,) * len(SEVERITIES)
    rows = zip(NAMES, figures.open, figures.new, fixed, figures.overdue, strict=True)
    return Table(
        heading="Severity",
        columns=("Open", "New", "Fixed", "Overdue"),
        rows=tuple(
            (name, *(_UNKNOWN if one is None else f"{one:,}" for one in counts)) for name, *counts in rows
        ),
    )


def _by_age(figures: Figures) -> Table:
    bounds = (0, *AGES)
    labels = [f"{low + 1} to {high} d" for low, high in zip(bounds, AGES, strict=False)]
    labels[0] = f"up to {AGES[0]} d"
    labels.append(f"over {AGES[-1]} d")
    return Table(
        heading="Age",
        columns=("Crit.", "High", "Other"),
        rows=tuple(
            (label, f"{counts[0]:,}", f"{counts[1]:,}", f"{sum(counts[2:]):,}")
            for label, counts in zip(labels, figures.ages, strict=True)
        ),
    )


def _listing(heading: str, groups: Sequence[Group], count: int) -> Listing:
    return Listing(heading=heading, entries=tuple(_entry(group) for group in groups), count=count)


def _entry(group: Group) -> Entry:
    key, name = one_line(group.key), one_line(group.name or "")
    counts = [f"{count:,} {label.lower()}" for label, count in zip(NAMES, group.open, strict=True) if count]
    counts += [
        f"{count:,} {word}" for word, count in (("new", group.new), ("overdue", group.overdue)) if count
    ]
    return Entry(
        count=f"{sum(group.open):,}",
        label=f"{key} {name}".strip() or _UNNAMED,
        detail=", ".join(counts) or "none",
    )


def _day(day: date) -> str:
    return f"{day:%a} {day.day} {day:%b %Y}"


def _plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
