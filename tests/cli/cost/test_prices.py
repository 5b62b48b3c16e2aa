from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from securityhub_actions.cli.cost import findings, standing
from securityhub_actions.cli.cost.prices import load_prices
from securityhub_actions.cli.cost.requests import load_work
from securityhub_actions.cli.errors import CommandError

HEAD = 'region = "eu-west-1"\nas_of = 2026-12-01\n'


@pytest.fixture
def own(tmp_path):
    """A function that reads own prices from a text."""

    def read(text):
        file = tmp_path / "prices.toml"
        file.write_text(text)
        return load_prices(file)

    return read


def test_each_price_has_a_page_of_aws_and_the_file_a_date():
    prices = load_prices()
    assert prices.as_of <= datetime.datetime.now(tz=datetime.UTC).date()
    assert all(
        row.page.startswith("https://aws.amazon.com/") and row.each > 0 for row in prices.rows.values()
    )


def test_every_operation_that_a_function_asks_for_has_a_price_or_costs_nothing():
    asked = {name for kinds in load_work().values() for work in kinds.values() for name in work.operations}
    assert not asked - findings.CHARGED - findings.FREE


def test_own_prices_replace_those_that_they_name(own):
    prices = own(f"{HEAD}[alarm]\nprice = 0.12\n[write]\nprice = 1\nper = 1000")
    assert (prices.region, prices.as_of) == ("eu-west-1", datetime.date(2026, 12, 1))
    assert (prices.rows["alarm"].each, prices.rows["write"].each) == (0.12, 0.001)
    assert prices.rows["dashboard"] == load_prices().rows["dashboard"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[alarm]\nprice = 1", "where and when its prices hold"),
        ('region = "eu-west-1"\nas_of = "today"', "where and when its prices hold"),
        (f"{HEAD}[alarms]\nprice = 1", "has prices of alarms, which nothing is charged for"),
        (f"{HEAD}[alarm]\ncost = 1", r"\[alarm\] in .* isn't a price"),
        (f'{HEAD}[alarm]\nprice = "1"', r"\[alarm\] in .* isn't a price"),
        (f"{HEAD}alarm = 1", r"\[alarm\] in .* isn't a price"),
        (f"{HEAD}[alarm]\nprice = -1", "at least 0"),
        (f"{HEAD}[alarm]\nprice = nan", "at least 0"),
        (f"{HEAD}[alarm]\nprice = 1\nper = 0", "per above 0"),
        ("[", "not a TOML file"),
    ],
)
def test_a_file_that_says_something_else_is_refused(own, text, message):
    with pytest.raises(CommandError, match=message):
        own(text)


def test_every_price_is_used():
    """What has a price, and no item, would be missing from the sum."""
    sources = "".join(file.read_text() for file in Path(findings.__file__).parent.glob("*.py"))
    assert [name for name in load_prices().rows if f'"{name}"' not in sources] == []


def test_every_item_has_a_price():
    used = {price for _, price, _ in (*findings._OPERATIONS.values(), *findings._SIMPLE_TARGETS.values())}
    assert load_prices().rows.keys() >= used | {price for *_, price in standing._COUNTED}
