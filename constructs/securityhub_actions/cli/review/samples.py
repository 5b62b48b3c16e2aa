"""Sample findings, and which rules they match."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from securityhub_actions.cli import envelopes
from securityhub_actions.cli.assembly import App
from securityhub_actions.cli.explanation import CompiledRule, Verdict
from securityhub_actions.cli.review.names import short_path

_ACCOUNT: Final = "111122223333"
_REGION: Final = "us-east-1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
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
    place = {"account": account or _ACCOUNT, "region": region or _REGION}
    old = [CompiledRule(rule) for rule in before.rules] if before else []
    new = [CompiledRule(rule) for rule in after.rules]
    found = []
    for sample in samples([before, after] if before else [after], **place):
        outcome = SampleOutcome(
            name=sample.name, before=_matching(old, sample.event), after=_matching(new, sample.event)
        )
        if outcome.before or outcome.after:
            found.append(outcome)
    return found


def _matching(rules: Sequence[CompiledRule], event: dict[str, Any]) -> list[str]:
    return [short_path(one.rule.path) for one in rules if _matches(one, event)]


def _matches(one: CompiledRule, event: dict[str, Any]) -> bool:
    # Events are where the rule is: a stack of another Region has them there.
    place = {"account": one.rule.account, "region": one.rule.region}
    there = {**event, **{name: value for name, value in place.items() if value}}
    return one.verdict(there) is Verdict.MATCH


def samples(apps: Sequence[App], *, account: str, region: str) -> Iterator[Sample]:
    """Return findings of each severity, workflow status, and product, and a press of each action."""
    place = {"account": account, "region": region}
    for name, finding in _findings(**place):
        yield Sample(name=f"imported: {name}", event=envelopes.imported(finding, **place))
    ((_, pressed), *_) = _findings(**place)
    arns = {action.arn: action for app in apps for action in app.actions}
    for arn, action in arns.items():
        event = envelopes.custom_action(
            [pressed], arn=arn, name=action.name, description=action.description, **place
        )
        yield Sample(name=f"press: {action.id}", event=event)


def _findings(*, account: str, region: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for severity in ("CRITICAL", "HIGH", "MEDIUM", "LOW", "INFORMATIONAL"):
        yield f"{severity} control, failed", _finding({}, severity, account, region)
    passed = {
        "Compliance": {"Status": "PASSED", "SecurityControlId": "S3.8"},
        "Workflow": {"Status": "RESOLVED"},
    }
    yield "control, passed", _finding(passed, "INFORMATIONAL", account, region)
    for status in ("NOTIFIED", "RESOLVED", "SUPPRESSED"):
        yield f"HIGH control, {status}", _finding({"Workflow": {"Status": status}}, "HIGH", account, region)
    yield "HIGH control, archived", _finding({"RecordState": "ARCHIVED"}, "HIGH", account, region)
    for product, kind in (
        ("GuardDuty", "TTPs/Command and Control/Backdoor:EC2-C&CActivity.B"),
        ("Inspector", "Software and Configuration Checks/Vulnerabilities/CVE"),
        ("Macie", "Sensitive Data Identifications/Personal Information"),
    ):
        own = _product(product, kind, region, owner="aws", account="")
        yield f"HIGH of {product}", _finding(own, "HIGH", account, region)
    third = _product("Scanner", "Software and Configuration Checks", region, owner="example", account="")
    yield "HIGH of another vendor", _finding(third, "HIGH", account, region)


def _product(name: str, kind: str, region: str, *, owner: str, account: str) -> dict[str, Any]:
    return {
        "ProductArn": f"arn:aws:securityhub:{region}:{account}:product/{owner}/{name.lower()}",
        "ProductName": name,
        "GeneratorId": name.lower(),
        "Types": [kind],
        "Compliance": None,
    }


def _finding(changes: Mapping[str, Any], severity: str, account: str, region: str) -> dict[str, Any]:
    """Return a finding in ASFF.

    Source: https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-findings-format-syntax.html
    """
    finding = {
        "SchemaVersion": "2018-10-08",
        "Id": f"arn:aws:securityhub:{region}:{account}:security-control/S3.8/finding/sample",
        "ProductArn": f"arn:aws:securityhub:{region}::product/aws/securityhub",
        "ProductName": "Security Hub",
        "CompanyName": "AWS",
        "Region": region,
        "GeneratorId": "security-control/S3.8",
        "AwsAccountId": account,
        "Types": ["Software and Configuration Checks/Industry and Regulatory Standards"],
        "Severity": {"Label": severity},
        "Title": "S3 general purpose buckets should block public access",
        "Compliance": {
            "Status": "FAILED",
            "SecurityControlId": "S3.8",
            "AssociatedStandards": [
                {"StandardsId": "standards/aws-foundational-security-best-practices/v/1.0.0"}
            ],
        },
        "Workflow": {"Status": "NEW"},
        "RecordState": "ACTIVE",
        "Resources": [{"Type": "AwsS3Bucket", "Id": "arn:aws:s3:::amzn-s3-demo-bucket", "Region": region}],
        **changes,
    }
    return {name: value for name, value in finding.items() if value is not None}
