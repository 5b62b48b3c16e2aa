"""What a rule's target receives: the event, or the result of Input, InputPath, or InputTransformer.

What AWS doesn't document is as LocalStack recorded it from AWS: how a value is put into a text, what becomes
of a text in a JSON template with a value that has quotes, and the names in `aws.events.event`.

Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html
Source: https://github.com/localstack/localstack/blob/main/tests/aws/services/events/test_events_inputs.snapshot.json
Source: https://github.com/localstack/localstack/blob/main/tests/aws/services/events/test_events_inputs.py
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

_STEP: Final = re.compile(
    r"\.(?P<name>[^.\[\]]+)|\[(?P<index>\d+|\*)\]|\[(?P<quote>['\"])(?P<quoted>.+?)(?P=quote)\]"
)
_STRING_OR_PLACEHOLDER: Final = re.compile(r'"(?:\\.|[^"\\])*"|<[^<>]*>')
PLACEHOLDER: Final = re.compile(r"<([^<>]*)>")
INPUTS: Final = ("Input", "InputPath", "InputTransformer")
"""A target has one of these settings, or none and gets the event."""
PREDEFINED: Final = frozenset(
    {
        "aws.events.rule-name",
        "aws.events.rule-arn",
        "aws.events.event.ingestion-time",
        "aws.events.event",
        "aws.events.event.json",
    }
)
"""The variables that a template has without paths."""


class InputPathError(ValueError):
    """A JSON path that EventBridge rejects."""


def resolve(path: str, event: Any) -> tuple[bool, Any]:  # noqa: ANN401 - any JSON value
    """Find a JSON path in an event.

    Args:
        path: ``$``, ``$.detail.findings[0].Id``, ``$.detail.findings[*].Id``.
        event: The event, or a part of it.

    Returns:
        Whether the path exists, and the value there. ``[*]`` collects a list.

    Raises:
        InputPathError: The path doesn't have this form.
    """
    return _walk(list(_steps(path)), event)


def _steps(path: str) -> Iterator[str | int | None]:
    """The names, the indices, and None for ``*``, of a path."""
    if not path.startswith("$"):
        raise InputPathError(f"{path!r} is not a JSON path: it must start with '$'.")
    position = 1
    while position < len(path):
        match = _STEP.match(path, position)
        if match is None:
            raise InputPathError(
                f"{path!r} is not a JSON path: expected '.name', '[0]' or '[*]' at {path[position:]!r}."
            )
        position = match.end()
        if match["index"]:
            yield None if match["index"] == "*" else int(match["index"])
        else:
            yield match["name"] or match["quoted"]


def _walk(steps: list[str | int | None], value: Any) -> tuple[bool, Any]:  # noqa: ANN401
    for position, step in enumerate(steps):
        if step is None:
            if not isinstance(value, list):
                return False, None
            found = (_walk(steps[position + 1 :], element) for element in value)
            return True, [element for is_there, element in found if is_there]
        if isinstance(step, str):
            if not isinstance(value, dict) or step not in value:
                return False, None
            value = value[step]
        else:
            if not isinstance(value, list) or step >= len(value):
                return False, None
            value = value[step]
    return True, value


def has_own_input(target: Mapping[str, Any]) -> bool:
    """Whether a target has an input of its own instead of the event."""
    return any(target.get(name) for name in INPUTS)


def target_input(
    target: Mapping[str, Any], event: Mapping[str, Any], *, rule_name: str, rule_arn: str
) -> str:
    """What the target receives.

    Args:
        target: The target as PutTargets took it.
        event: The event with its detail.
        rule_name: The rule's name, for ``<aws.events.rule-name>``.
        rule_arn: The rule's ARN, for ``<aws.events.rule-arn>``.

    Returns:
        JSON text, or plain text when the transformer's template is plain text. See `is_broken`.
    """
    if target.get("InputTransformer"):
        return _transform(target["InputTransformer"], event, rule_name=rule_name, rule_arn=rule_arn)
    if target.get("Input"):
        return str(target["Input"])
    if target.get("InputPath"):
        found, value = resolve(target["InputPath"], event)
        return json.dumps(value if found else event)
    return json.dumps(event)


def is_broken(target: Mapping[str, Any], payload: str) -> bool:
    """Whether EventBridge doesn't deliver an input, because values have made its JSON template invalid.

    A text in the template isn't escaped, so it must not get a list, an object, or a text with quotes.
    """
    template = str((target.get("InputTransformer") or {}).get("InputTemplate", ""))
    if not _is_json(template):
        return False
    try:
        json.loads(payload)
    except ValueError:
        return True
    return False


def fields_of(template: str) -> set[str]:
    """Return the names of the fields of a template that is a JSON object; none of any other."""
    try:
        filled = json.loads(_STRING_OR_PLACEHOLDER.sub(_as_string, template))
    except ValueError:
        return set()
    return set(filled) if isinstance(filled, dict) else set()


def _as_string(match: re.Match[str]) -> str:
    return match[0] if match[0].startswith('"') else '""'


def _is_json(template: str) -> bool:
    return template.lstrip().startswith(("{", "["))


def _transform(
    transformer: Mapping[str, Any], event: Mapping[str, Any], *, rule_name: str, rule_arn: str
) -> str:
    values: dict[str, Any] = {
        "aws.events.rule-name": rule_name,
        "aws.events.rule-arn": rule_arn,
        "aws.events.event.ingestion-time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "aws.events.event": {
            "detailType" if key == "detail-type" else key: value
            for key, value in event.items()
            if key != "detail"
        },
        "aws.events.event.json": event,
    }
    for name, path in (transformer.get("InputPathsMap") or {}).items():
        found, value = resolve(path, event)
        values[name] = value if found else ""
    template = str(transformer.get("InputTemplate", ""))
    if '"' not in template and "{" not in template and not PLACEHOLDER.fullmatch(template.strip()):
        # A template without quotes is text, into which strings go as they are. A variable alone is JSON:
        # https://docs.aws.amazon.com/AmazonCloudWatchEvents/latest/APIReference/API_InputTransformer.html
        return PLACEHOLDER.sub(lambda match: _in_text(match, values), template)
    keeps_quotes = _is_json(template)
    return _STRING_OR_PLACEHOLDER.sub(
        lambda match: _in_json(match, values, keeps_quotes=keeps_quotes), template
    )


def _in_json(match: re.Match[str], values: Mapping[str, Any], *, keeps_quotes: bool) -> str:
    token = match.group(0)
    if token.startswith('"'):
        return PLACEHOLDER.sub(lambda inner: _in_text(inner, values, keeps_quotes=keeps_quotes), token)
    name = token[1:-1]
    return json.dumps(values[name]) if name in values else token


def _in_text(match: re.Match[str], values: Mapping[str, Any], *, keeps_quotes: bool = False) -> str:
    name = match.group(1)
    if name not in values:
        return match.group(0)
    value = values[name]
    if isinstance(value, str):
        return value
    written = json.dumps(value, separators=(",", ":"))
    # AWS leaves the quotes of an object or array out of a text, except for those of JSON.
    return written if keeps_quotes else written.replace('"', "")
