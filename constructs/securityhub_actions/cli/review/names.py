"""ARNs and references in texts, replaced with the paths of the constructs that they lead to."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from securityhub_actions.cli.assembly import App
from securityhub_actions.cli.review.resources import resources_of

_PLACEHOLDER: Final = re.compile(r"\$\{(?P<id>\w+)(?:\.[\w.]+)?\}")
_ADDRESS: Final = re.compile(r"(?:arn:|https://sqs\.)\S*?\$\{(?P<id>(?!AWS::)\w+)(?:\.[\w.]+)?\}(?::\*$)?")


class Names:
    """The construct paths of an app's resources."""

    def __init__(self, apps: Iterable[App]) -> None:
        self._own: dict[tuple[str, str], str] = {}
        self._all: dict[str, str] = {}
        for app in apps:
            for stack in app.stacks:
                for one in resources_of(stack):
                    self._own[stack.name, one.logical_id] = one.path
                    self._all[one.logical_id] = one.path

    def readable(self, text: str, *, stack: str) -> str:
        """Return a text in which paths stand for ARNs and references."""

        def path_of(match: re.Match[str]) -> str:
            found = self._own.get((stack, match["id"])) or self._all.get(match["id"])
            return found or match[0]

        return _PLACEHOLDER.sub(path_of, _ADDRESS.sub(path_of, text))

    def value(self, value: Any, *, stack: str) -> str:  # noqa: ANN401 - any JSON value
        """Return a value as JSON, or as text if it's one, with paths for references."""
        if isinstance(value, str):
            return f'"{self.readable(value, stack=stack)}"'
        return self.readable(json.dumps(value, ensure_ascii=False), stack=stack)


def short_path(path: str) -> str:
    """Return the path of the construct that a reader knows: `CustomActionRule`, not what is in it."""
    return re.sub(r"(?:/Rule|/Action/ActionTarget|/Action)$", "", path)


def as_mapping(value: object) -> Mapping[str, Any]:
    """Return an object, or an empty one if it's something else."""
    return value if isinstance(value, Mapping) else {}
