"""How many events per second the offline matcher decides, side by side with the emulator's own.

Run it with ``python benchmarks/pattern_matching.py``. Both get the same pattern, compiled beforehand, and the
same decoded event, in turns, so that other work on the machine hits both alike. The figure is the median.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from ministack.services import eventbridge

from securityhub_actions.filters import FindingFilter
from securityhub_actions.patterns import EventPattern

_SAMPLE: Final = Path(__file__).parents[1] / "tests" / "events" / "findings_imported.json"
_EVENT_CHARACTERS: Final = 4096
_ROUNDS: Final = 15
_CALLS: Final = 10_000


def _event() -> dict[str, Any]:
    """A full finding, its description drawn out to an event of about 4 KB."""
    event: dict[str, Any] = json.loads(_SAMPLE.read_text(encoding="utf-8"))
    finding = event["detail"]["findings"][0]
    finding["Description"] += "." * (_EVENT_CHARACTERS - len(json.dumps(event)))
    return event


def _rate(matches: Callable[[], bool], *, expected: bool) -> float:
    assert matches() is expected
    start = time.perf_counter()
    for _ in range(_CALLS):
        matches()
    return _CALLS / (time.perf_counter() - start)


def _compare(title: str, findings: FindingFilter, event: dict[str, Any], *, expected: bool) -> None:
    document = findings.to_event_pattern()
    pattern, text = EventPattern.parse(document), json.dumps(document)
    envelope = {name: value for name, value in event.items() if name != "detail"}
    view = eventbridge._EventView(envelope, event["detail"])  # noqa: SLF001 # the emulator has no public matcher
    ours, theirs = [], []
    for _ in range(_ROUNDS):
        ours.append(_rate(lambda: pattern.matches(event), expected=expected))
        theirs.append(
            _rate(lambda: eventbridge._matches_pattern_view(text, view), expected=expected)  # noqa: SLF001
        )
    mine, other = statistics.median(ours), statistics.median(theirs)
    print(f"{title:<32} {mine:>10,.0f} {other:>14,.0f} {mine / other:>8.2f}")


def main() -> None:
    """Prints events per second of both matchers and their ratio, for a matching and a failing event."""
    event = _event()
    print(f"{len(json.dumps(event)):,} characters an event, {_ROUNDS} rounds of {_CALLS:,} events, one core")
    print(f"{'typical rule':<32} {'this package':>10} {'emulator':>14} {'ratio':>8}")
    _compare("matches", FindingFilter(severity=["CRITICAL", "HIGH"]), event, expected=True)
    _compare("fails on the workflow status", FindingFilter(workflow_status="NOTIFIED"), event, expected=False)
    _compare(
        "matches on a resource's tag", FindingFilter(resource_tags={"team": "example"}), event, expected=True
    )


if __name__ == "__main__":
    main()
