"""What the functions of this project do for one finding, counted and not guessed where that is possible."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from securityhub_actions.cli.cost.amounts import Range

_REQUESTS_FILE: Final = Path(__file__).with_name("requests.toml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What a function does for one finding, or for one invocation by a schedule.

    Attributes:
        seconds: How long it takes.
        log_kb: How many kilobytes of logs it writes.
        operations: How often it asks for an operation, such as `dynamodb:PutItem`.
    """

    seconds: Range
    log_kb: Range
    operations: Mapping[str, float]


def load_work() -> Mapping[str, Mapping[str, Work]]:
    """Return what each function does, by its handler and by what becomes of the finding."""
    document = tomllib.loads(_REQUESTS_FILE.read_text(encoding="utf-8"))
    return {
        handler: {
            kind: Work(
                seconds=Range(*row["seconds"]),
                log_kb=Range(*row["log_kb"]),
                operations=row.get("operations", {}),
            )
            for kind, row in kinds.items()
        }
        for handler, kinds in document.items()
    }
