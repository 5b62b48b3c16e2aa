"""Lets another invocation in between two calls of the one that is under way."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any


class Intrusions:
    """Counts the calls that leave the process, and does something else before or after one of them.

    Attributes:
        intrude: what is done.
        left: before so many more calls, or ends of calls; None for never.
    """

    def __init__(self, owners: Iterable[tuple[Any, str]], monkeypatch: Any) -> None:
        self.intrude: Callable[[], None] = lambda: None
        self.left: int | None = None
        for owner, name in owners:
            monkeypatch.setattr(owner, name, self._intruded(getattr(owner, name)))

    def _intruded(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def intruded(*arguments: Any, **settings: Any) -> Any:
            self._pass()
            answer = call(*arguments, **settings)
            self._pass()
            return answer

        return intruded

    def _pass(self) -> None:
        if self.left is None:
            return
        self.left -= 1
        if self.left < 0:
            self.left = None
            self.intrude()
