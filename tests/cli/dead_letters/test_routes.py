"""Dead letters of the function of `EachFinding` whose rule was renamed since would be lost if sent again."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from securityhub_actions.cli.dead_letters import routes
from securityhub_actions.cli.dead_letters.model import DeadLetter, Shape
from securityhub_actions.cli.dead_letters.replaying import Fate, Replay

FUNCTION = "arn:aws:lambda:eu-west-1:111122223333:function:each"
OTHER = "arn:aws:lambda:eu-west-1:111122223333:function:other"
EVENT = {"id": "1", "detail": {"findings": [{}]}}


@pytest.fixture
def replay(monkeypatch):
    """A dry run, where one route exists."""
    monkeypatch.setattr(routes.LiveApp, "rules", lambda _: ())
    route = routes._Route(
        name="Stack/New/Rule/EachFinding", rules=frozenset(), function=FUNCTION, targets=frozenset()
    )
    monkeypatch.setattr(routes, "_routes_of", lambda _: [route])
    return Replay(aws=None, dry_run=True)


def failed(function, event):
    return DeadLetter(
        queue_url="https://queue",
        id="1",
        shape=Shape.FUNCTION_FAILED,
        target=function,
        since=datetime(2026, 1, 1, tzinfo=UTC),
        event=event,
        body="",
    )


@pytest.mark.parametrize("function", [FUNCTION, f"{FUNCTION}:$LATEST"])
def test_an_event_on_a_route_that_is_gone_stays_with_the_reason(replay, function):
    outcome = replay.replay(failed(function, {**EVENT, "route": "Stack/Old/Rule/EachFinding"}), None)
    assert outcome.fate == Fate.STAYS
    assert "'Stack/Old/Rule/EachFinding'" in outcome.reason


@pytest.mark.parametrize(
    ("function", "event"),
    [
        (FUNCTION, {**EVENT, "route": "Stack/New/Rule/EachFinding"}),
        (OTHER, {**EVENT, "route": "a member of somebody else"}),
        (OTHER, EVENT),
        (OTHER, [EVENT]),
    ],
)
def test_any_other_event_is_sent_again(replay, function, event):
    assert replay.replay(failed(function, event), None).fate == Fate.WOULD_BE_SENT
