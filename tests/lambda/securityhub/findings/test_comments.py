from __future__ import annotations

import pytest

from securityhub.events import parse_event, parse_finding, parse_finding_v2
from securityhub.findings.comments import Comments, CommentsIncompleteError
from securityhub.findings.turns import Update, write_in_turns
from securityhub.findings.updates import NotUpdated
from tests.both_formats import asff_finding, finding_id, imported, ocsf_finding

AUTHOR = "arn:aws:lambda:eu-west-1:111122223333:function:example"


class Hubs:
    """Both hubs' findings: what was written, by format and finding number.

    Attributes:
        written: (format, finding ID, status, note), oldest first.
        unwritable: IDs of findings that aren't updated.
    """

    def __init__(self):
        self.written, self.unwritable = [], set()

    def batch_update_findings(
        self, findings, *, workflow_status, note_text, note_updated_by, user_defined_fields
    ):
        assert (note_updated_by, user_defined_fields) == (AUTHOR, None)
        assert len({finding.format for finding in findings}) == 1
        refused = [one for one in findings if one.id in self.unwritable]
        self.written += [
            (str(one.format), one.id, workflow_status, note_text) for one in findings if one not in refused
        ]
        return [NotUpdated(finding=one, error_code="Gone", error_message="It is gone") for one in refused]


@pytest.fixture
def hubs():
    return Hubs()


@pytest.fixture
def turns(memory_store):
    return memory_store.turns()


@pytest.fixture
def write_to_cspm(hubs, turns):
    def write(number, note, status="NOTIFIED"):
        write_in_turns(
            [parse_finding(asff_finding(number))],
            compose=lambda _: Update(workflow_status=status, note_text=note),
            note_updated_by=AUTHOR,
            security_hub=hubs,
            turns=turns,
        )

    return write


@pytest.fixture
def comment(hubs, turns):
    def write(*findings, waits=False):
        event = parse_event(imported(*findings))
        return Comments(turns, hubs).write(event, note_updated_by=AUTHOR, waits=waits)

    return write


def comments(hubs):
    return [(id_, status, note) for format_, id_, status, note in hubs.written if format_ == "ocsf"]


def test_what_was_written_in_cspm_becomes_the_comment_and_the_status_stays(hubs, write_to_cspm, comment):
    write_to_cspm(1, "Ticket opened: Jira SEC-1 https://jira.example.com/SEC-1.")
    outcome = comment(ocsf_finding(1))
    assert outcome["commented"] == [finding_id(1)]
    assert comments(hubs) == [
        (finding_id(1), None, "Ticket opened: Jira SEC-1 https://jira.example.com/SEC-1.")
    ]


def test_a_comment_of_an_analyst_follows(hubs, write_to_cspm, comment):
    write_to_cspm(1, "Ticket opened.")
    comment(ocsf_finding(1, comment="Ann is on it"))
    assert comments(hubs)[0][2] == "Ticket opened. Earlier note: Ann is on it"


@pytest.mark.parametrize("shown", [{}, {"comment": "Ticket opened."}])
def test_the_event_that_a_comment_causes_is_not_answered(hubs, write_to_cspm, comment, shown):
    write_to_cspm(1, "Ticket opened.")
    comment(ocsf_finding(1))
    outcome = comment(ocsf_finding(1, **shown))
    assert (outcome["unchanged"], outcome["commented"]) == ([finding_id(1)], [])
    assert len(comments(hubs)) == 1


def test_a_later_note_is_commented_again_without_the_earlier_one(hubs, write_to_cspm, comment):
    write_to_cspm(1, "Ticket opened.")
    comment(ocsf_finding(1))
    write_to_cspm(1, "Ticket resolved.", status=None)
    comment(ocsf_finding(1, comment="Ticket opened."))
    assert [note for _, _, note in comments(hubs)] == ["Ticket opened.", "Ticket resolved."]


def test_the_note_that_was_copied_last_is_replaced_and_what_an_analyst_wrote_stays(
    hubs, write_to_cspm, comment
):
    write_to_cspm(1, "Ticket opened.")
    comment(ocsf_finding(1, comment="Ann is on it"))
    write_to_cspm(1, "Remediated.", status="RESOLVED")
    comment(ocsf_finding(1, comment="Ticket opened. Earlier note: Ann is on it"))
    assert comments(hubs)[-1][2] == "Remediated. Earlier note: Ann is on it"


def test_an_event_that_comes_first_is_retried_soon_or_left_alone(hubs, write_to_cspm, comment):
    with pytest.raises(CommentsIncompleteError, match="nothing is written") as error:
        comment(ocsf_finding(1), waits=True)
    assert error.value.is_busy
    assert comment(ocsf_finding(1))["waiting"] == [finding_id(1)]
    assert hubs.written == []
    write_to_cspm(1, "Ticket opened.")
    assert comment(ocsf_finding(1), waits=True)["commented"] == [finding_id(1)]


def test_a_finding_that_is_not_updated_fails_after_the_others(hubs, write_to_cspm, comment):
    for number in (1, 2):
        write_to_cspm(number, "Ticket opened.")
    hubs.unwritable = {finding_id(1)}
    with pytest.raises(CommentsIncompleteError, match="Gone, It is gone") as error:
        comment(ocsf_finding(1), ocsf_finding(2))
    assert not error.value.is_busy
    assert [id_ for id_, _, _ in comments(hubs)] == [finding_id(2)]
    hubs.unwritable = set()
    outcome = comment(ocsf_finding(1), ocsf_finding(2))
    assert (outcome["commented"], outcome["unchanged"]) == ([finding_id(1)], [finding_id(2)])


def test_a_finding_that_cannot_be_read_is_reported(comment):
    with pytest.raises(CommentsIncompleteError, match=r"metadata\.product"):
        comment({**ocsf_finding(1), "metadata": {"uid": "1a2b"}})


def test_what_is_written_to_one_hub_is_not_taken_for_what_the_other_shows(hubs, turns, write_to_cspm):
    write_to_cspm(1, "Remediated.", status="RESOLVED")
    seen = []

    def compose(now):
        seen.append(now)
        return Update(workflow_status="NOTIFIED", note_text="Ticket opened.")

    write_in_turns(
        [parse_finding_v2(ocsf_finding(1))],
        compose=compose,
        note_updated_by=AUTHOR,
        security_hub=hubs,
        turns=turns,
    )
    assert (seen[0].workflow_status, seen[0].note) == ("NEW", None)


@pytest.mark.parametrize("given", [{}, {"FINDINGS_V2": "act"}])
def test_by_default_findings_of_the_new_hub_are_acted_on(given):
    assert Comments.from_environment(given, turns=None, security_hub=None) is None


def test_comments_need_the_table_of_turns(turns):
    wanted = {"FINDINGS_V2": "comment"}
    assert Comments.from_environment(wanted, turns=turns, security_hub=None) is not None
    with pytest.raises(ValueError, match="FINDINGS_V2 must be act where FINDING_TURNS_TABLE"):
        Comments.from_environment(wanted, turns=None, security_hub=None)
    with pytest.raises(ValueError, match="FINDINGS_V2 must be one of"):
        Comments.from_environment({"FINDINGS_V2": "yes"}, turns=turns, security_hub=None)
