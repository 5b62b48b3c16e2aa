from __future__ import annotations

import pytest

from securityhub_actions.cli.cost.amounts import Range
from securityhub_actions.cli.cost.timetables import _times, runs_a_month, schedule_item


def scheduled(expression, **more):
    target = {"Arn": "arn:aws:lambda:eu-west-1:111122223333:function:example"}
    return "AWS::Scheduler::Schedule", {"ScheduleExpression": expression, "Target": target, **more}


def test_invocations_by_schedules_are_charged_for_except_those_of_disabled_ones(stack):
    scheduling = stack(
        Hourly=scheduled("rate(1 hour)"),
        Daily=scheduled("cron(0 7 * * ? *)"),
        Off=scheduled("rate(1 minute)", State="DISABLED"),
        Once=scheduled("at(2026-12-01T00:00:00)"),
    )
    item = schedule_item(scheduling)
    assert (item.price, item.quantity) == ("schedule", Range(750, 751))
    assert runs_a_month(scheduling, "example") == 750


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
