"""`findings`: the findings of an account."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import click
from rich.text import Text

from securityhub_actions.cli import envelopes
from securityhub_actions.cli.ages import age_in_words
from securityhub_actions.cli.aws import Aws, with_aws
from securityhub_actions.cli.finding_filters import filters_of
from securityhub_actions.cli.finding_options import with_finding_filter
from securityhub_actions.cli.findings import findings_like
from securityhub_actions.cli.output import Output, with_output
from securityhub_actions.cli.review.texts import at
from securityhub_actions.cli.tables import Column, Listing
from securityhub_actions.filters import FindingFilter
from securityhub_actions.patterns import EventPattern

_COLUMNS: Final = (
    Column(title="SEVERITY", least=8, folds=False),
    Column(title="STATUS", least=8, folds=False),
    Column(title="CONTROL", least=8),
    Column(title="TITLE", least=24),
    Column(title="RESOURCE", least=24),
    Column(title="ACCOUNT", least=12, folds=False),
    Column(title="REGION", least=9, folds=False),
    Column(title="UPDATED", least=11, folds=False),
)
_STYLES: Final = {"CRITICAL": "bold red", "HIGH": "red", "MEDIUM": "yellow"}
_SORTS: Final = {
    "updated": ("UpdatedAt", "desc"),
    "created": ("CreatedAt", "desc"),
    "severity": ("SeverityNormalized", "desc"),
    "account": ("AwsAccountId", "asc"),
    "control": ("ComplianceSecurityControlId", "asc"),
    "title": ("Title", "asc"),
}
"""The attributes of findings to sort by.

Source: https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_SortCriterion.html
"""


@click.command()
@with_finding_filter
@click.option(
    "--sort",
    type=click.Choice(list(_SORTS)),
    default="updated",
    show_default=True,
    help="The latest, or the most severe, come first.",
)
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    metavar="NUMBER",
    default=100,
    show_default=True,
    help="The maximum number.",
)
@click.option("--ids", is_flag=True, help="Print only the ID of each finding, one in a line.")
@with_aws
@with_output
def command(*, aws: Aws, wanted: FindingFilter, sort: str, limit: int, ids: bool, output: Output) -> None:
    """List findings of the account and Region.

    The options are the fields of FindingFilter, and mean the same: by default, only findings are listed that
    are NEW and ACTIVE; several values of one field are alternatives. In texts, * stands for any characters.

    With --json, they are printed as GetFindings returns them, as `securityhub-actions explain -` reads them.
    """
    if ids and output.as_json:
        raise click.UsageError("--ids and --json exclude each other. Specify one of them.")
    with contextlib.closing(output.track(_matching(aws, wanted, sort), "findings")) as matching:
        found = list(itertools.islice(matching, limit + 1))
    listed = found[:limit]
    if ids:
        for finding in listed:
            click.echo(finding["Id"])
    else:
        nothing = Text(f"There are no such findings in {aws.account} in {aws.region}.")
        rows = [_row(finding) for finding in listed]
        output.show({"Findings": listed}, Listing(_COLUMNS, rows) if rows else nothing)
    if len(found) > limit:
        output.note(f"There are more than {limit:,}. Specify a greater --limit, or a narrower filter.")


def _matching(aws: Aws, wanted: FindingFilter, sort: str) -> Iterator[dict[str, Any]]:
    """The findings that the filter matches. GetFindings can't express all of it, so it's applied again."""
    pattern = EventPattern.parse(wanted.to_event_pattern())
    field, order = _SORTS[sort]
    criteria = [{"Field": field, "SortOrder": order}]
    for finding in findings_like(aws, filters_of(pattern), sort=criteria):
        if pattern.matches(envelopes.imported(finding, account=aws.account, region=aws.region)):
            yield finding


def _row(finding: Mapping[str, Any]) -> list[Text | str]:
    severity = str(at(finding, "Severity.Label") or "")
    resource: Mapping[str, Any] = next(iter(finding.get("Resources") or ()), {})
    more = len(finding.get("Resources") or ()) - 1
    return [
        Text(severity, style=_STYLES.get(severity, "")),
        str(at(finding, "Workflow.Status") or ""),
        str(at(finding, "Compliance.SecurityControlId") or finding.get("ProductName") or ""),
        str(finding.get("Title") or ""),
        f"{resource.get('Type', '')} {_short(str(resource.get('Id', '')))}"
        + (f" and {more} more" if more > 0 else ""),
        str(finding.get("AwsAccountId") or ""),
        str(finding.get("Region") or ""),
        _age(str(finding.get("UpdatedAt") or "")),
    ]


def _short(identifier: str) -> str:
    """An ARN without what the other columns say."""
    parts = identifier.split(":", 5)
    return parts[5] if parts[0] == "arn" and len(parts) == 6 and parts[5] else identifier  # noqa: PLR2004


def _age(text: str) -> str:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return text
    return age_in_words(time if time.tzinfo else time.replace(tzinfo=UTC))
