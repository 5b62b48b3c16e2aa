"""A client of a ServiceNow instance."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlsplit

import requests
from pysnc import GlideRecord, ServiceNowClient
from pysnc.exceptions import RestException
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase, HTTPBasicAuth

from functions.tickets.trackers.calls import (
    CONNECT_SECONDS,
    READ_SECONDS,
    Calls,
    Failure,
    seconds_until_retry,
    secret_member,
)
from functions.tickets.trackers.service_now_jwt import JwtBearer, SigningError
from invocation.secrets import Secret

_TABLES: Final = "/api/now/table/"
_TOKENS: Final = "/oauth_token.do"

# A token is renewed this much earlier, so that it doesn't expire on the way.
_MARGIN_SECONDS: Final = 60.0

COLUMNS: Final = (
    "sys_id",
    "state",
    "correlation_id",
    "close_code",
    "close_notes",
    "short_description",
    "description",
    "urgency",
    "impact",
)
"""The columns of an incident that are always read."""


class NotDoneError(requests.RequestException):
    """ServiceNow answered with success, but didn't do what was asked, or only a part of it."""


class _Requests(HTTPAdapter):
    """Sends requests with timeouts, and raises errors with the status and headers that pysnc would hide."""

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:  # noqa: ANN401
        kwargs["timeout"] = (CONNECT_SECONDS, READ_SECONDS)
        response = super().send(request, *args, **kwargs)
        response.raise_for_status()
        _require_done(response)
        return response


def _require_done(response: requests.Response) -> None:
    """Raise an error for an answer that only looks like success. A search would find nothing, or less.

    Too many requests at a time of one session get a 202, and may never be carried out. Where a quota of the
    instance ends a request, its answer has the records until then, an error, and the status 200.

    Source: https://www.servicenow.com/community/servicenow-ai-platform-blog/http-202-from-an-inbound-web-service-call/ba-p/2289402
    Source: https://support.servicenow.com/kb?id=kb_article_view&sysparm_article=KB1297438
    """
    if response.status_code == HTTPStatus.ACCEPTED:
        raise NotDoneError("it put the request off, and might not carry it out (HTTP 202)")
    try:
        answer = response.json()
    except ValueError:
        return  # which pysnc reports
    if isinstance(answer, dict) and "error" in answer:
        raise NotDoneError(_said(response))


class OAuth(AuthBase):
    """Signs requests with an access token, which is requested when it's needed and used until it expires.

    The grant is `jwt-bearer` if AWS KMS signs for a user, `password` if the secret has the user's, and else
    `client_credentials`, which the instance has to allow by the property
    `glide.oauth.inbound.client.credential.grant_type.enabled`.

    Source: https://www.servicenow.com/docs/r/yokohama/platform-security/authentication/r_OAuthAPIRequestParameters.html
    Source: https://support.servicenow.com/kb?id=kb_article_view&sysparm_article=KB0778194
    """

    def __init__(self, url: str, form: Callable[[], Mapping[str, str]]) -> None:
        """Prepare to request tokens.

        Args:
            url: The URL of the instance.
            form: Returns the form of a request for a token.
        """
        self._url = url
        self._form = form
        self._token, self._expires = "", 0.0

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Add the token to a request."""
        if time.monotonic() >= self._expires:
            self._request()
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request

    def _request(self) -> None:
        form = self._form()
        asked = time.monotonic()
        response = requests.post(
            f"{self._url}{_TOKENS}",
            data=form,
            timeout=(CONNECT_SECONDS, READ_SECONDS),
            allow_redirects=False,
        )
        response.raise_for_status()
        answer = response.json()
        self._token = str(answer["access_token"])
        self._expires = asked + float(answer["expires_in"]) - _MARGIN_SECONDS


def credentials_of(secret: Secret, url: str, *, jwt_key_id: str = "") -> AuthBase:
    """Return what signs requests, as the members of a secret say: OAuth, or a user's password.

    Args:
        secret: The members of the tracker's secret.
        url: The URL of the instance.
        jwt_key_id: The ID of the key in AWS KMS that signs for the JWT bearer grant. Default: another grant.
    """
    if jwt_key_id:
        return OAuth(url, JwtBearer.of(secret, jwt_key_id).form)
    members = ("client_id", "client_secret") if "client_id" in secret else ("username", "password")
    given = {member: secret_member(secret, member, "SERVICENOW_SECRET") for member in members}
    if "client_id" not in secret:
        return HTTPBasicAuth(given["username"], given["password"])
    if "username" in secret:
        user = ("username", "password")
        given |= {member: secret_member(secret, member, "SERVICENOW_SECRET") for member in user}
    form = {"grant_type": "password" if "username" in given else "client_credentials", **given}
    return OAuth(url, lambda: form)


class Client(ServiceNowClient):  # type: ignore[misc] # pysnc has no types
    """ServiceNow's client with timeouts and without its own retries, which are up to `Calls`."""

    def __init__(self, url: str, credentials: AuthBase) -> None:
        session = requests.Session()
        session.auth = credentials
        # A redirect would send the credential to another address.
        session.max_redirects = 0
        session.mount(url, _Requests())
        self._url = url
        # pysnc accepts only https, even for the loopback address in tests.
        super().__init__("https://" + url.partition("://")[2], session, auto_retry=False)

    @property
    def instance(self) -> str:
        """URL of the instance."""
        return self._url

    def incidents(self, columns: Iterable[str] = ()) -> GlideRecord:
        """Return a record of the incident table that reads only the required columns.

        They include the columns to change, because pysnc doesn't send a column that it hasn't read.

        Args:
            columns: Columns to change beyond those that are always read. Default: none.
        """
        record = self.GlideRecord("incident", batch_size=1)
        record.fields = [*dict.fromkeys((*COLUMNS, *columns))]
        return record

    def incident(self, sys_id: str, columns: Iterable[str] = ()) -> GlideRecord:
        """Return an incident with the required columns."""
        record = self.incidents(columns)
        record.get(sys_id)
        return record

    def sees_incidents(self) -> bool:
        """Return whether there is an incident that the user can read."""
        record = self.GlideRecord("incident", batch_size=1)
        record.fields = ["sys_id"]
        record.limit = 1
        record.query()
        return bool(record.next())

    def sys_ids(self, table: str, column: str, value: str) -> list[str]:
        """Return the IDs of up to two records that have a value in a column."""
        record = self.GlideRecord(table, batch_size=2)
        record.fields = ["sys_id", column]
        record.limit = 2
        record.add_query(column, value)
        record.query()
        # ServiceNow ignores a condition on a column that the user can't read, and returns any records.
        return [
            str(one.get_value("sys_id"))
            for one in record
            if str(one.get_value(column)).casefold() == value.casefold()
        ]


def find_incident(calls: Calls[Client], sys_id: str, columns: Iterable[str] = ()) -> GlideRecord | None:
    """Return an incident, or None if it was deleted.

    ServiceNow answers the same for a deleted incident as for one that the user can't read. If the user can
    read another one, it's deleted.

    Args:
        calls: Calls to the instance.
        sys_id: The ID of the incident.
        columns: As for `Client.incidents`.

    Raises:
        CallFailedError: The incident can't be read, or the user can read none at all.
    """
    goal = "read the incident"
    incident = calls.find(goal, lambda client: client.incident(sys_id, columns))
    if incident is None and not calls(goal, lambda client: client.sees_incidents()):
        raise calls.refusal(
            goal,
            "it shows the user no incident at all, so this one might not be deleted",
            "Give the user of SERVICENOW_SECRET the role itil.",
            is_temporary=True,
        )
    return incident


def explain(error: Exception) -> Failure | None:
    """Return why a request failed, or None for a programming error."""
    if isinstance(error, SigningError):
        return error.failure
    if isinstance(error, NotDoneError):
        return Failure(status=None, said=str(error))
    if isinstance(error, requests.HTTPError) and error.response is not None:
        status, is_token = error.response.status_code, urlsplit(error.response.url).path.endswith(_TOKENS)
        return Failure(
            # By this, OAuth refuses a grant: https://www.rfc-editor.org/rfc/rfc6749#section-5.2
            status=HTTPStatus.UNAUTHORIZED if is_token and status == HTTPStatus.BAD_REQUEST else status,
            said=_said(error.response),
            retry_after=seconds_until_retry(error.response.headers.get("Retry-After")),
            is_missing=_is_missing(error.response),
            is_before_sign_in=is_token,
        )
    if isinstance(error, requests.RequestException | RestException | ValueError | LookupError):
        return Failure(status=None, said=f"no readable response ({type(error).__name__})")
    return None


def _is_missing(response: requests.Response) -> bool:
    """Return whether it's the Table API that says that a record doesn't exist.

    Its words depend on the language of the user, so only the form counts.

    Source: https://www.servicenow.com/docs/bundle/zurich-api-reference/page/integrate/inbound-rest/concept/c_TableAPI.html
    """
    if response.status_code != HTTPStatus.NOT_FOUND or _TABLES not in urlsplit(response.url).path:
        return False
    try:
        answer = response.json()
        return answer["status"] == "failure" and bool(answer["error"]["message"])
    except (ValueError, LookupError, TypeError):
        return False


def _said(response: requests.Response) -> str:
    """Return what ServiceNow puts into `error`: a message and details, or the description of OAuth."""
    try:
        answer = response.json()
        if description := answer.get("error_description"):
            return str(description)
        error = answer["error"]
        return ": ".join(part for part in (error["message"], error.get("detail")) if part)
    except (ValueError, LookupError, TypeError, AttributeError):
        return response.text or "no reason given"
