"""How often schedules invoke a function."""

from __future__ import annotations

import re
from typing import Final

from securityhub_actions.cli.assembly import Stack, shown
from securityhub_actions.cli.cost.items import DAYS, resources_of
from securityhub_actions.cli.review.texts import at

_RATE: Final = re.compile(r"rate\((\d+) (minute|hour|day)s?\)")
_CRON: Final = re.compile(r"cron\((.*)\)")
_MINUTES: Final = {"minute": 1, "hour": 60, "day": 24 * 60}
_WEEKDAY: Final = 4
_FIELDS: Final = 6


def runs_a_month(stack: Stack, function: str) -> float:
    """Return how often the schedules of a stack invoke a function in a month.

    Args:
        stack: The stack, with rules and EventBridge Scheduler's schedules.
        function: The name of the function as in their targets.
    """
    expressions = [
        rule.schedule or ""
        for rule in stack.rules
        if rule.enabled
        for target in rule.targets
        if shown(target.arn).rpartition(":")[2] == function
    ]
    expressions += [
        str(schedule.get("ScheduleExpression", ""))
        for schedule in resources_of(stack, "AWS::Scheduler::Schedule").values()
        if str(at(schedule, "Target.Arn")).rpartition(":")[2] == function
    ]
    return sum(map(_times, expressions))


def _times(expression: str) -> float:
    if (rate := _RATE.fullmatch(expression)) and int(rate[1]):
        return DAYS * 24 * 60 / (int(rate[1]) * _MINUTES[rate[2]])
    if (cron := _CRON.fullmatch(expression)) and len(fields := cron[1].split()) == _FIELDS:
        days = 1.0 if fields[_WEEKDAY] in {"*", "?"} else (fields[_WEEKDAY].count(",") + 1) / 7
        minutes, hours = (1 if one.isdecimal() else None for one in fields[:2])
        return DAYS * days * (60 if minutes is None else 1) * (24 if hours is None else 1)
    return 0
