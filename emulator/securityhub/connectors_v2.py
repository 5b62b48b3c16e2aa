"""Connectors of the new Security Hub to Jira Cloud and ServiceNow, and the tickets that it creates by them.

There is no tracker behind them: a ticket has an ID and a URL, and nothing else. A connector to Jira Cloud is
authorized with the code `authorized`, and the state that is in the URL for its authorization.

Sources:
    https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_CreateConnectorV2.html
    https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_RegisterConnectorV2.html
    https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_CreateTicketV2.html
    https://docs.aws.amazon.com/securityhub/latest/userguide/jiracloud.html
    https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-v2-test-ticket-integration.html
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final
from urllib.parse import parse_qs, urlencode, urlsplit

from ministack.core.responses import new_uuid, now_iso

from emulator.securityhub import ocsf, paging, state
from emulator.securityhub.model import Document, SecurityHubError
from emulator.securityhub.state import ConnectorV2

AUTH_CODE: Final = "authorized"
_PROVIDERS: Final = {"JiraCloud": "JIRA_CLOUD", "ServiceNow": "SERVICENOW"}
_CONNECTED: Final = "CONNECTED"
_DRY_RUN: Final = "DRYRUN"


def create(request: Document) -> Document:
    """CreateConnectorV2: to Jira Cloud, it waits for its authorization and for a project."""
    token = request.get("ClientToken")
    for one in state.connectors_v2.values():
        if token is not None and one.client_token == token:
            return _created(one)
        if one.name == request["Name"]:
            raise SecurityHubError("ConflictException", f"There is a connector {one.name!r} already")
    provider, settings = _provider_of(request["Provider"])
    connector_id, now = new_uuid(), now_iso()
    connector = ConnectorV2(
        arn=state.arn_of(f"connectorv2/{connector_id}"),
        connector_id=connector_id,
        name=request["Name"],
        provider=provider,
        settings=settings,
        is_authorized=provider != "JiraCloud",
        auth_state=new_uuid(),
        created_at=now,
        updated_at=now,
        client_token=token,
    )
    state.connectors_v2[connector_id] = connector
    return _created(connector)


def register(request: Document) -> Document:
    """RegisterConnectorV2: with the state of a connector that waits for its authorization."""
    waiting = [one for one in state.connectors_v2.values() if not one.is_authorized]
    connector = next((one for one in waiting if one.auth_state == request["AuthState"]), None)
    if connector is None or request["AuthCode"] != AUTH_CODE:
        raise SecurityHubError("ValidationException", "The authorization code or its state is not valid")
    return _changed(replace(connector, is_authorized=True))


def update(request: Document) -> Document:
    """UpdateConnectorV2: the project of a connector to Jira Cloud, or the secret of one to ServiceNow."""
    connector = _find(request["ConnectorId"])
    settings = connector.settings
    if "Provider" in request:
        provider, given = _provider_of(request["Provider"])
        if provider != connector.provider:
            raise SecurityHubError("ValidationException", f"The connector is one to {connector.provider}")
        settings = settings | given
    changed = replace(connector, settings=settings, updated_at=now_iso())
    state.connectors_v2[changed.connector_id] = changed
    return {"ConnectorStatus": _status_of(changed), "EnablementStatus": "ENABLED"}


def get(request: Document) -> Document:
    """GetConnectorV2."""
    connector = _find(request["ConnectorId"])
    return {
        "ConnectorArn": connector.arn,
        "ConnectorId": connector.connector_id,
        "Name": connector.name,
        "CreatedAt": connector.created_at,
        "LastUpdatedAt": connector.updated_at,
        "Health": {"ConnectorStatus": _status_of(connector), "LastCheckedAt": connector.updated_at},
        "ProviderDetail": {connector.provider: _detail_of(connector)},
        "EnablementStatus": "ENABLED",
    }


def list_all(request: Document) -> Document:
    """ListConnectorsV2."""
    wanted = [
        one
        for one in state.connectors_v2.values()
        if request.get("ProviderName") in {None, _PROVIDERS[one.provider]}
        and request.get("ConnectorStatus") in {None, _status_of(one)}
    ]
    connectors, more = paging.page("connectors", wanted, request)
    return {"Connectors": [_summary_of(one) for one in connectors], **more}


def delete(request: Document) -> Document:
    """DeleteConnectorV2."""
    del state.connectors_v2[_find(request["ConnectorId"]).connector_id]
    return {"EnablementStatus": "PENDING_DELETION"}


def create_ticket(request: Document) -> Document:
    """CreateTicketV2: repeating a request with its ClientToken returns the ticket that it created."""
    connector = _find(request["ConnectorId"])
    if _status_of(connector) != _CONNECTED:
        raise SecurityHubError("ConflictException", f"The connector is {_status_of(connector)}")
    uid = request["FindingMetadataUid"]
    if request.get("Mode") != _DRY_RUN and all(
        ocsf.stored(one)["metadata"]["uid"] != uid for one in state.findings.values()
    ):
        raise SecurityHubError("ResourceNotFoundException", f"There is no finding {uid}")
    token, made = request.get("ClientToken"), {"connector": connector.connector_id, "finding": uid}
    known = state.tickets_v2.get(token) if token is not None else None
    if known is not None and {name: known[name] for name in made} != made:
        raise SecurityHubError("ConflictException", "The ClientToken was used for another ticket")
    if known is None:
        known = {**made, "answer": _new_ticket(connector)}
        state.tickets_v2[token or new_uuid()] = known
    answer: Document = known["answer"]
    return answer


def _new_ticket(connector: ConnectorV2) -> Document:
    number = len(state.tickets_v2) + 1
    if connector.provider == "JiraCloud":
        key = f"{connector.settings['ProjectKey']}-{number}"
        return {"TicketId": key, "TicketSrcUrl": f"https://example.atlassian.net/browse/{key}"}
    sys_id = new_uuid().replace("-", "")
    name = connector.settings["InstanceName"]
    url = f"https://{name}.service-now.com/nav_to.do?uri=x_aws_se_0_finding.do?sys_id={sys_id}"
    return {"TicketId": sys_id, "TicketSrcUrl": url}


def _provider_of(given: Document) -> tuple[str, Document]:
    ((name, settings),) = given.items()
    if name not in _PROVIDERS:
        raise SecurityHubError("ValidationException", f"The embedded AWS has no connectors to {name}")
    return name, settings


def _find(connector_id: str) -> ConnectorV2:
    found: ConnectorV2 | None = state.connectors_v2.get(connector_id)
    if found is None:
        raise SecurityHubError("ResourceNotFoundException", f"There is no connector {connector_id}")
    return found


def _changed(connector: ConnectorV2) -> Document:
    state.connectors_v2[connector.connector_id] = replace(connector, updated_at=now_iso())
    return {"ConnectorArn": connector.arn, "ConnectorId": connector.connector_id}


def _status_of(connector: ConnectorV2) -> str:
    if not connector.is_authorized:
        return "PENDING_AUTHORIZATION"
    if connector.provider == "JiraCloud" and "ProjectKey" not in connector.settings:
        return "PENDING_CONFIGURATION"
    return _CONNECTED


def _created(connector: ConnectorV2) -> Document:
    authorization = {} if connector.is_authorized else {"AuthUrl": _auth_url(connector)}
    return {
        "ConnectorArn": connector.arn,
        "ConnectorId": connector.connector_id,
        "ConnectorStatus": _status_of(connector),
        "EnablementStatus": "ENABLED",
        **authorization,
    }


def _auth_url(connector: ConnectorV2) -> str:
    return f"https://auth.atlassian.com/authorize?{urlencode({'state': connector.auth_state})}"


def auth_state_in(url: str) -> str:
    """Return the state in the URL at which a person authorizes a connector."""
    return parse_qs(urlsplit(url).query)["state"][0]


def _detail_of(connector: ConnectorV2) -> Document:
    authorization = {"AuthStatus": "ACTIVE" if connector.is_authorized else "FAILED"}
    return {**connector.settings, **authorization}


def _summary_of(connector: ConnectorV2) -> Document:
    return {
        "ConnectorArn": connector.arn,
        "ConnectorId": connector.connector_id,
        "Name": connector.name,
        "ProviderSummary": {
            "ProviderName": _PROVIDERS[connector.provider],
            "ConnectorStatus": _status_of(connector),
            "ProviderConfiguration": {connector.provider: _detail_of(connector)},
        },
        "CreatedAt": connector.created_at,
        "EnablementStatus": "ENABLED",
    }
