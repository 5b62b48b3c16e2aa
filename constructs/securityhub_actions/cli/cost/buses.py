"""The events that functions put on the app's own buses: outcomes, and one event for each finding."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from securityhub_actions.cli.assembly import App, Rule
from securityhub_actions.cli.cost.amounts import NOTHING, Range


@dataclass(frozen=True, slots=True, kw_only=True)
class Put:
    """The events that a function puts on a bus.

    Attributes:
        stack: The name of the function's stack.
        bus: The name of the bus.
        number: How many there are a day.
    """

    stack: str
    bus: str
    number: Range


class OwnBuses:
    """How many events the rules on the app's own buses get."""

    def __init__(self, app: App, puts: Iterable[Put]) -> None:
        """Count.

        Args:
            app: The app.
            puts: What its functions put on buses.
        """
        self._numbers: dict[str, Range] = {}
        for put in puts:
            self._numbers[put.bus] = self._numbers.get(put.bus, NOTHING) + put.number
        self._routes = Counter(rule.bus_name for rule in app.rules if _has_route(rule))

    def daily_events(self, rule: Rule) -> Range:
        """Return how many events a rule gets a day: up to all of its bus if it chooses some.

        Each event of `EachFinding` is for one of the rules, which share them here.
        """
        number = NOTHING if rule.is_on_default_bus else self._numbers.get(rule.bus_name, NOTHING)
        if _has_route(rule):
            return number * (1 / self._routes[rule.bus_name])
        return Range(0, number.high) if _detail(rule) else number


def _has_route(rule: Rule) -> bool:
    return "route" in _detail(rule)


def _detail(rule: Rule) -> Mapping[str, object]:
    detail = (rule.pattern or {}).get("detail")
    return detail if isinstance(detail, Mapping) else {}
