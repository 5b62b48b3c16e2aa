"""JSON that contains values from the event, as the input of a target.

EventBridge replaces variables in an input template. A variable outside a string becomes a JSON value: a
string is quoted, and an object or list is kept as it is. A variable inside a string isn't escaped, so a quote
or line break in the event would make the JSON invalid, and `<` and `>` can't be escaped at all. Therefore, in
this module, a value from the event is always a value of its own, and other strings can't contain `<...>`.

Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Annotated, Final, TypeAlias

from aws_cdk import Fn, Tokenization
from aws_cdk import aws_events as events
from aws_cdk.interfaces.aws_events import IRuleRef

from securityhub_actions.argument_words import described
from securityhub_actions.arguments import checked, checked_fields, require
from securityhub_actions.tokens import is_list_token, is_number_token

MAX_TEMPLATE_LENGTH: Final = 8192
MAX_INPUT_PATHS: Final = 100
_WHOLE_EVENT: Final = "aws.events.event.json"
_PATH: Final = re.compile(r"\$(\.[A-Za-z0-9_/-]+(\[(\d+|\*)\])*)*")
_BETWEEN_TEXTS: Final = '","'
_VARIABLE: Final = re.compile(r"<[^<>]*>")


@checked_fields
@dataclass(frozen=True, slots=True)
class InputPath:
    """A value from the event: `$.detail.findings[0].Title`, `$.detail.findings[*].Id`, or `$` for the event.

    Raises:
        ValueError: The path isn't a valid input path.
    """

    path: str

    def __post_init__(self) -> None:
        if not _PATH.fullmatch(self.path):
            raise ValueError(
                f"{self.path!r} is not a valid EventBridge input path. Use '$', followed by names with a "
                "leading dot and an optional [0] or [*], such as '$.detail.findings[0].Title'."
            )


if TYPE_CHECKING:
    Json: TypeAlias = "str | int | float | bool | Mapping[str, Json] | Sequence[Json] | InputPath | None"
    """JSON in which an `InputPath` represents a value from the event."""
else:
    # Annotations can't be recursive at run time, so a function checks them.
    Json = Annotated[object, lambda name, value: check_json(name, value)]  # noqa: PLW0108 - defined below


class JsonInput(events.RuleTargetInput):
    """The input of a target: JSON in which EventBridge replaces each `InputPath` with its value."""

    @checked
    def __init__(self, body: Json) -> None:
        """Create the input template.

        Args:
            body: The JSON.

        Raises:
            ValueError: The body isn't JSON; a string in it contains `<...>`, which EventBridge would
                interpret as a variable; or it has more than 100 input paths or 8,192 characters.
        """
        super().__init__()
        self._variables = _named(input_paths(body))
        self._template = _written(body, self._variables)
        if len(self._template) > MAX_TEMPLATE_LENGTH or len(self.input_paths_map) > MAX_INPUT_PATHS:
            raise ValueError(
                f"The body needs {len(self.input_paths_map)} input paths and a template of "
                f"{len(self._template)} characters. EventBridge allows {MAX_INPUT_PATHS} and "
                f"{MAX_TEMPLATE_LENGTH}. Send larger parts of the event, such as $.detail, or all of it."
            )

    @property
    def input_template(self) -> str:
        """The template that is passed to EventBridge."""
        return self._template

    @property
    def input_paths_map(self) -> dict[str, str]:
        """The path of each variable, except for those that EventBridge predefines."""
        return {name: path.path for path, name in self._variables.items() if name != _WHOLE_EVENT}

    def bind(self, rule: IRuleRef) -> events.RuleTargetInputProperties:  # noqa: ARG002 - as CDK has it
        """Describe the input. Called by the CDK."""
        return events.RuleTargetInputProperties(
            input_template=self.input_template, input_paths_map=self.input_paths_map
        )


def check_json(name: str, body: object) -> None:
    """Raise ValueError unless a value is JSON in which an `InputPath` represents a value from the event.

    Args:
        name: The name of the argument, for the error.
        body: The value.
    """
    match body:
        case None | str() | bool() | int() | InputPath():
            return
        case float() if isfinite(body):
            return
        case Mapping():
            for key, value in body.items():
                require(f"a key of {name}", key, str)
                check_json(f"{name}[{described(key, name)}]", value)
        case Sequence() if not isinstance(body, bytes | bytearray):
            for index, value in enumerate(body):
                check_json(f"{name}[{index}]", value)
        case _:
            raise ValueError(
                f"{name} must be a string, a number, a bool, None, a list, a dict, or an InputPath, not "
                f"{described(body, name)}."
            )


def input_paths(body: Json) -> Iterator[InputPath]:
    """The input paths in a body, in order."""
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
        case float() if is_number_token(body):
            return Tokenization.stringify_number(body)
        case str() | int() | float() | None:
            return _literal(body)
        case [str(text)] if is_list_token(text):
            return f'["{Fn.join(_BETWEEN_TEXTS, [text])}"]'
        case _:
            return f"[{','.join(_written(value, variables) for value in body)}]"


def _literal(value: str | float | None) -> str:
    if isinstance(value, str) and (found := _VARIABLE.search(value)):
        raise ValueError(
            f"The string {value!r} contains {found[0]!r}, which EventBridge would interpret as a variable "
            "and can't escape. Remove the < or >. For a value from the event, use InputPath as a separate "
            "value."
        )
    return json.dumps(value, ensure_ascii=False)
