"""`press`: a custom action, as in the console."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

import click
from rich.console import RenderableType
from rich.text import Text

from securityhub_actions.cli import completion
from securityhub_actions.cli.ages import age
from securityhub_actions.cli.aws import Aws, with_aws
from securityhub_actions.cli.errors import CommandError, ExitCode, interruptible
from securityhub_actions.cli.findings import custom_action
from securityhub_actions.cli.output import Output, entries, with_output
from securityhub_actions.cli.pressing import PressRule, events_of, press, press_rule
from securityhub_actions.cli.watching import Pressed, Watch


@click.command()
@click.argument("action", shell_complete=completion.actions)
@click.argument("findings", nargs=-1, metavar="[FINDING]...")
@click.option("--insight", metavar="ARN", help="Choose the action for results of this insight.")
@click.option("--result", "results", multiple=True, help="Only this result of the insight. Repeatable.")
@click.option("--bus", help="The press bus, if several take presses of the action.")
@click.option("--wait", is_flag=True, help="Wait, and say what became of it.")
@click.option(
    "--timeout", callback=age, default="5m", show_default=True, metavar="AGE", help="How long to wait."
)
@with_aws
@with_output
def command(
    *,
    aws: Aws,
    action: str,
    findings: Sequence[str],
    insight: str | None,
    results: Sequence[str],
    bus: str | None,
    wait: bool,
    timeout: timedelta,
    output: Output,
) -> int:
    """Choose the custom action ACTION (its ID or ARN) for findings or for the results of an insight.

    FINDING is the ID of a finding. Each becomes an event of its own, as in the console. The action must have
    been deployed with a press bus (`press_bus=PressBus(...)`), and you must be among its principals.

    With `--wait`, the exit code is 0 if each finding was changed, 1 if nothing is known after the timeout,
    and 3 if an event became a dead letter. Of results of an insight, only dead letters become known.
    """
    if bool(findings) == bool(insight) or (results and not insight):
        raise CommandError(
            "Specify either IDs of findings, or --insight with its ARN and, if you like, --result for some "
            "of its results."
        )
    with output.waiting("Reading the action and what it's chosen for"):
        chosen = custom_action(aws, action)
        rule = press_rule(aws, chosen["ActionTargetArn"], bus=bus)
        events = list(events_of(aws, chosen, findings=findings, insight=insight, results=results))
        watch = Watch(aws, rule.arn) if wait else None
    pressed: list[Pressed] = []
    try:
        with interruptible("Only what is listed was pressed. Specify the other findings to go on."):
            _press_all(aws, rule, events, into=pressed, output=output)
        if watch is not None:
            with interruptible("Everything listed was pressed, so don't press it again."):
                _wait(watch, pressed, timeout, output)
    finally:
        # Also what was pressed before an error.
        if pressed:
            lines = _readable(chosen["Name"], pressed, waited=watch is not None)
            output.show([_document(one) for one in pressed], *lines)
    return _exit_code(pressed) if wait else ExitCode.SUCCESS


def _press_all(
    aws: Aws,
    rule: PressRule,
    events: Sequence[tuple[dict[str, Any], dict[str, Any] | None]],
    *,
    into: list[Pressed],
    output: Output,
) -> None:
    with contextlib.closing(output.track(events, "pressed", total=len(events))) as tracked:
        for event, finding in tracked:
            into.append(Pressed(event_id=press(aws, rule, event), finding=finding))


def _wait(watch: Watch, pressed: Sequence[Pressed], timeout: timedelta, output: Output) -> None:
    with output.notes.status("") as status:
        watch.until_over(
            pressed,
            timeout=timeout.total_seconds(),
            progress=lambda over: status.update(Text(f"Something became of {over} of {len(pressed)}")),
        )


def _readable(action: str, pressed: Sequence[Pressed], *, waited: bool) -> Iterator[RenderableType]:
    number = f"{len(pressed):,} event{'' if len(pressed) == 1 else 's'}"
    yield Text.assemble(("pressed", "bold green"), f" {action}: {number}")
    for one in pressed:
        yield Text("")
        about: list[tuple[str, object]] = [("event", one.event_id)]
        if one.finding:
            about += [("finding", one.finding["Id"]), ("title", one.finding.get("Title", ""))]
        about += [(_label(name), _value(value)) for name, value in one.changes.items()]
        about += [("dead letter", f"{letter.error}: {letter.explanation}") for letter in one.letters]
        if waited and not one.is_over:
            about.append(("result", "nothing known yet"))
        yield entries(*about)


def _label(name: str) -> str:
    return {"UserDefinedFields": "fields", "VerificationState": "verified"}.get(name, name.lower())


def _value(value: Any) -> str:  # noqa: ANN401 - any JSON value
    if isinstance(value, dict):
        shown = {name: one for name, one in value.items() if name not in {"UpdatedAt", "UpdatedBy"}}
        return (
            next(iter(shown.values()))
            if len(shown) == 1
            else ", ".join(f"{k}: {v}" for k, v in shown.items())
        )
    return str(value)


def _document(one: Pressed) -> dict[str, Any]:
    return {
        "event_id": one.event_id,
        "finding": one.finding["Id"] if one.finding else None,
        "changes": one.changes,
        "dead_letters": [
            {
                "id": letter.id,
                "target": letter.target,
                "error": letter.error,
                "explanation": letter.explanation,
            }
            for letter in one.letters
        ],
    }


def _exit_code(pressed: Sequence[Pressed]) -> int:
    if any(one.letters for one in pressed):
        return ExitCode.FAILED
    return ExitCode.SUCCESS if all(one.is_over for one in pressed) else ExitCode.NO
