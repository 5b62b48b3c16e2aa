"""Cards in Microsoft Teams, of which nothing can be found or changed."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given

from functions.tickets.contract import Listing, TrackerError
from invocation.teams import MAX_BYTES
from tests.vendor_servers.any_text import ANY_TEXT, each_text
from tests.vendor_servers.teams import CHANNEL_URL, text_of

KEY = f"{'0123456789abcdef' * 3}-7"
TO_PAYMENTS = {"rules": [{"controls": ["S3.8"], "webhook": "payments"}]}


@pytest.fixture
def server(vendor_servers):
    server = vendor_servers.teams
    server.cards.clear()
    server.other_cards.clear()
    return server


@pytest.fixture
def teams(server, make_tracker):  # noqa: ARG001 - empty
    return make_tracker("teams")


def test_a_card_has_title_body_and_a_reference_and_its_end_has_the_same(teams, server, make_draft):
    draft = make_draft(KEY)
    ticket = teams.open(draft)
    assert (ticket.id, ticket.link) == ("webhook_url/0123456789ab-7", CHANNEL_URL)
    teams.resolve(ticket, "In Security Hub, the finding has the compliance status PASSED.", draft.finding)
    opened, settled = map(text_of, server.cards)
    assert opened.startswith("[CRITICAL] S3 general purpose buckets should block public access\n")
    assert "\nAccount: 111122223333\n" in opened
    assert settled.startswith(
        "Resolved: S3 general purpose buckets should block public access\nIn Security Hub,"
    )
    assert all(one.endswith("\nReference: 0123456789ab-7") for one in (opened, settled))


def test_a_rule_chooses_the_workflow_and_the_end_is_posted_by_the_same(make_tracker, server, make_draft):
    fields = {"Team": {"type": "string", "value": "Cloud"}}
    tracker = make_tracker("teams", settings={**TO_PAYMENTS, "fields": fields})
    draft = make_draft(KEY)
    ticket = tracker.open(draft)
    make_tracker("teams").resolve(ticket, "It passed.")
    assert (len(server.cards), len(server.other_cards)) == (0, 2)
    assert "\nTeam: Cloud\n" in text_of(server.other_cards[0])
    assert tracker.place_of(draft.finding) == "payments"


@each_text
@given(title=ANY_TEXT, description=ANY_TEXT)
def test_any_text_is_taken_and_read_as_plain_text(teams, server, make_draft, title, description):
    server.cards.clear()
    draft = make_draft(KEY, title=title, raw={"Description": description})
    teams.resolve(teams.open(draft), "It passed.", draft.finding)
    assert len(server.cards) == 2


def test_the_longest_card_fits_and_keeps_title_and_reference(make_tracker, server, make_draft):
    fields = {f"Field {number}": {"type": "string", "value": "\u20ac" * 250} for number in range(100)}
    make_tracker("teams", settings={"fields": fields}).open(make_draft(KEY, title="\u20ac" * 5_000))
    (request,) = server.sent("POST")
    assert int(request.headers["content-length"]) <= MAX_BYTES
    (card,) = server.cards
    assert text_of(card).endswith("\n\u2026\nReference: 0123456789ab-7")


def test_a_group_whose_highest_severity_changes_gets_another_card(teams, server, make_draft):
    listing = Listing(facts={"Control": "S3.8"}, open=2, first=(("HIGH x", 2),), settled=())
    draft = replace(make_draft(KEY), listing=listing)
    ticket = teams.open(draft)
    teams.update(ticket, draft)
    assert len(server.cards) == 1
    teams.update(ticket, replace(draft, listing=replace(listing, severity_changed=True)))
    assert text_of(server.cards[1]).startswith("[CRITICAL] ")


def test_nothing_can_be_found_so_an_attempt_of_unknown_end_is_repeated(teams, server, make_draft, since):
    draft = make_draft(KEY)
    server.drop_connection(accept_first=True)
    with pytest.raises(TrackerError, match=r"Teams did not post the card: no readable answer") as caught:
        teams.open(draft)
    assert not caught.value.is_refusal
    assert teams.find(draft, since) is None
    teams.open(draft)
    assert len(server.cards) == 2


def test_a_workflow_that_asks_for_a_pause_gets_one(teams, server, make_draft, fake_time):
    server.fail(429, Retry_After="4")
    teams.open(make_draft(KEY))
    assert fake_time.slept == [4.0]
    assert len(server.cards) == 1


@pytest.mark.parametrize("status", [400, 401, 404, 500])
def test_a_refusal_says_what_to_do_and_shows_no_url(teams, server, make_draft, status):
    url = server.secret["webhook_url"]
    server.fail(status, times=9, body={"error": {"code": "WorkflowNotFound", "message": f"No {url}"}})
    with pytest.raises(TrackerError, match=rf"HTTP {status}, WorkflowNotFound") as caught:
        teams.open(make_draft(KEY))
    assert ("copy its URL again" in str(caught.value)) == (status < 500)
    assert "sig=" not in str(caught.value)
    assert server.cards == []


@pytest.mark.parametrize(
    ("secret", "said"),
    [
        ({}, "non-empty string 'webhook_url'"),
        (
            {"webhook_url": "http://example.com/hook?sig=1"},
            "webhook_url in the secret .* must begin with https",
        ),
    ],
)
def test_a_secret_without_the_url_is_reported(make_tracker, make_draft, secret, said):
    tracker = make_tracker("teams", get_secret=lambda _, **__: secret)
    with pytest.raises(TrackerError, match=said) as caught:
        tracker.open(make_draft(KEY))
    assert caught.value.is_refusal  # nothing was sent, so the next attempt needn't wait
