"""`events new`: a sample of each event that Security Hub sends."""

from __future__ import annotations

import random
import re
from datetime import UTC, datetime
from typing import Final

import click

from securityhub_actions.cli.options import (
    DEFAULT_TEMPLATE,
    a_region,
    an_account,
    matching,
    place_of_app,
    region_of_environment,
)
from securityhub_actions.cli.output import Output, with_output
from securityhub_actions.cli.sample_events import KINDS, MOST, sample_events
from securityhub_actions.cli.sample_findings import (
    ACCOUNT,
    COMPLIANCE_STATUSES,
    REGION,
    SEVERITIES,
    WORKFLOW_STATUSES,
    Sample,
)

_CONTROL: Final = re.compile(r"[A-Za-z][A-Za-z0-9]*\.\d+")
_ACTION: Final = re.compile(r"[A-Za-z0-9_-]{1,20}|arn:[^:\s]+:securityhub:[^:\s]+:\d{12}:action/custom/\S+")
_EXAMPLE: Final = (
    "securityhub-actions events new imported --severity CRITICAL | securityhub-actions explain -"
)
_TIME_OF_SEEDED: Final = datetime(2026, 1, 31, 9, 0, tzinfo=UTC)


@click.group()
def command() -> None:
    """Make events to try an app with."""


@command.command(epilog=f"Example: {_EXAMPLE}")
@click.argument("kind", type=click.Choice(KINDS), metavar="KIND")
@click.option(
    "--severity",
    type=click.Choice(list(SEVERITIES), case_sensitive=False),
    help="Default: HIGH, or INFORMATIONAL with --compliance PASSED.",
)
@click.option(
    "--control",
    callback=matching(_CONTROL, "the ID of a control, such as S3.8"),
    default="S3.8",
    metavar="ID",
    show_default=True,
    help="The control that the findings are of.",
)
@click.option(
    "--account",
    callback=an_account,
    metavar="ID",
    help="The account of the event and the findings. Default: that of the app in "
    f"{DEFAULT_TEMPLATE}, or {ACCOUNT}.",
)
@click.option(
    "--region",
    callback=a_region,
    metavar="REGION",
    help="The Region of the event and the findings. Default: that of the app in "
    f"{DEFAULT_TEMPLATE}, that of the environment, or {REGION}.",
)
@click.option(
    "--count",
    type=int,
    default=1,
    metavar="NUMBER",
    show_default=True,
    help="How many findings, or results of an insight.",
)
@click.option(
    "--status",
    type=click.Choice(list(WORKFLOW_STATUSES), case_sensitive=False),
    help="The workflow status. Default: NEW, or RESOLVED with --compliance PASSED.",
)
@click.option(
    "--compliance",
    type=click.Choice(list(COMPLIANCE_STATUSES), case_sensitive=False),
    default="FAILED",
    show_default=True,
    help="The compliance status.",
)
@click.option(
    "--action",
    callback=matching(_ACTION, "the ID of a custom action, of up to 20 letters, digits, - and _, or its ARN"),
    metavar="ID|ARN",
    help="The custom action of the kinds custom-action and insight-results. Default: Sample.",
)
@click.option(
    "--seed", type=int, metavar="NUMBER", help="Make the same event each time, IDs and times included."
)
@with_output
def new(
    *,
    kind: str,
    severity: str | None,
    control: str,
    account: str | None,
    region: str | None,
    count: int,
    status: str | None,
    compliance: str,
    action: str | None,
    seed: int | None,
    output: Output,  # noqa: ARG001 - it's always JSON
) -> None:
    """Print a sample of an event, as JSON.

    KIND is imported, custom-action, insight-results, or imported-v2.

    It's what EventBridge receives from Security Hub, and what a target receives that has no input of its own.
    More than one imported finding are as many events, in a list.
    """
    if not 1 <= count <= MOST[kind]:
        raise click.BadParameter(
            f"{count} is not from 1 to {MOST[kind]:,}, which are allowed for {kind}.", param_hint="--count"
        )
    if action is not None and kind not in {"custom-action", "insight-results"}:
        raise click.BadParameter(f"An event of the kind {kind} has no custom action.", param_hint="--action")
    passed = compliance == "PASSED"
    its_account, its_region = place_of_app()
    sample = Sample(
        severity=severity or ("INFORMATIONAL" if passed else "HIGH"),
        control=control,
        account=account or its_account or ACCOUNT,
        region=region or its_region or region_of_environment() or REGION,
        workflow=status or ("RESOLVED" if passed else "NEW"),
        compliance=compliance,
        now=datetime.now(UTC) if seed is None else _TIME_OF_SEEDED,
    )
    identifiers = random.Random(seed)  # noqa: S311 - not secret
    made = sample_events(kind, sample, count=count, action=action or "Sample", identifiers=identifiers)
    Output(as_json=True).show(made[0] if len(made) == 1 else made)
