"""The command `cost`."""

from __future__ import annotations

import pytest

from securityhub_actions.cli.cost.prices import load_prices

FINDINGS = ("--findings", 1000, "--matching", 100)


@pytest.fixture
def costs(cli, app):
    """A function that returns the items of the app by name, with further options."""

    def compute(*options):
        ran = cli("cost", "--template", app, "--json", *FINDINGS, *options)
        assert ran.code == 0, ran.err
        return {item["item"]: item for item in ran.document["items"]}, ran.document

    return compute


def test_a_rule_with_a_filter_gets_what_matches_it(costs):
    items, _ = costs()
    topics = items["Requests to topics"]
    assert topics["quantity"] == {"from": 3000, "to": 3000}
    assert topics["usd"]["to"] == pytest.approx(3000 * load_prices().rows["sns_request"].each, abs=1e-6)
    assert topics["page"] == "https://aws.amazon.com/sns/pricing/"


def test_an_action_that_nobody_chooses_costs_nothing(costs):
    items, _ = costs()
    assert "Requests to queues" not in items


def test_the_sum_is_that_of_the_items(costs):
    items, document = costs()
    for end in ("from", "to"):
        assert document["usd"][end] == pytest.approx(sum(one["usd"][end] for one in items.values()), abs=1e-5)


def test_own_prices_count(costs, tmp_path):
    file = tmp_path / "prices.toml"
    file.write_text('region = "eu-west-1"\nas_of = 2026-12-01\n[sns_request]\nprice = 1\nper = 1')
    items, document = costs("--prices", file)
    assert items["Requests to topics"]["usd"]["from"] == 3000
    assert (document["region"], document["pricesAsOf"]) == ("eu-west-1", "2026-12-01")


def test_people_read_the_items_by_stack_and_what_most_of_it_is(cli, app):
    out = cli("cost", "--template", app, *FINDINGS).out
    assert "Requests to topics" in out
    assert "USD a month, with prices of us-east-1 as of" in out
    assert "Most of it: " in out
    assert "Not included: Security Hub itself" in out


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--matching", "many", "Write 100, or 10-200, the smaller first."),
        ("--tickets", "20-10", "Write 100, or 10-200, the smaller first."),
        ("--findings", "-1", "0<=x"),
        ("--accounts", "0", "1<=x"),
        ("--prices", "missing.toml", "missing.toml can't be read"),
    ],
)
def test_what_is_no_amount_is_refused_in_one_line(cli, app, option, value, message):
    ran = cli("cost", "--template", app, *FINDINGS, option, value)
    assert (ran.code, ran.out) == (2, "")
    assert message in ran.err
