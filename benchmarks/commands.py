"""Time what a newcomer runs, in a fresh clone with warm package caches: `make demo` twice, then `make test`.

Prints seconds, and the second demo as a part of the first. Takes some minutes: python benchmarks/commands.py
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent


def seconds_of(target: str, folder: Path) -> float:
    """Run `make TARGET` in a folder and return how long it took."""
    started = time.monotonic()
    done = subprocess.run(  # noqa: S603
        ["make", f"PYTHON={sys.executable}", target],  # noqa: S607
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"make {target} failed:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
    return time.monotonic() - started


def main() -> None:
    """Clone the committed state and time the commands there."""
    with tempfile.TemporaryDirectory() as folder:
        clone = Path(folder, "clone")
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)  # noqa: S603, S607
        first = seconds_of("demo", clone)
        print(f"make demo, first (builds the environment)  {first:6.1f} s", flush=True)
        second = seconds_of("demo", clone)
        print(
            f"make demo, again                           {second:6.1f} s  {second / first:.2f} of the first"
        )
        print(f"make test                                  {seconds_of('test', clone):6.1f} s")


if __name__ == "__main__":
    main()
