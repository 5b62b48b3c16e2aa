"""Measure how many imported events a second get through pattern, queue, and the function for tickets.

Everything is in this process, and what AWS and the tracker answer is in memory, so the figures are what this
project's own code and botocore take, in CPU seconds. Half of the events pass the filter as it is shipped.

Run it with `python benchmarks/load.py`, or with the number of events after it.
"""

from __future__ import annotations

import resource
import sys
import time
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "lambda")]

from securityhub_actions.patterns import EventPattern  # noqa: E402 - after its folder is known
from tests.load.pipeline import Pipeline  # noqa: E402 - after its folder is known
from tests.shipped_settings import load_shipped_settings  # noqa: E402 - after its folder is known

_EVENTS: Final = 10_000
_CHUNK: Final = 5_000
_SEVERITIES: Final = ("CRITICAL", "HIGH", "MEDIUM", "LOW")


def main() -> None:
    """Print a line for each chunk of events."""
    events = int(sys.argv[1]) if len(sys.argv) > 1 else _EVENTS
    pattern = EventPattern.parse(load_shipped_settings().ticketing.automatic.filter.to_event_pattern())
    pipeline = Pipeline(pattern, fails_every=100, duplicates=0.02)
    print(f"{'events':>10}{'matched/s':>12}{'handled/s':>12}{'lost':>6}{'twice':>6}{'MB':>8}")
    for first in range(0, events, _CHUNK):
        began = time.process_time()
        numbers = range(first, first + _CHUNK)
        passed = sum(pipeline.import_finding(number, _SEVERITIES[number % 4]) for number in numbers)
        matched = time.process_time()
        pipeline.work()
        handled = time.process_time()
        opened = pipeline.tracker.opened
        lost, twice = passed - len(opened), sum(number > 1 for number in opened.values())
        megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(
            f"{first + _CHUNK:>10,}{_CHUNK / (matched - began):>12,.0f}{passed / (handled - matched):>12,.0f}"
            f"{lost:>6}{twice:>6}{megabytes:>8.0f}"
        )
        pipeline.forget()


if __name__ == "__main__":
    main()
