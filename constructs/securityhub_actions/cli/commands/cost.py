"""`cost`: what AWS charges for an app in a month."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import click
from rich.text import Text

from securityhub_actions.cli.assembly import App
from securityhub_actions.cli.cost.amounts import NOTHING, Range
from securityhub_actions.cli.cost.findings import finding_items, not_computed
from securityhub_actions.cli.cost.items import Item, Use, merged
from securityhub_actions.cli.cost.keys import key_items
from securityhub_actions.cli.cost.prices import Prices, load_prices
from securityhub_actions.cli.cost.standing import metric_items, secrets_of, standing_items
from securityhub_actions.cli.cost.timetables import schedule_item
from securityhub_actions.cli.options import Template, template_option
from securityhub_actions.cli.output import Output, with_output
from securityhub_actions.cli.tables import Column, by_stack

_NUMBER: Final = r"\d+(?:\.\d+)?"
_RANGE: Final = re.compile(rf"({_NUMBER})(?:-({_NUMBER}))?")
_COLUMNS: Final = (
    Column(title="ITEM", least=24),
    Column(title="QUANTITY", least=20),
    Column(title="USD A MONTH", least=11, folds=False),
)
_NOT_INCLUDED: Final = (
    "Not included: Security Hub itself, free tiers, notifications and data transfer, requests to KMS "
    "for logs, Firehose, environment variables, and signatures, X-Ray, Systems Manager, Athena, what logs "
    "and tables store, and what remediated resources cost."
)
_DOMINATING: Final = 3
_THOUSAND: Final = 1000


def _amount(_context: click.Context, _parameter: click.Parameter, value: str | None) -> Range | None:
    """Return the range that an option names, such as `100` or `10-200`."""
    if value is None:
        return None
    match = _RANGE.fullmatch(value)
    found = Range(float(match[1]), float(match[2] or match[1])) if match else None
    if found is None or found.low > found.high:
        raise click.BadParameter(
            f"{value!r} is neither a number nor a range. Write 100, or 10-200, the smaller first."
        )
    return found


@click.command()
@template_option
@click.option(
    "--findings",
    type=click.IntRange(min=0, max=1_000_000_000),
    default=1000,
    show_default=True,
    help="Events for imported findings a day, of all accounts: also for each update of a finding.",
)
@click.option(
    "--accounts",
    type=click.IntRange(min=1, max=1_000_000),
    default=1,
    help="Accounts that they are about.",
    show_default=True,
)
@click.option(
    "--matching",
    callback=_amount,
    metavar="AMOUNT",
    help="Events a day that pass a rule's filter, a number or a range such as 10-200. "
    "Default: 1 to 10 percent.",
)
@click.option(
    "--tickets", callback=_amount, metavar="AMOUNT", help="New tickets a day. Default: 0.1 to 1 percent."
)
@click.option(
    "--remediated",
    callback=_amount,
    metavar="AMOUNT",
    help="Remediated findings a day. Default: 0.1 to 1 percent.",
)
@click.option(
    "--pressed",
    callback=_amount,
    metavar="AMOUNT",
    default="0-100",
    show_default=True,
    help="Findings a day for which an analyst chooses another custom action.",
)
@click.option(
    "--controls",
    type=click.IntRange(min=1, max=10_000),
    default=20,
    show_default=True,
    help="Controls that these findings are of, at most. Each has metrics of its own.",
)
@click.option(
    "--prices",
    "prices_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A TOML file with the prices that differ from the list prices of US East (N. Virginia).",
)
@with_output
def command(
    *,
    template: Path,
    findings: int,
    accounts: int,
    matching: Range | None,
    tickets: Range | None,
    remediated: Range | None,
    pressed: Range,
    controls: int,
    prices_file: Path | None,
    output: Output,
) -> None:
    """Compute what AWS charges for an app in a month of 30 days.

    The stacks are those of the synthesized app. What isn't known is a range, of which the defaults are
    percentages of the findings. The prices are list prices, with the date on which they were written down.
    """
    prices = load_prices(prices_file)
    app = Template(template).app()
    use = Use(
        findings=findings,
        accounts=accounts,
        matching=matching or Range(0.01, 0.1) * findings,
        tickets=tickets or Range(0.001, 0.01) * findings,
        remediated=remediated or Range(0.001, 0.01) * findings,
        pressed=pressed,
    )
    standing = _standing(app)
    metrics = [item for stack in app.stacks for item in metric_items(stack, controls)]
    used = list(finding_items(app, use))
    keys = [item for stack in app.stacks for item in key_items(stack, used)]
    items = merged([*standing, *metrics, *used, *keys])
    lines = sorted(
        ((item, item.quantity * prices.rows[item.price].each) for item in items),
        key=lambda line: -line[1].middle,
    )
    total = sum((amount for _, amount in lines), NOTHING)
    left_out = not_computed(app)
    output.show(
        _document(lines, total, prices, use, left_out),
        *by_stack(_COLUMNS, [(item.stack, _row(item, amount, prices)) for item, amount in lines]),
        *_summary(lines, total, prices, left_out),
    )


def _standing(app: App) -> Sequence[Item]:
    """Return what the stacks cost while nothing happens. A secret that several read counts in the first."""
    items: list[Item] = []
    secrets: set[str] = set()
    for stack in app.stacks:
        items += standing_items(stack, secrets)
        items.append(schedule_item(stack))
        secrets |= secrets_of(stack)
    return items


def _row(item: Item, amount: Range, prices: Prices) -> list[Text | str]:
    return [
        item.name,
        f"{_range(item.quantity, _quantity)} {prices.rows[item.price].unit}",
        _range(amount, _usd),
    ]


def _summary(
    lines: Sequence[tuple[Item, Range]], total: Range, prices: Prices, left_out: Sequence[str]
) -> Sequence[Text]:
    most = ", ".join(
        f"{item.name} of {item.stack} ({amount.middle / total.middle:.0%})"
        for item, amount in lines[:_DOMINATING]
        if total.middle
    )
    return [
        Text(""),
        Text(
            f"Total: {_range(total, _usd)} USD a month, with prices of {prices.region} as of {prices.as_of}."
        ),
        *([Text(f"Most of it: {most}.")] if most else []),
        Text(
            f"{_NOT_INCLUDED}"
            + (f" Also: what these targets cost: {', '.join(left_out)}." if left_out else "")
        ),
    ]


def _document(
    lines: Sequence[tuple[Item, Range]], total: Range, prices: Prices, use: Use, left_out: Sequence[str]
) -> Mapping[str, Any]:
    return {
        "region": prices.region,
        "pricesAsOf": prices.as_of.isoformat(),
        "use": {
            "findings": use.findings,
            "accounts": use.accounts,
            **{name: _pair(getattr(use, name)) for name in ("matching", "tickets", "remediated", "pressed")},
        },
        "items": [
            {
                "stack": item.stack,
                "item": item.name,
                "quantity": _pair(item.quantity),
                "unit": prices.rows[item.price].unit,
                "price": prices.rows[item.price].each,
                "page": prices.rows[item.price].page,
                "usd": _pair(amount),
            }
            for item, amount in lines
        ],
        "usd": _pair(total),
        "notComputed": left_out,
    }


def _pair(amount: Range) -> Mapping[str, float]:
    return {"from": round(amount.low, 6), "to": round(amount.high, 6)}


def _range(amount: Range, written: Callable[[float], str]) -> str:
    low, high = written(amount.low), written(amount.high)
    return low if low == high else f"{low} to {high}"


def _quantity(value: float) -> str:
    return f"{value:,.0f}" if value >= _THOUSAND or value == round(value) else f"{value:.3g}"


def _usd(value: float) -> str:
    return f"{value:,.2f}"
