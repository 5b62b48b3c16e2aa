from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from securityhub.events import parse_event
from securityhub.findings.updates import truncate, with_earlier_note

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
