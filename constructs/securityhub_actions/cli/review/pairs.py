"""The stacks and resources of two versions of an app, matched with each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import zip_longest

from securityhub_actions.cli.assembly import App, Rule, Stack, shown
from securityhub_actions.cli.assembly.attributes import arn_of, attribute_of, identifier_of, name_property_of
from securityhub_actions.cli.assembly.values import Values
from securityhub_actions.cli.review.renames import Renames
from securityhub_actions.cli.review.resources import Resource, resources_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A resource before and after; None where it doesn't exist."""

    before: Resource | None
    after: Resource | None

    @property
    def any(self) -> Resource:
        """The resource after or, if it's removed, before."""
        found = self.after or self.before
        assert found is not None  # noqa: S101 - a pair of nothing is never made
        return found

    @property
    def is_renamed(self) -> bool:
        """Whether it has another logical ID, so that CloudFormation creates another resource."""
        return bool(self.before and self.after) and self._ids[0] != self._ids[1]

    @property
    def _ids(self) -> tuple[str, ...]:
        return tuple(one.logical_id for one in (self.before, self.after) if one)


@dataclass(frozen=True, slots=True, kw_only=True)
class StackPair:
    """A stack before and after; None where it doesn't exist.

    Attributes:
        before: The stack before.
        after: The stack after.
        pairs: Its resources.
        rules_before: The rules before by logical ID, with the new names of what was renamed.
        rules_after: The rules after by logical ID.
    """

    before: Stack | None
    after: Stack | None
    pairs: Sequence[Pair]
    rules_before: Mapping[str, Rule] = field(repr=False)
    rules_after: Mapping[str, Rule] = field(repr=False)
    renames: Renames = field(repr=False)

    @property
    def name(self) -> str:
        """The name of the stack."""
        stack = self.after or self.before
        assert stack is not None  # noqa: S101 - a pair of nothing is never made
        return stack.name

    def of_type(self, *types: str) -> Iterator[Pair]:
        """Return the pairs of some types."""
        return (pair for pair in self.pairs if pair.any.type in types)


def paired(before: App | None, after: App, *, by_position: bool = False) -> list[StackPair]:
    """Match the stacks of two versions of an app, and their resources.

    An app can have a stack of the same name in several Regions or accounts. Each is matched with the one in
    its own place, and what is left by name alone, because a stack can have been moved.

    Args:
        before: The app before, or None to match with nothing.
        after: The app after.
        by_position: Match stacks by position instead of name, because names of files aren't those of stacks.
    """
    if by_position and before:
        return [_stack_pair(*both) for both in zip_longest(before.stacks, after.stacks)]
    by_name: dict[str, tuple[list[Stack], list[Stack]]] = {}
    for number, app in ((1, after), (0, before)):
        for stack in app.stacks if app else ():
            by_name.setdefault(stack.name, ([], []))[number].append(stack)
    return [_stack_pair(*both) for old, new in by_name.values() for both in _matched(old, new)]


def _matched(old: Sequence[Stack], new: Sequence[Stack]) -> Iterator[tuple[Stack | None, Stack | None]]:
    """Match stacks of one name: those in the same account and Region, then the others in their order."""
    left = list(old)
    alone = []
    for after in new:
        same = [one for one in left if (one.account, one.region) == (after.account, after.region)]
        if same:
            left.remove(same[0])
            yield same[0], after
        else:
            alone.append(after)
    yield from zip_longest(left, alone)


def _stack_pair(before: Stack | None, after: Stack | None) -> StackPair:
    old = resources_of(before) if before else []
    new = resources_of(after) if after else []
    renames = Renames.between(old, new)
    if before and after:
        renames = replace(renames, addresses=_new_addresses(before, after, old, new))
    by_id = {one.logical_id: one for one in new}
    pairs = []
    for one in old:
        other = by_id.pop(renames.new_id(one.logical_id), None)
        pairs.append(Pair(before=_renamed(one, renames), after=other))
    pairs += [Pair(before=None, after=one) for one in by_id.values()]
    return StackPair(
        before=before,
        after=after,
        pairs=pairs,
        rules_before={rule.logical_id: rule for rule in before.rules} if before else {},
        rules_after={rule.logical_id: rule for rule in after.rules} if after else {},
        renames=renames,
    )


def _new_addresses(
    before: Stack, after: Stack, old: Sequence[Resource], new: Sequence[Resource]
) -> dict[str, str]:
    """Return the new ARNs and names of resources with another name, by their old ones."""
    by_id = {(one.logical_id, one.type): one for one in new}
    found: dict[str, str] = {}
    for one in old:
        other = by_id.get((one.logical_id, one.type))
        name = name_property_of(one.type)
        if other is not None and name and one.properties.get(name) != other.properties.get(name):
            found |= dict(zip(_addresses(one, before), _addresses(other, after), strict=True))
    return found


def _addresses(resource: Resource, stack: Stack) -> list[str]:
    values = Values(stack.template, stack=stack.name, account=stack.account, region=stack.region)
    place = shown(values.environment)
    given = (resource.type, resource.properties, f"${{{resource.logical_id}}}", place)
    name = attribute_of("QueueName", *given) if resource.type == "AWS::SQS::Queue" else None
    return [str(one) for one in (arn_of(*given), identifier_of(*given), name)]


def _renamed(resource: Resource, renames: Renames) -> Resource:
    """Return a resource with the new names of others. Its own new name is a change of its own."""
    properties = renames.applied(resource.properties)
    name = name_property_of(resource.type)
    if name is not None and name in properties:
        own = replace(renames, addresses={}).applied(resource.properties[name])
        properties = {**properties, name: own}
    return replace(resource, properties=properties)
