"""How many events per second the offline matcher decides, beside the emulator's own and AWS's.

Run it with ``python benchmarks/pattern_matching.py``. All get the same pattern, compiled beforehand, and the
same event, in turns, so that other work on the machine hits all alike. The figures are medians of events per
second of CPU time, of an event that is decoded beforehand.

AWS's matcher, event-ruler, is written in Java. It takes part if the environment variable
EVENT_RULER_CLASSPATH is set to its jar and those that it needs, joined by colons, and `java` is version 17
or later. In a clone of https://github.com/aws/event-ruler, with Maven::

    mvn package -DskipTests dependency:copy-dependencies
    export EVENT_RULER_CLASSPATH="$PWD/target/*:$PWD/target/dependency/*"

Then both also match the event as JSON text, which they decode. Both must come to the same verdict.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

from ministack.services import eventbridge

from securityhub_actions.filters import FindingFilter
from securityhub_actions.patterns import EventPattern

_SAMPLE: Final = Path(__file__).parents[1] / "tests" / "events" / "findings_imported.json"
_EVENT_CHARACTERS: Final = 4096
_ROUNDS: Final = 15
_CALLS: Final = 10_000
_CLASSPATH: Final = os.environ.get("EVENT_RULER_CLASSPATH", "")
_RULER_ROUNDS: Final = 3
_RULER_MILLISECONDS: Final = 2_000
_CASES: Final = (
    ("matches", FindingFilter(severity=["CRITICAL", "HIGH"]), True),
    ("fails on the workflow status", FindingFilter(workflow_status="NOTIFIED"), False),
    ("matches on a resource's tag", FindingFilter(resource_tags={"team": "example"}), True),
)


def _event() -> dict[str, Any]:
    """A full finding, its description drawn out to an event of about 4 KB."""
    event: dict[str, Any] = json.loads(_SAMPLE.read_text(encoding="utf-8"))
    finding = event["detail"]["findings"][0]
    finding["Description"] += "." * (_EVENT_CHARACTERS - len(json.dumps(event)))
    return event


def _rate(matches: Callable[[], bool], *, expected: bool) -> float:
    assert matches() is expected
    start = time.process_time()
    for _ in range(_CALLS):
        matches()
    return _CALLS / (time.process_time() - start)


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
    print(f"{title:<32} {mine:>12,.0f} {other:>14,.0f} {mine / other:>8.2f}")


class Rates(NamedTuple):
    """Events per second, as JSON text and decoded beforehand."""

    text: float
    decoded: float


def _ruler_rates(event: str, pattern: str, *, expected: bool) -> Rates:
    with tempfile.TemporaryDirectory() as folder:
        files = Path(folder, "event.json"), Path(folder, "pattern.json")
        for file, content in zip(files, (event, pattern), strict=True):
            file.write_text(content, encoding="utf-8")
        source = Path(__file__).with_name("EventRuler.java")
        done = subprocess.run(  # noqa: S603 - this benchmark's own code
            ["java", "-cp", _CLASSPATH, str(source), *map(str, files), str(_RULER_MILLISECONDS)],  # noqa: S607 - the developer's own
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        sys.exit(f"event-ruler failed:\n{done.stderr[-4000:]}")
    verdict, *rates = done.stdout.split()
    assert verdict == str(expected).lower()
    return Rates(*map(float, rates))


def _compare_with_ruler(
    title: str, findings: FindingFilter, event: dict[str, Any], *, expected: bool
) -> None:
    document = findings.to_event_pattern()
    pattern, text = EventPattern.parse(document), json.dumps(event)
    ours, theirs = [], []
    for _ in range(_RULER_ROUNDS):
        ours.append(
            Rates(
                _rate(lambda: pattern.matches(json.loads(text)), expected=expected),
                _rate(lambda: pattern.matches(event), expected=expected),
            )
        )
        theirs.append(_ruler_rates(text, json.dumps(document), expected=expected))
    for kind in Rates._fields:
        mine, other = (statistics.median(getattr(one, kind) for one in rates) for rates in (ours, theirs))
        print(f"{title:<32} {kind:<8} {mine:>12,.0f} {other:>14,.0f} {mine / other:>8.2f}")


def main() -> None:
    """Prints events per second of the matchers and their ratios, for matching and failing events."""
    event = _event()
    print(f"{len(json.dumps(event)):,} characters an event, {_ROUNDS} rounds of {_CALLS:,} events, one core")
    print(f"{'typical rule':<32} {'this package':>12} {'emulator':>14} {'ratio':>8}")
    for title, findings, expected in _CASES:
        _compare(title, findings, event, expected=expected)
    if _CLASSPATH:
        print(f"{'':<32} {'event':<8} {'this package':>12} {'event-ruler':>14} {'ratio':>8}")
        for title, findings, expected in _CASES:
            _compare_with_ruler(title, findings, event, expected=expected)


if __name__ == "__main__":
    main()
