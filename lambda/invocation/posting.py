"""Posts a body over HTTPS, once. What is secret, such as a URL or a token, never gets into an error."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPException
from typing import Final
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

_SECONDS: Final = 15.0
_MAX_ANSWER_BYTES: Final = 100_000
_LOOPBACK: Final = "127.0.0.1"


class NoAnswerError(Exception):
    """A server gave no readable answer, so it may or may not have done what was asked."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answered.

    Attributes:
        status: The HTTP status.
        content: The body, or its first 100,000 bytes.
        retry_after: The header Retry-After of a refusal, if there is one.
    """

    status: int
    content: bytes
    retry_after: str | None

    @property
    def is_success(self) -> bool:
        """Whether the server did what was asked."""
        return HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES


class NoRedirects(HTTPRedirectHandler):
    """Follows no redirects, because they would send a secret or the body to another address."""

    def redirect_request(self, *_: object) -> None:
        """Return None, so that a redirect is an error."""


def keeps_secrets(url: str) -> bool:
    """Return whether nobody else can read what is posted to a URL: over HTTPS, or on the same machine."""
    parts = urlsplit(url)
    return parts.scheme == "https" or parts.hostname == _LOOPBACK


def post(url: str, content: bytes, headers: Mapping[str, str]) -> Answer:
    """Post once. Whether a second try is safe is up to the caller.

    Args:
        url: The URL, which can be secret.
        content: The body.
        headers: The headers, with `Content-Type`.

    Raises:
        NoAnswerError: There was no readable answer within 15 seconds. The text names neither the URL nor the
            headers.
    """
    request = Request(url, data=content, headers=dict(headers), method="POST")  # noqa: S310 - the caller's
    try:
        with build_opener(NoRedirects()).open(request, timeout=_SECONDS) as answer:
            return Answer(answer.status, answer.read(_MAX_ANSWER_BYTES), None)
    except HTTPError as error:
        with error:
            return Answer(error.code, error.read(_MAX_ANSWER_BYTES), error.headers.get("Retry-After"))
    except (OSError, HTTPException, ValueError) as error:
        # Not 'from error', whose text can contain the URL.
        raise NoAnswerError(f"no readable answer ({type(error).__name__})") from None
