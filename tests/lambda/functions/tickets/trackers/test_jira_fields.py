from __future__ import annotations

import datetime as dt

import pytest

from functions.tickets.contract import TrackerError
from functions.tickets.trackers import enabled_trackers
from functions.tickets.trackers.jira_fields import labels_of
from tests.vendor_servers.jira import CLOUD_ID
from tests.vendor_servers.jira_fields import Field

SINCE = dt.datetime(2026, 1, 31, 9, tzinfo=dt.UTC)
USER = "5b10ac8d82e05b22cc7d4ef5"
COMPONENT = Field(
    name="Component/s", type="array", items="component", required=True, allowed=["Cloud", "Web"]
)


@pytest.fixture
def server(vendor_servers):
    return vendor_servers.jira


@pytest.mark.parametrize(
    "case",
    [
        (Field(name="f"), {"type": "string", "value": "x"}, "x"),
        (Field(name="f", type="number"), {"type": "number", "value": 3.0}, 3),
        (Field(name="f", type="date"), {"type": "date", "asff": ["UpdatedAt"]}, "2026-01-31"),
        (
            Field(name="f", type="datetime"),
            {"type": "datetime", "value": "2026-01-31T09:00:00Z"},
            "2026-01-31T09:00:00.000+0000",
        ),
        (Field(name="f", type="option"), {"type": "option", "value": "x"}, {"value": "x"}),
        (
            Field(name="f", type="array", items="option"),
            {"type": "options", "value": ["x", "y"]},
            [{"value": "x"}, {"value": "y"}],
        ),
        (Field(name="f", type="priority"), {"type": "name", "value": "High"}, {"name": "High"}),
        (Field(name="f", type="priority"), {"type": "id", "value": "3"}, {"id": "3"}),
        (Field(name="f", type="issuelink"), {"type": "key", "value": "SEC-1"}, {"key": "SEC-1"}),
        (Field(name="f", type="user"), {"type": "user", "value": USER}, {"accountId": USER}),
        (Field(name="f", type="array", items="string"), {"type": "strings", "value": ["a b"]}, ["a b"]),
    ],
)
def test_a_field_has_the_form_that_jira_wants(make_tracker, server, draft, case):
    field, setting, shape = case
    server.screen = {"customfield_1": field}
    ticket = make_tracker("jira", settings={"fields": {"customfield_1": setting}}).open(draft)
    assert server.issues[ticket.id].fields == {"customfield_1": shape}


def test_a_text_of_several_lines_is_a_document(make_tracker, server, draft):
    server.screen = {"environment": Field(name="Environment", type="text")}
    setting = {"environment": {"type": "text", "value": "one\ntwo"}}
    ticket = make_tracker("jira", settings={"fields": setting}).open(draft)
    assert server.issues[ticket.id].fields["environment"]["content"][1]["content"][0]["text"] == "two"


def test_a_cascading_option_has_its_child(make_tracker, server, draft):
    server.screen = {"customfield_1": Field(name="f", type="option")}
    setting = {"customfield_1": {"type": "cascade", "value": ["EMEA", "Germany"]}}
    ticket = make_tracker("jira", settings={"fields": setting}).open(draft)
    assert server.issues[ticket.id].fields["customfield_1"] == {
        "value": "EMEA",
        "child": {"value": "Germany"},
    }


def test_data_center_knows_users_by_name(vendor_servers, draft, tmp_path):
    server = vendor_servers.jira_data_center
    server.users, server.screen = ["jdoe"], {"assignee": Field(name="Assignee", type="user")}
    (tmp_path / "s.json").write_text('{"jira": {"fields": {"assignee": {"type": "user", "value": "jdoe"}}}}')
    environment = {
        "TRACKERS": "jira",
        **server.environment("s"),
        "TRACKER_SETTINGS": str(tmp_path / "s.json"),
    }
    (tracker,) = enabled_trackers(environment, lambda _, **__: server.secret)
    assert server.issues[tracker.open(draft).id].fields == {"assignee": {"name": "jdoe"}}


def test_labels_are_added_to_the_own_ones(make_tracker, server, draft):
    setting = {"labels": {"type": "labels", "value": ["cloud", "security-hub"]}}
    ticket = make_tracker("jira", settings={"fields": setting}).open(draft)
    assert server.issues[ticket.id].labels == ["security-hub", "severity-critical", "finding-1", "cloud"]


def test_no_label_of_a_finding_can_be_the_key_of_another_ones_ticket():
    key = "0123456789abcdef" * 3 + "-1"
    assert labels_of([key, key.upper(), f"x{key}", "a b", "", "a_b"]) == ["a_b"]


def test_a_required_component_is_reported_by_name_with_the_key_that_gives_it(make_tracker, server, draft):
    server.screen = {"components": COMPONENT}
    with pytest.raises(
        TrackerError,
        match=r"HTTP 400, Component/s is required\. Jira wants the field Component/s \(components\): specify "
        r"ticketing\.jira\.fields\.components in settings\.toml",
    ) as caught:
        make_tracker("jira").open(draft)
    assert caught.value.is_refusal
    assert server.issues == {}


@pytest.mark.parametrize("settings", [{}, {"fields": {"labels": {"type": "labels", "value": ["cloud"]}}}])
def test_a_screen_without_a_field_of_every_ticket_is_what_is_to_be_changed(
    make_tracker, server, draft, settings
):
    server.off_screen = {"labels"}
    with pytest.raises(
        TrackerError,
        match=r"the field labels, which every ticket has: add it to the project's screens\.$",
    ):
        make_tracker("jira", settings=settings).open(draft)


def test_the_field_is_named_by_its_id_where_jira_does_not_tell_its_name(make_tracker, server, draft):
    server.screen = {"components": COMPONENT}
    server.fail(403, path_part="createmeta", times=9)
    with pytest.raises(TrackerError, match=r"wants the field components: specify"):
        make_tracker("jira").open(draft)


def test_a_value_of_a_rule_is_reported_with_the_key_of_the_rule(make_tracker, server, draft):
    server.screen = {"components": COMPONENT}
    rule = {
        "controls": ["S3.8"],
        "project": "PAY",
        "fields": {"components": {"type": "names", "value": ["Magic"]}},
    }
    fields = {"components": {"type": "names", "value": ["Cloud"]}}
    with pytest.raises(
        TrackerError, match=r"'Magic' is not valid.* correct ticketing\.jira\.rules\[0\]\.fields\.components"
    ):
        make_tracker("jira", settings={"fields": fields, "rules": [rule]}).open(draft)


def test_a_field_that_the_finding_has_no_value_for_needs_a_default(make_tracker, server, draft):
    server.screen = {"components": COMPONENT}
    team = {"type": "names", "asff": ["Resources", 0, "Tags", "team"], "values": {"payments": "Cloud"}}
    with pytest.raises(TrackerError, match=r"or specify ticketing\.jira\.fields\.components\.default"):
        make_tracker("jira", settings={"fields": {"components": team}}).open(draft)
    settings = {"fields": {"components": {**team, "default": ["Cloud"]}}}
    assert make_tracker("jira", settings=settings).open(draft)


def test_a_rule_chooses_project_issue_type_and_assignee(make_tracker, server, draft, make_draft):
    server.screen = {"assignee": Field(name="Assignee", type="user")}
    rule = {
        "controls": ["S3.8"],
        "project": "PAY",
        "issue_type": "Bug",
        "fields": {"assignee": {"type": "user", "value": USER}},
    }
    jira = make_tracker("jira", settings={"rules": [rule]})
    issue = server.issues[jira.open(draft).id]
    assert (issue.key, issue.issue_type, issue.fields) == ("PAY-1", "Bug", {"assignee": {"accountId": USER}})
    other = make_draft("second", raw={"Compliance": {"Status": "FAILED", "SecurityControlId": "S3.1"}})
    assert jira.open(other).id == "SEC-2"


def test_an_issue_is_found_where_it_was_opened_whatever_the_rules_say_now(make_tracker, server, draft):
    rule = {"controls": ["S3.8"], "project": "PAY"}
    opened = make_tracker("jira", settings={"rules": [rule]}).open(draft)
    assert make_tracker("jira").find(draft, SINCE) == opened
    server.move(opened.id, "SEC")
    assert make_tracker("jira").find(draft, SINCE).id.startswith("SEC-")


def test_behind_the_gateway_fields_and_steps_work_as_well(make_tracker, server, draft):
    server.screen = {"components": COMPONENT}
    fields = {"components": {"type": "names", "value": ["Cloud"]}}
    jira = make_tracker("jira", settings={"fields": fields, "steps": ["Start"]}, JIRA_URL=server.gateway)
    ticket = jira.open(draft)
    assert ticket.link == f"https://example.atlassian.net/browse/{ticket.id}"
    server.transitions = {"Start": "In Progress"}
    with pytest.raises(TrackerError, match="no transition to a done status"):
        jira.resolve(ticket, "It passed.")
    server.screen["team"] = Field(name="Team", required=True)
    with pytest.raises(TrackerError, match=r"the field Team \(team\)"):
        jira.open(draft)
    assert all(one.path.startswith(f"/ex/jira/{CLOUD_ID}/") for one in server.requests)
