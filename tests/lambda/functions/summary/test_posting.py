from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.summary.figures import Group
from functions.summary.posting import NotPostedError, Slack, Teams
from functions.summary.report import report_on
from tests.hypothesis_profiles import examples
from tests.summaries import figures
from tests.vendor_servers.servers import VendorServers
from tests.vendor_servers.slack import CHANNEL

SLACK_SECRET, TEAMS_SECRET = "slack", "teams"


@pytest.fixture(scope="module")
def servers():
    with VendorServers() as servers:
        yield servers


@pytest.fixture
def secrets(servers):
    """What the secrets hold, which a test can change."""
    servers.slack.messages.clear()
    servers.teams.cards.clear()
    servers.slack.recover()
    servers.teams.recover()
    return {"slack": dict(servers.slack.secret), "teams": dict(servers.teams.secret)}


@pytest.fixture
def slack(servers, secrets):
    def get_secret(name, *, fresh=False):
        assert fresh
        return secrets[name]

    return Slack(url=f"{servers.slack.url}/api/", channel=CHANNEL, secret=SLACK_SECRET, get_secret=get_secret)


@pytest.fixture
def teams(secrets):
    return Teams(secret=TEAMS_SECRET, get_secret=lambda name, **_: secrets[name])


def report(name="payments", **changes):
    group = Group(key="111122223333", name=name, open=(1, 0, 0, 0, 0), new=0, overdue=0)
    return report_on(
        figures(accounts=(group,), **changes),
        earlier=[],
        place="s3://b/p.html",
        timezone="UTC",
        origin="Account 111122223333, eu-west-1",
    )


def test_slack_gets_the_blocks_and_a_text_for_notifications(slack, servers):
    slack.send(report())
    (message,) = servers.slack.messages.values()
    assert message.text.startswith("Security Hub daily, Mon 9 Mar 2026 07:00: 1 critical")
    assert [block["type"] for block in message.blocks][:2] == ["header", "rich_text"]


def test_teams_gets_a_card(teams, servers):
    teams.send(report())
    (card,) = servers.teams.cards
    assert card["version"] == "1.4"


@examples(0.5)
@given(st.text(max_size=200))
def test_any_name_is_taken_by_both(servers, name):
    servers.slack.messages.clear()
    servers.teams.cards.clear()
    slack = Slack(
        url=f"{servers.slack.url}/api/",
        channel=CHANNEL,
        secret=SLACK_SECRET,
        get_secret=lambda *_, **__: servers.slack.secret,
    )
    slack.send(report(name))
    Teams(secret=TEAMS_SECRET, get_secret=lambda *_, **__: servers.teams.secret).send(report(name))
    assert (len(servers.slack.messages), len(servers.teams.cards)) == (1, 1)


@pytest.mark.parametrize("letter", ["n", "&", "名"])
def test_slack_takes_a_summary_with_many_long_names(slack, servers, letter):
    long = Group(key="k" * 12, name=letter * 500, open=(1234,) * 5, new=123, overdue=456)
    many = {"accounts": (long,) * 20, "controls": (long,) * 20, "account_count": 20, "control_count": 20}
    slack.send(report_on(figures(**many), earlier=[], place="p" * 200, timezone="UTC", origin="o"))
    (message,) = servers.slack.messages.values()
    assert "and 1" in json.dumps(message.blocks)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"ok": False, "error": "channel_not_found"}, "channel_not_found. Check the ID of the channel"),
        ({"ok": False, "error": "token_revoked"}, "token_revoked. Check the bot_token in the secret"),
        ({"ok": False, "error": "fatal_error"}, "fatal_error. It's tried again."),
        ("not json", "HTTP 200. It's tried again."),
    ],
)
def test_what_slack_refuses_is_said_with_what_to_do(slack, servers, answer, said):
    servers.slack.fail(200, body=answer)
    with pytest.raises(NotPostedError, match=said):
        slack.send(report())


@pytest.mark.parametrize(("status", "said"), [(500, "HTTP 500"), (404, "HTTP 404"), (302, "HTTP 302")])
def test_a_status_that_is_no_success_is_a_failure_and_no_redirect_is_followed(
    slack, teams, servers, status, said
):
    for server, channel in ((servers.slack, slack), (servers.teams, teams)):
        before = len(server.requests)
        server.fail(status, Location=f"{server.url}/elsewhere")
        with pytest.raises(NotPostedError, match=said):
            channel.send(report())
        assert len(server.requests) == before + 1


def test_a_pause_that_is_asked_for_is_said(slack, teams, servers):
    servers.slack.fail(429, body={"ok": False, "error": "ratelimited"}, Retry_After="30")
    with pytest.raises(NotPostedError, match=r"ratelimited\. It asks for a pause for 30 seconds"):
        slack.send(report())
    servers.teams.fail(429, Retry_After="soon")
    with pytest.raises(NotPostedError, match=r"HTTP 429\. It asks for a pause; it's tried again"):
        teams.send(report())


def test_a_connection_that_is_lost_is_a_failure_and_no_second_try(slack, teams, servers):
    for server, channel in ((servers.slack, slack), (servers.teams, teams)):
        before = len(server.requests)
        server.drop_connection(accept_first=True)
        with pytest.raises(NotPostedError, match="no readable answer"):
            channel.send(report())
        assert len(server.requests) == before + 1


@pytest.mark.parametrize("name", ["slack", "teams"])
@pytest.mark.parametrize("wrong", [None, "", " ", 5, "two\nlines"])
def test_a_secret_without_its_member_is_named(slack, teams, secrets, name, wrong):
    member = next(iter(secrets[name]))
    secrets[name][member] = wrong
    with pytest.raises(NotPostedError, match=f"The secret {name} must be a JSON object with a non-empty"):
        {"slack": slack, "teams": teams}[name].send(report())


def test_a_secret_that_cannot_be_read_is_named_without_the_reason():
    def refuse(_name, **_):
        raise ValueError("xoxb-secret")

    with pytest.raises(NotPostedError, match=r"secret teams could not be read \(ValueError\)") as raised:
        Teams(secret=TEAMS_SECRET, get_secret=refuse).send(report())
    assert "xoxb" not in str(raised.value)
    assert raised.value.__cause__ is None


@pytest.mark.parametrize(
    "url", ["http://example.com/hook?sig=s3cret", "ftp://example.com", "example.com/s3cret"]
)
def test_teams_takes_only_a_url_that_is_encrypted_and_does_not_show_it(teams, secrets, url):
    secrets["teams"]["webhook_url"] = url
    with pytest.raises(NotPostedError, match="must begin with https://") as raised:
        teams.send(report())
    assert "s3cret" not in str(raised.value)


def test_a_wrong_signature_is_a_failure_that_does_not_show_the_url(teams, secrets):
    secrets["teams"]["webhook_url"] += "wrong"
    with pytest.raises(NotPostedError, match=r"HTTP 401. Check that it's on") as raised:
        teams.send(report())
    assert "sig=" not in str(raised.value)
