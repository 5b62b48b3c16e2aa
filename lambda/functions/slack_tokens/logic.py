"""The four steps in which AWS Secrets Manager rotates the tokens of a Slack app.

A refresh token can be exchanged once, so its successor has to be stored before anything else can fail. Slack
revokes the old one only after a short grace period, and an access token stays valid until it expires.

Source: https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_lambda-functions.html
Source: https://docs.slack.dev/authentication/using-token-rotation
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from botocore.exceptions import BotoCoreError, ClientError

from functions.slack_tokens.slack import SlackApi, SlackRefusedError
from functions.slack_tokens.versions import CURRENT, PENDING, Versions
from invocation.posting import NoAnswerError
from invocation.secrets import Secret

REQUIRED: Final = ("client_id", "client_secret", "refresh_token")
"""The members that the secret must have before its first rotation."""

_ORIGIN: Final = "refreshed_from"
_PAUSES: Final = (1.0, 3.0, 9.0, 27.0)
_NEW_TOKENS: Final = (
    "In the settings of the Slack app, generate new tokens under OAuth & Permissions, or install the app "
    "again, and store bot_token and refresh_token in the secret. The next rotation goes on from there."
)
_CURES: Final = {
    "bad_client_secret": "Correct client_secret in the secret.",
    "invalid_client_id": "Correct client_id in the secret.",
    "invalid_refresh_token": "Something else has used it, or its successor could not be stored. "
    + _NEW_TOKENS,
}
# The pair is fine: its refresh token is the valid one, and the next rotation uses it.
_EXPIRED: Final = "token_expired"


class RotationError(Exception):
    """The tokens weren't rotated. The text says what to do, and contains no token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation:
    """One rotation, of which each step can be repeated.

    Attributes:
        version: The ID of the new version of the secret, the same in each step and attempt.
        versions: The versions of the secret.
        slack: Slack's API.
        now: Returns the current time, in UTC.
        sleep: Waits for some seconds.
    """

    version: str
    versions: Versions
    slack: SlackApi
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    sleep: Callable[[float], None] = time.sleep

    def run(self, step: str) -> str:
        """Carry out a step, and return what was done.

        Raises:
            RotationError: The step failed. Secrets Manager repeats the rotation.
        """
        labels = self.versions.stages().get(self.version, [])
        if CURRENT in labels:
            return "The version is current already."
        if PENDING not in labels:
            raise RotationError(
                f"The version {self.version} isn't labeled {PENDING}, so it isn't being rotated to. It may "
                "have been given up; the next rotation begins with the current version."
            )
        steps = {
            "createSecret": self._create,
            "setSecret": lambda: "Slack has set the tokens.",
            "testSecret": self._test,
            "finishSecret": self._finish,
        }
        return steps[step]()

    def _create(self) -> str:
        """Exchange the refresh token, and store the new pair at once."""
        current = self.versions.current()
        if self._checked(current) is not None:
            return "The new tokens are stored already."
        members = {name: _member(current, name) for name in REQUIRED}
        try:
            pair = self.slack.refresh(**members)
        except SlackRefusedError as error:
            raise _refused("exchange the refresh token", error) from None
        except NoAnswerError as error:
            raise RotationError(
                f"Slack gave {error} to the exchange of the refresh token. It's tried again."
            ) from None
        expires = self.now() + timedelta(seconds=pair.seconds)
        rotated = {
            **current,
            "bot_token": pair.access_token,
            "refresh_token": pair.refresh_token,
            "expires_at": expires.isoformat(timespec="seconds"),
            _ORIGIN: _fingerprint(members["refresh_token"]),
        }
        if not self._stored(rotated):
            return "Another invocation has stored new tokens."
        return f"New tokens are stored. They expire at {rotated['expires_at']}."

    def _stored(self, members: Secret) -> bool:
        """Store the pair, which exists nowhere else, with all patience that the invocation has."""
        for pause in _PAUSES:
            try:
                return self.versions.put(self.version, members)
            except (ClientError, BotoCoreError):
                self.sleep(pause)
        return self.versions.put(self.version, members)

    def _test(self) -> str:
        pending = self._pending()
        try:
            self.slack.test(_member(pending, "bot_token"))
        except SlackRefusedError as error:
            if error.code == _EXPIRED:
                return "The new token has expired by now, and is renewed by the next rotation."
            raise _refused("accept the new token", error) from None
        except NoAnswerError as error:
            # Slack itself has issued the pair. Without it, the next rotation would have no refresh token.
            return f"Slack gave {error}, so the new token isn't tested."
        return "Slack accepts the new token."

    def _finish(self) -> str:
        self._pending()
        self.versions.promote(self.version)
        return "The new tokens are current."

    def _pending(self) -> Secret:
        """Return the members of the new version, which was made from the current one."""
        pending = self._checked(self.versions.current())
        if pending is None:
            raise RotationError(f"The version {self.version} is empty. The rotation is repeated.")
        return pending

    def _checked(self, current: Secret) -> Secret | None:
        """Return the new version's members, or give it up if somebody has stored other tokens since."""
        pending = self.versions.pending(self.version)
        if pending is not None and pending.get(_ORIGIN) != _fingerprint(current.get("refresh_token", "")):
            self.versions.abandon(self.version)
            raise RotationError(
                "Somebody has stored other tokens since this rotation began, so it's given up. The next one "
                "begins with those."
            )
        return pending


def _refused(goal: str, error: SlackRefusedError) -> RotationError:
    return RotationError(f"Slack did not {goal}: {error.code}. {_CURES.get(error.code, _NEW_TOKENS)}")


def _member(members: Secret, name: str) -> str:
    value = members.get(name)
    if not isinstance(value, str) or not value.strip():
        raise RotationError(
            f"The secret must be a JSON object with a non-empty string {name!r}, but doesn't have one. It "
            f"needs {', '.join(REQUIRED)}; docs/tickets.md says where they are found."
        )
    return value.strip()


def _fingerprint(refresh_token: str) -> str:
    """Return what tells a refresh token from others, and doesn't reveal it."""
    return hashlib.sha256(refresh_token.strip().encode()).hexdigest()[:16]
