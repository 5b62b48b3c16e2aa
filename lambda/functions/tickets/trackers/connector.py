"""Tickets in Jira Cloud or ServiceNow by way of a connector of the new Security Hub.

Security Hub signs in to the tracker, chooses the project, and writes the ticket. It opens tickets and does
nothing else: it has no operation that reads, changes, or closes one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from functions.tickets.contract import Abilities, Draft, Ticket
from functions.tickets.trackers.calls import Calls, Failure
from functions.tickets.trackers.destinations import Destinations
from invocation.clients import create_client
from invocation.environment import matching
from invocation.secrets import GetSecret
from securityhub.events import Finding

if TYPE_CHECKING:
    from mypy_boto3_securityhub.client import SecurityHubClient

KEY: Final = "ticketing.connector"
"""The key of the tracker in settings.toml."""

_MAX_TOKEN: Final = 63
_CURES: Final = {
    "AccessDeniedException": "The function's role must allow securityhub:CreateTicketV2 on the connector.",
    "ConflictException": "Open the integration in Security Hub's console, create a test ticket, and follow "
    "what it says: https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-v2-test-ticket-integration.html",
    "ResourceNotFoundException": f"Check {KEY}.connector_id, which is of the Region where the stack is. A "
    "finding that Security Hub has deleted gets no ticket.",
    "ValidationException": f"Check {KEY}.connector_id.",
}
# What is worth another try, whatever status the service gives it.
_THROTTLED: Final = frozenset({"ThrottlingException", "TooManyRequestsException"})


class Connector:
    """Lets Security Hub create a ticket for a finding in OCSF, with the draft's key as the client token.

    Source: https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_CreateTicketV2.html
    Source: https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-v2-integrations.html
    """

    name = "Connector"
    abilities = Abilities(takes_asff=False, closes=False)

    def __init__(self, calls: Calls[SecurityHubClient], *, destinations: Destinations[str]) -> None:
        """Make a tracker of connectors.

        Args:
            calls: Calls to Security Hub.
            destinations: The IDs of the connectors by which tickets are created.
        """
        self._calls = calls
        self._destinations = destinations

    def place_of(self, finding: Finding) -> str:
        """Return the ID of the connector."""
        return self._destinations.of(finding)

    def find(self, draft: Draft, since: datetime) -> Ticket | None:  # noqa: ARG002 - as in other trackers
        """Return None: Security Hub has no search for tickets.

        None is needed, because `open` returns the ticket that an earlier attempt with the same client token
        created. For how long Security Hub remembers the token isn't documented.
        """
        return None

    def open(self, draft: Draft) -> Ticket:
        """Create a ticket, or return the one that an earlier attempt created."""
        connector = self._destinations.of(draft.finding)
        created = self._calls(
            "create the ticket",
            lambda client: client.create_ticket_v2(
                ConnectorId=connector,
                FindingMetadataUid=str(draft.finding.metadata_uid),
                ClientToken=_token(draft.key, connector),
            ),
        )
        return Ticket(id=created["TicketId"], link=created.get("TicketSrcUrl", ""))

    def update(self, ticket: Ticket, draft: Draft) -> None:
        """Do nothing: settings.toml allows no tickets of groups, because this one is about one finding."""

    def resolve(self, ticket: Ticket, reason: str, finding: Finding | None = None) -> None:
        """Do nothing: Security Hub has no operation for it. The finding's comment tells a person to."""


def from_environment(
    environment: Mapping[str, str],
    get_secret: GetSecret,  # noqa: ARG001 - as in other trackers
    settings: Mapping[str, Any],
) -> Connector:
    """Create the tracker from the environment variable `CONNECTOR_ID` and its settings in the file.

    Raises:
        ValueError: The variable is missing or invalid.
    """
    default = matching(
        environment, "CONNECTOR_ID", pattern=r"[0-9a-f-]{36}", allowed="the UUID of a connector"
    )
    calls: Calls[SecurityHubClient] = Calls(
        name=Connector.name,
        # Security Hub has the credential.
        read_secret=lambda *, fresh: {},  # noqa: ARG005 - as for other trackers
        connect=lambda _: create_client("securityhub"),
        explain=_explain,
        cures={},
    )
    return Connector(
        calls,
        destinations=Destinations.read(
            settings, KEY, default=default, place=lambda rule, _: str(rule["connector_id"])
        ),
    )


def _token(key: str, connector: str) -> str:
    """Return the client token, which a request to another connector must not have."""
    return hashlib.sha256(f"{key} {connector}".encode()).hexdigest()[:_MAX_TOKEN]


def _explain(error: Exception) -> Failure | None:
    if isinstance(error, ClientError):
        code = error.response["Error"]["Code"]
        status = int(error.response["ResponseMetadata"]["HTTPStatusCode"])
        return Failure(
            status=HTTPStatus.TOO_MANY_REQUESTS if code in _THROTTLED else status,
            said=f"{code}, {error.response['Error'].get('Message', '')}",
            cure=_CURES.get(code),
        )
    if isinstance(error, BotoCoreError):
        return Failure(status=None, said=f"no readable response ({type(error).__name__})")
    return None
