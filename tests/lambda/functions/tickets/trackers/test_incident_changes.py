"""What people do to incidents in ServiceNow and PagerDuty."""

from __future__ import annotations

import datetime as dt

import pytest

from functions.tickets.contract import Look, Ticket, TooManyChangesError, TrackerError

BY_NAME = {"servicenow": "service_now", "pagerduty": "pager_duty"}


@pytest.fixture
def service_now(make_tracker):
    return make_tracker("servicenow")


@pytest.fixture
def pager_duty(make_tracker):
    return make_tracker("pagerduty")


@pytest.fixture
def instance(vendor_servers):
    return vendor_servers.service_now


@pytest.fixture
def account(vendor_servers):
    return vendor_servers.pager_duty


@pytest.fixture(params=BY_NAME)
def tracker(request, make_tracker):
    return make_tracker(request.param)


@pytest.fixture
def server(tracker, vendor_servers):
    return getattr(vendor_servers, BY_NAME[tracker.name.lower()])


def hours_ago(number):
    return dt.datetime.now(dt.UTC) - dt.timedelta(hours=number)


def test_an_incident_of_servicenow_is_called_by_its_state_while_it_is_open(service_now, draft, instance):
    ticket = service_now.open(draft)
    assert service_now.look(ticket) == Look(names=("New",), is_closed=False, by="securityhub")
    instance.decide(ticket.id, "In Progress", by="Ann", code="Duplicate")
    assert service_now.look(ticket) == Look(names=("In Progress",), is_closed=False, by="ann")


@pytest.mark.parametrize("state", ["Resolved", "Closed", "Canceled"])
def test_a_closed_incident_of_servicenow_is_called_by_its_resolution_code_first(
    service_now, draft, instance, state
):
    ticket = service_now.open(draft)
    instance.decide(ticket.id, state, by="Ann Lee", code="No resolution provided")
    names = ("No resolution provided", state)
    assert service_now.look(ticket) == Look(names=names, is_closed=True, by="Ann Lee")


def test_an_incident_without_a_resolution_code_is_called_by_its_state(service_now, draft, instance):
    ticket = service_now.open(draft)
    instance.decide(ticket.id, "Canceled", by="Ann")
    instance.incidents[ticket.id]["closed_by"] = ""
    assert service_now.look(ticket) == Look(names=("Canceled",), is_closed=True, by="ann")


def test_an_incident_of_pagerduty_is_called_by_its_status_and_names_who_set_it(pager_duty, draft, account):
    ticket = pager_duty.open(draft)
    assert pager_duty.look(ticket) == Look(names=("triggered",), is_closed=False, by="Security Hub")
    account.decide(ticket.id, "resolved", by="Ann Lee")
    assert pager_duty.look(ticket) == Look(names=("resolved",), is_closed=True, by="Ann Lee")


def test_an_incident_that_was_merged_into_another_one_is_not_called_resolved(pager_duty, draft, account):
    ticket = pager_duty.open(draft)
    account.decide(ticket.id, "resolved", by="Ann", merged=True)
    assert pager_duty.look(ticket) == Look(names=("merged",), is_closed=True, by="Ann")


@pytest.mark.parametrize("by_type", ["service_reference", "integration_reference", "service"])
def test_an_incident_that_nobody_resolved_is_not_called_resolved(pager_duty, draft, account, by_type):
    ticket = pager_duty.open(draft)
    account.decide(ticket.id, "resolved", by="Security", by_type=by_type)
    assert pager_duty.look(ticket) == Look(names=("resolved automatically",), is_closed=True, by="Security")


def test_what_the_app_resolves_is_closed(tracker, draft, server):
    ticket = tracker.open(draft)
    tracker.resolve(ticket, "It passed.")
    assert tracker.look(ticket).is_closed
    assert tracker.former_ids(ticket.id) == ()
    assert server.incidents


def test_an_incident_that_was_deleted_is_none(tracker, draft):
    tracker.open(draft)
    assert tracker.look(Ticket(id="0" * 32, link="")) is None


def test_a_vendor_that_fails_has_deleted_nothing(tracker, draft, server):
    ticket = tracker.open(draft)
    server.fail(500, times=9)
    with pytest.raises(TrackerError, match="did not read the incident: HTTP 500"):
        tracker.look(ticket)
    with pytest.raises(TrackerError, match="did not list the"):
        list(tracker.changed(hours_ago(1), hours_ago(0)))


def test_the_incidents_that_changed_in_a_period_come_page_by_page(tracker, make_draft, server):
    server.page_size = 2
    ids = [tracker.open(make_draft(f"draft-{number}")).id for number in range(5)]
    for id_ in ids:
        server.decide(id_, "Resolved" if tracker.name == "ServiceNow" else "resolved", by="Ann")
    later = hours_ago(-1)
    # Each entry in the log of PagerDuty is a change.
    assert {*tracker.changed(hours_ago(1), later)} == {*ids}
    assert list(tracker.changed(hours_ago(3), hours_ago(2))) == []


def test_incidents_of_others_are_left_out_although_servicenow_ignores_the_condition(
    service_now, draft, instance
):
    ticket = service_now.open(draft)
    other = service_now.open(draft)
    instance.incidents[other.id]["correlation_display"] = "Another tool"
    instance.ignored.add("correlation_display")
    assert list(service_now.changed(hours_ago(1), hours_ago(-1))) == [ticket.id]


def test_a_poll_of_a_user_who_can_not_read_whose_incidents_they_are_is_a_failure(
    service_now, draft, instance
):
    ticket = service_now.open(draft)
    instance.incidents[ticket.id]["correlation_display"] = ""
    instance.ignored.add("correlation_display")
    with pytest.raises(TrackerError, match=r"doesn't show the column correlation_display\. Allow") as caught:
        list(service_now.changed(hours_ago(1), hours_ago(-1)))
    assert caught.value.is_temporary


def test_the_periods_of_servicenow_have_no_time_that_depends_on_a_time_zone(service_now, instance):
    list(service_now.changed(hours_ago(2), hours_ago(1)))
    (request,) = instance.sent("GET")
    assert "sys_updated_onRELATIVEGT@minute@ago@12" in request.query["sysparm_query"]
    assert "^sys_updated_onRELATIVELT@minute@ago@" in request.query["sysparm_query"]


def test_a_period_with_more_log_entries_than_are_listed_at_once_is_an_error_after_one_request(
    pager_duty, account
):
    now = dt.datetime.now(dt.UTC)
    account.log += [(now, "QOTHER", "trigger_log_entry")] * 2_001
    minute, second = dt.timedelta(minutes=1), dt.timedelta(seconds=5)
    with pytest.raises(TooManyChangesError, match=r"there are 2,001 between .*Rely on webhooks") as caught:
        list(pager_duty.changed(now - minute, now + minute))
    assert caught.value.is_temporary
    assert len(account.sent("GET", "/log_entries")) == 1
    # Of a moment, as many are listed as PagerDuty does.
    assert {*pager_duty.changed(now - second, now + second)} == {"QOTHER"}


@pytest.mark.long
def test_more_log_entries_of_a_moment_than_pagerduty_lists_are_an_error(pager_duty, account):
    now, second = dt.datetime.now(dt.UTC), dt.timedelta(seconds=5)
    account.log += [(now, "QOTHER", "trigger_log_entry")] * 10_050
    with pytest.raises(TooManyChangesError, match=r"there are 10,050 between"):
        list(pager_duty.changed(now - second, now + second))
