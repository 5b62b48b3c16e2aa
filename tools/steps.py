"""Announces the steps of something that takes long, and shows on a terminal what it's doing."""

from __future__ import annotations

import contextlib
import shutil
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from typing import Final

_WIDEST: Final = 100
_SECONDS_BETWEEN_TICKS: Final = 0.5


@contextlib.contextmanager
def step(title: str) -> Iterator[None]:
    """Announce a step, then say how long it took."""
    say("\n".join(textwrap.wrap(f"{title} ...", width(), initial_indent="  ", subsequent_indent="  ")))
    started = time.monotonic()
    with _Clock():
        yield
    say(f"    done in {time.monotonic() - started:.1f} s")


class _Clock:
    """Shows on a terminal what a step is doing and for how long; elsewhere it would only fill the log."""

    current: _Clock | None = None

    def __init__(self) -> None:
        self.text = ""
        self._started = time.monotonic()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> None:
        if sys.stdout.isatty():
            _Clock.current = self
            self._thread.start()

    def __exit__(self, *_: object) -> None:
        _Clock.current = None
        if self._thread.is_alive():
            self._ended.set()
            self._thread.join()
            print("\r\033[K", end="", flush=True)

    def _run(self) -> None:
        while not self._ended.wait(_SECONDS_BETWEEN_TICKS):
            line = f"    {time.monotonic() - self._started:3.0f} s  {self.text}"
            # Without the last column: a line that fills it wraps, and can't be erased any more.
            print(f"\r\033[K{line[: width() - 1]}", end="", flush=True)


def progress(text: str) -> None:
    """Show on a terminal what the present step is doing."""
    if _Clock.current is not None:
        _Clock.current.text = text.strip()


def width() -> int:
    """Return how wide lines can be: as the terminal, but not wider than can be read."""
    return min(shutil.get_terminal_size((_WIDEST, 24)).columns, _WIDEST)


def say(text: str) -> None:
    """Print lines at once, also into a pipe, and wrap those that are wider than the terminal."""
    lines = text.split("\n")
    print("\n".join(textwrap.fill(one, width()) if len(one) > width() else one for one in lines), flush=True)
