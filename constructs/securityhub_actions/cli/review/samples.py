"""Sample findings, and which rules they match."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from securityhub_actions.cli import envelopes
from securityhub_actions.cli.assembly import App
from securityhub_actions.cli.assembly.values import partition_of
from securityhub_actions.cli.explanation import CompiledRule, Verdict
from securityhub_actions.cli.review.names import short_path
from securityhub_actions.cli.sample_findings import (
    ACCOUNT,
    REGION,
    SEVERITIES,
    WORKFLOW_STATUSES,
    Sample,
    in_asff,
    in_ocsf,
)

_NOW: Final = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleEvent:
    """An event.

    Attributes:
        name: What it is about, in a few words.
        event: The event.
    """

    name: str
    event: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleOutcome:
    """The rules that an event matches.

    Attributes:
        name: What the event is about.
        before: The paths of the rules before.
        after: The paths of the rules after.
    """

    name: str
    before: Sequence[str]
    after: Sequence[str]

    @property
    def changed(self) -> bool:
        """Whether other rules match than before."""
        return set(self.before) != set(self.after)


def outcomes(
    before: App | None, after: App, *, account: str | None, region: str | None
) -> list[SampleOutcome]:
    """Return which rules the samples match before and after.

    Args:
        before: The app before, or None.
        after: The app after.
        account: The account of the events, which is that of all stacks, or None.
        region: The Region of the events, which is that of all stacks, or None.
    """
    place = {"account": account or ACCOUNT, "region": region or REGION}
    old = _compiled(before) if before else []
    new = _compiled(after)
    found = []
    for sample in samples([before, after] if before else [after], **place):
        outcome = SampleOutcome(
            name=sample.name, before=_matching(old, sample.event), after=_matching(new, sample.event)
        )
        if outcome.before or outcome.after:
            found.append(outcome)
    return found


def _compiled(app: App) -> list[CompiledRule]:
    return [CompiledRule(rule) for rule in app.rules]


def _matching(rules: Sequence[CompiledRule], event: dict[str, Any]) -> list[str]:
    return [short_path(one.rule.path) for one in rules if _matches(one, event)]


def _matches(one: CompiledRule, event: dict[str, Any]) -> bool:
    # Events are where the rule is: a stack of another Region has them there.
    place = {"account": one.rule.account, "region": one.rule.region}
    there = {**event, **{name: value for name, value in place.items() if value}}
    return one.verdict(there) is Verdict.MATCH


def samples(apps: Sequence[App], *, account: str, region: str) -> Iterator[SampleEvent]:
    """Return findings of each severity, workflow status, and product, and a press of each action."""
    place = {"account": account, "region": region}
    for name, finding in _findings(**place):
        yield SampleEvent(name=f"imported: {name}", event=envelopes.imported(finding, **place))
    for severity in ("CRITICAL", "HIGH", "MEDIUM"):
        finding = in_ocsf(_sample(severity, **place), random.Random(0))  # noqa: S311 - IDs of samples
        event = envelopes.imported_v2(finding, **place)
        yield SampleEvent(name=f"imported (OCSF): {severity} control, failed", event=event)
    ((_, pressed), *_) = _findings(**place)
    arns = {action.arn: action for app in apps for action in app.actions}
    for arn, action in arns.items():
        event = envelopes.custom_action(
            [pressed], arn=arn, name=action.name, description=action.description, **place
        )
        yield SampleEvent(name=f"press: {action.id}", event=event)


def _findings(*, account: str, region: str) -> Iterator[tuple[str, dict[str, Any]]]:
    place = {"account": account, "region": region}
    for severity in reversed(SEVERITIES):
        yield f"{severity} control, failed", _finding(_sample(severity, **place))
    passed = _sample("INFORMATIONAL", workflow="RESOLVED", compliance="PASSED", **place)
    yield "control, passed", _finding(passed)
    for workflow in WORKFLOW_STATUSES:
        if workflow != "NEW":
            yield f"HIGH control, {workflow}", _finding(_sample("HIGH", workflow=workflow, **place))
    yield "HIGH control, archived", {**_finding(_sample("HIGH", **place)), "RecordState": "ARCHIVED"}
    for control in ("EC2.19", "IAM.3"):
        yield f"HIGH control {control}, failed", _finding(_sample("HIGH", control=control, **place))
    for product, owner in (("GuardDuty", "aws"), ("Inspector", "aws"), ("Scanner", "example")):
        finding = _finding(_sample("HIGH", **place))
        del finding["Compliance"]
        yield f"HIGH of {product}", {**finding, **_product(product, owner, region)}


def _product(name: str, owner: str, region: str) -> dict[str, Any]:
    return {
        "ProductArn": f"arn:{partition_of(region)}:securityhub:{region}::product/{owner}/{name.lower()}",
        "ProductName": name,
        "GeneratorId": name.lower(),
        "Types": ["Software and Configuration Checks"],
    }


def _sample(
    severity: str,
    *,
    account: str,
    region: str,
    control: str = "S3.8",
    workflow: str = "NEW",
    compliance: str = "FAILED",
) -> Sample:
    return Sample(
        severity=severity,
        control=control,
        account=account,
        region=region,
        workflow=workflow,
        compliance=compliance,
        now=_NOW,
    )


def _finding(sample: Sample) -> dict[str, Any]:
    return in_asff(sample, random.Random(0))  # noqa: S311 - IDs of samples, the same in each review
