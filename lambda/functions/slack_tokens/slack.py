"""Slack's side of token rotation.

Source: https://docs.slack.dev/authentication/using-token-rotation
Source: https://docs.slack.dev/reference/methods/oauth.v2.access
Source: https://docs.slack.dev/reference/methods/auth.test
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlencode

from invocation.posting import NoAnswerError, post
from invocation.slack import LIMITED, UNAVAILABLE

_FORM: Final = "application/x-www-form-urlencoded"
_MAX_CODE: Final = 60


class SlackRefusedError(Exception):
    """Slack refused a request.

    Attributes:
        code: Slack's name for the reason, such as `invalid_refresh_token`.
    """

    def __init__(self, code: str) -> None:
        self.code = code
        super().__init__(code)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """An access token, and the refresh token for the next one.

    Attributes:
        access_token: The token with which the app calls Slack.
        refresh_token: A token that can be exchanged once.
        seconds: How long the access token is valid.
    """

    access_token: str
    refresh_token: str
    seconds: float


class SlackApi:
    """The two methods of Slack's Web API that are needed."""

    def __init__(self, url: str) -> None:
        """Prepare requests.

        Args:
            url: The base URL of the Web API, with a slash at the end.
        """
        self._url = url

    def refresh(self, *, client_id: str, client_secret: str, refresh_token: str) -> Pair:
        """Exchange a refresh token for a new pair of tokens. Slack revokes it soon after that.

        Raises:
            SlackRefusedError: Slack refused.
            NoAnswerError: Slack gave no readable answer, but may have exchanged the token.
        """
        form = {
            "client_id": client_id,
            "client_secret": client_secret,
            "grant_type": "refresh_token",
            "refresh_token": refresh_token,
        }
        said = self._call("oauth.v2.access", urlencode(form).encode(), {"Content-Type": _FORM})
        pair = said.get("access_token"), said.get("refresh_token")
        seconds = said.get("expires_in")
        if not all(isinstance(token, str) and token for token in pair) or not isinstance(seconds, int):
            raise NoAnswerError("an answer without new tokens")
        return Pair(access_token=str(pair[0]), refresh_token=str(pair[1]), seconds=seconds)

    def test(self, access_token: str) -> None:
        """Raise unless Slack accepts an access token.

        Raises:
            SlackRefusedError: Slack refused it.
            NoAnswerError: Slack gave no readable answer.
        """
        self._call("auth.test", b"", {"Content-Type": _FORM, "Authorization": f"Bearer {access_token}"})

    def _call(self, method: str, content: bytes, headers: dict[str, str]) -> dict[str, Any]:
        answer = post(f"{self._url}{method}", content, headers)
        if answer.status == HTTPStatus.TOO_MANY_REQUESTS or answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise NoAnswerError(f"HTTP {answer.status}")
        try:
            said = json.loads(answer.content)
        except ValueError:
            said = None
        if not isinstance(said, dict):
            raise NoAnswerError(f"no JSON object, with HTTP {answer.status}")
        if said.get("ok") is not True:
            code = str(said.get("error") or f"HTTP {answer.status}")[:_MAX_CODE]
            if code in LIMITED | UNAVAILABLE:
                raise NoAnswerError(f"the error {code}")
            raise SlackRefusedError(code)
        return said
