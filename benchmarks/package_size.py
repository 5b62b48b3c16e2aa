"""State what is deployed to Lambda: the layers and the code of the functions, zipped as the CDK CLI does.

Beside each layer are the same distributions as pip installs them, with their compiled extensions, so that the
ratio says what leaving out is worth. Lambda takes 250 MB for a function with its layers, unzipped.

Run it with `python benchmarks/package_size.py`.

Source: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
"""

from __future__ import annotations

import io
import sys
import tempfile
import zipfile
from collections.abc import Iterable
from importlib.metadata import distribution
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from stacks.dependency_layer import (  # noqa: E402 - after the project's folder is known
    DISTRIBUTIONS,
    TICKET_DISTRIBUTIONS,
    copy_distributions,
)

_KILOBYTE: Final = 1024


def sizes(files: Iterable[Path]) -> tuple[float, float]:
    """Return how large files are zipped, and unzipped, in KB."""
    archive, unzipped = io.BytesIO(), 0
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as opened:
        for number, file in enumerate(files):
            opened.write(file, str(number) + file.suffix)
            unzipped += file.stat().st_size
    return archive.tell() / _KILOBYTE, unzipped / _KILOBYTE


def installed(names: Iterable[str]) -> list[Path]:
    """Return the files of distributions as pip installs them, without compiled modules."""
    located = (Path(str(file.locate())) for name in names for file in distribution(name).files or ())
    return [file for file in located if file.is_file() and file.suffix != ".pyc"]


def main() -> None:
    """Print a table."""
    print(f"KB{'':<38}{'zipped':>8}{'unzipped':>10}{'as installed':>14}{'ratio':>7}")
    for title, names in (
        ("layer of all functions", DISTRIBUTIONS),
        ("layer of tickets, in addition", TICKET_DISTRIBUTIONS),
    ):
        with tempfile.TemporaryDirectory() as folder:
            copy_distributions(names, Path(folder))
            zipped, unzipped = sizes(file for file in Path(folder).rglob("*") if file.is_file())
        whole, _ = sizes(installed(names))
        print(f"{title:<40}{zipped:>8,.0f}{unzipped:>10,.0f}{whole:>14,.0f}{zipped / whole:>7.2f}")
    zipped, unzipped = sizes((ROOT / "lambda").rglob("*.py"))
    print(f"{'code of all functions':<40}{zipped:>8,.0f}{unzipped:>10,.0f}")


if __name__ == "__main__":
    main()
