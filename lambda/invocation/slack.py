"""What Slack's Web API answers where the same request can succeed later, mostly with the status 200.

Source: https://docs.slack.dev/reference/methods/chat.postMessage#errors
"""

from __future__ import annotations

from typing import Final

LIMITED: Final = frozenset({"message_limit_exceeded", "rate_limited", "ratelimited"})
"""The app, or the whole workspace, has sent too many requests or messages. This one wasn't carried out."""

UNAVAILABLE: Final = frozenset(
    {
        "fatal_error",
        "internal_error",
        "org_login_required",
        "request_timeout",
        "service_unavailable",
        "team_added_to_org",
    }
)
"""Slack, or the workspace, isn't available now. Some of the request may have been carried out."""
