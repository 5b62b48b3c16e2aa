"""Resources that are deleted, replaced, or renamed, and what is lost with them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Final

from securityhub_actions.cli.assembly.attributes import CUSTOM_ACTION_TYPES
from securityhub_actions.cli.review.notes import Attention, Note, Topic
from securityhub_actions.cli.review.pairs import Pair, StackPair
from securityhub_actions.cli.review.renames import renamed_scope
from securityhub_actions.cli.review.replacement import (
    HARMLESS,
    lost_with,
    replacing_properties,
    taken_name,
    word_for,
)
from securityhub_actions.cli.review.resources import Resource
from securityhub_actions.cli.review.stack_sets import pairs_of_stack_sets
from securityhub_actions.quotas import AUTOMATION_RULE, AUTOMATION_RULE_V2

_KEEPING: Final = frozenset({"Retain", "RetainExceptOnCreate", "Snapshot"})
# They have notes of their own.
_NAMED_ELSEWHERE: Final = frozenset(
    {
        *CUSTOM_ACTION_TYPES,
        *HARMLESS,
        *(AUTOMATION_RULE, AUTOMATION_RULE_V2),
        *("AWS::CloudWatch::Alarm", "AWS::Events::Rule", "AWS::SNS::Subscription"),
    }
)
_NAMED_IF_REPLACED: Final = frozenset({"AWS::Events::Rule", "AWS::SNS::Subscription"})
_QUEUES: Final = "AWS::SQS::Queue"


def data_notes(pair: StackPair) -> Iterator[Note]:
    """Name the resources of a stack that are deleted, replaced, or renamed.

    Of the stacks that its stack sets deploy, those are named whose replacement fails.
    """
    for one in pairs_of_stack_sets(pair):
        if one.before and one.after and taken_name(one):
            yield from _replaced(one, one.before, one.after)
    yield from _renamed([one for one in pair.pairs if one.is_renamed])
    for one in pair.pairs:
        if one.before and one.after and not one.is_renamed:
            yield from _kept(one)
        elif one.after is None and one.before is not None:
            yield from _removed(one.before, pair)
        elif one.before is None and one.after is not None and one.after.type not in _NAMED_ELSEWHERE:
            word = word_for(one.after.type)
            yield _note(one.after, f"{_upper(word)} added", Attention.LOW)


def _removed(resource: Resource, pair: StackPair) -> Iterator[Note]:
    word, lost = word_for(resource.type), lost_with(resource)
    if pair.after and resource.logical_id in pair.after.resources:
        new_type = pair.after.template["Resources"][resource.logical_id]["Type"]
        yield _note(
            resource,
            "Type changed",
            Attention.HIGH,
            f"{resource.type} -> {new_type}: the deployment fails",
            ["CloudFormation can't change the type of a resource. Use another construct ID."],
        )
    elif lost:
        yield _loss(resource, "removed", "deleted", resource.deletion_policy)
    elif resource.type not in _NAMED_ELSEWHERE:
        yield _note(resource, f"{_upper(word)} removed", Attention.LOW)


def _loss(resource: Resource, left: str, gone: str, policy: str) -> Note:
    """Name what is lost with a resource that is `gone`, or what becomes of it if it's only `left`."""
    word, lost = word_for(resource.type), lost_with(resource)
    if policy in _KEEPING:
        essence = "the old one stays, without a stack"
        return _note(resource, f"{_upper(word)} {left}", Attention.MEDIUM, essence, [f"policy: {policy}"])
    details = ["Receive the messages first."] if resource.type == _QUEUES else []
    return _note(resource, f"{_upper(word)} {gone}", Attention.HIGH, f"loses {lost}", details)


def _kept(one: Pair) -> Iterator[Note]:
    before, after = one.before, one.after
    assert before is not None  # noqa: S101 - the caller checked it
    assert after is not None  # noqa: S101
    if before.deletion_policy in _KEEPING and after.deletion_policy not in _KEEPING and lost_with(after):
        yield _note(
            after,
            "Deletion policy weakened",
            Attention.HIGH,
            f"{before.deletion_policy} -> {after.deletion_policy}",
            [f"Deleting the stack or the {word_for(after.type)} loses {lost_with(after)}."],
        )
    yield from _replaced(one, before, after)


def _replaced(one: Pair, before: Resource, after: Resource) -> Iterator[Note]:
    names, certain = replacing_properties(one)
    if not names or after.type in _NAMED_ELSEWHERE - _NAMED_IF_REPLACED:
        return
    changes = [
        f"{name}: {before.properties.get(name, 'none')} -> {after.properties.get(name, 'none')}"
        for name in names
    ]
    if taken := taken_name(one):
        yield _taken(after, taken, names, changes)
        return
    verb = "replaced" if certain else "may be replaced"
    if lost_with(after):
        loss = _loss(after, verb, verb, after.replace_policy)
        yield _note(after, loss.title, loss.attention, loss.essence, [*changes, *loss.details])
    else:
        title = f"{_upper(word_for(after.type))} {verb}"
        yield _note(after, title, Attention.MEDIUM, "; ".join(changes), ["Its name and its ARN change."])


def _taken(resource: Resource, taken: str, names: Sequence[str], changes: Sequence[str]) -> Note:
    """Name a replacement that CloudFormation refuses."""
    word = word_for(resource.type)
    return _note(
        resource,
        "Deployment fails",
        Attention.HIGH,
        f"the {word} can't be replaced under the same name, {taken}",
        [
            *changes,
            f"CloudFormation replaces a {word} for {' and '.join(names)}. Change its name as well.",
        ],
    )


def _renamed(pairs: Sequence[Pair]) -> Iterator[Note]:
    """Name renamed constructs, each with everything in it."""
    scopes: dict[tuple[str, str], list[Pair]] = defaultdict(list)
    for one in pairs:
        assert one.before is not None  # noqa: S101 - it would be added, not renamed
        assert one.after is not None  # noqa: S101
        scopes[renamed_scope(one.before.path, one.after.path)].append(one)
    for (old, new), members in scopes.items():
        if all(one.any.type in HARMLESS for one in members):
            continue
        yield _renamed_scope(old, new, members)


def _renamed_scope(old: str, new: str, members: Sequence[Pair]) -> Note:
    befores = [one.before for one in members if one.before is not None]
    lost = [one for one in befores if lost_with(one) and one.deletion_policy not in _KEEPING]
    kept = [one for one in befores if lost_with(one) and one.deletion_policy in _KEEPING]
    taken = [one for one in members if taken_name(one) and one.any.type not in CUSTOM_ACTION_TYPES]
    words = list(dict.fromkeys(word_for(one.type) for one in lost))
    same_path = old == new
    ids = [(one.before.logical_id, one.after.logical_id) for one in members if one.before and one.after]
    details = [
        "CloudFormation creates new resources and deletes the old ones.",
        *(f"The {word_for(one.type)} {one.path} is deleted with {lost_with(one)}." for one in lost),
        *(f"The {word_for(one.type)} {one.path} stays, without a stack; a new one is made." for one in kept),
        *(f"The name {taken_name(one)} is taken until the old one is deleted." for one in taken),
        *(f"logical ID: {before} -> {after}" for before, after in ids),
    ]
    essence = _essence(words, len(members), fails=bool(taken))
    return Note(
        attention=Attention.HIGH if lost or taken else Attention.MEDIUM if kept else Attention.LOW,
        topic=Topic.DATA,
        title="Logical ID changed" if same_path else "Construct renamed",
        subject=old if same_path else f"{old} -> {new.rpartition('/')[2]}",
        essence=essence,
        details=details,
        before=old,
        after=new,
    )


def _essence(lost: Sequence[str], replaced: int, *, fails: bool) -> str:
    if fails:
        return "the deployment fails, because names are taken"
    if lost:
        return f"its {' and '.join(lost)} {'is' if len(lost) == 1 else 'are'} replaced, contents lost"
    return f"{replaced} resources are replaced"


def _note(
    resource: Resource, title: str, attention: Attention, essence: str = "", details: Sequence[str] = ()
) -> Note:
    return Note(
        attention=attention,
        topic=Topic.DATA if attention is not Attention.LOW else Topic.OTHER,
        title=title,
        subject=resource.path,
        essence=essence,
        details=list(details),
        before=None,
        after=None,
    )


def _upper(word: str) -> str:
    return word[:1].upper() + word[1:]
