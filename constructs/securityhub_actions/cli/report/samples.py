"""Sample events that a rule matches."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from securityhub_actions.cli import sample_findings
from securityhub_actions.cli.assembly import Action, Rule, is_known
from securityhub_actions.cli.explanation import CompiledRule, Verdict
from securityhub_actions.cli.review.texts import at
from securityhub_actions.cli.sample_events import sample_events
from securityhub_actions.event_names import PRESS_SOURCE

_OF_ACTIONS: Final = ("custom-action", "insight-results")
_OF_FINDINGS: Final = ("imported", "imported-v2")
# The same app has the same page each time.
_TIME: Final = datetime(2026, 1, 31, 9, 0, tzinfo=UTC)
_STATUSES: Final = (
    ("NEW", "FAILED"),
    ("NOTIFIED", "FAILED"),
    ("RESOLVED", "PASSED"),
    ("SUPPRESSED", "FAILED"),
    ("RESOLVED", "FAILED"),
)
_CONTROLS: Final = ("S3.8", "EC2.19", "IAM.3", "RDS.3", "SQS.1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A sample event.

    Attributes:
        event: The event.
        is_certain: Whether the rule matches it, whatever the deployment determines.
    """

    event: dict[str, Any]
    is_certain: bool


def samples_for(rule: Rule, action: Action | None) -> list[Sample]:
    """Return an event of each kind that a rule matches, as far as a sample of the kind does.

    Args:
        rule: The rule.
        action: The custom action that is pressed, or None.
    """
    compiled = CompiledRule(rule)
    kinds = _OF_FINDINGS if action is None else _OF_ACTIONS
    found = (_first(compiled, kind, action) for kind in kinds)
    return [sample for sample in found if sample is not None]


def _first(compiled: CompiledRule, kind: str, action: Action | None) -> Sample | None:
    for finding in _findings(compiled.rule):
        # The IDs are the same in each attempt, so that they don't depend on how many there are.
        (event,) = sample_events(
            kind,
            finding,
            count=1,
            action="Sample" if action is None else action.arn,
            identifiers=random.Random(0),  # noqa: S311 - not secret
        )
        if action is not None:
            if PRESS_SOURCE in (at(compiled.rule.pattern, "source") or ()):
                event["source"] = PRESS_SOURCE
            event["detail"] |= {"actionName": action.name, "actionDescription": action.description}
        verdict = compiled.verdict(event)
        if verdict is not Verdict.NO_MATCH:
            return Sample(event=event, is_certain=verdict is Verdict.MATCH)
        if kind == "insight-results":
            break  # no finding is in it
    return None


def _findings(rule: Rule) -> Iterator[sample_findings.Sample]:
    """The findings to try, beginning with what the pattern names."""
    controls = [*_named(rule, "Compliance.SecurityControlId", "compliance.control"), *_CONTROLS]
    severities = sorted(sample_findings.SEVERITIES, key=("HIGH", "CRITICAL").__contains__, reverse=True)
    for control, (workflow, compliance), severity in itertools.product(controls, _STATUSES, severities):
        yield sample_findings.Sample(
            severity=severity,
            control=control,
            account=rule.account if rule.account and is_known(rule.account) else sample_findings.ACCOUNT,
            region=rule.region if rule.region and is_known(rule.region) else sample_findings.REGION,
            workflow=workflow,
            compliance=compliance,
            now=_TIME,
        )


def _named(rule: Rule, *paths: str) -> list[str]:
    """The values that a pattern names at a path of findings."""
    findings: Mapping[str, Any] = at(rule.pattern, "detail.findings") or {}
    values = [value for path in paths for value in at(findings, path) or ()]
    return [value for value in values if isinstance(value, str) and is_known(value)][:3]
