"""Which resources only have another logical ID, another ARN, or another name."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from securityhub_actions.cli.review.resources import Resource

_HIDDEN: Final = "*"


@dataclass(frozen=True, slots=True)
class Renames:
    """What stands for the same resource before and after.

    Attributes:
        ids: The new logical IDs of resources by their old ones; empty for those that are removed.
        addresses: The new ARNs and names of resources that are replaced under the same logical ID, by the
            old ones.
    """

    ids: Mapping[str, str]
    addresses: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def between(cls, old: Sequence[Resource], new: Sequence[Resource]) -> Renames:
        """Find resources whose logical ID is the only thing that changed."""
        kept = {(one.logical_id, one.type) for one in old} & {(one.logical_id, one.type) for one in new}
        removed = [one for one in old if (one.logical_id, one.type) not in kept]
        added = [one for one in new if (one.logical_id, one.type) not in kept]
        found = _same_paths(removed, added)
        found |= _equals(_without(removed, found), _without(added, found.values()))
        found |= _in_renamed_scopes(removed, added, found)
        # Two resources of different types with one logical ID are no pair: CloudFormation refuses that.
        return cls({**found, **{one.logical_id: "" for one in removed if one.logical_id not in found}})

    def new_id(self, logical_id: str) -> str:
        """Return the new logical ID of a resource; empty if it's removed."""
        return self.ids.get(logical_id, logical_id)

    def applied(self, value: Any) -> Any:  # noqa: ANN401
        """Return a value with the new logical IDs, ARNs, and names in place of the old ones."""
        changed = {old: new for old, new in self.ids.items() if new}
        value = _replaced(value, changed) if changed else value
        return self._readdressed(value) if self.addresses else value

    def _readdressed(self, value: Any) -> Any:  # noqa: ANN401
        if isinstance(value, Mapping):
            return {name: self._readdressed(item) for name, item in value.items()}
        if isinstance(value, list):
            return [self._readdressed(item) for item in value]
        if not isinstance(value, str):
            return value
        if value in self.addresses:
            return self.addresses[value]
        for old, new in self.addresses.items():
            if old.startswith("arn:") and value.startswith(f"{old}/"):
                return f"{new}{value.removeprefix(old)}"
        return value


def _replaced(value: Any, ids: Mapping[str, str]) -> Any:  # noqa: ANN401
    """Replace logical IDs in references, and in the names that the CDK makes from them."""
    pattern = re.compile(
        r"(?<!\w)(" + "|".join(map(re.escape, sorted(ids, key=len, reverse=True))) + r")(?!\w)"
    )

    def walk(item: Any) -> Any:  # noqa: ANN401
        if isinstance(item, str):
            return pattern.sub(lambda match: ids[match[1]], item)
        if isinstance(item, Mapping):
            return {walk(name): walk(one) for name, one in item.items()}
        return [walk(one) for one in item] if isinstance(item, list) else item

    return walk(value)


def _without(resources: Iterable[Resource], ids: Iterable[str]) -> list[Resource]:
    gone = set(ids)
    return [one for one in resources if one.logical_id not in gone]


def _same_paths(removed: Iterable[Resource], added: Iterable[Resource]) -> dict[str, str]:
    """Constructs whose path is the same, but not the logical ID."""
    by_path = {(one.type, one.path): one.logical_id for one in added}
    return {
        one.logical_id: by_path.pop((one.type, one.path))
        for one in removed
        if (one.type, one.path) in by_path
    }


def _equals(removed: Sequence[Resource], added: Sequence[Resource]) -> dict[str, str]:
    """Resources of the same type with the same properties, apart from references to each other."""
    candidates: dict[str, list[Resource]] = defaultdict(list)
    own = {one.logical_id: _HIDDEN for one in added}
    for one in added:
        candidates[_fingerprint(one, own)].append(one)
    gone = {one.logical_id: _HIDDEN for one in removed}
    found = {}
    for one in removed:
        alike = candidates[_fingerprint(one, gone)]
        if alike:
            best = max(alike, key=lambda other: _common_end(one.path, other.path))
            alike.remove(best)
            found[one.logical_id] = best.logical_id
    return found


def _fingerprint(resource: Resource, ids: Mapping[str, str]) -> str:
    # Paths also occur in descriptions and names: only references and names are compared.
    return resource.type + json.dumps(_replaced(dict(resource.properties), ids), sort_keys=True)


def _common_end(left: str, right: str) -> int:
    steps = zip(reversed(left.split("/")), reversed(right.split("/")), strict=False)
    return next((at for at, (one, other) in enumerate(steps) if one != other), 99)


def renamed_scope(old: str, new: str) -> tuple[str, str]:
    """Return the constructs that were renamed, of which both paths are: without what both end with."""
    before, after = old.split("/"), new.split("/")
    while len(before) > 1 and len(after) > 1 and before[-1] == after[-1]:
        before.pop()
        after.pop()
    return "/".join(before), "/".join(after)


def _in_renamed_scopes(
    removed: Sequence[Resource], added: Sequence[Resource], found: Mapping[str, str]
) -> dict[str, str]:
    """Resources whose properties changed as well, in constructs of which others only have another name."""
    old_paths = {one.logical_id: one.path for one in removed}
    new_paths = {one.logical_id: one.path for one in added}
    scopes = {renamed_scope(old_paths[old], new_paths[new]) for old, new in found.items()}
    left = {(one.type, one.path): one.logical_id for one in _without(added, found.values())}
    more = {}
    for one in _without(removed, found):
        for before, after in sorted(scopes):
            path = f"{after}{one.path.removeprefix(before)}"
            if f"{one.path}/".startswith(f"{before}/") and (one.type, path) in left:
                more[one.logical_id] = left.pop((one.type, path))
                break
    return more
