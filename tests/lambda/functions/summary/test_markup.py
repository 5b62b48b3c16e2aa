"""The summary in each channel's markup: within its limits, and with nothing of others' in it that acts."""

from __future__ import annotations

import json
from datetime import date, timedelta
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.summary.figures import SHOWN_GROUPS, Expiring, Group
from functions.summary.page import page_of
from functions.summary.report import report_on
from functions.summary.slack import (
    MAX_BLOCKS,
    MAX_HEADER_CHARACTERS,
    MAX_TEXT_CHARACTERS,
    blocks_of,
    text_of,
)
from functions.summary.teams import MAX_BYTES, payload_of
from functions.summary.text import WIDTH, message_of
from functions.summary.trend import picture_of
from invocation.topic import MAX_MESSAGE_BYTES, MAX_SUBJECT_CHARACTERS
from tests.hypothesis_profiles import examples
from tests.summaries import NOW, figures

NASTY = [
    "<script>alert(1)</script>",
    "<!channel> <@U123> <https://evil.example|link>",
    "[click](javascript:alert(1)) **bold** `code` ```",
    '"><img src=x onerror=alert(1)>',
    "</style></title>&amp;&lt;",
    "{{DATE(2026-01-01T00:00:00Z)}} ${expression} @{variables('x')}",
    "\ud800 unpaired, \u202e backwards, \x00 and \x1b[31m",
]
texts = st.one_of(st.sampled_from(NASTY), st.text(max_size=300))
groups = st.builds(
    Group,
    key=texts,
    name=st.none() | texts,
    open=st.tuples(*[st.integers(0, 10**9)] * 5),
    new=st.integers(0, 10**9),
    overdue=st.integers(0, 10**9),
)


@st.composite
def reports(draw):
    many = draw(st.lists(groups, max_size=SHOWN_GROUPS))
    given_figures = figures(
        missing=tuple(draw(st.lists(texts, max_size=3))),
        accounts=tuple(many),
        account_count=len(many) + draw(st.integers(0, 10**6)),
        controls=tuple(reversed(many)),
        control_count=len(many),
        dead_letters=draw(st.dictionaries(st.sampled_from(["A", "B"]), st.integers(0, 10**6))),
        expiring=tuple(
            Expiring(name=name, until=date(2026, 3, 10)) for name in draw(st.lists(texts, max_size=100))
        ),
    )
    earlier = [
        figures(scheduled=NOW - timedelta(days=day), open=draw(st.tuples(*[st.integers(0, 10**6)] * 5)))
        for day in range(draw(st.integers(0, 4)), 0, -1)
    ]
    return report_on(
        given_figures,
        earlier=earlier,
        place="s3://bucket/pages/daily/x.html",
        timezone="UTC",
        origin="Account 111122223333, eu-west-1",
    )


def full_report(**changes):
    """A report as large as one can be."""
    many = tuple(
        Group(key="K" * 256, name="N" * 100, open=(10**6,) * 5, new=1, overdue=1) for _ in range(SHOWN_GROUPS)
    )
    values = {"accounts": many, "account_count": 5000, "controls": many, "control_count": 900, **changes}
    return report_on(
        figures(**values),
        earlier=(),
        place="s3://b/p.html",
        timezone="UTC",
        origin="Account 111122223333, eu-west-1",
    )


def values_in(node, key):
    """Every value of a key in a JSON document."""
    if isinstance(node, dict):
        for name, value in node.items():
            if name == key:
                yield value
            yield from values_in(value, key)
    elif isinstance(node, list):
        for one in node:
            yield from values_in(one, key)


class Tags(HTMLParser):
    """The elements and attributes of a page."""

    def __init__(self, page):
        super().__init__()
        self.found, self.attributes, self.text = [], set(), []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.found.append(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data):
        self.text.append(data)


@examples(1)
@given(reports())
def test_a_message_is_within_the_limits_of_sns(report):
    message = message_of(report)
    assert len(message.body.encode()) <= MAX_MESSAGE_BYTES
    assert message.subject.isascii()
    assert len(message.subject) <= MAX_SUBJECT_CHARACTERS
    assert message.body.startswith(("This summary is incomplete.", "Security Hub daily"))


def test_the_lines_of_a_message_fit_on_a_phone():
    report = report_on(
        figures(open=(1234, 99_999, 123_456, 99_999, 0)),
        earlier=[figures(scheduled=NOW)],
        place="",
        timezone="UTC",
        origin="Account 111122223333, eu-west-1",
    )
    assert max(len(line) for line in message_of(report).body.splitlines()) <= WIDTH


def test_the_first_line_of_a_message_says_what_is_missing():
    report = full_report(missing=("low findings (there was no time left)",))
    assert message_of(report).body.startswith("This summary is incomplete.")
    assert "incomplete" in json.dumps(blocks_of(report)[0])
    body = json.loads(payload_of(report))["attachments"][0]["content"]["body"]
    assert "incomplete" in json.dumps(body[0])
    page = page_of(report)
    assert page.index("This summary is incomplete.") < page.index("<h1>")


@examples(1)
@given(reports())
def test_blocks_are_within_the_limits_of_slack_and_have_no_markup(report):
    blocks = json.loads(json.dumps(blocks_of(report)))
    assert len(blocks) <= MAX_BLOCKS
    for text in values_in(blocks, "text"):
        if isinstance(text, str):
            assert 0 < len(text) <= MAX_TEXT_CHARACTERS
            text.encode()
    assert set(values_in(blocks, "type")) <= {
        "header",
        "plain_text",
        "rich_text",
        "rich_text_list",
        "rich_text_preformatted",
        "rich_text_section",
        "text",
    }
    (header,) = (block for block in blocks if block["type"] == "header")
    assert len(header["text"]["text"]) <= MAX_HEADER_CHARACTERS
    assert not any(character in text_of(report) for character in "<>")


@examples(1)
@given(reports())
def test_a_card_is_within_the_limits_of_teams_and_what_others_write_is_in_text_runs(report):
    payload = payload_of(report)
    assert len(payload) <= MAX_BYTES
    (attachment,) = json.loads(payload)["attachments"]
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    card = attachment["content"]
    assert set(values_in(card["body"], "type")) <= {"RichTextBlock", "TextRun", "FactSet"}
    for facts in values_in(card["body"], "facts"):
        written = "".join(text for fact in facts for text in fact.values())
        assert not any(character in written for character in "*_[`#~\\")


def test_a_card_names_as_many_as_fit_and_counts_the_others():
    card = payload_of(full_report()).decode()
    assert "and 4,9" in card
    assert len(card.encode()) <= MAX_BYTES


@examples(1)
@given(reports())
def test_nothing_that_others_write_becomes_an_element_or_an_attribute_of_the_page(report):
    page = page_of(report)
    page.encode("utf-8")
    tags, usual = Tags(page), Tags(page_of(full_report()))
    plain = {*usual.found, "svg", "title", "line", "polygon", "text", "i", "span"}
    assert set(tags.found) <= plain
    assert tags.attributes <= {
        *usual.attributes,
        *(
            "aria-label",
            "class",
            "points",
            "role",
            "text-anchor",
            "viewbox",
            "x",
            "x1",
            "x2",
            "y",
            "y1",
            "y2",
        ),
    }
    assert "".join(tags.text).count("Accounts") >= 1


def test_the_page_loads_nothing_and_runs_nothing():
    page = page_of(full_report())
    assert "default-src 'none'" in page
    assert not {"script", "link", "img", "iframe", "a"} & set(Tags(page).found)
    assert "http" not in page.replace("http-equiv", "")


@examples(1)
@given(st.lists(st.tuples(*[st.integers(0, 10**6)] * 5), min_size=2, max_size=30))
def test_a_picture_stays_within_its_frame(trend):
    days = [(NOW + timedelta(days=day), counts) for day, counts in enumerate(trend)]
    picture = ET.fromstring(picture_of(days, "Open findings"))  # noqa: S314 - made here
    polygons = [one for one in picture if one.tag == "polygon"]
    assert len(polygons) == 5
    for polygon in polygons:
        for point in polygon.get("points").split():
            x, y = map(float, point.split(","))
            assert 0 <= x <= 360
            assert 0 <= y <= 160


@pytest.mark.parametrize("trend", [[], [(NOW, (1, 2, 3, 4, 5))]])
def test_there_is_no_picture_of_less_than_two_summaries(trend):
    assert picture_of(trend, "Open findings") == ""


def test_a_picture_shows_only_the_severities_that_are_asked_for():
    days = [(NOW + timedelta(days=day), (day, 2, 9, 9, 9)) for day in range(3)]
    picture = picture_of(days, "Severe", range(2))
    assert picture.count("<polygon") == 2
    assert "Severe: 2 to 4 in 3 summaries" in picture
