"""The page about an app."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from securityhub_actions.cli.assembly import App
from securityhub_actions.cli.report.page import page_of
from tests.cli.report.conftest import Structure, small_app

HOSTILE = (
    "</title><script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</style></details></article>",
    "<!-- ",
    "&lt;b&gt; &amp; ]]>",
    "\u202egnp.exe\u2066",
    "\x00\x1b[31m\ud800",
    "' onmouseover='alert(1)",
)


def structure_with(text):
    with tempfile.TemporaryDirectory() as folder:
        page = page_of(small_app(Path(folder), text))
    page.encode()
    return Structure(page)


@given(st.one_of(st.sampled_from(HOSTILE), st.text(min_size=1, max_size=60), st.from_regex(r"<\w+[^>]*>?")))
def test_no_name_changes_the_structure_of_the_page(text):
    # With slashes, a name would be several parts of a path.
    found, expected = structure_with(text.replace("/", "|") or "x"), structure_with("Ticket")
    assert found.tags == expected.tags
    assert [name for name, _ in found.attributes] == [name for name, _ in expected.attributes]


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_name_is_shown_as_text(tmp_path, text):
    shown = re.sub("[\x00-\x1f\u202e\u2066\ud800-\udfff]", "\ufffd", text)
    assert shown in "".join(Structure(page_of(small_app(tmp_path, text))).texts)


def test_the_page_needs_no_network_and_no_scripts(page):
    structure = Structure(page)
    assert not {"script", "img", "link", "iframe", "object"} & set(structure.tags)
    assert [value for name, value in structure.attributes if name in {"src", "href"}] == [
        "#entry-1",
        "#entry-2",
    ]
    assert "url(" not in page


def test_an_action_has_its_filter_targets_permissions_and_sample(page):
    text = " ".join(Structure(page).texts)
    for part in (
        "arn:aws:securityhub:us-east-1:111122223333:action/custom/Ticket",
        "s3:GetObject",
        "SNS topic",
    ):
        assert part in text
    assert '"actionName": "Ticket"' in text


def test_a_sample_is_one_that_the_filter_lets_through(page):
    text = "".join(Structure(page).texts)
    assert '"Label": "CRITICAL"' in text
    assert '"Status": "NOTIFIED"' in text
    assert "None of the samples" not in text


def test_what_a_target_gets_is_its_own_input(tmp_path):
    page = page_of(small_app(tmp_path, input_template='{"in": <a>}'))
    assert '"in": "111122223333"' in "".join(Structure(page).texts)


def test_the_same_app_has_the_same_page(tmp_path, page):
    assert page_of(small_app(tmp_path)) == page


def test_an_app_without_rules_has_a_page():
    assert "0 custom actions" in page_of(App(stacks=()))
