"""One summary: counts, keeps the figures, and sends them to each channel once.

An attempt that runs out of time, or to which something was refused, keeps what it has counted and fails, so
that Lambda tries again and the next attempt goes on. The last attempt sends what there is, and says first
what is missing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from functions.summary.counting import Count, Pages
from functions.summary.figures import BySeverity, Expiring, Figures, Remediations
from functions.summary.finding_pages import Pace
from functions.summary.open_findings import OpenFindings
from functions.summary.report import Report, report_on
from functions.summary.sources import OutOfTimeError
from functions.summary.tally import Period
from invocation.once import RememberedWork, WorkInProgressError

ATTEMPTS: Final = 3
"""As often as Lambda invokes a function for an event: once, and then two retries.

Source: https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
"""

SECONDS_TO_SEND: Final = 120.0
"""The time that is left for everything after the count."""

SECONDS_TO_POST: Final = 75.0
"""The time that is left for the channels, each of which may take 15 seconds to answer."""

LENGTHS: Final[Mapping[str, timedelta]] = {"daily": timedelta(days=1), "weekly": timedelta(days=7)}

_SOON: Final = timedelta(days=14)

logger = logging.getLogger(__name__)


class Storage(Protocol):
    """What summaries keep, as `functions.summary.storage.Storage` does."""

    def page_place(self, schedule: str, scheduled: datetime) -> str: ...  # noqa: D102
    def figures(self, schedule: str, scheduled: datetime) -> Figures | None: ...  # noqa: D102
    def put_figures(self, figures: Figures) -> None: ...  # noqa: D102
    def earlier_figures(self, schedule: str, before: datetime) -> Sequence[Figures]: ...  # noqa: D102
    def previously_open(self, schedule: str, before: datetime) -> OpenFindings | None: ...  # noqa: D102
    def put_open(self, schedule: str, scheduled: datetime, count: Count) -> None: ...  # noqa: D102
    def progress(self, schedule: str, scheduled: datetime) -> Count: ...  # noqa: D102
    def put_progress(self, schedule: str, scheduled: datetime, count: Count) -> None: ...  # noqa: D102


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What a summary reads and where it's sent.

    Attributes:
        pages: The findings.
        storage: The bucket.
        once: Records what was done.
        dead_letters: Returns the number of messages in each dead-letter queue.
        remediations: Returns what remediation did between two times, as long as there is time. None if it
            isn't deployed.
        channels: For each channel, sends a report, given its schedule and time.
        pace: The pace of the requests for findings.
    """

    pages: Pages
    storage: Storage
    once: RememberedWork
    dead_letters: Callable[[], Mapping[str, int]]
    remediations: Callable[[datetime, datetime, Callable[[], bool]], Remediations] | None
    channels: Mapping[str, Callable[[Report, Run], None]]
    pace: Pace | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Which summary it is.

    Attributes:
        schedule: `daily` or `weekly`.
        scheduled: When it was due.
        suppressions: The suppressions of the app that end, as they were at the deployment.
    """

    schedule: str
    scheduled: datetime
    suppressions: tuple[Expiring, ...] = ()

    @classmethod
    def of_event(cls, event: Mapping[str, Any]) -> Run:
        """Read the input of a schedule.

        Raises:
            ValueError: It isn't one.
        """
        schedule, time = event.get("schedule"), event.get("scheduledTime")
        if not isinstance(schedule, str) or schedule not in LENGTHS:
            raise ValueError(f"schedule must be one of {', '.join(LENGTHS)}, but is {schedule!r}.")
        try:
            scheduled = datetime.fromisoformat(str(time))
        except ValueError:
            raise ValueError(
                f"scheduledTime must be a time such as 2026-01-31T07:00:00Z, but is {time!r}."
            ) from None
        try:
            suppressions = tuple(
                Expiring(name=str(name), until=date.fromisoformat(day))
                for name, day in event.get("suppressions") or ()
            )
        except (TypeError, ValueError):
            raise ValueError(
                "suppressions must be a list of names, each with a date such as 2026-01-31."
            ) from None
        moment = scheduled.replace(tzinfo=scheduled.tzinfo or UTC).astimezone(UTC)
        return cls(schedule=schedule, scheduled=moment, suppressions=suppressions)

    @property
    def key(self) -> dict[str, str]:
        """What identifies it."""
        return {"summary": self.schedule, "time": self.scheduled.isoformat()}


class SummaryIncompleteError(Exception):
    """Something could not be counted, or a channel could not be reached. The rest was sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """How summaries are made.

    Attributes:
        services: What they read and where they are sent.
        overdue_days: For each severity, the age in days after which a finding is overdue; 0 for never.
        timezone: The time zone in which times are shown.
        origin: The account and Region, in words.
    """

    services: Services
    overdue_days: BySeverity
    timezone: str
    origin: str

    def make(self, run: Run, *, seconds_left: Callable[[], float]) -> dict[str, object]:
        """Make a summary and send it.

        Args:
            run: Which one.
            seconds_left: Returns the time that this attempt still has.

        Returns:
            `open`, the number of open findings, and `channels`; or `skipped`, if another invocation for the
            same event is at it or has done it.

        Raises:
            SummaryIncompleteError: Something could not be counted, or a channel could not be reached.
        """
        try:
            result, repeated = self.services.once.run(run.key, lambda: self._make(run, seconds_left))
        except WorkInProgressError as error:
            # EventBridge Scheduler may deliver an event twice. The other one has retries of its own.
            return {"skipped": str(error)}
        return {"skipped": "It was sent before."} if repeated else dict(result)

    def _make(self, run: Run, seconds_left: Callable[[], float]) -> dict[str, object]:
        figures = self.services.storage.figures(run.schedule, run.scheduled)
        if figures is None or not figures.is_complete:
            figures = self._count(run, seconds_left)
        failures = [*figures.missing, *self._send(figures, run)]
        if failures:
            raise SummaryIncompleteError(" | ".join(failures))
        return {"open": sum(figures.open), "channels": sorted(self.services.channels)}

    def _count(self, run: Run, seconds_left: Callable[[], float]) -> Figures:
        storage = self.services.storage
        count = storage.progress(run.schedule, run.scheduled)
        count.attempt += 1
        # First of all, so that an attempt that ends without warning counts.
        storage.put_progress(run.schedule, run.scheduled, count)
        previous = storage.previously_open(run.schedule, run.scheduled)
        period = Period.until(
            run.scheduled, length=LENGTHS[run.schedule], previous=previous, overdue_days=self.overdue_days
        )
        try:
            count.go_on(
                self.services.pages,
                period,
                has_time=lambda: seconds_left() > SECONDS_TO_SEND,
                pace=self.services.pace,
            )
        finally:
            storage.put_progress(run.schedule, run.scheduled, count)
        figures = self._figures(run, count, period, has_time=lambda: seconds_left() > SECONDS_TO_POST)
        if not figures.is_complete and count.attempt < ATTEMPTS:
            raise SummaryIncompleteError(
                f"Attempt {count.attempt} ended before everything was counted; the next one goes on. "
                + " | ".join(figures.missing)
            )
        if not count.missing:
            storage.put_open(run.schedule, run.scheduled, count)
        storage.put_figures(figures)
        return figures

    def _figures(self, run: Run, count: Count, period: Period, *, has_time: Callable[[], bool]) -> Figures:
        missing = [f"{part.lower()} findings ({why})" for part, why in count.missing.items()]
        dead_letters = _tried("dead letters", self.services.dead_letters, missing)
        remediations = None
        if remediated := self.services.remediations:
            remediations = _tried(
                "remediations", lambda: remediated(period.start, run.scheduled, has_time), missing
            )
        fixed, newly_suppressed = None, None
        if period.previous is not None and not count.missing:
            fixed, newly_suppressed = count.tally.changes_since(period.previous)
        accounts, account_count = count.tally.groups("accounts")
        controls, control_count = count.tally.groups("controls")
        return Figures(
            schedule=run.schedule,
            scheduled=run.scheduled,
            since=period.previous.scheduled if period.previous else None,
            missing=tuple(missing),
            open=count.tally.by_severity("open"),
            new=count.tally.by_severity("new"),
            overdue=count.tally.by_severity("overdue"),
            ages=count.tally.ages,
            fixed=fixed,
            suppressed=count.tally.suppressed,
            newly_suppressed=newly_suppressed,
            accounts=accounts,
            account_count=account_count,
            controls=controls,
            control_count=control_count,
            unreadable=count.tally.unreadable,
            remediations=remediations,
            dead_letters=dead_letters,
            expiring=_ending_soon(run.suppressions, run.scheduled.date()),
        )

    def _send(self, figures: Figures, run: Run) -> list[str]:
        """Send a summary to each channel that hasn't got it, and return why some didn't get it.

        A channel that got an incomplete one gets the complete one as well.
        """
        storage = self.services.storage
        report = report_on(
            figures,
            earlier=storage.earlier_figures(run.schedule, run.scheduled),
            place=storage.page_place(run.schedule, run.scheduled),
            timezone=self.timezone,
            origin=self.origin,
        )
        failures = []
        for name, send in self.services.channels.items():
            key = {**run.key, "channel": name, "complete": str(figures.is_complete)}
            try:
                self.services.once.run(key, lambda send=send: _sent(send, report, run))  # type: ignore[misc]
            except Exception as error:  # noqa: BLE001 - one channel doesn't keep the others from getting it
                logger.error("The channel %s did not get the summary: %s", name, error)  # noqa: TRY400
                failures.append(f"{name}: {error}")
        return failures


def _sent(send: Callable[[Report, Run], None], report: Report, run: Run) -> dict[str, object]:
    send(report, run)
    return {"sent": True}


def _tried(what: str, read: Callable[[], Any], missing: list[str]) -> Any:  # noqa: ANN401 - as `read` returns
    """Return what was read, or None after adding the reason to what is missing."""
    try:
        return read()
    except (BotoCoreError, ClientError, OutOfTimeError) as error:
        missing.append(f"{what} ({error})")
        return None


def _ending_soon(suppressions: Sequence[Expiring], today: date) -> tuple[Expiring, ...]:
    return tuple(one for one in suppressions if today <= one.until <= today + _SOON)
