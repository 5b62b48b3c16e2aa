"""Where a tracker's tickets about a finding are opened: the first rule of settings.toml that matches decides.

A finding chooses only among the destinations in settings.toml. What it says never names one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar

from functions.tickets.trackers.fields import FieldValue, fields_of
from securityhub.events import Finding

_ANY: Final = "ANY"
_NAME_DIGITS: Final = 16

Place = TypeVar("Place")


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """The findings for which a rule is. What is empty matches every finding.

    Attributes:
        accounts: The IDs of accounts, of which the finding is about one.
        controls: The IDs of controls, of which the finding is about one.
        resource_tags: Values by tag key, or `ANY`. One resource of the finding has a tag for each key.
    """

    accounts: frozenset[str] = frozenset()
    controls: frozenset[str] = frozenset()
    resource_tags: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, rule: Mapping[str, Any]) -> Condition:
        """Read the condition of a rule."""
        return cls(
            accounts=frozenset(rule.get("accounts", ())),
            controls=frozenset(rule.get("controls", ())),
            resource_tags={key: frozenset(values) for key, values in rule.get("resource_tags", {}).items()},
        )

    @property
    def name(self) -> str:
        """What identifies the rule, whatever its place in the list is, and whatever it sets."""
        tags = {key: sorted(values) for key, values in self.resource_tags.items()}
        said = json.dumps([sorted(self.accounts), sorted(self.controls), tags], sort_keys=True)
        return hashlib.sha256(said.encode()).hexdigest()[:_NAME_DIGITS]

    def matches(self, finding: Finding) -> bool:
        """Return whether the rule is for a finding."""
        if self.accounts and finding.aws_account_id not in self.accounts:
            return False
        if self.controls and finding.control not in self.controls:
            return False
        return not self.resource_tags or any(
            self._are_on(finding.tags_of(resource.id)) for resource in finding.resources
        )

    def _are_on(self, tags: Mapping[str, str]) -> bool:
        return all(
            key in tags and bool(values & {_ANY, tags[key]}) for key, values in self.resource_tags.items()
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Destinations(Generic[Place]):
    """The places where a tracker's tickets are opened.

    Attributes:
        default: The place for findings that no rule matches.
        rules: Conditions and places, of which the first that matches counts.
    """

    default: Place
    rules: Sequence[tuple[Condition, Place]] = ()

    @property
    def all(self) -> Sequence[Place]:
        """Every place where tickets can be opened."""
        return (self.default, *(place for _, place in self.rules))

    @classmethod
    def read(
        cls,
        settings: Mapping[str, Any],
        key: str,
        *,
        default: Place,
        place: Callable[[Mapping[str, Any], str], Place],
    ) -> Destinations[Place]:
        """Read the rules of a tracker.

        Args:
            settings: The settings of the tracker.
            key: Their key in settings.toml.
            default: The place for findings that no rule matches.
            place: Returns the place of a rule, given the rule and its key in settings.toml.
        """
        rules: Sequence[Mapping[str, Any]] = settings.get("rules", ())
        return cls(
            default=default,
            rules=tuple(
                (Condition.of(rule), place(rule, f"{key}.rules[{number}]"))
                for number, rule in enumerate(rules)
            ),
        )

    def of(self, finding: Finding | None, rule: str = "") -> Place:
        """Return the place for a finding, or that of a rule where none is known.

        Args:
            finding: The finding. None: that of a group can be any of them.
            rule: What `rule_of` returned. Default: no rule.
        """
        places = (
            place
            for condition, place in self.rules
            if (condition.matches(finding) if finding else condition.name == rule)
        )
        return next(places, self.default)

    def rule_of(self, finding: Finding) -> str:
        """Return the name of the first rule that matches a finding, or an empty string."""
        return next((condition.name for condition, _ in self.rules if condition.matches(finding)), "")


def fields_by_rule(
    settings: Mapping[str, Any], key: str, member: str, *, default: Mapping[str, FieldValue]
) -> Destinations[Mapping[str, FieldValue]]:
    """Read extra fields, to which the rules of a tracker can add others.

    Args:
        settings: The settings of the tracker.
        key: Their key in settings.toml.
        member: What these fields are called there: `fields`, or `close_fields`.
        default: The fields for all findings, to which those of a rule are added.
    """
    return Destinations.read(
        settings,
        key,
        default=default,
        place=lambda rule, rule_key: {
            **default,
            **fields_of(rule.get(member, {}), f"{rule_key}.{member}"),
        },
    )
