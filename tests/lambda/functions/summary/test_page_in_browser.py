"""The page in a real browser: Chromium, where it's installed with its driver."""

from __future__ import annotations

from datetime import timedelta

import pytest

from functions.summary.figures import Group
from functions.summary.page import page_of
from functions.summary.report import report_on
from tests.browser import needs_browser, running_browser
from tests.summaries import NOW, figures

pytestmark = needs_browser
LONG = "AVeryLongNameWithoutAnyPlaceToBreakIt" * 3
COLORS = "[getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor]"


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with running_browser(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    groups = tuple(Group(key=LONG, name=LONG, open=(10**6,) * 5, new=10**6, overdue=10**6) for _ in range(20))
    earlier = [
        figures(scheduled=NOW - timedelta(days=day), open=(day, 5, 9, 3, 1)) for day in range(9, 0, -1)
    ]
    report = report_on(
        figures(open=(10**6,) * 5, accounts=groups, controls=groups, missing=(LONG,), dead_letters={LONG: 5}),
        earlier=earlier,
        place=f"s3://{LONG}",
        timezone="UTC",
        origin="Account 111122223333, eu-west-1",
    )
    file = tmp_path_factory.mktemp("summary") / "page.html"
    file.write_text(page_of(report), encoding="utf-8")
    return file


@pytest.mark.parametrize("width", [320, 390, 820, 1400])
def test_nothing_is_wider_than_the_screen(browser, page, width):
    browser.show(page, width=width)
    assert browser.evaluate("document.documentElement.scrollWidth") <= width


def test_the_pictures_are_shown_and_as_wide_as_a_phone_allows(browser, page):
    browser.show(page, width=390)
    widths = "[...document.querySelectorAll('svg')].map(one => one.getBoundingClientRect().width)"
    assert len(browser.evaluate(widths)) == 2
    assert min(browser.evaluate(widths)) > 300


def test_dark_mode_is_light_on_dark(browser, page):
    lightness = []
    for scheme in ("light", "dark"):
        browser.show(page, width=390, scheme=scheme)
        lightness += [sum(map(int, color[4:-1].split(","))) > 384 for color in browser.evaluate(COLORS)]
    assert lightness == [False, True, True, False]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_style_is_applied_although_the_page_may_load_nothing(browser, page, scheme):
    browser.show(page, width=390, scheme=scheme)
    fills = "[...document.querySelectorAll('polygon')].map(one => getComputedStyle(one).fill)"
    assert len(set(browser.evaluate(fills))) == 5
