"""Decides whether one string can match two conditions, and finds one that does.

Each condition on strings is a regular language, so walking their automata in parallel decides the question.
As EventBridge does, the automata read strings with their quotation marks.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Final, TypeAlias

from securityhub_actions.patterns.conditions import (
    AnythingBut,
    Condition,
    EqualsIgnoreCase,
    Exact,
    Exists,
    Prefix,
    Suffix,
    Wildcard,
)

_Step: TypeAlias = frozenset[str] | None
"""The characters that may come next; None for any characters, or none."""
_Steps: TypeAlias = Sequence[_Step]
_Positions: TypeAlias = frozenset[tuple[int, int]]

_ANY: Final = None
_QUOTE: Final = (frozenset('"'),)
_MOST_STATES: Final = 20_000


class UndecidedError(Exception):
    """It isn't decided here whether a string matches both conditions."""


def text_of_both(left: Condition, right: Condition) -> str | None:
    """The shortest string that matches both conditions, or None if there is none.

    Raises:
        UndecidedError: A condition doesn't compare characters, such as `cidr`; it ignores the case of a
            character whose other case has several characters; or the search takes too long.
    """
    automata = [_Automaton([[*_QUOTE, _ANY, *_QUOTE]]), _Automaton.of(left), _Automaton.of(right)]
    named = {character for automaton in automata for character in automaton.characters()}
    alphabet = sorted(named | {_other_than(named)}, key=lambda one: (not one.isalnum(), one))
    start = tuple(automaton.start() for automaton in automata)
    reached: dict[tuple[_Positions, ...], str] = {start: ""}
    pending = deque([start])
    while pending:
        state = pending.popleft()
        if all(one.accepts(at) for one, at in zip(automata, state, strict=True)):
            return reached[state][1:-1]
        if len(reached) > _MOST_STATES:
            raise UndecidedError
        for character in alphabet:
            following = tuple(one.after(at, character) for one, at in zip(automata, state, strict=True))
            # A condition without positions can't match any more, unless it excludes strings.
            possible = all(at or one.excludes for one, at in zip(automata, following, strict=True))
            if possible and following not in reached:
                reached[following] = reached[state] + character
                pending.append(following)
    return None


def _other_than(named: set[str]) -> str:
    """A character that is in no condition."""
    letters = (chr(code) for code in range(ord("a"), 0x10FFFF))
    return next(letter for letter in letters if letter not in named)


class _Automaton:
    """Accepts strings that follow one of the sequences of steps or, with `excludes`, none of them."""

    def __init__(self, sequences: Sequence[_Steps], *, excludes: bool = False) -> None:
        self._sequences = sequences
        self.excludes = excludes

    @classmethod
    def of(cls, condition: Condition) -> _Automaton:
        if isinstance(condition, AnythingBut):
            return cls([_steps(one) for one in condition.excluded], excludes=True)
        return cls([_steps(condition)])

    def characters(self) -> Iterator[str]:
        for sequence in self._sequences:
            for step in sequence:
                yield from step or ()

    def start(self) -> _Positions:
        return frozenset(self._and_skipped((index, 0) for index in range(len(self._sequences))))

    def after(self, positions: _Positions, character: str) -> _Positions:
        return frozenset(self._and_skipped(self._moved(positions, character)))

    def accepts(self, positions: _Positions) -> bool:
        return any(at == len(self._sequences[index]) for index, at in positions) != self.excludes

    def _moved(self, positions: _Positions, character: str) -> Iterator[tuple[int, int]]:
        for index, at in positions:
            step = self._sequences[index][at] if at < len(self._sequences[index]) else frozenset[str]()
            if step is _ANY:
                yield index, at
            elif character in step:
                yield index, at + 1

    def _and_skipped(self, positions: Iterator[tuple[int, int]]) -> Iterator[tuple[int, int]]:
        """The positions, and those after wildcards at these positions, which match no characters as well."""
        for index, start in positions:
            at = start
            yield index, at
            while at < len(self._sequences[index]) and self._sequences[index][at] is _ANY:
                at += 1
                yield index, at


def _steps(condition: Condition) -> _Steps:
    match condition:
        case Exists(present=True):
            return [_ANY]
        case Exact(value=str(text)) if not condition.address_digits:
            return [*_QUOTE, *_each(text), *_QUOTE]
        case EqualsIgnoreCase(text=text):
            return [*_QUOTE, *_each(text, ignore_case=True), *_QUOTE]
        case Prefix(text=text, ignore_case=ignore_case):
            return [*_QUOTE, *_each(text, ignore_case=ignore_case), _ANY]
        case Suffix(text=text, ignore_case=ignore_case):
            return [_ANY, *_each(text, ignore_case=ignore_case), *_QUOTE]
        case Wildcard(pieces=pieces):
            steps: list[_Step] = [*_QUOTE, *_each(pieces[0])]
            for piece in pieces[1:]:
                steps += [_ANY, *_each(piece)]
            return [*steps, *_QUOTE]
        case _:
            raise UndecidedError


def _each(text: str, *, ignore_case: bool = False) -> list[_Step]:
    return [_cases(character) if ignore_case else frozenset(character) for character in text]


def _cases(character: str) -> frozenset[str]:
    """Both cases of a character, each of which must be one character. See conditions._ignoring_case."""
    cases = {character.lower(), character.upper()}
    if ord(character) > 0xFFFF or any(len(case) != 1 for case in cases):  # noqa: PLR2004
        raise UndecidedError
    return frozenset(cases)
