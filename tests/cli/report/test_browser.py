"""The page in a real browser: Chromium, where it's installed with its driver."""

from __future__ import annotations

import pytest

from securityhub_actions.cli.report.page import page_of
from tests.browser import needs_browser, running_browser
from tests.cli.report.conftest import small_app

pytestmark = needs_browser
LONG = "AVeryLongNameWithoutAnyPlaceToBreakIt" * 4


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with running_browser(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.fixture
def written(tmp_path):
    file = tmp_path / "page.html"
    file.write_text(page_of(small_app(tmp_path, LONG)))
    return file


@pytest.mark.parametrize("width", [320, 390, 820, 1400])
def test_nothing_is_wider_than_the_screen(browser, written, width):
    browser.show(written, width=width)
    assert browser.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize(("width", "shown"), [(390, "narrow"), (1100, "wide")])
def test_one_form_of_each_diagram_is_shown(browser, written, width, shown):
    browser.show(written, width=width)
    visible = "[...document.querySelectorAll('.diagram')].filter(one => one.checkVisibility())"
    assert set(browser.evaluate(f"{visible}.map(one => one.classList[1])")) == {shown}


def test_the_texts_of_a_diagram_fit_their_boxes(browser, written):
    browser.show(written, width=1100)
    fits = """[...document.querySelectorAll('svg.wide g')].every(group => [...group.querySelectorAll('text')]
        .every(text => text.getBBox().width < group.querySelector('rect').getBBox().width - 10))"""
    assert browser.evaluate(fits)


def test_dark_mode_is_light_on_dark(browser, written):
    colors = "[getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor]"
    browser.show(written, width=1100)
    light = browser.evaluate(colors)
    browser.show(written, width=1100, scheme="dark")
    assert [sum(map(int, color[4:-1].split(","))) > 384 for color in (*light, *browser.evaluate(colors))] == [
        False,
        True,
        True,
        False,
    ]


@pytest.mark.parametrize(("media", "shown"), [("screen", False), ("print", True)])
def test_what_is_folded_on_a_screen_is_printed(browser, written, media, shown):
    browser.show(written, width=1100, media=media)
    height = "document.querySelector('details pre').getBoundingClientRect().height"
    visible = f"document.querySelector('details pre').checkVisibility() && {height} > 50"
    assert browser.evaluate(visible) == shown
