"""`apply`: an automation rule, to existing findings."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import click
from rich.console import RenderableType
from rich.text import Text

from securityhub_actions.cli.applying import (
    BATCH,
    LiveAutomationRule,
    apply,
    automation_rule,
    findings_of,
    still_as_shown,
)
from securityhub_actions.cli.asking import confirm, note_left_alone
from securityhub_actions.cli.aws import Aws, with_aws
from securityhub_actions.cli.errors import CommandError, ExitCode, interruptible
from securityhub_actions.cli.output import Output, entries, indented, with_output
from securityhub_actions.cli.review.texts import at

_LISTED: Final = 10


@click.command()
@click.argument("rule")
@click.option("--limit", type=click.IntRange(min=1), metavar="NUMBER", help="The maximum number of findings.")
@click.option("--dry-run", is_flag=True, help="Only say what would be changed.")
@click.option("--yes", is_flag=True, help="Don't ask.")
@with_aws
@with_output
def command(*, aws: Aws, rule: str, limit: int | None, dry_run: bool, yes: bool, output: Output) -> int:
    """Change existing findings as the automation rule RULE changes those that arrive.

    RULE is the name or ARN of an automation rule of either Security Hub, or a part of its name. The findings
    are those that meet its criteria now. Your own permissions apply. What has changed before you answer the
    question is left alone.

    What a suppression suppresses in this way, its end opens like the rest. Repeat the command to go on after
    an interruption.

    The exit code is 0 if all were changed, and 3 if some couldn't be.
    """
    found = automation_rule(aws, rule)
    if not found.is_enabled:
        raise CommandError(f"The rule {found.name} is disabled. Enable it first, or specify another rule.")
    with contextlib.closing(output.track(findings_of(aws, found), "findings")) as tracked:
        findings = list(itertools.islice(tracked, limit))
    if dry_run or not findings:
        output.show(_document(found, findings, []), *_planned(found, findings))
        return ExitCode.SUCCESS
    if not yes:
        confirm(f"Change {len(findings):,} findings as {found.name} does?")
        with output.waiting("Reading the findings again"):
            shown, findings = findings, still_as_shown(aws, found, findings)
        note_left_alone(output, len(findings), of=len(shown))
    failures: list[tuple[str, str]] = []
    with interruptible("What was changed stays changed. Repeat the command to go on."):
        for start in range(0, len(findings), BATCH):
            failures += apply(aws, found, findings[start : start + BATCH])
    output.show(_document(found, findings, failures), *_done(found, findings, failures))
    return ExitCode.FAILED if failures else ExitCode.SUCCESS


def _document(
    rule: LiveAutomationRule, findings: Sequence[Mapping[str, Any]], failures: Sequence[tuple[str, str]]
) -> dict[str, Any]:
    return {
        "rule": rule.arn,
        "findings": [str(one.get("Id") or at(one, "finding_info.uid")) for one in findings],
        "failures": [{"finding": finding, "reason": reason} for finding, reason in failures],
    }


def _planned(rule: LiveAutomationRule, findings: Sequence[Mapping[str, Any]]) -> Iterator[RenderableType]:
    number = f"{len(findings):,} finding{'' if len(findings) == 1 else 's'}"
    yield Text.assemble((number, "bold"), " would be changed" if findings else " to change")
    yield entries(("rule", rule.name))
    for finding in findings[:_LISTED]:
        yield indented(Text(str(finding.get("Title") or at(finding, "finding_info.title") or "")), 4)
    if len(findings) > _LISTED:
        yield indented(Text(f"and {len(findings) - _LISTED:,} more"), 4)


def _done(
    rule: LiveAutomationRule, findings: Sequence[Mapping[str, Any]], failures: Sequence[tuple[str, str]]
) -> Iterator[RenderableType]:
    yield Text.assemble((f"{len(findings) - len(failures):,} changed", "bold green"))
    yield entries(("rule", rule.name))
    if failures:
        yield Text.assemble((f"{len(failures):,} not changed", "bold yellow"))
    for finding, reason in failures[:_LISTED]:
        yield entries(("finding", finding), ("because", reason))
