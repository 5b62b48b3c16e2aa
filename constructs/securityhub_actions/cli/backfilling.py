"""Sends existing findings to the targets of a rule, and remembers which it has sent."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final

from securityhub_actions.cli import envelopes
from securityhub_actions.cli.aws import Aws
from securityhub_actions.cli.choosing import chosen
from securityhub_actions.cli.errors import CommandError
from securityhub_actions.cli.finding_filters import filters_of, ocsf_filters_of
from securityhub_actions.cli.findings import findings_like, ocsf_findings_like
from securityhub_actions.cli.review.texts import at
from securityhub_actions.event_names import IMPORTED, IMPORTED_V2
from securityhub_actions.patterns import EventPattern

_NAMESPACE: Final = uuid.UUID("6f1c7c52-8f5f-4d0c-9c56-0b1a4a2f5f5e")


@dataclass(frozen=True, slots=True, kw_only=True)
class BackfillRule:
    """A rule for imported findings.

    Attributes:
        name: The name of the rule.
        arn: The ARN of the rule.
        pattern: Its event pattern.
        kinds: The detail types of the events that it matches: findings in ASFF, or in OCSF, or both.
    """

    name: str
    arn: str
    pattern: EventPattern
    kinds: frozenset[str]


def backfill_rule(aws: Aws, given: str) -> BackfillRule:
    """Find a rule for imported findings by its name or ARN, or by a part of its name.

    Raises:
        CommandError: There is none, or several.
    """
    rules = [(rule.name, rule.arn, rule) for rule in _rules_for_findings(aws)]
    return chosen(given, rules, kind="rule", among=f"Rules for imported findings in {aws.region}")


def _rules_for_findings(aws: Aws) -> Iterator[BackfillRule]:
    for page in aws.client("events").get_paginator("list_rules").paginate():
        for rule in page["Rules"]:
            pattern = json.loads(rule.get("EventPattern") or "{}")
            if kinds := envelopes.imported_kinds(pattern):
                yield BackfillRule(
                    name=rule["Name"], arn=rule["Arn"], pattern=EventPattern.parse(pattern), kinds=kinds
                )


def matching_events(aws: Aws, rule: BackfillRule) -> Iterator[dict[str, Any]]:
    """Return an event for each finding that the rule matches, as Security Hub would send it.

    The ID of the event depends on the rule, the finding, and its last update, so that whoever receives it
    twice can tell.
    """
    for event, updated in _events(aws, rule):
        seed = f"{rule.arn} {event['resources'][0]} {updated}"
        event["id"] = str(uuid.uuid5(_NAMESPACE, seed))
        if rule.pattern.matches(event):
            yield event


def _events(aws: Aws, rule: BackfillRule) -> Iterator[tuple[dict[str, Any], object]]:
    """The event of each finding that the rule may match, and when the finding was updated."""
    place = {"account": aws.account, "region": aws.region}
    if IMPORTED in rule.kinds:
        for finding in findings_like(aws, filters_of(rule.pattern)):
            yield envelopes.imported(finding, **place), finding.get("UpdatedAt")
    if IMPORTED_V2 in rule.kinds:
        for finding in ocsf_findings_like(aws, ocsf_filters_of(rule.pattern)):
            yield envelopes.imported_v2(finding, **place), at(finding, "finding_info.modified_time")


class Sent:
    """What has been sent to which targets, in a file, so that a backfill can go on after an interruption.

    Args:
        file: The file. It's created with the first entry.
        rule_arn: The ARN of the rule.

    Attributes:
        file: The file.

    Raises:
        CommandError: The file is of another rule, or of something else.
    """

    def __init__(self, file: Path, rule_arn: str) -> None:
        self.file = file
        self._rule = rule_arn
        self._stream: IO[str] | None = None
        self._keys = set(self._read())

    def __enter__(self) -> Sent:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _where: TracebackType | None
    ) -> None:
        if self._stream is not None:
            self._stream.close()

    def has(self, event: Mapping[str, Any], target: Mapping[str, Any]) -> bool:
        """Whether an event was sent to a target."""
        return key_of(event, target) in self._keys

    def add(self, event: Mapping[str, Any], target: Mapping[str, Any]) -> None:
        """Remember that an event was sent to a target, also if the machine fails in the next moment."""
        stream = self._open()
        entry = {"rule": self._rule, "sent": key_of(event, target), "finding": event["resources"][0]}
        stream.write(f"{json.dumps(entry)}\n")
        stream.flush()
        os.fsync(stream.fileno())
        self._keys.add(entry["sent"])

    def check_writable(self) -> None:
        """Raise an error now rather than after the first event was sent."""
        self._open()

    def _open(self) -> IO[str]:
        if self._stream is None:
            try:
                self._stream = self.file.open("a", encoding="utf-8")
                if self.file.stat().st_size and not self.file.read_bytes().endswith(b"\n"):
                    self._stream.write("\n")  # the end of an entry that was interrupted
            except OSError as error:
                raise CommandError(
                    f"{self.file} can't be written: {error.strerror}. Specify another file with --state."
                ) from error
        return self._stream

    def _read(self) -> Iterator[str]:
        if not self.file.exists():
            return
        try:
            text = self.file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise CommandError(f"{self.file} can't be read. Specify another file with --state.") from error
        for line in text.splitlines():
            try:
                entry = json.loads(line)
            except ValueError:
                continue  # an entry that was interrupted
            if not isinstance(entry, dict) or entry.get("rule") != self._rule:
                raise CommandError(
                    f"{self.file} isn't the state of a backfill of {self._rule}. Specify another file with "
                    "--state."
                )
            yield str(entry.get("sent"))


def key_of(event: Mapping[str, Any], target: Mapping[str, Any]) -> str:
    """Return what identifies the sending of an event to a target."""
    return str(uuid.uuid5(_NAMESPACE, f"{event['id']} {target['Id']} {target['Arn']}"))


def unsent(
    events: Sequence[Mapping[str, Any]], targets: Sequence[Mapping[str, Any]], sent: Sent
) -> list[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """Return each event with each target that it wasn't sent to."""
    return [(event, target) for event in events for target in targets if not sent.has(event, target)]
