"""The names of states in `decisions` of settings.toml: do the trackers have them?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from securityhub_actions.cli.doctor.model import Check, fault
from securityhub_actions.cli.doctor.trackers.api import Tracker


def name_faults(tracker: Tracker, key: str, name: str, known: Iterable[str]) -> Iterator[Check]:
    """Return the names in `decisions` that a tracker doesn't have, so that they would never decide anything.

    Args:
        tracker: The tracker.
        key: Its table in settings.toml.
        name: Its display name.
        known: The names that it has. Case doesn't matter.
    """
    by_case = {one.casefold(): one for one in known}
    for kind, names in tracker.decisions.items():
        for one in names:
            if one.strip().casefold() not in by_case:
                yield fault(
                    f"{name} has no state {one!r}, only {', '.join(sorted(by_case.values()))}.",
                    f"Correct {key}.decisions.{kind} in settings.toml.",
                )
