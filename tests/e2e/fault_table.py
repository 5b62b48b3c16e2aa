"""The table in docs/faults.md, of which each scenario writes its own row."""

from __future__ import annotations

from typing import Final

from tests.docs.documents import DOCS, table_in
from tests.docs.generated import between_marks, replace_between_marks
from tests.e2e.fault_scenarios import SCENARIOS

DOCUMENT: Final = DOCS / "faults.md"
_HEADINGS: Final = (
    "Fault",
    "What happens",
    "Sent",
    "Done",
    "Reported",
    "Waiting",
    "Dead-lettered",
    "Lost",
    "Done afterwards",
)


def rows():
    """Return what the document says of each fault, by name."""
    return {name: rest for name, *rest in table_in(between_marks(DOCUMENT, "faults"), _HEADINGS[0])}


def write_row(scenario, numbers):
    """Write the row of a scenario, and keep those of the others."""
    known = rows() | {scenario.name: [scenario.meaning, *numbers]}
    lines = [(one.name, *known[one.name]) for one in SCENARIOS if one.name in known]
    written = [f"| {' | '.join(line)} |" for line in (_HEADINGS, *lines)]
    written.insert(1, "|---" * len(_HEADINGS) + "|")
    replace_between_marks(DOCUMENT, "faults", "\n".join(written))
