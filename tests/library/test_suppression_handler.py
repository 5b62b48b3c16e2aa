"""What the function that ends suppressions fails for, and what it leaves to the next hour."""

from __future__ import annotations

import logging

import pytest

from securityhub_actions.suppression_handler import handler
from securityhub_actions.suppression_handler.ending import Outcome

EVENT = {"scheduledTime": "2027-03-31T00:00:00Z", "suppressions": []}


class Context:
    invoked_function_arn = "arn:aws:lambda:eu-west-1:111122223333:function:End"

    def get_remaining_time_in_millis(self):
        return 900_000


@pytest.fixture
def run(monkeypatch):
    """A function that handles an event with an outcome."""
    for name, value in (("MARKERS", "m/"), ("IN_FORCE", ""), ("HUBS", "cspm")):
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(handler, "_hub", lambda name: name)

    def handle(outcome):
        monkeypatch.setattr(handler, "end_suppressions", lambda *_, **__: outcome)
        return handler.handle(EVENT, Context())

    return handle


def test_what_the_next_hour_tries_again_is_logged_and_no_dead_letter(run, caplog):
    assert run(Outcome(left=["finding 1: No"]))["left"] == "finding 1: No"
    (line,) = [one for one in caplog.records if one.levelno == logging.ERROR]
    assert line.getMessage() == f"{handler.LEFT}: finding 1: No"


def test_a_message_that_was_not_sent_is_an_error(run):
    with pytest.raises(handler.IncompleteError, match="no such topic"):
        run(Outcome(failures=["Stack/a: no such topic"]))


def test_a_run_that_leaves_nothing_sets_off_no_alarm(run, caplog):
    run(Outcome())
    assert handler.LEFT not in caplog.text
