"""Composes the subject and body of a message about an event. Knows neither boto3 nor Lambda."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from invocation.environment import matching
from invocation.topic import TOPIC_ARN, Message, fit_body, fit_subject, one_line, region_of
from securityhub.events import (
    CustomActionEvent,
    Finding,
    InsightResultsEvent,
    MalformedItem,
    SecurityHubEvent,
)

_SEVERITIES: Final = ("CRITICAL", "HIGH", "MEDIUM", "LOW", "INFORMATIONAL")
# The partitions with a public console. For the isolated ones, there is no link.
_CONSOLES: Final = {
    "aws": "console.aws.amazon.com",
    "aws-cn": "console.amazonaws.cn",
    "aws-us-gov": "console.amazonaws-us-gov.com",
    "aws-eusc": "console.amazonaws-eusc.eu",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The function's environment variables, checked.

    Attributes:
        topic_arn: `TOPIC_ARN`, the standard SNS topic that gets the messages.
        topic_region: The topic's region, out of its ARN.
    """

    topic_arn: str
    topic_region: str

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Settings:
        """Read the settings.

        Raises:
            ValueError: `TOPIC_ARN` is missing or not the ARN of a standard SNS topic.
        """
        allowed = "the ARN of a standard SNS topic (arn:PARTITION:sns:REGION:ACCOUNT:NAME)"
        topic_arn = matching(environment, "TOPIC_ARN", pattern=TOPIC_ARN, allowed=allowed)
        return cls(topic_arn=topic_arn, topic_region=region_of(topic_arn))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """A finding as the digest shows it."""

    severity: str
    account: str
    region: str
    title: str
    resource: str


def compose_digest(event: SecurityHubEvent) -> Message:
    """Compose a message about an event of any type.

    For insight results, it's a table of values and counts, with the highest counts first. For findings, it's
    the counts by severity and account, and a list of titles with the first resource of each, with the most
    severe findings first.

    Source: https://docs.aws.amazon.com/sns/latest/api/API_Publish.html for the limits of subject and body.
    """
    if isinstance(event, InsightResultsEvent):
        return _digest_insight(event)
    return _digest_findings(event)


def malformed_items(event: SecurityHubEvent) -> tuple[MalformedItem, ...]:
    """Return the items of the event that can't be read and therefore aren't in the digest."""
    return event.malformed_results if isinstance(event, InsightResultsEvent) else event.malformed_findings


def _digest_insight(event: InsightResultsEvent) -> Message:
    name = one_line(event.insight_name)
    results = sorted(event.results, key=lambda result: (-result.count, result.value))
    total = sum(result.count for result in results)
    head = [
        f"Insight: {name}",
        f"Insight ARN: {one_line(event.insight_arn)}",
        *_origin(event),
        *_console_link(event.insight_arn, event.region, "insights"),
        "",
        f"Findings in total: {total:,}, in {_plural(len(results), 'result')}",
        *_malformed_notice(event.malformed_results),
        "",
    ]
    table = _count_table(one_line(event.result_type), [(item.value, item.count) for item in results])
    subject = f"Security Hub insight: {name} ({_plural(len(results), 'result')})"
    return Message(subject=fit_subject(subject), body=fit_body(head + table))


def _digest_findings(event: SecurityHubEvent) -> Message:
    rows = sorted((_row(finding) for finding in _findings(event)), key=_most_severe_first)
    by_severity = Counter(row.severity for row in rows)
    by_account = Counter(row.account for row in rows)
    severities = [(name, by_severity[name]) for name in sorted(by_severity, key=_severity_rank)]
    head = [
        f"Findings: {len(rows)}",
        *_origin(event),
        *_console_link(event.resources[0] if event.resources else "", event.region, "findings"),
        *_malformed_notice(malformed_items(event)),
        "",
        *_count_table("Severity", severities),
        "",
        *_count_table("Account", by_account.most_common()),
        "",
        "Titles",
    ]
    lines = [f"  [{row.severity}] {row.title}: {row.resource} ({row.account}, {row.region})" for row in rows]
    worst = ", ".join(f"{count} {name}" for name, count in severities)
    subject = f"Security Hub: {_plural(len(rows), 'finding')}" + (f" ({worst})" if worst else "")
    return Message(subject=fit_subject(subject), body=fit_body(head + lines))


def _findings(event: SecurityHubEvent) -> Sequence[Finding]:
    return () if isinstance(event, InsightResultsEvent) else event.findings


def _row(finding: Finding) -> _Row:
    return _Row(
        severity=one_line(finding.severity_label or "UNKNOWN").upper(),
        account=finding.aws_account_id,
        region=one_line(finding.region),
        title=one_line(finding.title or finding.id),
        resource=one_line(finding.resources[0].id if finding.resources else "no resource")
        + (f" and {len(finding.resources) - 1} more" if len(finding.resources) > 1 else ""),
    )


def _severity_rank(severity: str) -> tuple[int, str]:
    rank = _SEVERITIES.index(severity) if severity in _SEVERITIES else len(_SEVERITIES)
    return rank, severity


def _most_severe_first(row: _Row) -> tuple[tuple[int, str], str, str]:
    return _severity_rank(row.severity), row.title, row.resource


def _origin(event: SecurityHubEvent) -> list[str]:
    lines = [f"Sent from account {event.account}, {one_line(event.region)}, at {event.time.isoformat()}"]
    if isinstance(event, CustomActionEvent | InsightResultsEvent):
        lines.append(f'Custom action: "{one_line(event.action_name)}"')
    return lines


def _console_link(arn: str, region: str, page: str) -> list[str]:
    """Return a line with the URL of the console, which depends on the partition, or no line."""
    partition = arn.split(":")[1] if arn.startswith("arn:") else ""
    domain = _CONSOLES.get(partition)
    if domain is None or not re.fullmatch(r"[a-z0-9-]+", region):
        return []
    return [f"Console: https://{region}.{domain}/securityhub/home?region={region}#/{page}"]


def _malformed_notice(items: Sequence[MalformedItem]) -> list[str]:
    if not items:
        return []
    return [
        f"Items left out because they can't be read: {len(items)}. The first: {one_line(items[0].reason)}"
    ]


def _count_table(title: str, counts: Iterable[tuple[str, int]]) -> list[str]:
    """Return a heading and a line for each count. Counts come first, so that they align for any values."""
    shown = [(one_line(value), f"{count:,}") for value, count in counts]
    width = max((len(count) for _, count in shown), default=0)
    width = max(width, len("Count"))
    return [f"  {'Count':>{width}}  {title}"] + [f"  {count:>{width}}  {value}" for value, count in shown]


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
