"""The rules of an app, in the account and the Region of an event."""

from __future__ import annotations

from collections.abc import Sequence

from securityhub_actions.cli.assembly import Action
from securityhub_actions.cli.errors import CommandError
from securityhub_actions.cli.explanation import CompiledRule
from securityhub_actions.cli.options import Template


class Rules:
    """The rules of an app, compiled once for each place.

    Args:
        source: The app.
        only: A part of the paths of the rules, or None for all rules.

    Attributes:
        paths: The construct paths of the rules.

    Raises:
        CommandError: There are no such rules.
    """

    def __init__(self, source: Template, *, only: str | None = None) -> None:
        self._source = source
        self._only = only
        self._compiled: dict[int, list[CompiledRule]] = {}
        paths = [rule.path for rule in source.app().rules]
        self.paths = [path for path in paths if only is None or only in path]
        if not self.paths:
            listed = ", ".join(paths) or "none"
            text = "The app has no rules." if only is None else f"No rule has {only!r} in its path."
            raise CommandError(f"{text} Its rules are: {listed}.")

    def at(self, *, account: str, region: str) -> list[CompiledRule]:
        """Return the rules, as they are in an account and a Region."""
        app = self._source.app(account=account, region=region)
        if id(app) not in self._compiled:
            self._compiled[id(app)] = [
                CompiledRule(rule) for rule in app.rules if self._only is None or self._only in rule.path
            ]
        return self._compiled[id(app)]

    def actions(self, *, account: str, region: str) -> Sequence[Action]:
        """Return the custom actions, as they are in an account and a Region."""
        return self._source.app(account=account, region=region).actions
