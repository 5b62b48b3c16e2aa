from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given

from functions.tickets.contract import Ticket, TrackerError
from tests.vendor_servers.any_text import ANY_TEXT, each_text


@pytest.fixture
def server(vendor_servers):
    return vendor_servers.slack


@pytest.fixture
def slack(make_tracker):
    return make_tracker("slack")


def test_a_message_is_posted_with_title_body_and_link(slack, server, draft):
    ticket = slack.open(draft)
    (message,) = server.messages.values()
    assert ticket.id == f"C024BE91L/{message.ts}"
    assert ticket.link == f"https://example.slack.com/archives/C024BE91L/p{message.ts.replace('.', '')}"
    assert message.text.startswith("*[CRITICAL] S3 general purpose buckets should block public access*\n")
    assert "\nAccount: 111122223333\n" in message.text


def test_the_earlier_message_is_linked(slack, server, make_draft):
    earlier = Ticket(id="C024BE91L/1", link="https://example.slack.com/archives/C024BE91L/p1")
    slack.open(make_draft(earlier=earlier))
    (message,) = server.messages.values()
    assert f"Earlier ticket: <{earlier.link}>" in message.text


def test_a_finding_cannot_mention_anybody_or_disguise_a_link(slack, server, make_draft):
    slack.open(make_draft(title="<!channel> <https://evil.example.com|AWS> &lt;"))
    (message,) = server.messages.values()
    assert "&lt;!channel&gt; &lt;<https://evil.example.com>|AWS&gt; &amp;lt;" in message.text


@each_text
@given(title=ANY_TEXT, description=ANY_TEXT)
def test_any_text_arrives_well_formed_and_escaped(slack, server, make_draft, title, description):
    ticket = slack.open(make_draft(title=title, raw={"Description": description}))
    assert ticket.id.partition("/")[2] in server.messages


def test_the_longest_body_of_characters_to_escape_fits(slack, server, make_draft):
    raw = {"Description": "&" * 5_000, "Remediation": {"Recommendation": {"Text": "<" * 5_000}}}
    slack.open(make_draft(title="&" * 5_000, raw=raw))
    assert len(server.messages) == 1


def test_a_text_that_is_too_long_does_not_hide_what_the_finding_is_about(slack, server, make_draft):
    slack.open(make_draft(raw={"Description": "&" * 1_000}))
    (message,) = server.messages.values()
    assert "&amp;&amp;" not in message.text
    assert "\nAccount: 111122223333\n" in message.text
    assert "\nResource: AwsS3Bucket " in message.text
    assert message.text.endswith("\n…")


def test_a_message_is_found_by_the_key(slack, draft, make_draft, since):
    opened = slack.open(draft)
    slack.open(make_draft("another"))
    assert slack.find(draft, since) == opened


def test_a_message_is_found_on_any_page_of_the_history(slack, server, draft, make_draft, since):
    opened = slack.open(draft)
    for number in range(4):
        slack.open(make_draft(f"another-{number}"))
    server.page_size = 2
    assert slack.find(draft, since) == opened


@pytest.mark.parametrize("page_size", [1, 200])
def test_a_message_is_found_though_somebody_has_given_its_key_to_a_later_one(
    slack, server, draft, since, page_size
):
    opened = slack.open(draft)
    slack.open(draft)
    server.page_size = page_size
    assert slack.find(draft, since) == opened


def test_nothing_is_found_where_nothing_was_posted(slack, draft, make_draft, since):
    slack.open(make_draft("another"))
    assert slack.find(draft, since) is None


def test_a_message_is_found_though_slacks_clock_is_behind(slack, draft):
    opened = slack.open(draft)
    assert slack.find(draft, dt.datetime.now(dt.UTC) + dt.timedelta(minutes=4)) == opened


def test_messages_before_the_attempt_are_not_read(slack, draft):
    slack.open(draft)
    assert slack.find(draft, dt.datetime.now(dt.UTC) + dt.timedelta(minutes=6)) is None


def test_metadata_of_other_apps_is_no_ticket(slack, server, draft, since):
    slack.open(draft)
    (message,) = server.messages.values()
    message.metadata = {"event_type": "other", "event_payload": {"key": draft.key}}
    assert slack.find(draft, since) is None


def test_a_message_that_was_posted_before_the_connection_broke_is_found(slack, server, draft, since):
    server.drop_connection(accept_first=True, path_part="chat.postMessage")
    with pytest.raises(
        TrackerError, match=r"Slack did not post the message: no readable response .*\(RemoteDisc"
    ):
        slack.open(draft)
    assert len(server.sent("POST", "chat.postMessage")) == 1
    assert slack.find(draft, since).id.partition("/")[2] in server.messages


def test_a_message_is_marked_as_resolved_with_the_reason_in_its_thread(slack, server, draft):
    ticket = slack.open(draft)
    slack.resolve(ticket, "Resolved by <somebody>.")
    (message,) = server.messages.values()
    assert message.text.startswith(":white_check_mark: *Resolved*\n*[CRITICAL]")
    assert message.replies == ["Resolved by &lt;somebody&gt;."]
    assert message.metadata["event_payload"] == {"key": "finding-1", "state": "resolved"}


def test_a_message_that_is_marked_already_is_left_alone(slack, server, draft):
    ticket = slack.open(draft)
    slack.resolve(ticket, "Resolved.")
    slack.resolve(ticket, "Resolved.")
    (message,) = server.messages.values()
    assert message.text.count("white_check_mark") == 1
    assert message.replies == ["Resolved."]


def test_the_links_of_a_message_survive_its_marking(slack, server, draft):
    ticket = slack.open(draft)
    slack.resolve(ticket, "Resolved.")
    (message,) = server.messages.values()
    assert (
        "\nInstructions: <https://docs.aws.amazon.com/console/securityhub/S3.8/remediation>" in message.text
    )


@pytest.mark.parametrize("character", ["&", "x", "\N{EURO SIGN}"])
def test_a_message_too_long_to_be_changed_is_marked_without_its_last_lines(
    slack, server, make_draft, character
):
    long = character * 5_000
    raw = {"Description": long, "Remediation": {"Recommendation": {"Text": long}}, "ProductArn": long}
    resources = tuple(make_draft().finding.resources) * 10
    ticket = slack.open(make_draft(title=long, raw=raw, product_arn=long, id=long, resources=resources))
    (message,) = server.messages.values()
    before = message.text
    slack.resolve(ticket, "Resolved.")
    header, _, kept = message.text.partition("\n")
    assert header == ":white_check_mark: *Resolved*"
    assert kept.startswith("*[CRITICAL] ")
    assert set(kept.splitlines()) <= {*before.splitlines(), "…"}
    assert message.replies == ["Resolved."]


def test_a_message_that_may_not_be_edited_any_more_gets_the_reason_in_its_thread(slack, server, draft):
    ticket = slack.open(draft)
    server.fail(200, path_part="chat.update", body={"ok": False, "error": "edit_window_closed"})
    slack.resolve(ticket, "Resolved.")
    (message,) = server.messages.values()
    assert message.replies == ["Resolved."]


def test_a_message_that_could_not_be_marked_for_another_reason_is_not_resolved(slack, server, draft):
    ticket = slack.open(draft)
    server.fail(200, path_part="chat.update", body={"ok": False, "error": "not_in_channel"})
    with pytest.raises(TrackerError, match=r"not_in_channel\. Invite the app"):
        slack.resolve(ticket, "Resolved.")
    (message,) = server.messages.values()
    assert message.replies == []


def test_only_the_message_itself_is_marked(slack, server, draft, make_draft):
    ticket = slack.open(draft)
    slack.open(make_draft("another"))
    slack.resolve(ticket, "Resolved.")
    assert ["Resolved" in message.text for _, message in sorted(server.messages.items())] == [True, False]


def test_a_deleted_message_with_a_thread_counts_as_resolved_and_is_not_edited(slack, server, draft):
    ticket = slack.open(draft)
    (message,) = server.messages.values()
    message.is_tombstone = True
    slack.resolve(ticket, "Resolved.")
    slack.update(ticket, draft)
    assert (message.replies, server.sent("POST", "chat.update")) == ([], [])


def test_a_message_that_is_deleted_just_before_it_is_marked_counts_as_resolved(slack, server, draft):
    ticket = slack.open(draft)
    server.fail(200, path_part="chat.update", body={"ok": False, "error": "message_not_found"})
    slack.resolve(ticket, "Resolved.")
    (message,) = server.messages.values()
    assert message.replies == []


def test_a_deleted_message_counts_as_resolved(slack, server, draft):
    ticket = slack.open(draft)
    server.messages.clear()
    slack.resolve(ticket, "Resolved.")
    assert not server.sent("POST", "chat.update")


def test_an_unknown_channel_is_reported_with_a_cure(make_tracker, draft):
    slack = make_tracker("slack", SLACK_CHANNEL="C0")
    with pytest.raises(TrackerError, match=r"channel_not_found\. Set SLACK_CHANNEL to the channel's ID"):
        slack.open(draft)


@pytest.mark.parametrize(
    ("code", "cure"),
    [
        ("missing_scope", "Give the app the scopes"),
        ("not_in_channel", "Invite the app"),
        ("is_archived", "Unarchive the channel"),
        ("token_revoked", "Check the bot_token"),
    ],
)
def test_what_slack_refuses_is_reported_with_a_cure(slack, server, draft, code, cure):
    server.fail(200, body={"ok": False, "error": code})
    with pytest.raises(TrackerError, match=rf"{code}\. .*{cure}"):
        slack.open(draft)


def test_a_refused_token_is_reported_but_not_shown(make_tracker, draft):
    slack = make_tracker("slack", get_secret=lambda _, **__: {"bot_token": "xoxb-wrong"})
    with pytest.raises(TrackerError, match=r"invalid_auth\. Check the bot_token in the secret") as caught:
        slack.open(draft)
    assert "xoxb" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_a_secret_without_token_is_reported(make_tracker, draft):
    with pytest.raises(TrackerError, match=r"SLACK_SECRET names must be a JSON object.*'bot_token'"):
        make_tracker("slack", get_secret=lambda _, **__: {}).open(draft)


def test_a_rate_limit_is_waited_for_as_long_as_slack_says(slack, server, draft, fake_time):
    server.fail(429, Retry_After="7", body={"ok": False, "error": "ratelimited"})
    slack.open(draft)
    assert fake_time.slept == [7]


@pytest.mark.parametrize(
    "code",
    ["fatal_error", "internal_error", "service_unavailable", "team_added_to_org", "org_login_required"],
)
def test_an_error_of_slack_itself_passes_and_the_message_may_have_been_posted(slack, server, draft, code):
    server.fail(200, path_part="chat.postMessage", body={"ok": False, "error": code})
    with pytest.raises(TrackerError, match=code) as failure:
        slack.open(draft)
    assert (failure.value.is_temporary, failure.value.is_refusal) == (True, False)
    assert len(server.sent("POST", "chat.postMessage")) == 1


@pytest.mark.parametrize("code", ["rate_limited", "message_limit_exceeded"])
def test_too_many_messages_are_posted_later(slack, server, draft, code):
    server.fail(200, path_part="chat.postMessage", body={"ok": False, "error": code})
    slack.open(draft)
    assert len(server.messages) == 1


@pytest.mark.parametrize("status", [401, 403, 429])
def test_a_message_that_was_posted_was_not_refused_though_its_link_is(slack, server, draft, since, status):
    server.fail(status, times=9, path_part="chat.getPermalink", body={"ok": False, "error": "no_permission"})
    with pytest.raises(TrackerError, match="did not look up the message's link") as failure:
        slack.open(draft)
    assert not failure.value.is_refusal
    server._faults.clear()
    assert slack.find(draft, since).id.endswith(next(iter(server.messages)))


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_message_that_may_have_been_posted_is_not_posted_again(slack, server, draft, status):
    server.fail(status, path_part="chat.postMessage", body={"ok": False, "error": "internal_error"})
    with pytest.raises(TrackerError, match=f"HTTP {status}"):
        slack.open(draft)
    assert len(server.sent("POST", "chat.postMessage")) == 1


@pytest.mark.parametrize("status", [429, 500, 503])
def test_the_history_is_read_again_after_a_failure_that_passes(slack, server, draft, status, since):
    opened = slack.open(draft)
    server.fail(
        status, path_part="conversations.history", times=2, body={"ok": False, "error": "fatal_error"}
    )
    assert slack.find(draft, since) == opened


def test_an_answer_that_is_no_json_is_reported(slack, server, draft):
    server.fail(200, body="<html>Log in</html>")
    with pytest.raises(TrackerError, match="Slack did not post the message: HTTP 200"):
        slack.open(draft)
