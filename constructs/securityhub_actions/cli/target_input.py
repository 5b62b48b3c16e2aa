"""What the target of a rule receives.

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
from typing import Any, Final

_STEP: Final = re.compile(
    r"\.(?P<name>[^.\[\]]+)|\[(?P<index>\d{1,9}|\*)\]|\[(?P<quote>['\"])(?P<quoted>.+?)(?P=quote)\]"
)
_STRING_OR_VARIABLE: Final = re.compile(r'"(?:\\.|[^"\\])*"|<[^<>]*>')
_VARIABLE: Final = re.compile(r"<([^<>]*)>")
_MISSING: Final = object()
INGESTION_TIME: Final = "<aws.events.event.ingestion-time>"


def has_own_input(target: Mapping[str, Any]) -> bool:
    """Whether a target has an input of its own instead of the event."""
    return any(target.get(name) for name in ("Input", "InputPath", "InputTransformer"))


def target_input(
    target: Mapping[str, Any], event: Mapping[str, Any], *, rule_name: str, rule_arn: str, ingested: str
) -> str:
    """Return what a target receives.

    Args:
        target: The properties of the target in the template.
        event: The event.
        rule_name: The name of the rule, for `<aws.events.rule-name>`.
        rule_arn: The ARN of the rule, for `<aws.events.rule-arn>`.
        ingested: The time at which EventBridge received the event, for `<aws.events.event.ingestion-time>`.

    Returns:
        JSON, or plain text if the input template is plain text. See `is_broken`.
    """
    transformer = target.get("InputTransformer")
    if isinstance(transformer, Mapping) and transformer:
        variables = {
            "aws.events.rule-name": rule_name,
            "aws.events.rule-arn": rule_arn,
            "aws.events.event.ingestion-time": ingested,
            "aws.events.event": {
                "detailType" if key == "detail-type" else key: value
                for key, value in event.items()
                if key != "detail"
            },
            "aws.events.event.json": event,
        }
        return _transformed(transformer, event, variables)
    if target.get("Input"):
        return _text(target["Input"])
    if target.get("InputPath"):
        found = value_at(_text(target["InputPath"]), event)
        return _json(event if found is None else found[0])
    return _json(event)


def is_broken(target: Mapping[str, Any], body: str) -> bool:
    """Whether EventBridge doesn't deliver an input, because values have made its JSON template invalid.

    A text in the template isn't escaped, so it must not get a list, an object, or a text with quotes.

    Args:
        target: The properties of the target in the template.
        body: What `target_input` returned for it.
    """
    transformer = target.get("InputTransformer")
    template = transformer.get("InputTemplate", "") if isinstance(transformer, Mapping) else ""
    if not _is_json(_text(template)):
        return False
    try:
        json.loads(body)
    except ValueError:
        return True
    return False


def _is_json(template: str) -> bool:
    return template.lstrip().startswith(("{", "["))


def value_at(path: str, event: object) -> tuple[Any] | None:
    """Return the value at a JSON path such as `$.detail.findings[0].Id`, or None if there is none.

    `[*]` collects a list. A path that EventBridge doesn't accept has no value.
    """
    found = _walk(list(_steps(path)), event)
    return None if found is _MISSING else (found,)


def _steps(path: str) -> Iterator[str | int | None]:
    """The names and the indexes of a path, and None for `*`."""
    position = 1
    while position < len(path):
        match = _STEP.match(path, position)
        if match is None:
            yield path[position:]
            return
        position = match.end()
        if match["index"]:
            yield None if match["index"] == "*" else int(match["index"])
        else:
            yield match["name"] or match["quoted"]


def _walk(steps: list[str | int | None], value: Any) -> Any:  # noqa: ANN401 - any JSON value
    for position, step in enumerate(steps):
        if step is None:
            if not isinstance(value, list):
                return _MISSING
            found = (_walk(steps[position + 1 :], element) for element in value)
            return [element for element in found if element is not _MISSING]
        there = step in value if isinstance(value, dict) else isinstance(value, list) and _has(value, step)
        if not there:
            return _MISSING
        value = value[step]
    return value


def _has(items: list[Any], step: object) -> bool:
    return isinstance(step, int) and step < len(items)


def _transformed(
    transformer: Mapping[str, Any], event: Mapping[str, Any], variables: Mapping[str, Any]
) -> str:
    paths = transformer.get("InputPathsMap")
    given = paths.items() if isinstance(paths, Mapping) else ()
    found = {name: value_at(_text(path), event) for name, path in given}
    values = {**variables, **{name: "" if one is None else one[0] for name, one in found.items()}}
    template = _text(transformer.get("InputTemplate", ""))
    if '"' not in template and "{" not in template and not _VARIABLE.fullmatch(template.strip()):
        # A template without quotes is text, into which strings go as they are. A variable alone is JSON:
        # https://docs.aws.amazon.com/AmazonCloudWatchEvents/latest/APIReference/API_InputTransformer.html
        return _VARIABLE.sub(lambda match: _in_text(match, values), template)
    keeps_quotes = _is_json(template)
    return _STRING_OR_VARIABLE.sub(lambda match: _in_json(match, values, keeps_quotes=keeps_quotes), template)


def _in_json(match: re.Match[str], values: Mapping[str, Any], *, keeps_quotes: bool) -> str:
    part = match[0]
    if part.startswith('"'):
        return _VARIABLE.sub(lambda inner: _in_text(inner, values, keeps_quotes=keeps_quotes), part)
    return _json(values[part[1:-1]]) if part[1:-1] in values else part


def _in_text(match: re.Match[str], values: Mapping[str, Any], *, keeps_quotes: bool = False) -> str:
    if match[1] not in values:
        return match[0]
    value = values[match[1]]
    if isinstance(value, str):
        return value
    written = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    # EventBridge omits the quotes of an object or a list in a text, except for those of JSON.
    return written if keeps_quotes else written.replace('"', "")


def _text(value: object) -> str:
    return value if isinstance(value, str) else _json(value)


def _json(value: object) -> str:
    # Unknown parts of texts must stay what they are.
    return json.dumps(value, ensure_ascii=False)
