"""The command `securityhub-actions`, also `python -m securityhub_actions.cli`."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence
from typing import Final

_NEEDED: Final = ("boto3", "click", "rich")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        print(  # noqa: T201 - a command prints
            f'error: {", ".join(missing)} not installed: run `pip install "securityhub-actions[cli]"`',
            file=sys.stderr,
        )
        return 2
    from securityhub_actions.cli.commands import run  # noqa: PLC0415 - not installed with the library alone

    return run(arguments)


if __name__ == "__main__":
    sys.exit(main())
