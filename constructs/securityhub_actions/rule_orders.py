"""The order in which the automation rules of an app are applied.

Source: https://docs.aws.amazon.com/securityhub/latest/userguide/edit-rule-order.html
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final
from weakref import WeakKeyDictionary

import jsii
from aws_cdk import Annotations, Aspects, IAspect
from constructs import IConstruct

from securityhub_actions.later import later
from securityhub_actions.places import environment_of, path_of, root_of

EQUAL_ORDERS: Final = "securityhub-actions:EqualRuleOrders"
MAX_ORDER: Final = 1000
_FIRST_OF_RULES: Final = 801
_FIRST_OF_SUPPRESSIONS: Final = 901


@dataclass(frozen=True, slots=True)
class _Place:
    """A rule in the order of its hub, account, and Region.

    Attributes:
        rule: The rule.
        path: Its path.
        hub: Its account and Region, and the type of its resource.
        order: The order that its author gave it; None for the default.
        until: When a suppression ends; None for other rules.
    """

    rule: IConstruct
    path: str
    hub: tuple[str, str]
    order: float | None
    until: date | None


# The rules of each app, in the order of their creation.
_rules_of_app: WeakKeyDictionary[IConstruct, list[_Place]] = WeakKeyDictionary()


def order_of(rule: IConstruct, *, hub: str, order: float | None, suppresses: bool, until: date | None) -> Any:  # noqa: ANN401 - a number, or a token of one
    """Return the order of a rule, and compare it at synthesis with the other rules of the app.

    Without an order, suppressions come after other rules, and the one that ends last is applied last: where
    several suppress a finding, the note of the last one counts.

    Args:
        rule: The rule.
        hub: The type of its resource. Each hub has an order of its own.
        order: The order that its author gave it; None for the default.
        suppresses: Whether it's a suppression.
        until: When the suppression ends; None for never.

    Raises:
        ValueError: The order is outside its range, or not a whole number where the hub requires one.
    """
    if order is not None:
        _check(rule, order, is_whole=not hub.endswith("V2"))
    end = (until or date.max) if suppresses else None
    place = _Place(rule, path_of(rule), (environment_of(rule), hub), order, end)
    places = _rules_of_app.setdefault(root_of(rule), [])
    places.append(place)
    Aspects.of(rule).add(_EqualOrders(place, places))
    return order if order is not None else later(lambda: _order_of(place, places))


def _check(rule: IConstruct, order: float, *, is_whole: bool) -> None:
    number = "a whole number" if is_whole else "a number"
    if not 1 <= order <= MAX_ORDER or (is_whole and int(order) != order):
        raise ValueError(
            f"order of {path_of(rule)} is {order:g}. Specify {number} from 1 to {MAX_ORDER}, or omit it."
        )


def _orders(places: Iterable[_Place], hub: tuple[str, str]) -> list[tuple[_Place, float]]:
    """The order of each rule of a hub."""
    there = [one for one in places if one.hub == hub]
    rules = [one for one in there if one.order is None and one.until is None]
    suppressions = [(one.until, one.path, one) for one in there if one.order is None and one.until]
    suppressions.sort(key=lambda one: one[:2])
    return [
        *((one, one.order) for one in there if one.order is not None),
        *((one, _FIRST_OF_RULES + place) for place, one in enumerate(rules)),
        *((one, _FIRST_OF_SUPPRESSIONS + place) for place, (_, _, one) in enumerate(suppressions)),
    ]


def _order_of(place: _Place, places: Iterable[_Place]) -> float:
    """The order of a rule, which depends on the rules that are created later if its author gave it none."""
    return next(order for one, order in _orders(places, place.hub) if one is place)


@jsii.implements(IAspect)
class _EqualOrders:
    """Warns of rules that have the same order, when the CDK visits the last of them."""

    def __init__(self, place: _Place, places: Sequence[_Place]) -> None:
        self._place = place
        self._places = places

    def visit(self, node: IConstruct) -> None:
        """Add the warning to the rule itself, not to its children."""
        if node is not self._place.rule:
            return
        own = _order_of(self._place, self._places)
        alike = {id(one) for one, order in _orders(self._places, self._place.hub) if order == own}
        equal = [one for one in self._places if id(one) in alike]
        if len(equal) > 1 and equal[-1] is self._place:
            paths = ", ".join(one.path for one in equal)
            Annotations.of(node).add_warning_v2(
                EQUAL_ORDERS,
                f"The automation rules {paths} have the same order, {own:g}, in {self._place.hub[0]}. "
                "Security Hub applies the one last that was changed last. Specify different orders, or "
                "acknowledge this warning if they set different fields.",
            )
