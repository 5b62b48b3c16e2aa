"""Workflows of Microsoft Teams. A request to a webhook posts, so only the URLs are checked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

from securityhub_actions.cli.doctor.model import Check, fault, ok
from securityhub_actions.cli.doctor.trackers.api import Tracker

_KEY: Final = "ticketing.teams"
_DEFAULT: Final = "webhook_url"


def examine(tracker: Tracker) -> Iterator[Check]:
    """The secret has the URL of each workflow."""
    members = dict.fromkeys(
        (place.get("webhook", "") if where else _DEFAULT) or _DEFAULT for where, place in tracker.places
    )
    for member in members:
        parts = urlsplit(tracker.secret.get(member, ""))
        if parts.scheme == "https" and parts.hostname:
            yield ok(f"The secret has a URL in {member}. Only a card would show whether the workflow is on.")
        else:
            yield fault(
                f"The secret {tracker.variables.get('SECRET')} has no https URL in {member}.",
                f"Copy the URL from the workflow in Teams, or correct the rules of {_KEY}.",
            )
