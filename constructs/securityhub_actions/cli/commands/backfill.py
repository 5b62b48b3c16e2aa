"""`backfill`: existing findings, to the targets of a rule."""

from __future__ import annotations

import contextlib
import itertools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import click
from rich.console import RenderableType
from rich.text import Text

from securityhub_actions.cli import completion
from securityhub_actions.cli.asking import confirm, note_left_alone
from securityhub_actions.cli.aws import Aws, reason_of, with_aws
from securityhub_actions.cli.backfilling import (
    BackfillRule,
    Sent,
    backfill_rule,
    key_of,
    matching_events,
    unsent,
)
from securityhub_actions.cli.errors import CommandError, ExitCode, interruptible
from securityhub_actions.cli.live_rules import LiveRules
from securityhub_actions.cli.output import Output, entries, indented, with_output
from securityhub_actions.cli.review.texts import at
from securityhub_actions.cli.sending import NotSentError, parcel_of, refusal_of, send

_LISTED: Final = 10
_Pair = tuple[Mapping[str, Any], Mapping[str, Any]]


@click.command()
@click.argument("rule", shell_complete=completion.deployed_rules)
@click.option("--target", help="Only targets whose ARN contains this text.")
@click.option("--limit", type=click.IntRange(min=1), metavar="NUMBER", help="The maximum number of findings.")
@click.option("--dry-run", is_flag=True, help="Only say what would be sent.")
@click.option("--yes", is_flag=True, help="Don't ask.")
@click.option(
    "--state",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Remembers what was sent.  [default: backfill-RULE.jsonl]",
)
@with_aws
@with_output
def command(
    *,
    aws: Aws,
    rule: str,
    target: str | None,
    limit: int | None,
    dry_run: bool,
    yes: bool,
    state: Path | None,
    output: Output,
) -> int:
    """Send the findings that RULE matches to its targets, as if they were imported now.

    RULE is the name or ARN of a rule for imported findings, or a part of its name. The findings come from
    GetFindings, or GetFindingsV2, with the rule's own filter. Each target gets what EventBridge would send
    it, but for the ID and the time of the event. Your own permissions apply.

    What was sent is remembered in a file. Repeat the command to go on after an interruption: nothing is left
    out, and at most one event is sent twice, with the same event ID. What has changed before you answer the
    question is left alone.

    The exit code is 0 if all were sent, and 3 if some couldn't be.
    """
    found = backfill_rule(aws, rule)
    targets = _targets(aws, found, target)
    with Sent(state or Path(f"backfill-{found.name}.jsonl"), found.arn) as sent:
        with contextlib.closing(output.track(matching_events(aws, found), "findings")) as tracked:
            # The limit is of findings that are still to be sent.
            new = (event for event in tracked if unsent([event], targets, sent))
            events = list(itertools.islice(new, limit))
        pairs = unsent(events, targets, sent)
        if dry_run or not pairs:
            output.show(_documents(pairs, Counter()), *_planned(found, events, targets))
            return ExitCode.SUCCESS
        if not yes:
            arns = ", ".join(one["Arn"] for one in targets)
            confirm(f"Send {len(events):,} findings of {found.name} to {arns}?")
            if (backfill_rule(aws, found.arn), _targets(aws, found, target)) != (found, targets):
                raise CommandError(
                    f"The rule {found.name} or its targets have changed since the question, so nothing was "
                    "sent. Repeat the command to see what would be sent now."
                )
            pairs = _still_as_shown(aws, found, pairs, output)
        sent.check_writable()
        with interruptible(f"{sent.file} has what was sent. Repeat the command to go on."):
            return _send_all(aws, found, pairs, sent, output)


def _targets(aws: Aws, rule: BackfillRule, chosen: str | None) -> Sequence[Mapping[str, Any]]:
    all_ = LiveRules(aws).targets(rule.arn) or ()
    targets = [one for one in all_ if chosen is None or chosen in one["Arn"]]
    if not targets:
        listed = ", ".join(one["Arn"] for one in all_) or "none"
        raise CommandError(f"The rule {rule.name} has no such target. Its targets are: {listed}.")
    for one in targets:
        if reason := refusal_of(one, {"source": "aws.securityhub"}):
            raise CommandError(
                f"Findings can't be sent to {one['Arn']}: {reason}. Choose other targets with --target."
            )
    return targets


def _still_as_shown(aws: Aws, rule: BackfillRule, pairs: Sequence[_Pair], output: Output) -> list[_Pair]:
    """Return what is still to be sent, with the findings as they are now.

    The ID of an event tells if its finding was updated meanwhile. Then the rule has received it by itself.
    """
    with output.waiting("Reading the findings again"):
        events = {event["id"]: event for event in matching_events(aws, rule)}
    left: list[_Pair] = [(events[event["id"]], target) for event, target in pairs if event["id"] in events]
    numbers = (len({event["id"] for event, _ in some}) for some in (left, pairs))
    note_left_alone(output, next(numbers), of=next(numbers))
    return left


def _send_all(aws: Aws, rule: BackfillRule, pairs: Sequence[_Pair], sent: Sent, output: Output) -> int:
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - takes long to import

    failures: Counter[tuple[str, str]] = Counter()
    done: list[_Pair] = []
    try:
        with contextlib.closing(output.track(pairs, "sent", total=len(pairs))) as tracked:
            for event, target in tracked:
                parcel = parcel_of(event, target, rule_arn=rule.arn, key=key_of(event, target))
                try:
                    send(aws, parcel)
                except (NotSentError, ClientError) as error:
                    reason = str(error) if isinstance(error, NotSentError) else reason_of(error)
                    failures[target["Arn"], reason] += 1
                    continue
                sent.add(event, target)
                done.append((event, target))
    except BotoCoreError as error:
        raise CommandError(
            f"It isn't known if the last event was sent. {reason_of(error)} Repeat the command to go on.",
            code=ExitCode.FAILED,
        ) from error
    finally:
        output.show(_documents(done, failures), *_done(done, failures))
    return ExitCode.FAILED if failures else ExitCode.SUCCESS


def _documents(pairs: Sequence[_Pair], failures: Mapping[tuple[str, str], int]) -> dict[str, Any]:
    return {
        "events": [
            {"event_id": event["id"], "finding": event["resources"][0], "target": target["Arn"]}
            for event, target in pairs
        ],
        "failures": [
            {"target": target, "reason": reason, "events": number}
            for (target, reason), number in failures.items()
        ],
    }


def _planned(
    rule: BackfillRule, events: Sequence[Mapping[str, Any]], targets: Sequence[Mapping[str, Any]]
) -> Iterator[RenderableType]:
    number = f"{len(events):,} finding{'' if len(events) == 1 else 's'}"
    yield Text.assemble((number, "bold"), " would be sent" if events else " to send")
    yield entries(("rule", rule.name), *(("target", one["Arn"]) for one in targets))
    for event in events[:_LISTED]:
        (finding,) = event["detail"]["findings"]
        yield indented(Text(str(finding.get("Title") or at(finding, "finding_info.title") or "")), 4)
    if len(events) > _LISTED:
        yield indented(Text(f"and {len(events) - _LISTED:,} more"), 4)


def _done(pairs: Sequence[_Pair], failures: Mapping[tuple[str, str], int]) -> Iterator[RenderableType]:
    yield Text.assemble((f"{len(pairs):,} sent", "bold green"))
    for arn, number in Counter(target["Arn"] for _, target in pairs).items():
        yield entries(("target", arn), ("events", f"{number:,}"))
    if failures:
        yield Text.assemble((f"{sum(failures.values()):,} not sent", "bold yellow"))
    for (arn, reason), number in failures.items():
        yield entries(("target", arn), ("events", f"{number:,}"), ("because", reason))
