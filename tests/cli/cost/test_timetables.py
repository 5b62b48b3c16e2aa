from __future__ import annotations

import pytest

from securityhub_actions.cli.cost.timetables import _times


@pytest.mark.parametrize(
    ("expression", "times"),
    [
        ("rate(1 hour)", 720),
        ("rate(5 minutes)", 8640),
        ("rate(2 days)", 15),
        ("cron(0 7 * * ? *)", 30),
        ("cron(0 8 ? * MON *)", 30 / 7),
        ("cron(0 8 ? * MON,THU *)", 60 / 7),
        ("cron(0 * * * ? *)", 720),
        ("at(2026-12-01T00:00:00)", 0),
    ],
)
def test_how_often_an_expression_is_true_in_thirty_days(expression, times):
    assert _times(expression) == pytest.approx(times)
