"""How often schedules invoke a function, and what EventBridge Scheduler charges for that."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from securityhub_actions.cli.assembly import Stack, shown
from securityhub_actions.cli.cost.amounts import Range
from securityhub_actions.cli.cost.items import DAYS, Item, resources_of
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
        for schedule in _schedules(stack)
        if str(at(schedule, "Target.Arn")).rpartition(":")[2] == function
    ]
    return sum(map(_times, expressions))


def schedule_item(stack: Stack) -> Item:
    """Return what EventBridge Scheduler's schedules cost in a stack. Those that are rules cost nothing.

    A schedule that is due once isn't due in each month.
    """
    expressions = [str(schedule.get("ScheduleExpression", "")) for schedule in _schedules(stack)]
    each_month = sum(map(_times, expressions))
    once = sum(expression.startswith("at(") for expression in expressions)
    return Item(
        stack=stack.name,
        name="Invocations by schedules",
        price="schedule",
        quantity=Range(each_month, each_month + once),
    )


def _schedules(stack: Stack) -> Iterator[Mapping[str, Any]]:
    for schedule in resources_of(stack, "AWS::Scheduler::Schedule").values():
        if schedule.get("State") != "DISABLED":
            yield schedule


def _times(expression: str) -> float:
    if (rate := _RATE.fullmatch(expression)) and int(rate[1]):
        return DAYS * 24 * 60 / (int(rate[1]) * _MINUTES[rate[2]])
    if (cron := _CRON.fullmatch(expression)) and len(fields := cron[1].split()) == _FIELDS:
        days = 1.0 if fields[_WEEKDAY] in {"*", "?"} else (fields[_WEEKDAY].count(",") + 1) / 7
        minutes, hours = (1 if one.isdecimal() else None for one in fields[:2])
        return DAYS * days * (60 if minutes is None else 1) * (24 if hours is None else 1)
    return 0
