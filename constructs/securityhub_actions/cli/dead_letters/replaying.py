"""Sends a dead letter to where it was going."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from securityhub_actions.cli.assembly.kinds import API_DESTINATION, kind_of
from securityhub_actions.cli.aws import Aws, reason_of
from securityhub_actions.cli.dead_letters.model import DeadLetter, Shape
from securityhub_actions.cli.dead_letters.reading import Reader
from securityhub_actions.cli.dead_letters.routes import Routes
from securityhub_actions.cli.errors import CommandError, ExitCode
from securityhub_actions.cli.live_rules import LiveRules
from securityhub_actions.cli.sending import (
    NotSentError,
    Parcel,
    parcel_of,
    refusal_of,
    send,
    send_to_queue,
)


class Fate(StrEnum):
    """What became of a dead letter."""

    SENT = "sent"
    """Its target accepted it, and it was deleted."""
    WOULD_BE_SENT = "would be sent"
    DROPPED = "dropped"
    WOULD_BE_DROPPED = "would be dropped"
    STAYS = "stays"
    """It's still in the queue."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a dead letter, and why it stays, if it does."""

    letter: DeadLetter
    fate: Fate
    reason: str = ""


class Replay:
    """Sends dead letters to where they were going.

    A message is deleted after its target accepted it. If the command is interrupted in between, that one
    message, and no other, is sent twice. Its event has the same ID both times.

    Args:
        aws: The account.
        dry_run: Whether nothing is sent or deleted.
    """

    def __init__(self, aws: Aws, *, dry_run: bool) -> None:
        self._aws = aws
        self._dry_run = dry_run
        self._rules = LiveRules(aws)
        self._routes = Routes(aws)

    def replay(self, letter: DeadLetter, reader: Reader) -> Outcome:
        """Send a message to where it was going, and delete it.

        Raises:
            CommandError: It isn't known whether the target accepted it, or it can't be deleted. To go on
                could send more than one message twice.
        """
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - takes long to import

        try:
            parcel = self._parcel(letter)
            if self._dry_run:
                return Outcome(letter=letter, fate=Fate.WOULD_BE_SENT)
            if not reader.hold(letter):
                return Outcome(letter=letter, fate=Fate.STAYS, reason="somebody else has received it")
            self._send(letter, parcel)
        except NotSentError as error:
            return Outcome(letter=letter, fate=Fate.STAYS, reason=str(error))
        except ClientError as error:
            return Outcome(letter=letter, fate=Fate.STAYS, reason=reason_of(error))
        except BotoCoreError as error:
            raise CommandError(
                f"{letter.id} may have been sent to {letter.target}, which didn't answer, and stays in the "
                f"queue: {reason_of(error)}",
                code=ExitCode.FAILED,
            ) from error
        return _deleted(letter, reader, Fate.SENT)

    def drop(self, letter: DeadLetter, reader: Reader) -> Outcome:
        """Delete a message without sending it."""
        if self._dry_run:
            return Outcome(letter=letter, fate=Fate.WOULD_BE_DROPPED)
        return _deleted(letter, reader, Fate.DROPPED)

    def _parcel(self, letter: DeadLetter) -> Parcel | None:
        """What is sent; None if it's the message itself, back to its queue."""
        if letter.target is None:
            raise NotSentError("the message doesn't say where it was going. Look at it, and drop it")
        if letter.shape == Shape.NOT_CONSUMED:
            return None
        event: Any = letter.event
        if event is None:
            raise NotSentError("the message doesn't contain the event. Look at it, and drop it")
        if letter.shape == Shape.FUNCTION_FAILED:
            if refusal := self._routes.refusal_of(letter.target, event):
                raise NotSentError(refusal)
            return Parcel(target={"Arn": letter.target}, body=json.dumps(event), event={}, key=letter.id)
        if not isinstance(event, dict):
            raise NotSentError("the message doesn't contain an event. Look at it, and drop it")
        rule = str(letter.rule)
        if kind_of({"Arn": letter.target}) == API_DESTINATION:
            again = self._routes.payload_of(event, rule_arn=rule, target_arn=letter.target)
            if again is not None:
                function, payload = again
                return Parcel(target={"Arn": function}, body=json.dumps(payload), event=event, key=letter.id)
        target = self._rules.target(rule, letter.target)
        if refusal := refusal_of(target, event):
            raise NotSentError(refusal)
        return parcel_of(event, target, rule_arn=rule, key=letter.id)

    def _send(self, letter: DeadLetter, parcel: Parcel | None) -> None:
        if parcel is not None:
            send(self._aws, parcel)
            return
        send_to_queue(
            self._aws,
            str(letter.target),
            letter.body,
            key=letter.id,
            group=letter.group,
            attributes=letter.attributes,
        )


def _deleted(letter: DeadLetter, reader: Reader, fate: Fate) -> Outcome:
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - takes long to import

    try:
        reader.delete(letter)
    except (BotoCoreError, ClientError) as error:
        done = "was sent, but" if fate == Fate.SENT else "still"
        raise CommandError(
            f"{letter.id} {done} can't be deleted from {letter.queue_url}: {reason_of(error)}",
            code=ExitCode.FAILED,
        ) from error
    return Outcome(letter=letter, fate=fate)
