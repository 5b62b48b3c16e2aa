"""Calls to trackers: late sign-in, retries where they are safe, and errors that say what to do.

Each vendor's client has its own retries, and some of them would repeat a request that opens a ticket, or wait
forever. So the clients' retries are disabled, and all calls are made here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Final, Generic, Protocol, TypeVar

from functions.tickets.contract import TrackerError
from invocation.secrets import Secret
from securityhub.findings.updates import truncate

CONNECT_SECONDS: Final = 5.0
READ_SECONDS: Final = 10.0
"""Timeouts of one request. 20 findings whose requests all time out fit in 5 minutes."""

CLOCK_SKEW: Final = timedelta(minutes=5)
"""How far a tracker's clock can be behind, for searches for tickets since a certain time."""

MAX_WAIT_SECONDS: Final = 10.0
"""The maximum time that one call waits for its retries, in total."""

MAX_SILENCE_SECONDS: Final = 300.0
"""The maximum time that no request is sent to a tracker. A longer Retry-After could be wrong, or forged."""

_PAUSES: Final = (1.0, 3.0)  # as many retries
# Between searches that find nothing. They are short, because after an outage thousands of tickets are looked
# for that were never opened.
_SEARCH_PAUSES: Final = (0.2, 0.2)
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

_PASSING: Final = frozenset(
    {
        HTTPStatus.UNAUTHORIZED,
        HTTPStatus.NOT_FOUND,
        HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.TOO_MANY_REQUESTS,
    }
)

Client = TypeVar("Client")
Answer = TypeVar("Answer")


class ReadSecret(Protocol):
    """Returns the members of a tracker's secret. With `fresh`, the secret is read now."""

    def __call__(self, *, fresh: bool) -> Secret:
        """Return the members."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why a request failed.

    Attributes:
        status: The HTTP status. None if there was no response, so the request might have been carried out.
        said: The tracker's error message, or what happened to the connection.
        retry_after: The seconds that the tracker asks to wait before a retry. None if it didn't say.
        cure: What to do, if it depends on the response. None for the usual cure of the status.
        fields: What the tracker says about single fields, by their name in the tracker.
        is_missing: Whether the tracker itself says that there is no such ticket. The status 404 isn't enough:
            a proxy answers with it, a gateway that doesn't know the site, and an address for tokens.
        is_before_sign_in: Whether what the function signs in with couldn't be had, so that the tracker was
            not asked, and `status` isn't its own.
    """

    status: int | None
    said: str
    retry_after: float | None = None
    cure: str | None = None
    fields: Mapping[str, str] = field(default_factory=dict)
    is_missing: bool = False
    is_before_sign_in: bool = False


class SecretUnusableError(TrackerError):
    """A tracker's secret can't be read, or lacks a member, so that nothing was sent."""

    is_refusal = True
    is_about_credential = True
    is_temporary = True


class CallFailedError(TrackerError):
    """A call failed, including its retries.

    Attributes:
        failure: The reason.
    """

    def __init__(self, message: str, failure: Failure) -> None:
        self.failure = failure
        # After an error of the server or of a gateway, the request might have been carried out.
        self.is_refusal = failure.is_before_sign_in or (
            failure.status is not None
            and HTTPStatus.BAD_REQUEST <= failure.status < HTTPStatus.INTERNAL_SERVER_ERROR
        )
        self.is_about_credential = failure.is_before_sign_in or failure.status == HTTPStatus.UNAUTHORIZED
        self.is_temporary = _is_temporary(failure)
        super().__init__(message)


class Calls(Generic[Client]):
    """Calls to one tracker, through a client that signs in with the first call.

    The secret is read late, so that a secret that can't be read affects only this tracker. When the tracker
    rejects it, it's read again, once, because it might have been rotated.
    """

    def __init__(
        self,
        *,
        name: str,
        read_secret: ReadSecret,
        connect: Callable[[Secret], Client],
        explain: Callable[[Exception], Failure | None],
        cures: Mapping[int, str],
        renews: Callable[[Secret], bool] = lambda _: False,
    ) -> None:
        """Prepare the calls. Nothing is read or sent yet.

        Args:
            name: The display name of the tracker, for messages.
            read_secret: Returns the members of the tracker's secret.
            connect: Creates a client from them.
            explain: Returns why a request failed, or None for an exception that is a programming error.
            cures: What to do, by HTTP status.
            renews: Whether another client with the same secret has another token, given the secret. Default:
                it hasn't.
        """
        self._name = name
        self._read_secret = read_secret
        self._connect = connect
        self._explain = explain
        self._cures = cures
        self._renews = renews
        self._secret: Secret = {}
        self._client: Client | None = None
        self._not_before = 0.0

    def __call__(self, goal: str, request: Callable[[Client], Answer], *, repeatable: bool = True) -> Answer:
        """Make a request and return its result.

        Args:
            goal: The purpose of the request, such as `open the ticket`.
            request: Makes the request with the client.
            repeatable: Whether the request can safely be made twice. Otherwise it's repeated only if the
                tracker answers that it wasn't carried out.

        Raises:
            CallFailedError: The request failed, including its retries.
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
                    if self._was_rotated() or self._renews(self._secret):
                        continue
                self._heed(failure)
                retry_pause = next(pauses, None)
                if retry_pause is None or not _worth_repeating(failure, repeatable):
                    # Not 'from error', because a client's error can contain a credential.
                    raise self._error(goal, failure) from None
                if failure.retry_after is None:
                    self._not_before = time.monotonic() + retry_pause

    def find(self, goal: str, request: Callable[[Client], Answer]) -> Answer | None:
        """Make a request that reads a ticket, and return its result, or None if there is no such ticket.

        Args:
            goal: As for other calls.
            request: As for other calls.

        Raises:
            CallFailedError: The request failed in another way.
        """
        try:
            return self(goal, request)
        except CallFailedError as error:
            if not error.failure.is_missing:
                raise
            return None

    def insist(self, goal: str, request: Callable[[Client], Sequence[Answer]]) -> Sequence[Answer]:
        """Make a request that searches, and make it twice again after a pause while it finds nothing.

        Args:
            goal: As for other calls.
            request: As for other calls.

        Raises:
            CallFailedError: The request failed.
        """
        found = self(goal, request)
        for pause in _SEARCH_PAUSES:
            if found:
                break
            time.sleep(pause)
            found = self(goal, request)
        return found

    def _heed(self, failure: Failure) -> None:
        """Record what a failure means for later calls."""
        if failure.status == HTTPStatus.UNAUTHORIZED:
            self._client = None
        if failure.retry_after is not None:
            self._not_before = time.monotonic() + min(failure.retry_after, MAX_SILENCE_SECONDS)

    def refusal(self, goal: str, said: str, cure: str, *, is_temporary: bool = False) -> CallFailedError:
        """Return the error for a response that isn't an HTTP error, but not the expected one either.

        Args:
            goal: As for other calls.
            said: What is unexpected.
            cure: What to do.
            is_temporary: Whether the same request can succeed later. Default: False.
        """
        error = self._error(goal, Failure(status=None, said=said, cure=cure))
        error.is_temporary = is_temporary
        return error

    def with_cure(self, goal: str, error: CallFailedError, cure: str) -> CallFailedError:
        """Return the error of a call with another advice."""
        return self._error(goal, replace(error.failure, cure=cure))

    def _was_rotated(self) -> bool:
        """Read the rejected secret again, and return whether it has changed."""
        refused = self._secret
        self._client = self._sign_in(fresh=True)
        return self._secret != refused

    def _sign_in(self, *, fresh: bool = False) -> Client:
        try:
            self._secret = self._read_secret(fresh=fresh)
        except Exception as error:  # noqa: BLE001 - any error of reading it; the message can contain it
            raise SecretUnusableError(
                f"The secret for {self._name} could not be read ({type(error).__name__}). It must exist and "
                "contain a JSON object, and the function's role must allow secretsmanager:GetSecretValue."
            ) from None
        self._client = self._connect(self._secret)
        return self._client

    def _error(self, goal: str, failure: Failure) -> CallFailedError:
        status = f"HTTP {failure.status}, " if failure.status else ""
        said = failure.said
        for member, value in self._secret.items():
            # As it's sent, without surrounding spaces. A value that isn't a string is never sent.
            credential = value.strip() if isinstance(value, str) and member not in _NOT_CREDENTIALS else ""
            said = said.replace(credential, "***") if credential else said
        cure = failure.cure or self._cures.get(failure.status or 0, "It's retried later.")
        said = truncate(" ".join(said.split()), _MAX_SAID).rstrip(".")
        return CallFailedError(f"{self._name} did not {goal}: {status}{said}. {cure}", failure)


def secret_member(secret: Secret, member: str, variable: str) -> str:
    """Return a member of a secret.

    Args:
        secret: The secret's members.
        member: The member's name.
        variable: The environment variable that names the secret, for the message.

    Raises:
        SecretUnusableError: The member is missing or empty.
    """
    value = secret.get(member) if isinstance(secret, Mapping) else None
    if not isinstance(value, str) or not value.strip():
        raise SecretUnusableError(
            f"The secret that {variable} names must be a JSON object with a non-empty string {member!r}, but "
            "doesn't have one. Correct the secret; the next attempt reads it again."
        )
    return value.strip()


def _is_temporary(failure: Failure) -> bool:
    """Return whether a request can succeed later as it is, though perhaps only with another credential.

    A 404 that isn't about a ticket comes from what is between: see `Failure.is_missing`. With a cure of its
    own, a 403 is about what was sent, such as a missing field in ServiceNow.
    """
    if failure.is_before_sign_in:
        return True
    if failure.status in (None, HTTPStatus.FORBIDDEN):
        return failure.cure is None
    return failure.status >= HTTPStatus.INTERNAL_SERVER_ERROR or (
        failure.status in _PASSING and not failure.is_missing
    )


def _worth_repeating(failure: Failure, repeatable: bool) -> bool:
    if failure.status == HTTPStatus.TOO_MANY_REQUESTS:
        return True
    return repeatable and (failure.status is None or failure.status in _TEMPORARY)


def _asked_to_wait(seconds: float) -> Failure:
    return Failure(
        status=HTTPStatus.TOO_MANY_REQUESTS,
        said=f"it accepts no request for another {seconds:.0f} seconds, which is longer than a call waits",
    )


def seconds_until_retry(header: str | None) -> float | None:
    """Return the seconds to wait according to a Retry-After header, or None if it isn't valid.

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
