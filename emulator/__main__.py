"""The embedded AWS as a command: ``.venv/bin/python -m emulator --help``."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import re
import signal
import sys
from collections.abc import Sequence
from typing import Any, Final

from botocore.exceptions import ClientError

from emulator.delivery import Delivery
from emulator.launching import EmulatorError
from emulator.server import DEFAULT_ACCOUNT, DEFAULT_REGION, EmbeddedAws

_EXAMPLES: Final = """\
examples:
  .venv/bin/python -m emulator start
  .venv/bin/python -m emulator press SuppressWithNote FINDING_ID
  .venv/bin/python -m emulator press Digest --insight arn:aws:securityhub:eu-west-1:111122223333:insight/...
  .venv/bin/python -m emulator deliveries

`start` runs the server until you press Ctrl-C. In another terminal, paste the export lines that it prints.
Every AWS CLI, SDK, and CDK command in that terminal, and the other commands here, then uses the server.
"""


# As shells report a process that SIGPIPE ended.
_CLOSED_PIPE: Final = 128 + signal.SIGPIPE


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        if options.command == "start":
            return _start(options)
        if not options.endpoint:
            parser.error(
                "no server specified: run `.venv/bin/python -m emulator start` and paste its export lines "
                "here, or specify --endpoint http://127.0.0.1:PORT"
            )
        print(_COMMANDS[options.command](EmbeddedAws.connect(options.endpoint), options), flush=True)
    except (EmulatorError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        # What read the output, such as `head`, ended. Python would complain about what it can't flush.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _CLOSED_PIPE
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=".venv/bin/python -m emulator",
        description="Run Security Hub, EventBridge, Lambda, and more locally, without an AWS account.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    scope = argparse.ArgumentParser(add_help=False)
    key = os.environ.get("AWS_ACCESS_KEY_ID", "")
    account = key if re.fullmatch(r"\d{12}", key) else DEFAULT_ACCOUNT
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or DEFAULT_REGION
    scope.add_argument("--account", default=account, help="12-digit account ID (default: %(default)s)")
    scope.add_argument("--region", default=region, help="Region (default: %(default)s)")
    client = argparse.ArgumentParser(add_help=False, parents=[scope])
    client.add_argument(
        "--endpoint",
        default=os.environ.get("AWS_ENDPOINT_URL"),
        help="the server's address (default: AWS_ENDPOINT_URL)",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("start", parents=[scope], help="start a server and run it until you press Ctrl-C")
    press = commands.add_parser(
        "press", parents=[client], help="press a custom action on findings or on the results of an insight"
    )
    press.add_argument("action", help="the custom action's ID or ARN")
    press.add_argument("finding_ids", nargs="*", metavar="FINDING", help="a finding's ID or ARN (up to 20)")
    press.add_argument("--insight", metavar="ARN", help="the ARN of an insight, instead of findings")
    press.add_argument(
        "--result", action="append", metavar="VALUE", help="a result of the insight (default: all of them)"
    )
    for name, text in (("deliveries", "what happened to the events"), ("events", "the events on the buses")):
        listing = commands.add_parser(name, parents=[client], help=f"show {text}, newest last")
        listing.add_argument("--json", action="store_true", help="print everything as JSON")
    return parser


_ENDS: Final = {signal.SIGINT, signal.SIGTERM}
_SECONDS_BETWEEN_LOOKS: Final = 1.0


def _start(options: argparse.Namespace) -> int:
    # SIGTERM stops the server in the same order as Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with EmbeddedAws.start() as aws:
            settings = aws.settings(account=options.account, region=options.region)
            print(f"The embedded AWS is running at {aws.endpoint_url}. In another terminal:\n")
            print("\n".join(f"export {name}={value}" for name, value in settings.items()))
            # Blocked, so that a second Ctrl-C does not interrupt the shutdown that the first one started.
            signal.pthread_sigmask(signal.SIG_BLOCK, _ENDS)
            print("\nPress Ctrl-C to stop it and discard its state.", flush=True)
            while signal.sigtimedwait(_ENDS, _SECONDS_BETWEEN_LOOKS) is None:
                aws.require_running()
    except KeyboardInterrupt:
        pass
    print("\nStopped.")
    return 0


def _press(aws: EmbeddedAws, options: argparse.Namespace) -> str:
    action = options.action
    if not action.startswith("arn:"):
        action = _arn_of(aws, action, options)
    events = aws.press(
        action,
        finding_ids=options.finding_ids,
        insight_arn=options.insight,
        result_values=options.result,
        account=options.account,
        region=options.region,
    )
    return "\n".join(
        [*_event_lines(events), "", "`.venv/bin/python -m emulator deliveries` shows what happened to it."]
    )


def _arn_of(aws: EmbeddedAws, action_id: str, options: argparse.Namespace) -> str:
    """The ARN of a custom action, which says what there is if the action doesn't exist."""
    hub = aws.client("securityhub", account=options.account, region=options.region)
    try:
        pages = hub.get_paginator("describe_action_targets").paginate()
        arns = [action["ActionTargetArn"] for page in pages for action in page["ActionTargets"]]
    except ClientError as error:
        raise EmulatorError(f"The custom actions of {_place(options)} can't be listed: {error}") from error
    by_id = {arn.rpartition("/")[2]: arn for arn in arns}
    if action_id not in by_id:
        known = ", ".join(sorted(by_id)) or "none"
        raise EmulatorError(
            f"There is no custom action {action_id!r} in {_place(options)}. The actions there are: {known}."
        )
    return str(by_id[action_id])


def _place(options: argparse.Namespace) -> str:
    return f"{options.account}, {options.region}"


def _events(aws: EmbeddedAws, options: argparse.Namespace) -> str:
    events = aws.events(account=options.account, region=options.region)
    if options.json:
        return json.dumps(events, indent=2)
    if not events:
        raise EmulatorError(f"There are no events in {_place(options)}. {_elsewhere(aws)}")
    return "\n".join(_event_lines(events))


def _elsewhere(aws: EmbeddedAws) -> str:
    """Where events did match rules: a wrong account or Region is the usual reason for finding nothing."""
    arns = [delivery.rule_arn.split(":") for delivery in aws.deliveries()]
    places = sorted({f"{arn[4]}, {arn[3]}" for arn in arns})
    return f"Rules matched events in: {'; '.join(places)}." if places else "No event matched a rule anywhere."


def _event_lines(events: Sequence[dict[str, Any]]) -> list[str]:
    return [
        f"{event['time']}  {event['detail-type']}  {event['id']}\n  source     {event['source']}\n"
        f"  resources  {', '.join(event['resources']) or '-'}"
        for event in events
    ]


def _deliveries(aws: EmbeddedAws, options: argparse.Namespace) -> str:
    deliveries = aws.deliveries(account=options.account, region=options.region)
    if options.json:
        return json.dumps([dataclasses.asdict(delivery) for delivery in deliveries], indent=2)
    if not deliveries:
        raise EmulatorError(f"No event matched a rule in {_place(options)}. {_elsewhere(aws)}")
    return "\n".join(map(describe, deliveries))


def describe(delivery: Delivery) -> str:
    """Return a short, readable description of a delivery."""
    tries = "1 attempt" if delivery.attempts == 1 else f"{delivery.attempts} attempts"
    has_failed = delivery.answer is not None and delivery.answer.function_error is not None
    outcome = f"{delivery.outcome}, but the function failed" if has_failed else delivery.outcome
    lines = [
        f"{delivery.event_id}  {outcome} ({tries})",
        f"  rule    {delivery.rule_arn}",
        f"  target  {delivery.target_arn}",
    ]
    if delivery.error_code:
        lines.append(f"  error   {delivery.error_code}: {delivery.error_message}")
    if delivery.answer is not None:
        word = "failed " if delivery.answer.function_error else "answer "
        lines.append(f"  {word} {json.dumps(delivery.answer.payload)}")
    return "\n".join(lines)


_COMMANDS: Final = {"press": _press, "events": _events, "deliveries": _deliveries}

if __name__ == "__main__":
    sys.exit(main())
