"""Periods for trackers that interpret a time in the time zone of the user."""

from __future__ import annotations

import math
from datetime import UTC, datetime


def minutes_ago(since: datetime, until: datetime) -> tuple[int, int]:
    """Return how many minutes ago a period began and ended; it becomes longer rather than shorter."""
    now = datetime.now(UTC)
    return math.ceil((now - since).total_seconds() / 60), math.floor((now - until).total_seconds() / 60)
