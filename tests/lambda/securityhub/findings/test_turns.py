from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace

import pytest

from invocation.once import LEASE_SECONDS, WorkInProgressError
from securityhub.events import parse_event, parse_finding_v2
from securityhub.findings.turns import Turns, Update, as_written, keeping_marker, write_in_turns
from securityhub.findings.updates import NotUpdated
from tests.both_formats import ocsf_finding

AUTHOR = "arn:aws:lambda:eu-west-1:111122223333:function:one"
OTHER = "arn:aws:lambda:eu-west-1:111122223333:function:other"


class Hub:
    """Takes every update but those of findings that it doesn't know.

    Attributes:
        requests: the ids, status and note of each request.
        unknown: ids of findings that it doesn't know.
        meanwhile: called while it writes.
    """

    def __init__(self):
        self.requests, self.unknown = [], set()
        self.meanwhile = lambda: None

    def batch_update_findings(self, findings, *, workflow_status, note_text, **_):
        self.meanwhile()
        self.requests.append(([finding.id for finding in findings], workflow_status, note_text))
        return [
            NotUpdated(finding=one, error_code="FindingNotFound", error_message="gone")
            for one in findings
            if one.id in self.unknown
        ]


@pytest.fixture
def hub():
    return Hub()


@pytest.fixture
def findings(load_event):
    (template,) = parse_event(load_event("findings_imported")).findings
    raw = {name: value for name, value in template.raw.items() if name != "Note"}
    return [replace(template, id=f"finding/{n}", workflow_status="NEW", raw=raw) for n in range(3)]


@pytest.fixture
def turns(memory_store):
    return memory_store.turns()


@pytest.fixture
def write(hub, turns):
    """A function that writes a status and a note to findings, and returns what was not written, and why."""

    def write_it(findings, status, note="Done.", *, by=AUTHOR, seen=None):
        def compose(now):
            if seen is not None:
                seen.append(now)
            return Update(workflow_status=status, note_text=note)

        not_updated = write_in_turns(
            findings,
            compose=compose,
            note_updated_by=by,
            security_hub=hub,
            turns=turns,
            sleep=lambda _: None,
        )
        return {item.finding.id: item.error_code for item in not_updated}

    return write_it


def status_of(hub):
    return [status for _, status, _ in hub.requests]


def test_a_finding_whose_id_has_half_of_a_character_keeps_no_other_from_its_note(write, hub, findings):
    odd, *others = findings
    hub.unknown = {odd.id + "\ud83d"}
    assert write([replace(odd, id=odd.id + "\ud83d"), *others], None) == dict.fromkeys(
        hub.unknown, "FindingNotFound"
    )
    assert {one.id for one in others} <= {name for ids, *_ in hub.requests for name in ids}


def test_what_one_function_wrote_another_sees_although_its_event_is_older(write, findings):
    write(findings[:1], "RESOLVED", "Remediated.", by=OTHER)
    seen = []
    write(findings[:1], None, seen=seen)
    (now,) = seen
    assert (now.workflow_status, now.note.text, now.note.updated_by) == (
        "RESOLVED",
        "Remediated.",
        OTHER,
    )


def test_what_is_up_to_another_event_by_now_is_not_written_and_stays_what_that_wrote(
    write, hub, turns, findings
):
    write(findings[:1], "NEW", "Undone.", by=OTHER)

    def compose(now):
        return None if now.id == findings[0].id else Update(workflow_status="RESOLVED", note_text="Done.")

    assert (
        write_in_turns(findings, compose=compose, note_updated_by=AUTHOR, security_hub=hub, turns=turns) == []
    )
    assert [sorted(ids) for ids, *_ in hub.requests[1:]] == [["finding/1", "finding/2"]]
    seen = []
    write(findings[:1], None, seen=seen)
    assert seen[0].note.text == "Undone."


def test_what_was_written_to_one_finding_is_not_seen_in_another(write, findings):
    write(findings[:1], "RESOLVED")
    seen = []
    write(findings[1:2], None, seen=seen)
    assert seen == [findings[1]]
    assert seen[0].note is None


@pytest.mark.parametrize(
    "statuses",
    [
        ("RESOLVED", "NOTIFIED", None),
        ("SUPPRESSED", "NOTIFIED", None),
        ("SUPPRESSED", "RESOLVED", None),
        ("SUPPRESSED", "NEW", None),
        ("NOTIFIED", "RESOLVED", "RESOLVED"),
        ("RESOLVED", "SUPPRESSED", "SUPPRESSED"),
        ("RESOLVED", "NEW", "NEW"),
    ],
)
def test_a_status_that_was_set_since_the_event_stays_if_it_weighs_more(write, hub, findings, statuses):
    before, wanted, written = statuses
    write(findings[:1], before, by=OTHER)
    write(findings[:1], wanted)
    assert status_of(hub) == [before, written]


def test_a_status_that_the_event_shows_is_replaced(write, hub, findings):
    resolved = replace(findings[0], workflow_status="RESOLVED")
    write([resolved], "NOTIFIED")
    assert status_of(hub) == ["NOTIFIED"]


def test_an_update_without_a_status_leaves_behind_the_one_that_is_there(write, hub, findings):
    write(findings[:1], "RESOLVED", by=OTHER)
    write(findings[:1], None, "Ticket opened.")
    write(findings[:1], "NOTIFIED", "Ticket opened again.")
    assert status_of(hub) == ["RESOLVED", None, None]


def test_findings_with_equal_updates_share_a_request(write, hub, findings):
    write(findings, "NOTIFIED")
    assert [sorted(ids) for ids, _, _ in hub.requests] == [["finding/0", "finding/1", "finding/2"]]


def test_what_was_not_written_is_not_left_behind(write, hub, findings):
    write(findings[:1], "NOTIFIED", "Before.", by=OTHER)
    hub.unknown = {"finding/0", "finding/1"}
    assert write(findings[:2], "RESOLVED") == dict.fromkeys(hub.unknown, "FindingNotFound")
    seen = []
    write(findings[:2], None, seen=seen)
    by_id = {one.id: one for one in seen}
    assert by_id["finding/0"].note.text == "Before."
    assert by_id["finding/1"] == findings[1]


def test_nothing_is_left_behind_if_one_of_the_findings_cannot_be_announced(
    write, hub, findings, memory_store, monkeypatch
):
    write(findings[:1], "NOTIFIED", "Before.", by=OTHER)
    hub.requests.clear()
    keep, kept = memory_store.keep, []

    def keep_one(key, *arguments, **settings):
        kept.append(key)
        if len(kept) == 2:
            raise RuntimeError("Throttled")
        keep(key, *arguments, **settings)

    monkeypatch.setattr(memory_store, "keep", keep_one)
    with pytest.raises(RuntimeError, match="Throttled"):
        write(findings[:2], "RESOLVED")
    seen = []
    write(findings[:2], None, seen=seen)
    by_id = {one.id: one for one in seen}
    assert by_id["finding/0"].note.text == "Before."
    assert by_id["finding/1"] == findings[1]
    assert status_of(hub) == [None]


def test_a_function_that_was_interrupted_leaves_behind_what_it_may_have_written(
    write, hub, findings, memory_store
):
    class DiedError(BaseException):
        pass

    def die():
        raise DiedError

    hub.meanwhile = die
    release = memory_store.release
    memory_store.release = lambda *_, **__: None
    with pytest.raises(DiedError):
        write(findings[:1], "RESOLVED", "Remediated.", by=OTHER)
    memory_store.release = release
    hub.meanwhile = lambda: None
    began, seen = memory_store.seconds, []
    assert write(findings[:1], "NOTIFIED", seen=seen) == {}
    assert seen[0].note.text == "Remediated."
    assert status_of(hub) == [None]
    assert LEASE_SECONDS <= memory_store.seconds - began <= LEASE_SECONDS + 2


def test_a_finding_to_which_another_function_goes_on_writing_is_reported_and_stops_no_other(
    write, hub, findings, turns, memory_store
):
    with turns.take(findings[:1]):
        (key,) = memory_store.items
        memory_store.items[key]["lease_ends"] += 3600
        assert write(findings, "NOTIFIED") == {"finding/0": "FindingInUse"}
    assert [sorted(ids) for ids, _, _ in hub.requests] == [["finding/1", "finding/2"]]


def test_nothing_is_written_after_the_lease_has_lapsed(hub, findings, turns, memory_store):
    def compose_slowly(_):
        memory_store.seconds += LEASE_SECONDS
        return Update(workflow_status="NOTIFIED", note_text="Done.")

    with pytest.raises(WorkInProgressError):
        write_in_turns(
            findings[:1], compose=compose_slowly, note_updated_by=AUTHOR, security_hub=hub, turns=turns
        )
    assert hub.requests == []


def test_the_leases_are_renewed_while_it_takes_long(hub, findings, memory_store):
    renewals = []

    @contextmanager
    def renewing(renew):
        renewals.append(renew)
        yield

    def compose_slowly(_):
        memory_store.seconds += 30
        assert renewals[0]()
        return Update(workflow_status="NOTIFIED", note_text="Done.")

    turns = Turns(memory_store, clock=memory_store.clock, renewing=renewing)
    assert not write_in_turns(
        findings, compose=compose_slowly, note_updated_by=AUTHOR, security_hub=hub, turns=turns
    )


def test_the_turns_are_over_when_it_is_written(write, findings, memory_store):
    write(findings, "NOTIFIED")
    assert [key for key in memory_store.items if key.startswith("turn#")] == []


def test_without_a_table_it_is_just_written(hub, findings):
    update = Update(workflow_status="NOTIFIED", note_text="Done.")
    assert not write_in_turns(
        findings, compose=lambda _: update, note_updated_by=AUTHOR, security_hub=hub, turns=None
    )
    assert hub.requests == [(["finding/0", "finding/1", "finding/2"], "NOTIFIED", "Done.")]


def test_without_the_variable_no_turns_are_taken():
    assert Turns.from_environment({}) is None
    assert Turns.from_environment({"FINDING_TURNS_TABLE": "turns"}) is not None


WRITTEN = {
    "workflow_status": "RESOLVED",
    "note": "Remediated.",
    "by": OTHER,
    "at": "2026-01-31T09:02:41+00:00",
}


@pytest.mark.parametrize(
    ("note", "is_old"),
    [
        (None, True),
        ("a text", True),
        ({"Text": "Before.", "UpdatedAt": "2026-01-31T09:02:40Z"}, True),
        ({"Text": "After.", "UpdatedAt": "2026-01-31T09:02:42.000Z"}, False),
        ({"Text": "Remediated.", "UpdatedAt": "2026-01-31T09:02:40Z"}, False),
        ({"Text": "Before."}, True),
        ({"Text": "Before.", "UpdatedAt": "2026-01-31T09:02:42"}, True),
        ({"Text": "Before.", "UpdatedAt": "yesterday"}, True),
    ],
)
def test_a_finding_shows_what_was_written_if_it_has_that_note_or_a_later_one(findings, note, is_old):
    finding = replace(findings[0], raw={**findings[0].raw, "Note": note})
    assert (as_written(finding, WRITTEN).workflow_status == "RESOLVED") == is_old
    assert as_written(finding, None) is finding


class TestComments:
    """Of the new Security Hub, which have neither an author nor a time."""

    @pytest.fixture
    def finding(self):
        return parse_finding_v2(ocsf_finding(1))

    def seen_after(self, write, finding, comment):
        write([finding], "NOTIFIED", "Ticket opened.", by=OTHER)
        seen = []
        write([parse_finding_v2(ocsf_finding(1, **comment))], None, seen=seen)
        return seen[0]

    @pytest.mark.parametrize("comment", [{}, {"comment": "Ticket opened."}])
    def test_an_event_before_or_after_an_update_shows_it_with_its_author(self, write, finding, comment):
        now = self.seen_after(write, finding, comment)
        assert (now.note.text, now.note.updated_by) == ("Ticket opened.", OTHER)

    def test_an_event_before_an_update_that_replaced_a_comment_shows_the_update(self, write):
        before = ocsf_finding(1, comment="Ann is on it")
        now = self.seen_after(write, parse_finding_v2(before), {"comment": "Ann is on it"})
        assert (now.note.text, now.workflow_status) == ("Ticket opened.", "NOTIFIED")

    def test_another_comment_is_somebody_elses_and_later(self, write, finding):
        later = {"comment": "A false alarm", "status": "Suppressed"}
        now = self.seen_after(write, finding, later)
        assert (now.note.text, now.note.updated_by, now.workflow_status) == (
            "A false alarm",
            None,
            "SUPPRESSED",
        )


MARKER = "securityhub-actions/eu-west-1/SecurityHubSuppressions/1f2e3d4c"
SUPPRESSED = {"status": "Suppressed", "status_id": 3}
NOTED = Update(workflow_status=None, note_text="Ticket resolved")


def suppressed(finding, author=MARKER):
    note = {"Text": "Accepted", "UpdatedBy": author, "UpdatedAt": "2026-01-01T00:00:00Z"}
    return replace(finding, workflow_status="SUPPRESSED", raw={**finding.raw, "Note": note})


@pytest.mark.parametrize("marker", [MARKER, f"{MARKER}.5a6b7c8d"])
def test_a_note_leaves_the_marker_of_a_suppression_so_that_its_end_finds_the_finding(findings, marker):
    assert keeping_marker(NOTED, suppressed(findings[0], marker), author=AUTHOR) == (NOTED, marker)


@pytest.mark.parametrize("author", ["analyst", OTHER, f"{MARKER} and more", "securityhub-actions"])
def test_an_author_who_is_no_suppression_is_replaced(findings, author):
    assert keeping_marker(NOTED, suppressed(findings[0], author), author=AUTHOR) == (NOTED, AUTHOR)


def test_who_writes_a_status_takes_the_finding_over(findings):
    own = Update(workflow_status="SUPPRESSED", note_text="Mine")
    assert keeping_marker(own, suppressed(findings[0]), author=AUTHOR) == (own, AUTHOR)
    opened = replace(suppressed(findings[0]), workflow_status="NEW")
    assert keeping_marker(NOTED, opened, author=AUTHOR) == (NOTED, AUTHOR)


def test_in_ocsf_the_comment_keeps_the_marker_at_its_beginning():
    for marker in (MARKER, f"{MARKER}.5a6b7c8d"):
        finding = parse_finding_v2(ocsf_finding(1, **SUPPRESSED, comment=f"{marker}: Accepted"))
        update, author = keeping_marker(replace(NOTED, note_text="x" * 600), finding, author=AUTHOR)
        assert author == AUTHOR
        assert update.note_text.startswith(f"{marker}: xxx")
        assert len(update.note_text) <= 512
    other = parse_finding_v2(ocsf_finding(1, **SUPPRESSED, comment="Accepted"))
    assert keeping_marker(NOTED, other, author=AUTHOR) == (NOTED, AUTHOR)


def test_each_finding_is_written_with_its_own_author(hub, findings, turns):
    authors = []
    write = hub.batch_update_findings

    def batch_update_findings(some, *, note_updated_by, **more):
        authors.append(([one.id for one in some], note_updated_by))
        return write(some, **more)

    hub.batch_update_findings = batch_update_findings
    given = [suppressed(findings[0]), findings[1]]
    write_in_turns(given, compose=lambda _: NOTED, note_updated_by=AUTHOR, security_hub=hub, turns=turns)
    assert authors == [([given[0].id], MARKER), ([given[1].id], AUTHOR)]
