"""Watches what becomes of presses: what changes in their findings, and what ends as a dead letter."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from securityhub_actions.cli.aws import Aws, code_of
from securityhub_actions.cli.dead_letters.model import DeadLetter
from securityhub_actions.cli.dead_letters.queues import DeadLetterQueue, queues_behind
from securityhub_actions.cli.dead_letters.reading import Reader
from securityhub_actions.cli.findings import findings_with_ids
from securityhub_actions.cli.live_rules import LiveRules

INTERVAL_SECONDS: Final = 3.0
_WRITTEN_TO: Final = (
    # What BatchUpdateFindings can change.
    # Source: https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_BatchUpdateFindings.html
    "Confidence",
    "Criticality",
    "Note",
    "RelatedFindings",
    "Severity",
    "Types",
    "UserDefinedFields",
    "VerificationState",
    "Workflow",
)


@dataclass(slots=True, kw_only=True)
class Pressed:
    """A press, and what is known of it.

    Attributes:
        event_id: The ID of the event.
        finding: The finding as it was before, or None for an insight.
        changes: What changed in the finding since: the new values by name.
        letters: The dead letters that the event became.
    """

    event_id: str
    finding: Mapping[str, Any] | None
    changes: dict[str, Any] = field(default_factory=dict)
    letters: list[DeadLetter] = field(default_factory=list)

    @property
    def is_over(self) -> bool:
        """Whether something became of it."""
        return bool(self.changes or self.letters)


class Watch:
    """What becomes of presses.

    Args:
        aws: The account.
        rule_arn: The ARN of the rule that matches them.
        clock: Returns a time in seconds that never goes back.
        sleep: Waits for some seconds.
    """

    def __init__(
        self,
        aws: Aws,
        rule_arn: str,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._aws = aws
        self._clock = clock
        self._sleep = sleep
        targets = LiveRules(aws).targets(rule_arn) or ()
        self._queues = queues_behind(aws, targets)
        self._before = {queue.url: _number_in(aws, queue) for queue in self._queues}

    def until_over(
        self, pressed: Sequence[Pressed], *, timeout: float, progress: Callable[[int], None]
    ) -> None:
        """Watch until something became of each press, or the time is over.

        Args:
            pressed: The presses, which are changed.
            timeout: For how many seconds.
            progress: Is told of how many presses something became.
        """
        ends = self._clock() + timeout
        while True:
            self._look_at_findings([one for one in pressed if one.finding and not one.changes])
            self._look_at_queues({one.event_id: one for one in pressed})
            over = sum(one.is_over for one in pressed)
            progress(over)
            if over == len(pressed) or self._clock() >= ends:
                return
            self._sleep(min(INTERVAL_SECONDS, max(0.0, ends - self._clock())))

    def _look_at_findings(self, pressed: Sequence[Pressed]) -> None:
        by_id = {_name(one.finding): one for one in pressed if one.finding}
        for finding in findings_with_ids(self._aws, list(by_id)):
            one = by_id[_name(finding)]
            before = one.finding or {}
            one.changes = {
                name: finding.get(name) for name in _WRITTEN_TO if finding.get(name) != before.get(name)
            }

    def _look_at_queues(self, pressed: Mapping[str, Pressed]) -> None:
        for queue in self._queues:
            number = _number_in(self._aws, queue)
            if number <= self._before[queue.url]:
                continue
            self._before[queue.url] = number
            with Reader(self._aws, queue) as reader:
                for letter in reader.letters():
                    one = pressed.get(letter.event_id or "")
                    if one and letter.id not in {known.id for known in one.letters}:
                        one.letters.append(letter)


def _name(finding: Mapping[str, Any]) -> str:
    return f"{finding['ProductArn']}/{finding['Id']}"


def _number_in(aws: Aws, queue: DeadLetterQueue) -> int:
    client = aws.client("sqs", region=queue.arn.split(":")[3])
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    try:
        found = client.get_queue_attributes(QueueUrl=queue.url, AttributeNames=names)["Attributes"]
    except client.exceptions.ClientError as error:
        if "NonExistentQueue" in code_of(error) or "QueueDoesNotExist" in code_of(error):
            return 0
        raise
    return sum(int(number) for number in found.values())
