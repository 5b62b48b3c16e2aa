"""Requests to the APIs of trackers, which only read."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from email.message import Message
from http import HTTPStatus
from http.client import HTTPException
from typing import Any, Final
from urllib.error import HTTPError
from urllib.parse import quote, urlencode, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from securityhub_actions.cli.aws import Aws
from securityhub_actions.cli.doctor.model import Check, warning

_SECONDS: Final = 15
_NOT_SIGNED_IN: Final = frozenset({"AUTHENTICATED_FAILED", "AUTHENTICATION_DENIED"})
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost"})


class ApiError(Exception):
    """A tracker refused a request, or didn't answer.

    Attributes:
        status: The HTTP status, or None if there was no response.
    """

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracker:
    """A tracker as a function's configuration has it.

    Attributes:
        variables: The function's variables of the tracker, without its name.
        secret: The members of its secret.
        settings: Fields, steps, and rules.
        aws: The account and Region, for what AWS signs.
        decisions: The names of states that settle a finding, by `resolved` and `suppressed`.
        webhook_url: Where its webhooks go; empty if it isn't deployed.
    """

    variables: Mapping[str, str]
    secret: Mapping[str, str]
    settings: Mapping[str, Any]
    aws: Aws
    decisions: Mapping[str, Sequence[str]] = field(default_factory=dict)
    webhook_url: str = ""

    @property
    def places(self) -> list[tuple[str, Mapping[str, Any]]]:
        """What all tickets have, and what each rule changes: the key in settings.toml, and the table."""
        rules = enumerate(self.settings.get("rules", ()))
        return [("", self.settings), *((f".rules[{number}]", rule) for number, rule in rules)]


class _NoRedirects(HTTPRedirectHandler):
    """Follows no redirects, because they would send the credential to another address."""

    def redirect_request(self, *_: object) -> None:
        """Return None, so that a redirect is an error."""


class Api:
    """An API, and what signs the requests to it."""

    def __init__(self, url: str, **headers: str) -> None:
        """Prepare requests.

        Args:
            url: The base URL.
            headers: Headers of all requests, with underscores for hyphens.

        Raises:
            ApiError: The URL would show the credential to others.
        """
        parts = urlsplit(url)
        if parts.scheme != "https" and parts.hostname not in _LOOPBACK:
            raise ApiError("nothing, because it isn't an https URL")
        self._url = url.rstrip("/")
        self._headers = {name.replace("_", "-"): value for name, value in headers.items()}

    def get(self, path: str, **parameters: str | int) -> Any:  # noqa: ANN401 - JSON
        """Return the decoded JSON of a resource.

        Raises:
            ApiError: The request was refused, or there was no readable response.
        """
        return self._send(f"{path}?{urlencode(parameters)}" if parameters else path)

    def post_form(self, path: str, form: Mapping[str, str]) -> Any:  # noqa: ANN401 - JSON
        """Return the decoded JSON that a form gives, such as an access token.

        Raises:
            ApiError: As for `get`.
        """
        return self._send(path, urlencode(form).encode())

    def post(self, path: str, body: bytes) -> Any:  # noqa: ANN401 - JSON
        """Return the decoded JSON that a body gives.

        Raises:
            ApiError: As for `get`.
        """
        return self._send(path, body)

    def _send(self, path: str, data: bytes | None = None) -> Any:  # noqa: ANN401 - JSON
        headers = {"Accept": "application/json", **self._headers}
        request = Request(f"{self._url}{path}", data=data, headers=headers)  # noqa: S310 - checked above
        try:
            with build_opener(_NoRedirects()).open(request, timeout=_SECONDS) as response:
                _require_signed_in(response.headers)
                status, text = response.status, response.read()
        except HTTPError as error:
            _require_signed_in(error.headers)
            raise ApiError(f"HTTP {error.code}", error.code) from None
        except (OSError, HTTPException, ValueError) as error:
            raise ApiError(f"nothing readable ({type(error).__name__})") from None
        try:
            return json.loads(text)
        except ValueError as error:
            raise ApiError(f"nothing readable ({type(error).__name__})", status) from None


def _require_signed_in(headers: Message) -> None:
    """Raise an error for a credential that Jira refuses by a header only.

    Jira Cloud answers requests with an API token that has expired as it answers strangers, who may search and
    find nothing.

    Source: https://support.atlassian.com/jira/kb/jira-cloud-jql-search-rest-api-returns-200-ok-without-api-token/
    Source: https://github.com/MrRefactoring/jira.js/issues/418
    """
    reason = (headers.get("X-Seraph-LoginReason") or "").strip().upper()
    if reason in _NOT_SIGNED_IN:
        raise ApiError(f"that it refuses the credential ({reason})", HTTPStatus.UNAUTHORIZED)


def status_of_empty_post(url: str) -> int:
    """Send an empty JSON object to a URL, and return the HTTP status.

    Raises:
        ApiError: There was no response.
    """
    api = Api(url, Content_Type="application/json")
    try:
        api.post("", b"{}")
    except ApiError as error:
        if error.status is None:
            raise
        return error.status
    return int(HTTPStatus.OK)


def basic(name: str, password: str) -> str:
    """Return the header for a name and a password."""
    return "Basic " + b64encode(f"{name}:{password}".encode()).decode()


def constants_of(field: Mapping[str, Any]) -> list[str]:
    """Return the values that a field can have whatever a finding contains."""
    found = [field.get("value"), field.get("default"), *(field.get("values") or {}).values()]
    texts = [
        one for value in found if value is not None for one in (value if isinstance(value, list) else [value])
    ]
    return list(dict.fromkeys(map(str, texts)))


def default_wanted(field: Mapping[str, Any], key: str, what: str) -> Iterator[Check]:
    """Warn of a field that the tracker requires and that only some findings may have a value for.

    Args:
        field: The field in settings.toml.
        key: Its key there.
        what: What requires it, in words.
    """
    if field.get("value") is None and field.get("default") is None:
        yield warning(
            f"{what}. Findings without a value for it get no ticket, or theirs isn't closed.",
            f"Specify {key}.default in settings.toml, unless every finding has one.",
        )


def in_path(text: str) -> str:
    """Return a text as one segment of a path."""
    return quote(text, safe="")
