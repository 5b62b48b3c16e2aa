"""What is charged for: an item of a stack, its price, and how much of it there is in a month."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from securityhub_actions.cli.assembly import Stack, shown
from securityhub_actions.cli.cost.amounts import Range
from securityhub_actions.cli.review.texts import at

DAYS: Final = 30
"""The days of a month, in which amounts are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """Something that is charged for.

    Attributes:
        stack: The name of the stack.
        name: What it is.
        price: The key of its price in prices.toml.
        quantity: How much of it there is in a month.
    """

    stack: str
    name: str
    price: str
    quantity: Range


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """How much an app has to do.

    Attributes:
        findings: How many events for imported findings there are a day.
        accounts: How many accounts they are about.
        matching: How many of them a day pass a rule that has a filter.
        tickets: How many tickets are opened a day, and resolved.
        remediated: How many findings are remediated a day.
        pressed: How many findings a day an action is chosen for that neither remediates nor opens tickets.
    """

    findings: int
    accounts: int
    matching: Range
    tickets: Range
    remediated: Range
    pressed: Range


def merged(items: Iterable[Item]) -> Sequence[Item]:
    """Return one item for those of the same stack, name, and price, without those that are nothing."""
    sums: dict[tuple[str, str, str], Range] = {}
    for item in items:
        key = (item.stack, item.name, item.price)
        sums[key] = sums[key] + item.quantity if key in sums else item.quantity
    return [
        Item(stack=stack, name=name, price=price, quantity=quantity)
        for (stack, name, price), quantity in sums.items()
        if quantity.high
    ]


def number_at(properties: Mapping[str, Any], path: str, *, default: float) -> float:
    """Return a number of a resource, also as text, or the default where only a deployment determines it.

    Args:
        properties: The properties of the resource.
        path: The dotted path to the number.
        default: The number if there is none.
    """
    value = at(properties, path)
    try:
        return default if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        return default


def variables_of(function: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the environment variables of a function, as far as they are known."""
    variables = at(function, "Environment.Variables")
    return variables if isinstance(variables, Mapping) else {}


def resources_of(stack: Stack, type_: str) -> dict[str, Any]:
    """Return the properties of a stack's resources of a type by logical ID; what is unknown is `${...}`."""
    return {logical_id: shown(properties) for logical_id, properties in stack.of_type(type_)}
