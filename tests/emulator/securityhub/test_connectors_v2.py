"""Connectors to trackers, and tickets that Security Hub creates by them."""

from __future__ import annotations

import pytest

from emulator.securityhub.connectors_v2 import AUTH_CODE, auth_state_in
from tests.emulator.securityhub.account import refused

SERVICE_NOW = {"ServiceNow": {"InstanceName": "example", "SecretArn": "arn:aws:secretsmanager:::secret:x"}}

AZURE = {
    "Azure": {
        "AWSConfigConnectorArn": "a",
        "ScopeConfiguration": {"ScopeType": "TENANT"},
        "AzureRegions": ["westeurope"],
    }
}


@pytest.fixture
def account(account):
    account.hub.enable_security_hub_v2()
    return account


def status_of(account, connector):
    return account.hub.get_connector_v2(ConnectorId=connector)["Health"]["ConnectorStatus"]


def uid_of(account):
    (finding,) = account.hub.get_findings_v2()["Findings"]
    return finding["metadata"]["uid"]


def connected(account, name="ITSM"):
    return account.hub.create_connector_v2(Name=name, Provider=SERVICE_NOW)["ConnectorId"]


def test_a_connector_to_jira_needs_an_authorization_and_a_project(account):
    created = account.hub.create_connector_v2(Name="Jira", Provider={"JiraCloud": {}}, ClientToken="once")
    assert created == account.hub.create_connector_v2(
        Name="Jira", Provider={"JiraCloud": {}}, ClientToken="once"
    ) | {"ResponseMetadata": created["ResponseMetadata"]}
    connector, state = created["ConnectorId"], auth_state_in(created["AuthUrl"])
    assert created["ConnectorArn"].endswith(f":connectorv2/{connector}")
    assert status_of(account, connector) == "PENDING_AUTHORIZATION"
    for wrong in ({"AuthCode": "x", "AuthState": state}, {"AuthCode": AUTH_CODE, "AuthState": "x"}):
        refused("ValidationException", account.hub.register_connector_v2, **wrong)
    account.hub.register_connector_v2(AuthCode=AUTH_CODE, AuthState=state)
    assert status_of(account, connector) == "PENDING_CONFIGURATION"
    account.hub.update_connector_v2(ConnectorId=connector, Provider={"JiraCloud": {"ProjectKey": "SEC"}})
    assert status_of(account, connector) == "CONNECTED"
    (listed,) = account.hub.list_connectors_v2(ProviderName="JIRA_CLOUD")["Connectors"]
    assert (listed["Name"], listed["ProviderSummary"]["ConnectorStatus"]) == ("Jira", "CONNECTED")
    account.imported()
    ticket = account.hub.create_ticket_v2(ConnectorId=connector, FindingMetadataUid=uid_of(account))
    assert ticket["TicketSrcUrl"] == "https://example.atlassian.net/browse/SEC-1"


def test_a_request_that_is_repeated_with_its_token_creates_one_ticket(account):
    connector, other = connected(account), connected(account, "Other")
    account.imported()
    request = {"ConnectorId": connector, "FindingMetadataUid": uid_of(account), "ClientToken": "a"}
    first, again = (account.hub.create_ticket_v2(**request)["TicketId"] for _ in range(2))
    assert first == again
    assert account.hub.create_ticket_v2(**{**request, "ClientToken": "b"})["TicketId"] != first
    refused("ConflictException", account.hub.create_ticket_v2, **{**request, "ConnectorId": other})


def test_what_has_no_connector_or_finding_gets_no_ticket(account):
    connector = connected(account)
    unknown = {"ConnectorId": connector, "FindingMetadataUid": "x"}
    refused("ResourceNotFoundException", account.hub.create_ticket_v2, **unknown)
    assert account.hub.create_ticket_v2(**unknown, Mode="DRYRUN")["TicketId"]
    refused("ValidationException", account.hub.create_ticket_v2, **unknown, ClientToken="x" * 64)
    account.hub.delete_connector_v2(ConnectorId=connector)
    refused("ResourceNotFoundException", account.hub.create_ticket_v2, **unknown)
    waiting = account.hub.create_connector_v2(Name="Jira", Provider={"JiraCloud": {}})["ConnectorId"]
    refused("ConflictException", account.hub.create_ticket_v2, **{**unknown, "ConnectorId": waiting})


@pytest.mark.parametrize(
    ("name", "provider", "error"),
    [("ITSM", SERVICE_NOW, "ConflictException"), ("Azure", AZURE, "ValidationException")],
)
def test_what_security_hub_refuses(account, name, provider, error):
    connected(account)
    refused(error, account.hub.create_connector_v2, Name=name, Provider=provider)


def test_without_the_new_security_hub_there_are_no_connectors(account):
    account.hub.disable_security_hub_v2()
    refused("AccessDeniedException", account.hub.list_connectors_v2)
