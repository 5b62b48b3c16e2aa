"""How a tracker is called: signed in late, again where that is safe, and with errors that say what to do.

The trackers' clients each have ways of their own to retry, and some would send a request twice that opens a
ticket or wait for ever. So their retries are off, and this is the one way.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Final, Generic, Protocol, TypeVar

from functions.tickets.contract import TrackerError
from securityhub.findings.updates import truncate

CONNECT_SECONDS: Final = 5.0
READ_SECONDS: Final = 10.0
"""Time limits of one request. 20 findings whose ticket isn't opened in time fit in 5 minutes."""

CLOCK_SKEW: Final = timedelta(minutes=5)
"""How much a tracker's clock may be behind this one, where it is asked for tickets since a time."""

MAX_WAIT_SECONDS: Final = 10.0
"""How long one call waits at most, in total, before it tries again."""

MAX_SILENCE_SECONDS: Final = 300.0
"""How long a tracker is left alone at most, whatever it asks for: what it says may be wrong, or forged."""

_PAUSES: Final = (1.0, 3.0)  # as many retries
_MAX_SAID: Final = 400
_NOT_CREDENTIALS: Final = frozenset({"email", "username"})
_TEMPORARY: Final = frozenset(
    {
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.INTERNAL_SERVER_ERROR,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)

Client = TypeVar("Client")
Answer = TypeVar("Answer")
Secret = Mapping[str, str]


class GetSecret(Protocol):
    """Returns the members of a secret; with `fresh`, as they are now."""

    def __call__(self, secret_id: str, /, *, fresh: bool = False) -> Secret:
        """Return the members of the secret with that name or ARN."""


class ReadSecret(Protocol):
    """Returns the members of a tracker's secret; with `fresh`, as they are now."""

    def __call__(self, *, fresh: bool) -> Secret:
        """Return the members."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why a request failed.

    Attributes:
        status: HTTP status; None where no answer came, so that nobody knows whether the request was acted on.
        said: What the tracker said, or what became of the connection.
        retry_after: Seconds after which the tracker wants to be asked again; None where it didn't say.
        cure: What to do, where only the answer tells; None for the cure of its status.
    """

    status: int | None
    said: str
    retry_after: float | None = None
    cure: str | None = None


class CallFailedError(TrackerError):
    """A call that failed in the end.

    Attributes:
        failure: Why.
    """

    def __init__(self, message: str, failure: Failure) -> None:
        self.failure = failure
        super().__init__(message)


class Calls(Generic[Client]):
    """Calls to one tracker, through a client that signs in at the first of them.

    The secret is read late, so that one that can't be read keeps only this tracker from its tickets. It is
    read again, once, after the tracker refused it, because it may have been rotated meanwhile.
    """

    def __init__(
        self,
        *,
        name: str,
        read_secret: ReadSecret,
        connect: Callable[[Secret], Client],
        explain: Callable[[Exception], Failure | None],
        cures: Mapping[int, str],
    ) -> None:
        """Prepare the calls; nothing is read or sent yet.

        Args:
            name: The tracker's name, for messages.
            read_secret: Returns the members of the tracker's secret.
            connect: Makes a client of them.
            explain: Says why a request failed; None for an exception that is no failure but a mistake.
            cures: What to do, for each HTTP status where something can be done.
        """
        self._name = name
        self._read_secret = read_secret
        self._connect = connect
        self._explain = explain
        self._cures = cures
        self._secret: Secret = {}
        self._client: Client | None = None
        self._not_before = 0.0

    def __call__(self, goal: str, request: Callable[[Client], Answer], *, repeatable: bool = True) -> Answer:
        """Make a request and return what it returns.

        Args:
            goal: What it is for, such as `open the ticket`.
            request: Makes it, with the client.
            repeatable: Whether it does no harm to make it twice. If not, it is made again only after an
                answer that it was not acted on.

        Raises:
            CallFailedError: It failed in the end.
        """
        waited, is_renewed = 0.0, False
        pauses = iter(_PAUSES)
        while True:
            client = self._client or self._sign_in()
            pause = max(0.0, self._not_before - time.monotonic())
            if pause > MAX_WAIT_SECONDS - waited:
                raise self._error(goal, _asked_to_wait(pause))
            if pause:
                time.sleep(pause)
                waited += pause
            try:
                return request(client)
            except Exception as error:
                failure = self._explain(error)
                if failure is None:
                    raise
                if failure.status == HTTPStatus.UNAUTHORIZED and not is_renewed:
                    is_renewed = True
                    if self._was_rotated():
                        continue
                self._heed(failure)
                retry_pause = next(pauses, None)
                if retry_pause is None or not _worth_repeating(failure, repeatable):
                    # Not 'from error': what clients put into their errors may hold a credential.
                    raise self._error(goal, failure) from None
                if failure.retry_after is None:
                    self._not_before = time.monotonic() + retry_pause

    def _heed(self, failure: Failure) -> None:
        """Remember what a failure means for the calls to come."""
        if failure.status == HTTPStatus.UNAUTHORIZED:
            self._client = None
        if failure.retry_after is not None:
            self._not_before = time.monotonic() + min(failure.retry_after, MAX_SILENCE_SECONDS)

    def refusal(self, goal: str, said: str, cure: str) -> CallFailedError:
        """Return the error for an answer that is none of HTTP's errors and still not what was wanted."""
        return self._error(goal, Failure(status=None, said=said, cure=cure))

    def _was_rotated(self) -> bool:
        """Read the secret that was refused anew, and say whether it is another now."""
        refused = self._secret
        self._client = self._sign_in(fresh=True)
        return self._secret != refused

    def _sign_in(self, *, fresh: bool = False) -> Client:
        try:
            self._secret = self._read_secret(fresh=fresh)
        except Exception as error:  # noqa: BLE001 - of whatever reads secrets; its message may hold one
            raise TrackerError(
                f"The secret of {self._name} could not be read ({type(error).__name__}). It must exist and "
                "hold a JSON object, and the function's role must allow secretsmanager:GetSecretValue."
            ) from None
        self._client = self._connect(self._secret)
        return self._client

    def _error(self, goal: str, failure: Failure) -> CallFailedError:
        status = f"HTTP {failure.status}, " if failure.status else ""
        said = failure.said
        for member, value in self._secret.items():
            # As it is sent, without spaces around it; what is no text was never sent.
            credential = value.strip() if isinstance(value, str) and member not in _NOT_CREDENTIALS else ""
            said = said.replace(credential, "***") if credential else said
        cure = failure.cure or self._cures.get(failure.status or 0, "It is tried again later.")
        said = truncate(" ".join(said.split()), _MAX_SAID).rstrip(".")
        return CallFailedError(f"{self._name} did not {goal}: {status}{said}. {cure}", failure)


def secret_member(secret: Secret, member: str, variable: str) -> str:
    """Return a member of a secret.

    Args:
        secret: The secret's members.
        member: The member's name.
        variable: The environment variable that names the secret, for the message.

    Raises:
        TrackerError: There is no such member, or nothing in it.
    """
    value = secret.get(member) if isinstance(secret, Mapping) else None
    if not isinstance(value, str) or not value.strip():
        raise TrackerError(
            f"The secret that {variable} names must be a JSON object with a non-empty string {member!r}, but "
            "doesn't have one. Correct it; the next try reads it again."
        )
    return value.strip()


def _worth_repeating(failure: Failure, repeatable: bool) -> bool:
    if failure.status == HTTPStatus.TOO_MANY_REQUESTS:
        return True
    return repeatable and (failure.status is None or failure.status in _TEMPORARY)


def _asked_to_wait(seconds: float) -> Failure:
    return Failure(
        status=HTTPStatus.TOO_MANY_REQUESTS,
        said=f"it wants no request for another {seconds:.0f} seconds, longer than a call waits",
    )


def seconds_until_retry(header: str | None) -> float | None:
    """Return the seconds that a Retry-After header asks for, a number or a date; None for anything else.

    Source: https://www.rfc-editor.org/rfc/rfc9110#name-retry-after
    """
    if header is None:
        return None
    if header.strip().isdecimal():
        return float(header)
    try:
        date = parsedate_to_datetime(header)
    except ValueError:
        return None
    return max(0.0, (date.replace(tzinfo=date.tzinfo or UTC) - datetime.now(UTC)).total_seconds())
