"""Channels in Slack.

Source: https://docs.slack.dev/reference/methods/conversations.history
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from securityhub_actions.cli.doctor.model import Check, fault, ok
from securityhub_actions.cli.doctor.trackers.api import Api, Tracker

_KEY: Final = "ticketing.slack"
_FAULTS: Final[Mapping[str, tuple[str, str]]] = {
    "channel_not_found": (
        "doesn't exist, or is private and the app isn't a member",
        "Correct {key} in settings.toml, or invite the app.",
    ),
    "not_in_channel": ("doesn't have the app as a member", "Invite the app to the channel."),
    "missing_scope": (
        "can't be read, because the app lacks a scope",
        "Give the app the scopes chat:write and channels:history (groups:history for a private channel).",
    ),
}


def examine(tracker: Tracker) -> Iterator[Check]:
    """Every channel exists, and the app is a member of it."""
    api = Api(tracker.variables["URL"], Authorization=f"Bearer {tracker.secret['bot_token']}")
    for where, place in tracker.places:
        channel = place.get("channel", "" if where else tracker.variables["CHANNEL"])
        if channel:
            yield _of_channel(api, channel, f"{_KEY}{where}.channel")


def _of_channel(api: Api, channel: str, key: str) -> Check:
    answer = api.get("/conversations.history", channel=channel, limit=1)
    if answer.get("ok"):
        return ok(f"The app is a member of the channel {channel}.")
    error = str(answer.get("error"))
    what, cure = _FAULTS.get(error, (f"can't be read: {error}", "Check the bot_token in the app's secret."))
    return fault(f"The channel {channel} {what}.", cure.format(key=key))
