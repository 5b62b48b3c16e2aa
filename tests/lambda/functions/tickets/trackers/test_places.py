"""Services of PagerDuty and channels of Slack, as rules choose them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from functions.tickets.contract import TrackerError
from tests.vendor_servers.pager_duty import OTHER_SERVICE_ID, REFERENCES, SERVICE_ID
from tests.vendor_servers.slack import CHANNEL, OTHER_CHANNEL

TO_OTHER_SERVICE = {"rules": [{"controls": ["S3.8"], "service_id": OTHER_SERVICE_ID}]}
TO_OTHER_CHANNEL = {"rules": [{"controls": ["S3.8"], "channel": OTHER_CHANNEL}]}


@pytest.fixture
def pager_duty(vendor_servers):
    return vendor_servers.pager_duty


@pytest.fixture
def slack(vendor_servers):
    return vendor_servers.slack


def test_a_rule_chooses_the_service(make_tracker, pager_duty, draft, make_draft):
    tracker = make_tracker("pagerduty", settings=TO_OTHER_SERVICE)
    assert pager_duty.incidents[tracker.open(draft).id].service_id == OTHER_SERVICE_ID
    other = make_draft("second", raw={"Compliance": {"Status": "FAILED", "SecurityControlId": "S3.1"}})
    assert pager_duty.incidents[tracker.open(other).id].service_id == SERVICE_ID


def test_an_incident_is_found_and_resolved_whatever_the_rules_say_now(make_tracker, pager_duty, draft, since):
    opened = make_tracker("pagerduty", settings=TO_OTHER_SERVICE).open(draft)
    tracker = make_tracker("pagerduty")
    assert tracker.find(draft, since) == opened
    tracker.resolve(opened, "It passed.")
    assert pager_duty.incidents[opened.id].status == "resolved"


def test_an_incident_has_priority_and_escalation_policy(make_tracker, pager_duty, draft):
    fields = {
        "priority": {"type": "id", "asff": ["Severity", "Label"], "values": {"CRITICAL": "PPRIO01"}},
        "escalation_policy": {"type": "id", "value": "PESCAL1"},
    }
    ticket = make_tracker("pagerduty", settings={"fields": fields}).open(draft)
    assert pager_duty.incidents[ticket.id].references == REFERENCES


def test_a_priority_that_does_not_exist_is_reported_with_where_to_correct_it(make_tracker, draft):
    settings = {"fields": {"priority": {"type": "id", "value": "PNONE"}}}
    with pytest.raises(TrackerError, match=r"Priority not found.*the fields in \[ticketing\.pager_duty\]"):
        make_tracker("pagerduty", settings=settings).open(draft)


def test_a_rule_chooses_the_channel_and_the_message_has_extra_lines(make_tracker, slack, draft):
    fields = {"Team": {"type": "string", "value": "Cloud <!channel>"}}
    tracker = make_tracker("slack", settings={**TO_OTHER_CHANNEL, "fields": fields})
    ticket = tracker.open(draft)
    (message,) = slack.messages.values()
    assert (message.channel, tracker.place_of(draft.finding)) == (OTHER_CHANNEL, OTHER_CHANNEL)
    assert "\nTeam: Cloud &lt;!channel&gt;\n" in message.text
    make_tracker("slack").resolve(ticket, "It passed.")
    assert message.replies == ["It passed."]


def test_a_message_is_looked_for_in_the_channel_of_the_attempt(make_tracker, draft, since):
    opened = make_tracker("slack", settings=TO_OTHER_CHANNEL).open(draft)
    tracker = make_tracker("slack")
    assert tracker.find(replace(draft, place=OTHER_CHANNEL), since) == opened
    assert tracker.find(replace(draft, place=CHANNEL), since) is None


def test_a_channel_that_was_a_mistake_does_not_keep_a_ticket_from_being_opened(make_tracker, draft, since):
    with pytest.raises(TrackerError, match="channel_not_found"):
        make_tracker("slack", SLACK_CHANNEL="C0MISTAKE00").open(draft)
    attempted = replace(draft, place="C0MISTAKE00")
    with pytest.raises(TrackerError, match="channel_not_found"):
        make_tracker("slack", SLACK_CHANNEL="C0MISTAKE00").find(attempted, since)
    assert make_tracker("slack").find(attempted, since) is None


def test_a_channel_that_the_app_has_left_may_have_the_message_and_is_reported(
    make_tracker, slack, draft, since
):
    make_tracker("slack", settings=TO_OTHER_CHANNEL).open(draft)
    slack.channels[OTHER_CHANNEL] = False
    with pytest.raises(TrackerError, match=r"not_in_channel"):
        make_tracker("slack").find(replace(draft, place=OTHER_CHANNEL), since)
