"""Warnings at synthesis about rules for imported findings that match too much, nothing, or the same twice.

You can acknowledge each warning on its rule:
`Annotations.of(rule).acknowledge_warning(OVERLAPPING, "why")`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Set
from typing import Final
from weakref import WeakKeyDictionary

import jsii
from aws_cdk import Annotations, Aspects, IAspect, aws_events
from constructs import IConstruct

from securityhub_actions.event_names import EACH_FINDING_ID
from securityhub_actions.filters import FindingFilter, OcsfFindingFilter
from securityhub_actions.filters.overlap import Overlap, overlap_of
from securityhub_actions.filters.translation import UntranslatableFilterError, to_ocsf_filter
from securityhub_actions.patterns import EventPattern, subsumes
from securityhub_actions.places import Location, path_of, root_of, stack_of
from securityhub_actions.readable_values import readable

OVER_BROAD: Final = "securityhub-actions:OverBroadRule"
UNREACHABLE: Final = "securityhub-actions:UnreachableRule"
OVERLAPPING: Final = "securityhub-actions:OverlappingRules"
UNUSUAL: Final = "securityhub-actions:UnusualValue"
BOTH_HUBS: Final = "securityhub-actions:RulesForBothHubs"

_EVERY_FINDING: Final = FindingFilter(workflow_status=None, record_state=None)
_EVERY_OCSF_FINDING: Final = OcsfFindingFilter(status=None, activity_name=None)

# The rules of each app, in the order of their creation.
_rules_of_app: WeakKeyDictionary[IConstruct, list[_FilteredRule]] = WeakKeyDictionary()


@jsii.implements(IAspect)
class _FilteredRule:
    """A rule and its filter. As an aspect, it adds warnings when the CDK visits the rule."""

    def __init__(self, rule: IConstruct, findings: FindingFilter | OcsfFindingFilter) -> None:
        self.rule = rule
        self.location = Location.of(rule)
        self.findings = findings
        self.pattern = EventPattern.parse(findings.to_event_pattern())
        self.unreachable_reason = findings.unreachable_reason()

    def visit(self, node: IConstruct) -> None:
        """Add warnings to the rule itself, not to its children."""
        if node is self.rule:
            for warning_id, message in self._warnings():
                Annotations.of(self.rule).add_warning_v2(warning_id, message)

    def _warnings(self) -> Iterator[tuple[str, str]]:
        path = path_of(self.rule)
        if self.unreachable_reason:
            message = f"The rule {path} can never match a finding: {self.unreachable_reason}."
            yield UNREACHABLE, f"{message} Correct its filter."
            return
        for unusual in self.findings.unusual_values():
            yield (
                UNUSUAL,
                f"The rule {path} may never match a finding: {unusual}. Values are case-sensitive. Correct "
                "the filter, or acknowledge this warning if your findings have that value.",
            )
        if subsumes(self.pattern, self._every_finding()):
            yield (
                OVER_BROAD,
                f"The rule {path} matches every finding and every update, including updates that its own "
                "targets make. Add a filter, or acknowledge this warning if you want all of them, for "
                "example in an archive.",
            )
        for other, overlap in self._overlaps():
            yield (
                OVERLAPPING,
                f"{self._told(other, overlap)} Narrow one of the filters, or acknowledge this warning if "
                "that is intended.",
            )
        for other in self._counterparts():
            yield (
                BOTH_HUBS,
                f"The rules {path} and {path_of(other.rule)} have a target in common, one for findings of "
                "Security Hub CSPM, the other for those of Security Hub. If both are on, both report an "
                "issue, and the target gets it twice. Remove one of the rules, narrow one of the filters, or "
                "acknowledge this warning if the target expects that.",
            )

    def _every_finding(self) -> EventPattern:
        everything = _EVERY_FINDING if isinstance(self.findings, FindingFilter) else _EVERY_OCSF_FINDING
        return EventPattern.parse(everything.to_event_pattern())

    def _overlaps(self) -> Iterator[tuple[_FilteredRule, Overlap]]:
        """The later rules that can match the same finding in the same account and Region, each pair once."""
        rules = _rules_of_app[root_of(self.rule)]
        own_paths = {rule.location.path for rule in rules if rule.location.stack == self.location.stack}
        for other in rules[rules.index(self) + 1 :]:
            if (
                type(other.findings) is type(self.findings)
                and self._can_meet(other, own_paths)
                and not other.unreachable_reason
                and (overlap := overlap_of(self.findings, other.findings))
            ):
                yield other, overlap

    def _counterparts(self) -> Iterator[_FilteredRule]:
        """The later rules for the other hub that can match the same issue and have a target of this one.

        AWS asks to evaluate whether rules for the two hubs overlap, to not send duplicate findings.

        Source: https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-v2-eventbridge-automations.html
        """
        rules = _rules_of_app[root_of(self.rule)]
        others = [
            other
            for other in rules[rules.index(self) + 1 :]
            if type(other.findings) is not type(self.findings) and not other.unreachable_reason
        ]
        # Most apps have rules for one hub only, and looking at targets asks the CDK for each of them.
        own = self.target_arns() if others else frozenset()
        for other in others:
            if own & other.target_arns() and _may_be_the_same_issue(self.findings, other.findings):
                yield other

    def target_arns(self) -> Set[tuple[str, str]]:
        """The targets' ARNs. Those that only a deployment determines are the same only in one stack."""
        found: set[tuple[str, str]] = set()
        for rule in self.rule.node.find_all():
            if isinstance(rule, aws_events.CfnRule):
                for target in stack_of(rule).resolve(rule.targets) or ():
                    arn = target["arn"]
                    if EACH_FINDING_ID in json.dumps(arn):
                        continue  # The function that rules share; their targets are those of rules below.
                    place = "" if isinstance(arn, str) else path_of(stack_of(rule))
                    found.add((place, json.dumps(arn, sort_keys=True)))
        return found

    def _can_meet(self, other: _FilteredRule, own_paths: Set[str]) -> bool:
        """Whether both rules can be in the same account and Region.

        A stack that has a rule at the same path is a copy, such as for another account, unless both are known
        to be in the same account and Region. Within one copy, the rule at that path is compared.
        """
        shared = self.location.shares_environment(other.location)
        return other.location.path not in own_paths if shared is None else shared

    def _told(self, other: _FilteredRule, overlap: Overlap) -> str:
        """What is proven as a fact, and the rest as a possibility."""
        both = f"both {path_of(self.rule)} and {path_of(other.rule)}"
        if overlap.example is None:
            told = f"a finding may match {both}, and would then go to both."
        else:
            example = json.dumps(readable(stack_of(self.rule).resolve(overlap.example)), ensure_ascii=False)
            told = f"a finding such as {example} matches {both}, and goes to both."
        if self.location.shares_environment(other.location) is None:
            return f"If their stacks are deployed to the same account and Region, {told}"
        return told[0].upper() + told[1:]


def _may_be_the_same_issue(
    left: FindingFilter | OcsfFindingFilter, right: FindingFilter | OcsfFindingFilter
) -> bool:
    """Whether a finding of each hub about one issue can match the hub's filter; True if that isn't known."""
    asff, ocsf = (left, right) if isinstance(left, FindingFilter) else (right, left)
    if not isinstance(asff, FindingFilter):
        return False
    try:
        return overlap_of(to_ocsf_filter(asff), ocsf) is not None
    except UntranslatableFilterError:
        return True


def warn_of_rule(rule: IConstruct, findings: FindingFilter | OcsfFindingFilter) -> None:
    """Check a rule's filter at synthesis, and compare it with the other rules of the app.

    Args:
        rule: The construct that the warnings are added to.
        findings: The rule's filter. Nothing is said about values that are known only at deployment.
    """
    filtered = _FilteredRule(rule, findings)
    _rules_of_app.setdefault(root_of(rule), []).append(filtered)
    Aspects.of(rule).add(filtered)
