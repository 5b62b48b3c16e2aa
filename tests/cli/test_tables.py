"""Tables on pages of any width."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from securityhub_actions.cli.tables import Column, Listing, by_stack, within

COLUMNS = (Column(title="ID", least=4, folds=False), Column(title="TARGETS", least=20))
ROWS = [("Ticket", "SQS queue Tickets"), ("Notify", "SNS topic " + "Alerts" * 10)]


def printed(*renderables, width):
    stream = io.StringIO()
    Console(file=stream, width=width, color_system=None).print(*renderables, sep="\n")
    return [line.rstrip() for line in stream.getvalue().splitlines()]


def test_a_wide_page_has_a_table_with_a_heading():
    lines = printed(Listing(COLUMNS, ROWS), width=60)
    assert lines[:2] == ["ID      TARGETS", "Ticket  SQS queue Tickets"]


def test_a_narrow_page_has_labeled_values_below_what_names_the_row():
    lines = printed(Listing(COLUMNS, ROWS), width=27)
    assert lines[:2] == ["Ticket", "  targets    SQS queue"]


@pytest.mark.parametrize("width", [12, 27, 28, 40, 60, 80, 120])
def test_nothing_is_cut_off_and_nothing_is_wider_than_the_page(width):
    lines = printed(Listing(COLUMNS, ROWS), width=width)
    assert max(map(len, lines)) <= width
    assert "Alerts" * 10 in "".join("".join(line.removeprefix("Notify").split()) for line in lines[1:])


def test_a_label_without_a_value_is_omitted_on_a_narrow_page():
    assert printed(Listing(COLUMNS, [("Ticket", "")]), width=20) == ["Ticket"]


def test_each_stack_has_its_own_listing_below_its_name():
    rows = [("One", ROWS[0]), ("Two", ROWS[1]), ("One", ("Late", "x"))]
    lines = printed(*by_stack(COLUMNS, rows), width=100)
    assert [line for line in lines if line in {"One", "Two"}] == ["One", "Two"]
    assert lines.index("Late    x") < lines.index("Two")


def test_a_path_is_shown_without_the_stack_below_which_it_is():
    assert (within("Stack/Ticket", "Stack"), within("Other/Ticket", "Stack")) == ("Ticket", "Other/Ticket")
