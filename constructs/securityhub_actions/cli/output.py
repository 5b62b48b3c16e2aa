"""Prints for people, or JSON for scripts."""

from __future__ import annotations

import functools
import json
import os
import sys
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import click
from rich.console import Console, ConsoleOptions, RenderableType
from rich.padding import Padding
from rich.text import Text

_Item = TypeVar("_Item")
_DEFAULT_WIDTH: Final = 100
_DEFAULT_HEIGHT: Final = 25
_LABEL_WIDTH: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """Where a command prints.

    Attributes:
        as_json: Whether scripts read the output.
        console: Prints the result to the standard output.
        notes: Prints progress and remarks to the standard error, so that the output can be piped.
    """

    as_json: bool
    console: Console = field(default_factory=lambda: _console(stderr=False))
    notes: Console = field(default_factory=lambda: _console(stderr=True))

    def show(self, document: object, *readable: RenderableType) -> None:
        """Print a result: the document as JSON, or else what is readable."""
        if self.as_json:
            is_unicode = (getattr(sys.stdout, "encoding", None) or "").lower().startswith("utf")
            click.echo(json.dumps(document, indent=2, ensure_ascii=not is_unicode))
            return
        if self.console.is_terminal:
            self.console.print(*readable, sep="\n")
            return
        with self.console.capture() as captured:
            self.console.print(*readable, sep="\n")
        click.echo("\n".join(line.rstrip() for line in captured.get().splitlines()))

    def note(self, text: str) -> None:
        """Print a remark that isn't part of the result."""
        self.notes.print(Text(text))

    @contextmanager
    def waiting(self, text: str) -> Iterator[None]:
        """Show that something goes on, if a person is watching."""
        if not self.notes.is_terminal:
            yield
            return
        with self.notes.status(Text(text)):
            yield

    def track(
        self, items: Iterable[_Item], text: str, *, total: int | None = None
    ) -> Generator[_Item, None, None]:
        """Show the progress over items, if a person is watching."""
        if not self.notes.is_terminal:
            yield from items
            return
        from rich.progress import (  # noqa: PLC0415 - takes long to import
            BarColumn,
            MofNCompleteColumn,
            Progress,
            SpinnerColumn,
            TextColumn,
        )

        columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        with Progress(*columns, console=self.notes, transient=True) as progress:
            yield from progress.track(items, total=total, description=text)


def with_output(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the option `--json` and the argument `output`."""

    @click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")
    @functools.wraps(command)
    def wrapped(*args: Any, as_json: bool, **kwargs: Any) -> Any:  # noqa: ANN401 - passed on
        return command(*args, output=Output(as_json=as_json), **kwargs)

    return wrapped


@dataclass(frozen=True, slots=True)
class _Entries:
    """Labeled values. A table of Rich's would look the same, and take five times as long."""

    labeled: Sequence[tuple[str, Text]]
    indent: int

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Text]:
        label_width = max([_LABEL_WIDTH, *(len(label) for label, _ in self.labeled)])
        width = max(options.max_width - self.indent - label_width - 1, 1)
        for label, value in self.labeled:
            left = label
            for line in value.wrap(console, width, overflow="fold"):
                yield Text.assemble(" " * self.indent, (left.ljust(label_width), "dim"), " ", line)
                left = ""


def entries(*labeled: tuple[str, object], indent: int = 2) -> RenderableType:
    """Return labeled values, each wrapped beside its label."""
    texts = [(label, value if isinstance(value, Text) else Text(str(value))) for label, value in labeled]
    return _Entries(texts, indent)


def indented(value: RenderableType, by: int) -> RenderableType:
    """Return something that is printed further to the right."""
    return Padding(value, (0, 0, 0, by), expand=False)


def _console(*, stderr: bool) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    # Without a terminal nothing says how wide a page is. Of 80, ARNs would need two lines each.
    columns = os.environ.get("COLUMNS", "")
    known = int(columns) if columns.isdigit() else 0
    width = known or (None if stream.isatty() else _DEFAULT_WIDTH)
    # Rich lets a dumb terminal be 80 wide, unless it has both figures.
    height = None if width is None else _DEFAULT_HEIGHT
    return Console(
        file=stream, width=width, height=height, highlight=False, soft_wrap=False, emoji=False, markup=False
    )
