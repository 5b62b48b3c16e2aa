"""Measures the complexity of wildcards. EventBridge rejects rules whose wildcards are too complex."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, TypeAlias

from securityhub_actions.patterns.conditions import AnythingBut, Condition, Wildcard

MOST_WILDCARD_PREFIXES: Final = 10
"""The largest complexity accepted here.

AWS documents that such rules are rejected, but not the limit. Ten is consistent with rules that were accepted
and rejected in practice. https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html
"""

_ASTERISK: Final = None
_Tokens: TypeAlias = tuple[str | None, ...]
_Position: TypeAlias = tuple[int, int]


def wildcard_complexity(conditions: Iterable[Condition]) -> int:
    """The maximum number of prefixes of the wildcards in a list that can match the same string.

    This is the measure of the engine's ``MachineComplexityEvaluator``. Counting stops a little above
    :data:`MOST_WILDCARD_PREFIXES`.
    """
    patterns = [_tokens(wildcard) for wildcard in _wildcards(conditions)]
    alphabet = {token for tokens in patterns for token in tokens}
    start = frozenset((index, 0) for index in range(len(patterns)))
    seen, pending, most = {start}, [start], 0
    while pending and most <= MOST_WILDCARD_PREFIXES:
        active = pending.pop()
        for character in alphabet:
            following = frozenset(_advance(active, character, patterns))
            most = max(most, len(following))
            if following not in seen:
                seen.add(following)
                pending.append(following)
    return most


def _wildcards(conditions: Iterable[Condition]) -> Iterator[Wildcard]:
    for condition in conditions:
        if isinstance(condition, Wildcard):
            yield condition
        elif isinstance(condition, AnythingBut):
            yield from _wildcards(condition.excluded)


def _tokens(wildcard: Wildcard) -> _Tokens:
    """The characters of the JSON string, including its quotation marks; each asterisk is one token."""
    tokens: list[str | None] = ['"']
    for index, piece in enumerate(wildcard.pieces):
        tokens.extend(([_ASTERISK] if index else []) + list(piece))
    return (*tokens, '"')


def _advance(
    active: Iterable[_Position], character: str | None, patterns: list[_Tokens]
) -> Iterator[_Position]:
    """The prefixes that match after one more character; ``None`` is a character that is in no pattern."""
    for index, length in active:
        tokens = patterns[index]
        if length and tokens[length - 1] is _ASTERISK:
            yield index, length
        if length < len(tokens) and character is not None and tokens[length] == character:
            yield index, length + 1
            if length + 1 < len(tokens) and tokens[length + 1] is _ASTERISK:
                yield index, length + 2
