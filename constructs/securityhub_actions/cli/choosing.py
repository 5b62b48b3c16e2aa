"""Finds the rule of an account that a person means."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from securityhub_actions.cli.errors import CommandError

_Rule = TypeVar("_Rule")


def chosen(given: str, rules: Sequence[tuple[str, str, _Rule]], *, kind: str, among: str) -> _Rule:
    """Return the rule with a name or ARN, or else the only one with a text in its name.

    Args:
        given: What the person said.
        rules: The name, the ARN, and the rule itself, of each.
        kind: What such a rule is called, such as `rule`.
        among: What all of them are, at the beginning of a sentence, such as `Rules in eu-west-1`.

    Raises:
        CommandError: There is none, or several.
    """
    found = [one for one in rules if given in one[:2]] or [one for one in rules if given in one[0]]
    if len(found) == 1:
        return found[0][2]
    names = ", ".join(name for name, *_ in found or rules) or "none"
    which = f"Several rules have {given!r} in their name" if found else f"No {kind} is {given!r}"
    raise CommandError(f"{which}. {among} are: {names}.")
