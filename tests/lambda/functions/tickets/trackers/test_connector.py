"""Tickets that Security Hub creates by a connector."""

from __future__ import annotations

from dataclasses import replace

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from functions.tickets.contract import Draft, TrackerError
from functions.tickets.trackers import enabled_trackers
from securityhub.events import parse_event

CONNECTOR, OTHER = "a1b2c3d4-5678-90ab-cdef-000000000001", "a1b2c3d4-5678-90ab-cdef-000000000002"


class SecurityHub:
    """Creates a ticket for each client token."""

    def __init__(self):
        self.tickets, self.failures, self.has_urls = {}, [], True

    def create_ticket_v2(self, *, ConnectorId, FindingMetadataUid, ClientToken):  # noqa: N803 - boto3's names
        if self.failures:
            raise self.failures.pop(0)
        assert 1 <= len(ClientToken) <= 63
        made = self.tickets.setdefault(ClientToken, (ConnectorId, FindingMetadataUid))
        assert made == (ConnectorId, FindingMetadataUid)
        id_ = f"ticket-{[*self.tickets].index(ClientToken)}"
        return {"TicketId": id_} | ({"TicketSrcUrl": f"https://x.example.com/{id_}"} if self.has_urls else {})


def refusal(code, status=400):
    return ClientError(
        {
            "Error": {"Code": code, "Message": "Cannot find jira project"},
            "ResponseMetadata": {"HTTPStatusCode": status},
        },
        "CreateTicketV2",
    )


@pytest.fixture
def hub(monkeypatch):
    hub = SecurityHub()
    monkeypatch.setattr("functions.tickets.trackers.connector.create_client", lambda service: hub)  # noqa: ARG005
    return hub


@pytest.fixture
def make(hub, tmp_path):  # noqa: ARG001 - before the tracker
    def make(**variables):
        (tracker,) = enabled_trackers({"TRACKERS": "connector", "CONNECTOR_ID": CONNECTOR, **variables}, None)
        return tracker

    return make


@pytest.fixture
def draft(load_event):
    finding = parse_event(load_event("findings_imported_v2")).findings[0]
    return Draft(key=f"{'a' * 48}-1", finding=finding, earlier=None)


def test_a_ticket_is_created_by_the_connector_for_the_finding(make, hub, draft):
    ticket = make().open(draft)
    assert (ticket.id, ticket.link) == ("ticket-0", "https://x.example.com/ticket-0")
    assert [*hub.tickets.values()] == [(CONNECTOR, draft.finding.metadata_uid)]


def test_an_attempt_that_is_repeated_creates_one_ticket_and_the_next_ticket_is_another(
    make, hub, draft, since
):
    tracker = make()
    assert tracker.find(draft, since) is None
    assert tracker.open(draft) == tracker.open(draft)
    tracker.open(replace(draft, key=f"{'a' * 48}-2"))
    assert len(hub.tickets) == 2


def test_a_rule_chooses_the_connector(make, hub, draft, tmp_path):
    file = tmp_path / "trackers.json"
    account = draft.finding.aws_account_id
    file.write_text(
        f'{{"connector": {{"rules": [{{"accounts": ["{account}"], "connector_id": "{OTHER}"}}]}}}}'
    )
    tracker = make(TRACKER_SETTINGS=str(file))
    make().open(draft)
    tracker.open(draft)  # with another client token, which Security Hub would refuse otherwise
    assert tracker.place_of(draft.finding) == OTHER
    assert [connector for connector, _ in hub.tickets.values()] == [CONNECTOR, OTHER]


def test_a_ticket_without_a_url_has_no_link(make, hub, draft):
    hub.has_urls = False
    assert make().open(draft).link == ""


@pytest.mark.parametrize(
    "failure",
    [
        refusal("ThrottlingException", 429),
        refusal("TooManyRequestsException"),
        refusal("InternalServerException", 500),
        EndpointConnectionError(endpoint_url="https://x"),
    ],
)
def test_a_request_that_may_succeed_later_is_repeated(make, hub, draft, failure):
    hub.failures = [failure]
    assert make().open(draft).id == "ticket-0"


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        ("ConflictException", "Cannot find jira project. Open the integration"),
        ("ResourceNotFoundException", r"Check ticketing\.connector\.connector_id"),
        ("AccessDeniedException", "must allow securityhub:CreateTicketV2"),
    ],
)
def test_a_refusal_says_what_to_do(make, hub, draft, code, advice):
    hub.failures = [refusal(code)]
    with pytest.raises(TrackerError, match=advice) as caught:
        make().open(draft)
    assert caught.value.is_refusal


def test_the_variable_is_the_id_of_a_connector(make):
    with pytest.raises(ValueError, match="CONNECTOR_ID must be the UUID of a connector"):
        make(CONNECTOR_ID="SEC")
