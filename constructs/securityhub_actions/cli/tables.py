"""Tables that can be read on a page of any width."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from rich.console import Console, ConsoleOptions, RenderableType
from rich.table import Table
from rich.text import Text

from securityhub_actions.cli.output import entries

_GAP: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of a table.

    Attributes:
        title: What its values are.
        least: In how many characters a value can still be read. Narrower, it would be broken too often.
        folds: Whether a value can be broken at all.
    """

    title: str
    least: int
    folds: bool = True


@dataclass(frozen=True, slots=True)
class Listing:
    """Rows below each other as a table or, where the page is too narrow for one, as labeled values.

    Attributes:
        columns: The columns. The first one names a row.
        rows: The values of each row, one for each column.
    """

    columns: Sequence[Column]
    rows: Sequence[Sequence[Text | str]]

    def __rich_console__(self, _console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        needed = sum(self._widths()) + _GAP * (len(self.columns) - 1)
        yield from [self._table()] if needed <= options.max_width else self._cards()

    def _widths(self) -> Iterator[int]:
        for number, column in enumerate(self.columns):
            longest = max((_text(row[number]).cell_len for row in self.rows), default=0)
            yield max(len(column.title), column.least if column.folds else longest)

    def _table(self) -> Table:
        table = Table(box=None, padding=(0, _GAP, 0, 0), pad_edge=False, header_style="dim")
        for column in self.columns:
            table.add_column(column.title, overflow="fold", no_wrap=not column.folds)
        for row in self.rows:
            table.add_row(*map(_text, row))
        return table

    def _cards(self) -> Iterator[RenderableType]:
        for number, row in enumerate(self.rows):
            if number:
                yield Text("")
            title = _text(row[0])
            title.stylize("bold")
            title.overflow = "fold"
            yield title
            labeled = [
                (column.title.lower(), _text(value))
                for column, value in zip(self.columns[1:], row[1:], strict=True)
            ]
            yield entries(*((label, value) for label, value in labeled if value.plain))


def _text(value: Text | str) -> Text:
    return value.copy() if isinstance(value, Text) else Text(value)


def within(path: str, stack: str) -> str:
    """Return a construct path without the name of the stack, below which it's listed."""
    return path.removeprefix(f"{stack}/") if stack else path


def by_stack(
    columns: Sequence[Column], rows: Sequence[tuple[str, Sequence[Text | str]]]
) -> Iterator[RenderableType]:
    """Return a listing for each stack, below its name.

    Args:
        columns: The columns.
        rows: The name of the stack and the values of each row. An empty name is of no stack in particular.
    """
    stacks = list(dict.fromkeys(stack for stack, _ in rows))
    for number, stack in enumerate(stacks):
        if number:
            yield Text("")
        if stack:
            yield Text(f"{stack}\n", style="bold underline", overflow="fold")
        yield Listing(columns, [values for its_stack, values in rows if its_stack == stack])
