"""Token rotation of a Slack app: which tokens are valid, and for how long.

Source: https://docs.slack.dev/authentication/using-token-rotation
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field

SECONDS = 43_200
_NUMBERS = itertools.count(1)
CLIENT_ID, CLIENT_SECRET = "60503450.61416", "slack-client-secret-1"


@dataclass(slots=True)
class SlackTokens:
    """The tokens of an installation.

    Attributes:
        now: The server's clock, in seconds.
        grace: For how long a refresh token can be used again, in seconds.
        access: When each access token that is active expires, the oldest first.
        used: When each refresh token was used, or None.
    """

    now: float = 0.0
    grace: float = 30.0
    access: dict[str, float] = field(default_factory=dict)
    used: dict[str, float | None] = field(default_factory=dict)

    def issue(self) -> dict[str, str]:
        """Install the app again, and return what belongs into the secret."""
        self.access.clear()
        self.used.clear()
        access, refresh = self._pair()
        return {
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "bot_token": access,
            "refresh_token": refresh,
        }

    def refusal_of(self, token: str) -> str | None:
        """Slack's name for what is wrong with an access token."""
        if token not in self.access:
            return "token_revoked" if token.startswith("xoxe.xoxb-1-") else "invalid_auth"
        return "token_expired" if self.now >= self.access[token] else None

    def exchange(self, form: Mapping[str, str]) -> dict[str, object]:
        """Answer `oauth.v2.access`."""
        if form.get("client_id") != CLIENT_ID:
            return {"ok": False, "error": "invalid_client_id"}
        if form.get("client_secret") != CLIENT_SECRET:
            return {"ok": False, "error": "bad_client_secret"}
        if form.get("grant_type") != "refresh_token":
            return {"ok": False, "error": "invalid_grant_type"}
        token = form.get("refresh_token", "")
        used = self.used.get(token)
        if token not in self.used or (used is not None and self.now > used + self.grace):
            return {"ok": False, "error": "invalid_refresh_token"}
        self.used[token] = self.now if used is None else used
        access, refresh = self._pair()
        while len(self.access) > 2:
            self.access.pop(next(iter(self.access)))
        return {
            "ok": True,
            "access_token": access,
            "expires_in": SECONDS,
            "refresh_token": refresh,
            "token_type": "bot",
        }

    def _pair(self) -> tuple[str, str]:
        number = next(_NUMBERS)
        access, refresh = f"xoxe.xoxb-1-access-{number}", f"xoxe-1-refresh-{number}"
        self.access[access] = self.now + SECONDS
        self.used[refresh] = None
        return access, refresh
