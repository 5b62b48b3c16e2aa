"""Reads all findings page by page, in a few threads, and goes on where an earlier attempt had to stop."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any, Final, Protocol

from functions.summary.finding_pages import (
    PARTS,
    Pace,
    Page,
    PageNotReadError,
    ThrottledError,
    TokenRefusedError,
)
from functions.summary.tally import Period, Tally

THREADS: Final = 3
"""A request takes longer than the pause between two of them, so that one thread can't keep the pace."""

_PAUSE_SECONDS: Final = 5.0
_NO_TIME: Final = "there was no time left"


class Pages(Protocol):
    """Where the findings come from."""

    def page(self, part: str, token: str) -> Page:
        """Return a page of a part, as `FindingPages` does."""


class Count:
    """The progress of one count.

    Attributes:
        tally: The counts so far.
        attempt: The number of this attempt, from 1.
    """

    def __init__(self) -> None:
        self.tally = Tally()
        self.attempt = 0
        # The token of the next page of each part that isn't complete.
        self._next = dict.fromkeys(PARTS, "")
        self._reasons: dict[str, str] = {}
        self._lock = threading.Lock()

    @property
    def missing(self) -> dict[str, str]:
        """The parts that aren't counted completely, each with the reason."""
        return {part: self._reasons.get(part, _NO_TIME) for part in PARTS if part in self._next}

    def go_on(
        self, pages: Pages, period: Period, *, has_time: Callable[[], bool], pace: Pace | None = None
    ) -> None:
        """Read what hasn't been read yet, as long as there is time. Errors are in `missing` afterwards.

        Args:
            pages: Where the findings come from.
            period: What they are compared with.
            has_time: Whether there is time for another page.
            pace: The pace of all requests together. Default: that of `Pace`.
        """
        at_pace = pace or Pace()
        self._reasons.clear()
        with ThreadPoolExecutor(THREADS) as threads:
            parts = [part for part in PARTS if part in self._next]
            list(threads.map(lambda part: self._read(part, pages, period, has_time, at_pace), parts))

    def _read(
        self, part: str, pages: Pages, period: Period, has_time: Callable[[], bool], pace: Pace
    ) -> None:
        token, pause = self._next[part], 0.0
        restarted = False
        while has_time():
            pace.wait(pause=pause)
            pause = 0.0
            try:
                page = pages.page(part, token)
            except ThrottledError:
                pause = _PAUSE_SECONDS
            except TokenRefusedError as error:
                if restarted:
                    self._reasons[part] = (
                        f"Security Hub refused the token of the next page: {error.__cause__}"
                    )
                    return
                # Findings that were counted don't count again.
                token, restarted = "", True
            except PageNotReadError as error:
                self._reasons[part] = str(error)
                return
            else:
                token = page.token
                self._take(part, page, period)
                if not token:
                    return

    def _take(self, part: str, page: Page, period: Period) -> None:
        with self._lock:
            for finding in page.findings:
                self.tally.add(finding, period)
            for number in page.left_out:
                self.tally.leave_out(number, period)
            self.tally.unreadable += page.unreadable
            if page.token:
                self._next[part] = page.token
            else:
                del self._next[part]

    def to_json(self, scheduled: datetime) -> dict[str, Any]:
        """Return the progress as it is stored."""
        return {"attempt": self.attempt, "next": self._next, "tally": self.tally.to_json(scheduled)}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Count:
        """Return progress that was stored."""
        count = cls()
        count.attempt = stored["attempt"]
        count._next = dict(stored["next"])
        count.tally = Tally.from_json(stored["tally"])
        return count
