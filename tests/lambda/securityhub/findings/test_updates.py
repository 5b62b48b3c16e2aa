from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from securityhub.events import parse_event
from securityhub.findings.updates import (
    FIELDS,
    NOTE,
    NotUpdated,
    RequestRefusedError,
    truncate,
    with_earlier_note,
    write_to_findings,
)
from tests.hypothesis_profiles import examples

FUNCTION, ANALYST = "arn:aws:lambda:eu-west-1:111122223333:function:example", "ann"


@pytest.fixture
def noted(load_event):
    """A function that returns a finding with a note, or with whatever stands there."""
    finding = parse_event(load_event("findings_imported")).findings[0]
    return lambda note: replace(finding, raw={**finding.raw, "Note": note})


def test_a_note_is_followed_by_the_one_that_it_replaces(noted):
    finding = noted({"Text": "Accepted until June", "UpdatedBy": ANALYST})
    assert with_earlier_note("Done.", finding, author=FUNCTION) == "Done. Earlier note: Accepted until June"


def test_an_authors_own_earlier_note_is_left_out(noted):
    finding = noted({"Text": "Done before.", "UpdatedBy": FUNCTION})
    assert with_earlier_note("Done.", finding, author=FUNCTION) == "Done."


@pytest.mark.parametrize("note", [None, "text", {}, {"Text": 5}, {"Text": " "}, {"UpdatedBy": ANALYST}])
def test_what_is_no_note_adds_nothing(noted, note):
    assert with_earlier_note("Done.", noted(note), author=FUNCTION) == "Done."


def test_of_an_authors_own_note_the_earlier_one_of_another_is_kept(noted):
    finding = noted({"Text": "Doing. Earlier note: Accepted until June", "UpdatedBy": FUNCTION})
    assert with_earlier_note("Done.", finding, author=FUNCTION) == "Done. Earlier note: Accepted until June"


def test_of_the_earlier_note_stays_what_fits(noted):
    note = with_earlier_note("x" * 480, noted({"Text": "y" * 512, "UpdatedBy": ANALYST}), author=FUNCTION)
    assert note.startswith("x" * 480 + " Earlier note: y")
    assert note.endswith("y…")
    assert len(note) == 512


@given(st.text(min_size=1, alphabet=st.characters()), st.integers(1, 400))
def test_a_cut_text_keeps_to_the_limit_and_to_whole_characters(text, repeated):
    text = text * repeated

    cut = truncate(text, 512)

    assert len(cut.encode("utf-16-le")) <= 512 * 2
    clean = text.encode("utf-8", errors="replace").decode()
    assert cut == clean or (cut.endswith("…") and clean.startswith(cut[:-1]))


@pytest.mark.parametrize("length", [509, 510, 511, 512, 600])
def test_what_was_truncated_before_has_one_ellipsis_however_long_it_was(length):
    earlier = truncate("note " * 200, length)
    assert not truncate(f"{earlier} Earlier note: by somebody", 512).endswith("……")


class PickyHub:
    """Refuses what it is told to refuse of a finding, by finding id: `note`, `fields`, `status`.

    Attributes:
        written: what was written last, by finding id.
        requests: the number of requests.
    """

    def __init__(self, refused, *, whole_requests=False, code="InvalidInput"):
        self.refused, self.whole_requests, self.code = refused, whole_requests, code
        self.written, self.requests = {}, 0

    def batch_update_findings(
        self, findings, *, workflow_status, note_text, note_updated_by, user_defined_fields
    ):
        assert note_updated_by == FUNCTION
        self.requests += 1
        given = {"status": workflow_status, "note": note_text, "fields": user_defined_fields}
        values = {name: value for name, value in given.items() if value is not None}
        assert values, "an update without values"
        refused = [one for one in findings if values.keys() & self.refused.get(one.id, set())]
        if refused and self.whole_requests:
            raise RequestRefusedError("InvalidInputException", "too many fields")
        for finding in findings:
            if finding not in refused:
                self.written[finding.id] = values
        return [
            NotUpdated(finding=one, error_code=self.code, error_message="too many fields.") for one in refused
        ]


@pytest.fixture
def findings(load_event):
    (finding,) = parse_event(load_event("findings_imported")).findings
    return [replace(finding, id=id_) for id_ in "ABC"]


def write(hub, findings, **changes):
    values = {"workflow_status": "NOTIFIED", "note_text": "done", "user_defined_fields": {"Tickets": "SEC-1"}}
    return write_to_findings(
        findings,
        security_hub=hub,
        note_updated_by=FUNCTION,
        note_without_fields="done, without fields",
        sleep=lambda _: None,
        **{**values, **changes},
    )


WHOLE = {"status": "NOTIFIED", "note": "done", "fields": {"Tickets": "SEC-1"}}


@pytest.mark.parametrize(
    ("refused", "written", "left_out"),
    [
        ({"fields"}, {"status": "NOTIFIED", "note": "done, without fields"}, (FIELDS,)),
        ({"note"}, {"status": "NOTIFIED", "fields": {"Tickets": "SEC-1"}}, (NOTE,)),
        ({"fields", "note"}, {"status": "NOTIFIED"}, (FIELDS, NOTE)),
    ],
)
@pytest.mark.parametrize("whole_requests", [True, False])
def test_what_security_hub_refuses_keeps_nothing_else_from_being_written(
    findings, refused, written, left_out, whole_requests
):
    hub = PickyHub({"B": refused}, whole_requests=whole_requests)
    (item,) = write(hub, findings)
    assert (item.finding.id, item.left_out) == ("B", left_out)
    assert item.error_message.endswith(
        f"too many fields. Everything but the {' and the '.join(left_out)} was written."
    )
    assert hub.written == {"A": WHOLE, "B": written, "C": WHOLE}


def test_a_finding_for_which_everything_is_refused_is_not_updated(findings):
    hub = PickyHub({"B": {"status", "note", "fields"}})
    (item,) = write(hub, findings)
    assert (item.finding.id, item.left_out, item.error_message) == ("B", (), "too many fields.")
    assert hub.written.keys() == {"A", "C"}


def test_a_refusal_for_another_reason_is_not_tried_with_fewer_values(findings):
    hub = PickyHub({"B": {"fields"}}, code="FindingNotFound")
    (item,) = write(hub, findings)
    assert (item.left_out, hub.requests) == ((), 1)


@given(
    st.dictionaries(st.sampled_from("ABC"), st.sets(st.sampled_from(["note", "fields"]))),
    st.booleans(),
    st.sampled_from([None, "NOTIFIED"]),
    st.sampled_from([None, {"Tickets": "SEC-1"}]),
)
@examples(0.5, suppress=[HealthCheck.function_scoped_fixture])
def test_of_any_update_everything_is_written_that_is_accepted(findings, refused, whole, status, fields):
    hub = PickyHub(refused, whole_requests=whole)
    not_updated = write(hub, findings, workflow_status=status, user_defined_fields=fields)
    for finding in findings:
        accepted = {"status", "note", "fields"} - refused.get(finding.id, set())
        present = {name for name, value in (("status", status), ("note", "x"), ("fields", fields)) if value}
        assert hub.written.get(finding.id, {}).keys() == accepted & present
    named = {item.finding.id for item in not_updated}
    assert named == {
        id_ for id_, kinds in refused.items() if kinds & ({"note"} | ({"fields"} if fields else set()))
    }
