"""The table of faults has a row for each scenario; `tests/e2e/test_faults.py` compares the numbers."""

from __future__ import annotations

from tests.e2e.fault_scenarios import SCENARIOS
from tests.e2e.fault_table import rows


def test_the_document_has_the_scenarios_in_their_order():
    assert [(name, meaning) for name, (meaning, *_) in rows().items()] == [
        (one.name, one.meaning) for one in SCENARIOS
    ]


def test_the_numbers_of_each_row_add_up_and_nothing_is_lost():
    for name, (_, *numbers) in rows().items():
        sent, done, reported, waiting, dead, lost, after = map(int, numbers)
        assert (lost, done + reported + waiting + dead, after + reported) == (0, sent, sent), name
