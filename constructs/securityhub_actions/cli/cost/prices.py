"""The unit prices, which are data."""

from __future__ import annotations

import datetime
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from securityhub_actions.cli.errors import CommandError

PRICES_FILE: Final = Path(__file__).with_name("prices.toml")
_FIELDS: Final = {"price", "per", "unit", "page"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """A list price.

    Attributes:
        price: US dollars for `per` units.
        per: How many units cost the price.
        unit: What is charged for.
        page: The address of AWS's page with the price.
    """

    price: float
    per: float
    unit: str
    page: str

    @property
    def each(self) -> float:
        """US dollars for one unit."""
        return self.price / self.per


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """The prices of a Region.

    Attributes:
        region: The Region.
        as_of: When they were written down.
        rows: The price of each item by its key.
    """

    region: str
    as_of: datetime.date
    rows: Mapping[str, Price]


def load_prices(given: Path | None = None) -> Prices:
    """Read the prices.

    Args:
        given: A TOML file with the Region, the date, and those prices that differ. Default: the list prices
            of US East (N. Virginia).

    Raises:
        CommandError: The file can't be read, or isn't of the form of prices.toml.
    """
    known = _prices(_read(PRICES_FILE), PRICES_FILE, known=None)
    if given is None:
        return known
    own = _prices(_read(given), given, known=known.rows)
    return Prices(region=own.region, as_of=own.as_of, rows={**known.rows, **own.rows})


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CommandError(f"{path} can't be read: {error.strerror}. Correct --prices.") from error
    except (ValueError, RecursionError) as error:
        raise CommandError(f"{path} is not a TOML file: {error}. Correct it.") from error


def _prices(document: dict[str, Any], path: Path, *, known: Mapping[str, Price] | None) -> Prices:
    region, as_of = document.pop("region", None), document.pop("as_of", None)
    if not isinstance(region, str) or type(as_of) is not datetime.date:
        raise CommandError(
            f'{path} doesn\'t say where and when its prices hold. Add region = "eu-west-1" and '
            "as_of = 2026-01-31, with your Region and date, above the first table."
        )
    if known is not None and (unknown := document.keys() - known):
        raise CommandError(
            f"{path} has prices of {', '.join(sorted(unknown))}, which nothing is charged for. "
            f"Prices are of {', '.join(sorted(known))}."
        )
    return Prices(
        region=region,
        as_of=as_of,
        rows={key: _price(key, row, path, (known or {}).get(key)) for key, row in document.items()},
    )


def _price(key: str, row: object, path: Path, known: Price | None) -> Price:
    """Check a row. One of a user only needs the price, and `per` and `page` where they differ."""
    values = dict(row) if isinstance(row, dict) else {}
    if known is not None:
        values = {"per": known.per, "unit": known.unit, "page": known.page, **values}
    numbers = [values.get(name) for name in ("price", "per")]
    if values.keys() != _FIELDS or not all(
        isinstance(one, (int, float)) and not isinstance(one, bool) for one in numbers
    ):
        raise CommandError(
            f"[{key}] in {path} isn't a price. Write price = 0.10 in US dollars, and if they differ per = 1 "
            'and page = "https://...".'
        )
    if not (0 <= values["price"] < float("inf") and 0 < values["per"] < float("inf")):
        raise CommandError(f"[{key}] in {path} must have a price of at least 0, and per above 0.")
    return Price(price=values["price"], per=values["per"], unit=str(values["unit"]), page=str(values["page"]))
