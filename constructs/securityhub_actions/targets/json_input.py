"""JSON with values of the event in it, as the input of a target.

EventBridge replaces variables in a template of text. It writes a variable that stands alone as a JSON value:
a text gets its quotes, an object or a list stays what it is. It escapes nothing that it puts into a string,
where a quote or a line break of the event would break the JSON, and it cannot escape `<` and `>`. Hence the
rule of this module: a value of the event stands alone, and other texts hold no `<...>`.

Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from aws_cdk import aws_events as events
from aws_cdk.interfaces.aws_events import IRuleRef

MAX_TEMPLATE_LENGTH: Final = 8192
MAX_INPUT_PATHS: Final = 100
_WHOLE_EVENT: Final = "aws.events.event.json"
_PATH: Final = re.compile(r"\$(\.[A-Za-z0-9_/-]+(\[(\d+|\*)\])*)*")
_VARIABLE: Final = re.compile(r"<[^<>]*>")


@dataclass(frozen=True, slots=True)
class InputPath:
    """A value of the event: `$.detail.findings[0].Title`, `$.detail.findings[*].Id`, or `$` for the event.

    Raises:
        ValueError: The path is not of this form.
    """

    path: str

    def __post_init__(self) -> None:
        if not _PATH.fullmatch(self.path):
            raise ValueError(
                f"{self.path!r} is not an input path of EventBridge. Allowed are '$', names after a dot, and "
                "[0] or [*] after a name, for example '$.detail.findings[0].Title'."
            )


Json: TypeAlias = "str | int | float | bool | Mapping[str, Json] | Sequence[Json] | InputPath | None"
"""JSON, in which an `InputPath` stands for a value of the event."""


class JsonInput(events.RuleTargetInput):
    """The input of a target: JSON, in which each `InputPath` becomes the value that the event has there."""

    def __init__(self, body: Json) -> None:
        """Write the template.

        Args:
            body: The JSON.

        Raises:
            ValueError: A text of the body holds `<...>`, which EventBridge reads as a variable; or the body
                has more than 100 input paths, or a template of more than 8,192 characters.
        """
        super().__init__()
        self._variables = _named(input_paths(body))
        self._template = _written(body, self._variables)
        if len(self._template) > MAX_TEMPLATE_LENGTH or len(self.input_paths_map) > MAX_INPUT_PATHS:
            raise ValueError(
                f"The body needs {len(self.input_paths_map)} input paths and a template of "
                f"{len(self._template)} characters. EventBridge allows {MAX_INPUT_PATHS} and "
                f"{MAX_TEMPLATE_LENGTH}: send larger parts of the event, such as $.detail, or all of it."
            )

    @property
    def input_template(self) -> str:
        """The template as EventBridge gets it."""
        return self._template

    @property
    def input_paths_map(self) -> dict[str, str]:
        """The path of each variable that EventBridge does not define itself."""
        return {name: path.path for path, name in self._variables.items() if name != _WHOLE_EVENT}

    def bind(self, rule: IRuleRef) -> events.RuleTargetInputProperties:  # noqa: ARG002 - as CDK has it
        """Describe the input; called by CDK."""
        return events.RuleTargetInputProperties(
            input_template=self.input_template, input_paths_map=self.input_paths_map
        )


def input_paths(body: Json) -> Iterator[InputPath]:
    """The values of the event that a body holds, in order."""
    match body:
        case InputPath():
            yield body
        case Mapping():
            for value in body.values():
                yield from input_paths(value)
        case Sequence() if not isinstance(body, str):
            for value in body:
                yield from input_paths(value)


def _named(paths: Iterator[InputPath]) -> dict[InputPath, str]:
    """A readable variable for each path, such as `detail-findings-0-Title`."""
    names: dict[InputPath, str] = {}
    for path in paths:
        if path.path == "$":
            names[path] = _WHOLE_EVENT
        elif path not in names:
            name = re.sub(r"[^A-Za-z0-9_]+", "-", path.path).strip("-")
            names[path] = f"{name}-{len(names)}" if name in names.values() else name
    return names


def _written(body: Json, variables: Mapping[InputPath, str]) -> str:
    match body:
        case InputPath():
            return f"<{variables[body]}>"
        case Mapping():
            members = (f"{_literal(name)}:{_written(value, variables)}" for name, value in body.items())
            return f"{{{','.join(members)}}}"
        case str() | int() | float() | None:
            return _literal(body)
        case _:
            return f"[{','.join(_written(value, variables) for value in body)}]"


def _literal(value: str | float | None) -> str:
    if isinstance(value, str) and (found := _VARIABLE.search(value)):
        raise ValueError(
            f"The text {value!r} holds {found[0]!r}, which EventBridge reads as a variable and cannot "
            "escape. Leave the < or > out; for a value of the event use InputPath as a value of its own."
        )
    return json.dumps(value, ensure_ascii=False)
