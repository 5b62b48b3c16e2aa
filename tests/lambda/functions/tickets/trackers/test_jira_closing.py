from __future__ import annotations

import pytest

from functions.tickets.contract import TrackerError
from tests.vendor_servers.jira import Transition, plain
from tests.vendor_servers.jira_fields import Field

WORKFLOW = {
    "Start progress": Transition(to="In Progress", sources=("Open",)),
    "Send to review": Transition(to="In Review", sources=("In Progress",)),
    "Finish": Transition(to="Done", sources=("In Review",)),
}
RESOLUTION = Field(name="Resolution", type="resolution", required=True, allowed=["Done", "Won't Do"])
STEPS = {"steps": ["Start progress", "Send to review"]}


@pytest.fixture
def server(vendor_servers):
    server = vendor_servers.jira
    server.transitions = dict(WORKFLOW)
    return server


def taken(server):
    return len(server.sent("POST", "/transitions"))


def test_an_issue_goes_through_the_steps_to_a_done_status(make_tracker, server, draft):
    jira = make_tracker("jira", settings=STEPS)
    ticket = jira.open(draft)
    jira.resolve(ticket, "It passed.")
    assert server.issues[ticket.id].status == "Done"
    assert [plain(one) for one in server.issues[ticket.id].comments] == ["It passed."]
    assert taken(server) == 3


@pytest.mark.parametrize(("status", "left"), [("In Progress", 2), ("In Review", 1), ("Done", 0)])
def test_an_issue_that_is_under_way_goes_on_from_there(make_tracker, server, draft, status, left):
    jira = make_tracker("jira", settings=STEPS)
    ticket = jira.open(draft)
    server.issues[ticket.id].status = status
    jira.resolve(ticket, "It passed.")
    assert server.issues[ticket.id].status == "Done"
    assert taken(server) == left


@pytest.mark.parametrize("accept_first", [True, False])
@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_chain_that_breaks_anywhere_is_finished_by_the_next_attempt(
    make_tracker, server, draft, number, accept_first
):
    jira = make_tracker("jira", settings=STEPS)
    ticket = jira.open(draft)
    server.issues[ticket.id].status = ["Open", "In Progress", "In Review"][number]
    server.drop_connection(path_part="/transitions", accept_first=accept_first)
    with pytest.raises(TrackerError, match="did not resolve the ticket"):
        jira.resolve(ticket, "It passed.")
    jira.resolve(ticket, "It passed.")
    assert server.issues[ticket.id].status == "Done"


def test_the_transition_that_resolves_is_taken_as_soon_as_it_is_offered(make_tracker, server, draft):
    server.transitions["Finish"] = Transition(to="Done")
    jira = make_tracker("jira", settings=STEPS)
    ticket = jira.open(draft)
    jira.resolve(ticket, "It passed.")
    assert taken(server) == 1


def test_a_step_that_would_lead_to_where_the_issue_is_is_left_out(make_tracker, server, draft):
    server.transitions["Start progress"] = Transition(to="In Progress")  # from everywhere
    jira = make_tracker("jira", settings=STEPS)
    ticket = jira.open(draft)
    server.issues[ticket.id].status = "In Progress"
    jira.resolve(ticket, "It passed.")
    assert taken(server) == 2


def test_steps_that_lead_nowhere_are_reported_with_what_the_issue_offers(make_tracker, server, draft):
    jira = make_tracker("jira", settings={"steps": ["Start progress"]})
    ticket = jira.open(draft)
    with pytest.raises(
        TrackerError,
        match=r"no transition to a done status, only 'Send to review'\. Set .* and ticketing\.jira\.steps",
    ):
        jira.resolve(ticket, "It passed.")
    assert server.issues[ticket.id].status == "In Progress"


def test_a_required_resolution_is_given_only_to_the_transition_that_has_it(make_tracker, server, draft):
    server.transitions["Finish"] = Transition(
        to="Done", sources=("In Review",), screen={"resolution": RESOLUTION}
    )
    fields = {"resolution": {"type": "name", "value": "Done"}}
    jira = make_tracker("jira", settings={**STEPS, "close_fields": fields})
    ticket = jira.open(draft)
    jira.resolve(ticket, "It passed.", draft.finding)
    assert server.issues[ticket.id].fields == {"resolution": {"name": "Done"}}


def test_a_missing_resolution_is_reported_by_name_with_the_key_that_gives_it(make_tracker, server, draft):
    server.transitions = {"Finish": Transition(to="Done", screen={"resolution": RESOLUTION})}
    jira = make_tracker("jira")
    ticket = jira.open(draft)
    with pytest.raises(
        TrackerError,
        match=r"HTTP 400, Resolution is required\. Jira wants the field Resolution \(resolution\): specify "
        r"ticketing\.jira\.close_fields\.resolution in settings\.toml",
    ):
        jira.resolve(ticket, "It passed.")
    assert server.issues[ticket.id].status == "Open"


def test_a_resolution_that_does_not_exist_is_reported_with_the_key_to_correct(make_tracker, server, draft):
    server.transitions = {"Finish": Transition(to="Done", screen={"resolution": RESOLUTION})}
    fields = {"resolution": {"type": "name", "value": "Magic"}}
    jira = make_tracker("jira", settings={"close_fields": fields})
    ticket = jira.open(draft)
    with pytest.raises(
        TrackerError, match=r"'Magic' is not valid\..*: correct ticketing\.jira\.close_fields"
    ):
        jira.resolve(ticket, "It passed.")


def test_a_field_that_a_rule_of_the_workflow_wants_beyond_the_screen_is_reported(make_tracker, server, draft):
    jira = make_tracker("jira")
    ticket = jira.open(draft)
    server.transitions = {"Finish": "Done"}
    body = {"errorMessages": [], "errors": {"customfield_10001": "Root cause is required."}}
    server.fail(400, methods=("POST",), path_part="/transitions", body=body)
    with pytest.raises(TrackerError, match=r"'Finish' lacks customfield_10001: add them to it, or give them"):
        jira.resolve(ticket, "It passed.")


def test_a_required_comment_goes_with_the_transition_and_only_once(make_tracker, server, draft):
    comment = Field(name="Comment", type="text", required=True)
    server.transitions = {"Finish": Transition(to="Done", screen={"comment": comment})}
    jira = make_tracker("jira")
    ticket = jira.open(draft)
    jira.resolve(ticket, "It passed.")
    assert [plain(one) for one in server.issues[ticket.id].comments] == ["It passed."]


def test_an_issue_that_was_moved_is_closed_where_it_is(make_tracker, server, draft):
    server.transitions = {"Finish": "Done"}
    jira = make_tracker("jira")
    ticket = jira.open(draft)
    moved = server.move(ticket.id, "PAY")
    jira.resolve(ticket, "It passed.")
    assert server.issues[moved].status == "Done"


def test_an_expired_token_is_reported_with_what_to_check(make_tracker, server, draft):
    jira = make_tracker("jira", settings=STEPS)
    ticket = jira.open(draft)
    server.fail(401, times=9, body={"errorMessages": ["The token has expired."]})
    with pytest.raises(TrackerError, match=r"HTTP 401, The token has expired\. Check the email address"):
        jira.resolve(ticket, "It passed.")


def test_a_rate_limit_in_the_middle_of_a_chain_is_waited_for(make_tracker, server, draft, fake_time):
    jira = make_tracker("jira", settings=STEPS)
    ticket = jira.open(draft)
    server.fail(429, methods=("POST",), path_part="/transitions", Retry_After="3")
    jira.resolve(ticket, "It passed.")
    assert server.issues[ticket.id].status == "Done"
    assert fake_time.slept == [3]


def test_a_rule_has_fields_of_its_own_for_the_transitions(make_tracker, server, make_draft):
    server.transitions = {
        "Finish": Transition(to="Done", sources=("Open",), screen={"resolution": RESOLUTION})
    }
    rule = {"controls": ["S3.8"], "close_fields": {"resolution": {"type": "name", "value": "Won't Do"}}}
    settings = {"close_fields": {"resolution": {"type": "name", "value": "Done"}}, "rules": [rule]}
    jira = make_tracker("jira", settings=settings)
    other = make_draft("second", raw={"Compliance": {"Status": "FAILED", "SecurityControlId": "S3.1"}})
    chosen = []
    for draft, finding in ((make_draft("first"), True), (other, True), (make_draft("group"), None)):
        ticket = jira.open(draft)
        jira.resolve(ticket, "It passed.", draft.finding if finding else None)
        chosen.append(server.issues[ticket.id].fields["resolution"]["name"])
    assert chosen == ["Won't Do", "Done", "Done"]
    for draft, rule in ((other, jira.rule_of(make_draft("third").finding)), (other, "gone")):
        ticket = jira.open(draft)
        jira.resolve_by_rule(ticket, "All passed.", rule)
        chosen.append(server.issues[ticket.id].fields["resolution"]["name"])
    assert chosen[3:] == ["Won't Do", "Done"]
    assert jira.rule_of(other.finding) == ""
