from __future__ import annotations

import ast
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.hypothesis_profiles import DEFAULT_PROFILE, THOROUGH_PROFILE, examples

TESTS = Path(__file__).resolve().parent


def deadlines_in(source):
    """The lines of calls that set a deadline of their own."""
    return [
        node.lineno
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call) and any(keyword.arg == "deadline" for keyword in node.keywords)
    ]


def test_a_deadline_is_seen_wherever_it_is_set():
    assert deadlines_in("@settings(deadline=None)\ndef test(): ...\nS = x.settings(a=1, deadline=2)") == [
        1,
        3,
    ]


def test_no_test_sets_a_deadline_of_its_own():
    sources = {
        path: path.read_text() for path in TESTS.rglob("*.py") if path != TESTS / "hypothesis_profiles.py"
    }
    found = {str(path): lines for path, source in sources.items() if (lines := deadlines_in(source))}
    assert len(sources) > 100
    assert found == {}


@pytest.mark.parametrize("profile", [DEFAULT_PROFILE, THOROUGH_PROFILE])
def test_no_profile_has_a_deadline_or_measures_how_long_drawing_takes(profile):
    chosen = settings.get_profile(profile)
    assert chosen.deadline is None
    assert HealthCheck.too_slow in chosen.suppress_health_check


def test_the_tests_run_with_a_profile_of_this_project():
    assert settings.default in map(settings.get_profile, (DEFAULT_PROFILE, THOROUGH_PROFILE))


def test_a_test_with_another_number_of_examples_keeps_the_rest_of_the_profile():
    more = examples(0.2, suppress=[HealthCheck.function_scoped_fixture], stateful_step_count=7)
    assert more.max_examples == settings.default.max_examples / 5
    assert more.stateful_step_count == 7
    assert more.deadline is None
    assert {*more.suppress_health_check} == {HealthCheck.too_slow, HealthCheck.function_scoped_fixture}


@pytest.fixture
def thorough():
    """Load the thorough profile for the time of a test."""
    before = settings.default
    settings.load_profile(THOROUGH_PROFILE)
    yield
    settings.register_profile("before", before)
    settings.load_profile("before")


def test_the_default_profile_tries_the_same_examples_in_each_run():
    assert settings.get_profile(DEFAULT_PROFILE).derandomize is True


@pytest.mark.usefixtures("thorough")
def test_the_thorough_profile_tries_twenty_times_as_many_examples_and_others_in_each_run():
    assert examples(0.5).max_examples == 250
    assert examples(0.5).derandomize is False
    assert examples(0.5).print_blob is True
