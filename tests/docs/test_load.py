"""The table of simulated bursts in the documents is what the simulation says.

Rewrite it with `.venv/bin/python -m pytest tests/docs/test_load.py --snapshot-update`.
"""

from __future__ import annotations

from tests.docs.documents import DOCS
from tests.docs.generated import between_marks, replace_between_marks
from tools.burst.model import load_quotas
from tools.burst.table import WAYS, advised_concurrency, markdown

DOCUMENT = DOCS / "load.md"


def test_the_document_has_the_table_of_bursts(pytestconfig):
    table = markdown()
    if pytestconfig.getoption("update_snapshots"):
        replace_between_marks(DOCUMENT, "bursts", table)
    assert between_marks(DOCUMENT, "bursts") == table


def test_the_document_has_the_quotas(pytestconfig):
    lines = [
        ("Quota", "Value", "Adjustable"),
        ("---", "---", "---"),
        *(
            (f"[{quota.unit}]({quota.page})", f"{quota.value:,}", "yes" if quota.adjustable else "no")
            for quota in load_quotas().values()
        ),
    ]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    if pytestconfig.getoption("update_snapshots"):
        replace_between_marks(DOCUMENT, "quotas", table)
    assert between_marks(DOCUMENT, "quotas") == table


def test_the_document_advises_the_concurrency_that_the_simulation_does():
    text = DOCUMENT.read_text()
    for way in WAYS:
        assert f"{advised_concurrency(way)} for {way.name.lower()}" in text
