from __future__ import annotations

import pytest

from functions.tickets.contract import TrackerError
from functions.tickets.trackers import service_now
from functions.tickets.trackers.service_now_columns import cure_of

USER, GROUP, PAYMENTS = "a" * 32, "d" * 32, "e" * 32
CALLER = {"type": "reference", "value": "securityhub", "table": "sys_user", "column": "user_name"}


def group(name):
    return {"type": "reference", "value": name, "table": "sys_user_group", "column": "name"}


@pytest.fixture
def server(vendor_servers):
    return vendor_servers.service_now


def test_a_required_caller_is_looked_up_once_and_given(make_tracker, server, make_draft):
    server.mandatory["1"] = {"caller_id"}
    service_now = make_tracker("servicenow", settings={"fields": {"caller_id": CALLER}})
    for key in ("one", "two"):
        assert server.incidents[service_now.open(make_draft(key)).id]["caller_id"] == USER
    assert len(server.sent("GET", "/sys_user")) == 1


def test_a_missing_caller_is_reported_with_the_key_that_gives_it(make_tracker, server, draft):
    server.mandatory["1"] = {"caller_id", "assignment_group"}
    with pytest.raises(
        TrackerError,
        match=r"HTTP 403, .*mandatory: Assignment group, Caller\. ServiceNow wants Assignment group "
        r"\(assignment_group\): specify ticketing\.service_now\.fields\.assignment_group in settings\.toml\. "
        r"ServiceNow wants Caller \(caller_id\): specify ticketing\.service_now\.fields\.caller_id",
    ) as caught:
        make_tracker("servicenow").open(draft)
    assert caught.value.is_refusal
    assert server.incidents == {}


@pytest.mark.parametrize("detail", ["Caller is mandatory", "Caller, Assignment group are mandatory"])
def test_a_data_policy_may_say_it_in_a_sentence(make_tracker, server, draft, detail):
    error = {"message": "Operation Failed", "detail": f"Data Policy Exception: {detail}"}
    server.fail(403, methods=("POST",), body={"error": error, "status": "failure"})
    with pytest.raises(
        TrackerError, match=r"wants Caller \(caller_id\): specify ticketing\.service_now\.fields\.caller_id"
    ) as caught:
        make_tracker("servicenow").open(draft)
    assert not caught.value.is_temporary


def test_a_column_that_the_finding_has_no_value_for_needs_a_default(make_tracker, server, draft):
    server.mandatory["1"] = {"caller_id"}
    owner = {**CALLER, "asff": ["Resources", 0, "Tags", "owner"], "values": {"jo": "securityhub"}}
    del owner["value"]
    with pytest.raises(TrackerError, match=r"or specify ticketing\.service_now\.fields\.caller_id\.default"):
        make_tracker("servicenow", settings={"fields": {"caller_id": owner}}).open(draft)


def test_a_column_of_the_instance_is_named_by_its_label():
    said = "Data Policy Exception: The following fields are mandatory: Root cause, Caller"
    cure = cure_of(said, key="ticketing.service_now.close_fields", known={})
    assert "'Root cause': specify the column of that label in ticketing.service_now.close_fields" in cure
    assert cure_of("Invalid query", key="k", known={}) is None


@pytest.mark.parametrize(("value", "why"), [("nobody", "no record"), ("Jo Doe", "more than one record")])
def test_a_reference_that_is_not_exactly_one_record_is_reported(make_tracker, server, draft, value, why):
    caller = {**CALLER, "value": value, "column": "name"}
    service_now = make_tracker("servicenow", settings={"fields": {"caller_id": caller}})
    with pytest.raises(
        TrackerError, match=rf"{why} of the table sys_user has .*Correct ticketing\.service_now\.fields\.call"
    ):
        service_now.open(draft)
    assert server.incidents == {}


def test_only_the_latest_references_are_kept(monkeypatch, make_tracker, server, make_draft):
    monkeypatch.setattr(service_now, "_KEPT_SYS_IDS", 2)
    owner = {**CALLER, "value": None, "asff": ["Title"]}
    tracker = make_tracker("servicenow", settings={"fields": {"caller_id": owner}})
    for name in ("securityhub", "SECURITYHUB", "securityhub", "jdoe", "SECURITYHUB"):
        tracker.open(make_draft(name, raw={"Title": name}))
    assert [
        request.query["sysparm_query"].removesuffix("^ORDERBYsys_id")
        for request in server.sent("GET", "/sys_user")
    ] == ["user_name=securityhub", "user_name=SECURITYHUB", "user_name=jdoe", "user_name=SECURITYHUB"]


def test_a_sys_id_is_given_as_it_is(make_tracker, server, draft):
    service_now = make_tracker("servicenow", settings={"fields": {"caller_id": {**CALLER, "value": USER}}})
    assert server.incidents[service_now.open(draft).id]["caller_id"] == USER
    assert not server.sent("GET")


def test_dates_and_texts_are_written_as_the_table_has_them(make_tracker, server, draft):
    fields = {
        "due_date": {"type": "datetime", "value": "2026-02-01T10:00:00+02:00"},
        "category": {"type": "string", "asff": ["Severity", "Label"], "values": {"CRITICAL": "security"}},
        "urgency": {"type": "string", "value": "2"},
    }
    incident = server.incidents[make_tracker("servicenow", settings={"fields": fields}).open(draft).id]
    assert (incident["due_date"], incident["category"], incident["urgency"]) == (
        "2026-02-01 08:00:00",
        "security",
        "2",
    )


def test_a_rule_chooses_the_assignment_group(make_tracker, server, draft, make_draft):
    rule = {"controls": ["S3.8"], "fields": {"assignment_group": group("Payments")}}
    settings = {"fields": {"assignment_group": group("Cloud security")}, "rules": [rule]}
    service_now = make_tracker("servicenow", settings=settings)
    assert server.incidents[service_now.open(draft).id]["assignment_group"] == PAYMENTS
    other = make_draft("second", raw={"Compliance": {"Status": "FAILED", "SecurityControlId": "S3.1"}})
    assert server.incidents[service_now.open(other).id]["assignment_group"] == GROUP


STATES = {"1": {"2"}, "2": {"6"}}


@pytest.mark.parametrize(("state", "changes"), [("1", ["2", "6"]), ("2", ["6"]), ("6", [])])
def test_an_incident_goes_through_the_states_from_where_it_is(make_tracker, server, draft, state, changes):
    server.next_states = STATES
    service_now = make_tracker("servicenow", settings={"steps": ["2"]})
    ticket = service_now.open(draft)
    server.incidents[ticket.id]["state"] = state
    service_now.resolve(ticket, "It passed.")
    assert [request.body["state"] for request in server.sent("PATCH")] == changes
    assert server.incidents[ticket.id]["state"] == "6"


@pytest.mark.parametrize("accept_first", [True, False])
def test_a_chain_that_breaks_is_finished_by_the_next_attempt(make_tracker, server, draft, accept_first):
    server.next_states = STATES
    service_now = make_tracker("servicenow", settings={"steps": ["2"]})
    ticket = service_now.open(draft)
    server.drop_connection(methods=("PATCH",), times=3, accept_first=accept_first)
    with pytest.raises(TrackerError, match="did not resolve the incident"):
        service_now.resolve(ticket, "It passed.")
    service_now.resolve(ticket, "It passed.")
    assert server.incidents[ticket.id]["state"] == "6"


def test_without_steps_a_state_model_that_wants_them_is_reported(make_tracker, server, draft):
    server.next_states = STATES
    service_now = make_tracker("servicenow")
    ticket = service_now.open(draft)
    with pytest.raises(TrackerError, match="aborted by Business Rule"):
        service_now.resolve(ticket, "It passed.")


def test_columns_of_the_resolution_are_set_with_it(make_tracker, server, draft):
    server.mandatory["6"].add("u_root_cause")
    service_now = make_tracker("servicenow")
    ticket = service_now.open(draft)
    with pytest.raises(
        TrackerError, match=r"'Root cause': specify the column of that label in .*close_fields"
    ):
        service_now.resolve(ticket, "It passed.", draft.finding)
    fields = {"u_root_cause": {"type": "string", "asff": ["Compliance", "SecurityControlId"]}}
    make_tracker("servicenow", settings={"close_fields": fields}).resolve(ticket, "It passed.", draft.finding)
    assert server.incidents[ticket.id]["u_root_cause"] == "S3.8"
    assert server.incidents[ticket.id]["state"] == "6"


def test_an_incident_that_was_deleted_counts_as_resolved_in_the_middle_of_a_chain_too(
    make_tracker, server, make_draft
):
    service_now = make_tracker("servicenow", settings={"steps": ["2"]})
    ticket = service_now.open(make_draft("first"))
    service_now.open(make_draft("second"))
    del server.incidents[ticket.id]
    service_now.resolve(ticket, "It passed.")
    assert not server.sent("PATCH")


def test_a_rule_has_columns_of_its_own_for_the_resolution(make_tracker, vendor_servers, make_draft):
    rule = {"controls": ["S3.8"], "close_fields": {"u_root_cause": {"type": "string", "value": "policy"}}}
    tracker = make_tracker("servicenow", settings={"rules": [rule]})
    draft = make_draft("first")
    ticket = tracker.open(draft)
    tracker.resolve(ticket, "It passed.", draft.finding)
    assert vendor_servers.service_now.incidents[ticket.id]["u_root_cause"] == "policy"
    for key, name, expected in (
        ("second", tracker.rule_of(draft.finding), "policy"),
        ("third", "", None),
    ):
        ticket = tracker.open(make_draft(key))
        tracker.resolve_by_rule(ticket, "All passed.", name)
        incident = vendor_servers.service_now.incidents[ticket.id]
        assert (incident["state"], incident.get("u_root_cause")) == ("6", expected)
