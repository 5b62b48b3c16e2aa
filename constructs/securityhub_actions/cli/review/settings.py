"""Settings of functions, alarms, and of everything else."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from securityhub_actions.cli.assembly.attributes import CUSTOM_ACTION_TYPES
from securityhub_actions.cli.review.names import Names, as_mapping
from securityhub_actions.cli.review.notes import Attention, Note, Topic
from securityhub_actions.cli.review.pairs import Pair, StackPair
from securityhub_actions.cli.review.replacement import HARMLESS, changed_names, replacing_properties, word_for
from securityhub_actions.cli.review.resources import Resource
from securityhub_actions.cli.review.safeguards import safeguard_notes
from securityhub_actions.cli.review.texts import at, leaves_of, texts_in
from securityhub_actions.quotas import AUTOMATION_RULE, AUTOMATION_RULE_V2

_ALARM: Final = "AWS::CloudWatch::Alarm"
_DOCUMENT: Final = "AWS::SSM::Document"
_BUS: Final = "AWS::Events::EventBus"
_FUNCTION: Final = "AWS::Lambda::Function"
_INVOCATION: Final = "AWS::Lambda::EventInvokeConfig"
_EVENT_SOURCE: Final = "AWS::Lambda::EventSourceMapping"
_SUBSCRIPTION: Final = "AWS::SNS::Subscription"
_FAILURES: Final = "DestinationConfig.OnFailure.Destination"
# Policies are named by what they grant.
_NAMED_ELSEWHERE: Final = frozenset(
    {
        *CUSTOM_ACTION_TYPES,
        *(AUTOMATION_RULE, AUTOMATION_RULE_V2),
        "AWS::Events::EventBusPolicy",
        "AWS::Events::Rule",
        "AWS::IAM::Policy",
        "AWS::IAM::UserToGroupAddition",
        "AWS::Lambda::Permission",
        "AWS::Lambda::Version",
        "AWS::Logs::ResourcePolicy",
    }
)
_POLICIES: Final = frozenset(
    {"AssumeRolePolicyDocument", "Groups", "KeyPolicy", "ManagedPolicyArns", "Policies", "PolicyDocument"}
)
# What decides where, on what, and how much a function acts.
_DECISIVE: Final = re.compile(
    r"ALLOW|DEN[YI]|ACCOUNT|REGION|MODE|DRY_?RUN|ROLE|TAGS|REMEDIATIONS|EXTERNAL_ID", re.IGNORECASE
)
# What acts with another role can do more, and a queue or topic without its policy gets no events.
_HIGH_PROPERTIES: Final = frozenset(
    {
        *("KmsKeyArn", "PermissionsBoundary", "PublicAccessBlockConfiguration"),
        *("Queues", "Role", "RoleArn", "Topics"),
    }
)
_LOW_PROPERTIES: Final = frozenset(
    {"AlarmDescription", "Description", "DisplayName", "Tags", "TracingConfig", "Code", "Content", "Layers"}
)
_MOST_CHARACTERS: Final = 300


def setting_notes(pair: StackPair, names: Names) -> Iterator[Note]:
    """Name the settings that changed in a stack."""
    yield from _gone_and_come(pair, names)
    for one in pair.pairs:
        if one.before is None or one.after is None:
            continue
        if not one.is_renamed and one.before.undecided != one.after.undecided:
            yield _undecided_note(one.any.path, one.before.undecided, one.after.undecided)
        safeguards = dict(safeguard_notes(one))
        yield from safeguards.values()
        if one.any.type in _NAMED_ELSEWHERE:
            continue
        replacing, certain = replacing_properties(one)
        policies = {*_POLICIES, "Policy"} if one.any.type == _BUS else _POLICIES
        is_named = certain and one.any.type not in HARMLESS
        named = {*safeguards, *policies, *(replacing if is_named else ())}
        changed = changed_names(one.before.properties, one.after.properties)
        for name in sorted(changed - named):
            yield from _changed(one, name, names)


def _gone_and_come(pair: StackPair, names: Names) -> Iterator[Note]:
    """Name what watches, connects, or notifies, and is removed or added."""
    removed = {one.before.logical_id for one in pair.pairs if one.before and one.after is None}
    for kind, title, essence in (
        (_ALARM, "Alarm", ""),
        (_INVOCATION, "Destination of failed events", "what the function fails to handle is lost"),
        (_EVENT_SOURCE, "Event source", "the function no longer receives its messages"),
        (_SUBSCRIPTION, "Subscription", ""),
    ):
        for one in pair.of_type(kind):
            if one.after is None and one.before is not None:
                watches = " ".join(texts_in(dict(one.before.properties)))
                follows = any(f"${{{name}}}" in watches or f"${{{name}." in watches for name in removed)
                yield Note(
                    attention=Attention.LOW if follows else Attention.HIGH,
                    topic=_topic(one.any.type),
                    title=f"{title} removed",
                    subject=one.any.path,
                    essence=essence if kind != _ALARM and not follows else _metric(one.before),
                    details=_alarm_lines(one.before, names),
                )
            elif one.before is None and one.after is not None and kind in {_ALARM, _SUBSCRIPTION}:
                # A subscription hands everything on the topic to somebody else.
                yield Note(
                    attention=Attention.LOW if kind == _ALARM else Attention.MEDIUM,
                    topic=_topic(kind),
                    title=f"{title} added",
                    subject=one.any.path,
                    essence="" if kind == _ALARM else _metric(one.after),
                    details=_alarm_lines(one.after, names),
                )


def _metric(resource: Resource) -> str:
    return str(resource.properties.get("MetricName") or resource.properties.get("Endpoint") or "")


def _alarm_lines(resource: Resource, names: Names) -> list[str]:
    description = resource.properties.get("AlarmDescription")
    return [names.readable(str(description), stack=resource.stack)] if description else []


def _topic(resource_type: str) -> Topic:
    if resource_type == _ALARM:
        return Topic.ALARM
    return Topic.FUNCTION if resource_type.startswith("AWS::Lambda::") else Topic.OTHER


def _changed(one: Pair, name: str, names: Names) -> Iterator[Note]:
    assert one.before is not None  # noqa: S101 - the caller checked it
    assert one.after is not None  # noqa: S101
    before, after = one.before.properties.get(name), one.after.properties.get(name)
    if one.any.type == _FUNCTION and name == "Environment":
        old, new = (as_mapping(at(value, "Variables")) for value in (before, after))
        for variable in sorted(changed_names(old, new)):
            yield _variable_note(one, variable, old.get(variable), new.get(variable), names)
        return
    if one.any.type == _INVOCATION and name == "DestinationConfig":
        yield _destination_note(one, names)
        return
    if one.any.type == _DOCUMENT and name == "Content":
        yield _document_note(one, before, after, names)
        return
    values = f"{_shown(before, one, names)} -> {_shown(after, one, names)}"
    yield Note(
        attention=_attention(name, after),
        topic=_topic(one.any.type),
        title=f"{name} changed",
        subject=one.any.path,
        essence=values if len(values) <= _MOST_CHARACTERS else f"of the {word_for(one.any.type)}",
        details=[f"{word_for(one.any.type)}: {values}"],
        before=before,
        after=after,
    )


def _attention(name: str, after: object) -> Attention:
    if name in _LOW_PROPERTIES:
        return Attention.LOW
    stopped = (name, after) in (("Enabled", False), ("ReservedConcurrentExecutions", 0))
    return Attention.HIGH if stopped or name in _HIGH_PROPERTIES else Attention.MEDIUM


def _variable_note(one: Pair, variable: str, before: Any, after: Any, names: Names) -> Note:  # noqa: ANN401
    return Note(
        attention=Attention.HIGH if _DECISIVE.search(variable) else Attention.MEDIUM,
        topic=Topic.FUNCTION,
        title="Variable changed"
        if None not in (before, after)
        else "Variable added"
        if before is None
        else "Variable removed",
        subject=one.any.path,
        essence=f"{variable}: {_difference(before, after, one, names)}",
        details=[f"before: {_shown(before, one, names)}", f"after: {_shown(after, one, names)}"],
        before=before,
        after=after,
    )


def _difference(before: Any, after: Any, one: Pair, names: Names) -> str:  # noqa: ANN401
    """Return how a variable changed; of a list, the elements that were added and removed."""
    if isinstance(before, str) and isinstance(after, str) and ("," in before or "," in after):
        old, new = ({part.strip() for part in text.split(",") if part.strip()} for text in (before, after))
        parts = [*(f"+ {part}" for part in sorted(new - old)), *(f"- {part}" for part in sorted(old - new))]
        if parts:
            return names.readable(", ".join(parts), stack=one.any.stack)
    if before is None or after is None:
        return _shown(before if after is None else after, one, names)
    return f"{_shown(before, one, names)} -> {_shown(after, one, names)}"


def _destination_note(one: Pair, names: Names) -> Note:
    before = at(one.before and one.before.properties, _FAILURES)
    after = at(one.after and one.after.properties, _FAILURES)
    title = "Destination of failed events changed"
    essence = f"{_shown(before, one, names)} -> {_shown(after, one, names)}"
    if after is None:
        title, essence = "Destination of failed events removed", "what the function can't handle is lost"
    return Note(
        attention=Attention.HIGH if after is None else Attention.MEDIUM,
        topic=Topic.FUNCTION,
        title=title,
        subject=one.any.path,
        essence=essence,
        before=before,
        after=after,
    )


def _undecided_note(path: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Note:
    """Name that something changed of which only a deployment determines whether it holds."""
    names = sorted({name for side in (before, after) for name in side.get("conditions", ())})
    return Note(
        attention=Attention.HIGH,
        topic=Topic.OTHER,
        title="Undecided value changed",
        subject=path,
        essence=f"only a deployment determines {' and '.join(names)}",
        details=[
            f"{key}: {json.dumps(before.get(key))} -> {json.dumps(after.get(key))}"
            for key in sorted(changed_names(before, after))
        ],
        before=before,
        after=after,
    )


def _document_note(one: Pair, before: Any, after: Any, names: Names) -> Note:  # noqa: ANN401 - any JSON value
    """Name what changed in a document of Systems Manager: what it does, and who has to approve that."""
    old, new = dict(leaves_of(before)), dict(leaves_of(after))
    paths = sorted(changed_names(old, new))
    lines = [
        f"{path}: {_shown(old.get(path), one, names)} -> {_shown(new.get(path), one, names)}"
        for path in paths
    ]
    is_text = all(path.rpartition(".")[2] == "description" for path in paths)
    return Note(
        attention=Attention.LOW if is_text else Attention.HIGH,
        topic=Topic.OTHER,
        title="Document changed",
        subject=one.any.path,
        essence=", ".join(paths),
        details=lines,
        before=before,
        after=after,
    )


def _shown(value: Any, one: Pair, names: Names) -> str:  # noqa: ANN401 - any JSON value
    if value is None:
        return "none"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return names.readable(text, stack=one.any.stack) if text else '""'
