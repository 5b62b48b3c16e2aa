"""Ages, as people write and read them: `90m`, `2 days`."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

import click

_WRITTEN: Final = re.compile(r"(?P<number>\d{1,6})\s*(?P<unit>[smhdw])")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_NAMES: Final = (("day", 86_400), ("hour", 3600), ("minute", 60), ("second", 1))


def age(_context: click.Context, _parameter: click.Parameter, value: str | None) -> timedelta | None:
    """Return the age that is the value of an option such as `--older-than 2h`."""
    if value is None:
        return None
    match = _WRITTEN.fullmatch(value.strip().lower())
    if match is None:
        raise click.BadParameter(f"{value!r} is not an age. Specify for example 30s, 90m, 2h, 3d, or 1w.")
    return timedelta(seconds=int(match["number"]) * _SECONDS[match["unit"]])


def age_in_words(since: datetime, *, now: datetime | None = None) -> str:
    """Return how long ago something was, in the largest unit that fits."""
    seconds = max(0, int(((now or datetime.now(UTC)) - since).total_seconds()))
    name, size = next(((name, size) for name, size in _NAMES if seconds >= size), _NAMES[-1])
    number = seconds // size
    return f"{number:,} {name}{'' if number == 1 else 's'} ago"


def time_in_words(time: datetime) -> str:
    """Return a time in UTC, to the second."""
    return time.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")
