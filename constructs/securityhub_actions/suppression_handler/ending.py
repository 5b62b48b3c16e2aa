"""What ends suppressions: knows neither boto3 nor Lambda."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final, Protocol

from .suppressions import Suppression, Suppressions

MAX_NOTE: Final = 512
_MAX_SUBJECT: Final = 99
# The error becomes a dead letter, which has a maximum size.
_MAX_FAILURES: Final = 20
_BATCH: Final = 100
_NOTICE: Final = timedelta(days=14)
_PERIOD: Final = timedelta(hours=1)
# As suppression_rule.py writes it.
_DESCRIPTION: Final = re.compile(r"Suppresses findings (until (?P<until>[0-9-]+)|without end):")
_PAUSES: Final = (1.0, 2.0, 4.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A finding that a suppression has suppressed.

    Attributes:
        identity: What identifies it in the API.
        key: The key of the suppression.
        note: Its note or comment, without the marker.
        is_settled: Whether it's of a control that passes, or archived: not to be opened.
    """

    identity: Any
    key: str
    note: str
    is_settled: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class NotUpdated:
    """A finding that wasn't updated. One that is gone isn't reported."""

    found: Found
    reason: str
    is_retryable: bool


class RefusedError(Exception):
    """Security Hub refused a whole request because of what it contains, such as one of its findings."""


class Hub(Protocol):
    """What is needed of Security Hub."""

    def description_if_enabled(self, rule_arn: str) -> str | None:
        """Return the description of a rule, or None if it's disabled or doesn't exist."""

    def disable(self, rule_arn: str) -> None:
        """Disable a rule."""

    def suppressed(self, markers: str, except_keys: Sequence[str]) -> Iterator[Found]:
        """Return the suppressed findings whose markers begin so, but may leave out those with some keys."""

    def reopen(
        self, findings: Sequence[Found], *, note: str, author: str, is_settled: bool
    ) -> Sequence[NotUpdated]:
        """Set up to 100 findings to NEW, or to RESOLVED if they're settled, with a note.

        Raises:
            RefusedError: None was changed, because of what the request contains.
        """


class Notices:
    """Messages to the topics of suppressions."""

    def __init__(self, publish: Callable[[str, str, str], None]) -> None:
        self._publish = publish

    def send(self, topic: str | None, subject: str, *lines: str) -> None:
        """Publish a message, if there is a topic."""
        if topic:
            # SNS: ASCII without control characters, less than 100 characters.
            line = re.sub(r"[^ -~]", "?", " ".join(subject.split()))
            self._publish(topic, line[:_MAX_SUBJECT], "\n".join(lines))


@dataclass(slots=True)
class Outcome:
    """What was done.

    Attributes:
        failures: What no later invocation makes good, apart from another attempt at this one: messages.
        left: What failed, and the next invocation tries again.
    """

    ended: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    reopened: Counter[str] = field(default_factory=Counter)
    settled: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    finished: bool = True
    extended: set[str] = field(default_factory=set)
    """The keys of suppressions that a deployment extended after this invocation began."""

    @property
    def error(self) -> str:
        """The first failures in one line, and how many more there are."""
        return _in_one_line(self.failures)

    @property
    def left_over(self) -> str:
        """The first of what is left in one line, and how many more there are."""
        return _in_one_line(self.left)

    def to_json(self) -> dict[str, Any]:
        """The outcome for the log and the answer."""
        return {
            "ended": self.ended,
            "told": self.told,
            "reopened": dict(self.reopened),
            "settled": dict(self.settled),
            "failures": self.error,
            "left": self.left_over,
            "finished": self.finished,
        }


def _in_one_line(failures: Sequence[str]) -> str:
    more = len(failures) - _MAX_FAILURES
    return "; ".join([*failures[:_MAX_FAILURES], *([f"and {more:,} more"] if more > 0 else [])])


def end_suppressions(
    suppressions: Suppressions,
    *,
    hubs: Mapping[str, Hub],
    notices: Notices,
    author: str,
    has_time: Callable[[], bool],
    has_time_to_read: Callable[[], bool] = lambda: True,
    sleep: Callable[[float], None] = time.sleep,
) -> Outcome:
    """Tell who is to know two weeks before, disable the rules that are due, and open findings.

    Findings are opened if their marker is of a suppression of this stack that has ended, was disabled, or no
    longer exists. What failed doesn't keep the rest from being done.

    Args:
        suppressions: The suppressions as they are now.
        hubs: The hubs whose findings the stack suppresses, by name.
        notices: Where to tell.
        author: The author of the notes.
        has_time: Whether there is time for another request.
        has_time_to_read: Whether there is time to read more than a few findings, and to open them after that.
            Default: there is.
        sleep: Waits for that many seconds between attempts.
    """
    outcome = Outcome()
    for one in suppressions.ending:
        is_due = one.until <= suppressions.now.date()
        with _noting(outcome.left if is_due else outcome.failures, one.name):
            if is_due:
                _end(one, hubs, notices, outcome, now=suppressions.now)
            elif _is_time_for_notice(one, suppressions.now):
                _announce(one, notices)
                outcome.told.append(one.name)
    for name, hub in hubs.items():
        found = _found(
            name, hub, suppressions, outcome, has_time=has_time, has_time_for_more=has_time_to_read
        )
        _open_findings(name, hub, found, author, outcome, has_time=has_time, sleep=sleep)
    _report(suppressions, notices, outcome)
    return outcome


class _noting:  # noqa: N801 - used as a function
    """Notes an error in a list, so that it doesn't affect what comes next."""

    def __init__(self, failures: list[str], what: str) -> None:
        self._failures = failures
        self._what = what

    def __enter__(self) -> None: ...

    def __exit__(self, _kind: object, error: BaseException | None, _where: object) -> bool:
        if isinstance(error, Exception):
            self._failures.append(f"{self._what}: {type(error).__name__}: {error}")
            return True
        return False


def _is_time_for_notice(one: Suppression, now: datetime) -> bool:
    """Whether this is the hour in which the notice is due, of which there is one invocation."""
    due = datetime(one.until.year, one.until.month, one.until.day, tzinfo=UTC) - _NOTICE
    return due <= now < due + _PERIOD


def _announce(one: Suppression, notices: Notices) -> None:
    notices.send(
        one.topic,
        f"Suppression {one.name} ends on {one.until.isoformat()}",
        f"The suppression {one.name} ends on {one.until.isoformat()} (UTC): {one.reason}",
        "On that day, its rule is disabled, and the findings that it suppressed are open again.",
        "If they are still accepted, set a later date in the code and deploy it. Otherwise, fix what they "
        "report, and remove the suppression from the code.",
        f"Rule: {one.rule}",
    )


def _end(
    one: Suppression, hubs: Mapping[str, Hub], notices: Notices, outcome: Outcome, *, now: datetime
) -> None:
    hub = hubs[one.hub]
    description = hub.description_if_enabled(one.rule)
    if description is None:
        return
    # What somebody else wrote there doesn't keep a suppression from ending.
    said = _DESCRIPTION.match(description)
    if said and said["until"] != one.until.isoformat():
        outcome.extended.add(one.key)
        return
    try:
        # Before the rule is disabled, because that is how the next attempt knows that it was told.
        notices.send(
            one.topic,
            f"Suppression {one.name} has ended",
            f"The suppression {one.name} ended on {one.until.isoformat()} (UTC): {one.reason}",
            "Its rule is disabled now, and the findings that it suppressed are open again.",
            "Remove the suppression from the code, or set a later date: until then, synthesis fails.",
            f"Rule: {one.rule}",
        )
    except Exception:
        # A topic that is broken doesn't make a suppression last for more than a day.
        if now.date() <= one.until:
            raise
        hub.disable(one.rule)
        outcome.ended.append(one.name)
        raise
    hub.disable(one.rule)
    outcome.ended.append(one.name)


_Reopen = Callable[[Sequence[Found]], Sequence[NotUpdated]]
_Groups = Mapping[tuple[str, str, bool], Sequence[Found]]
"""Findings by the key of their suppression, their note, and whether they are settled."""


def _found(
    name: str,
    hub: Hub,
    suppressions: Suppressions,
    outcome: Outcome,
    *,
    has_time: Callable[[], bool],
    has_time_for_more: Callable[[], bool],
) -> _Groups:
    """Return the findings to open, or as many as there is time for, or were read before an error.

    They are read before any is opened, because what is opened is found no longer, which would shift the
    pages. The next invocation finds the others.
    """
    in_force = [*suppressions.in_force(), *outcome.extended]
    groups: dict[tuple[str, str, bool], list[Found]] = {}
    with _noting(outcome.left, f"findings of {name}"):
        for number, found in enumerate(hub.suppressed(suppressions.markers, in_force), 1):
            if found.key not in in_force:
                groups.setdefault((found.key, found.note, found.is_settled), []).append(found)
            if not has_time() or (number >= _BATCH and not has_time_for_more()):
                outcome.finished = False
                break
    return groups


def _open_findings(
    name: str,
    hub: Hub,
    groups: _Groups,
    author: str,
    outcome: Outcome,
    *,
    has_time: Callable[[], bool],
    sleep: Callable[[float], None],
) -> None:
    for (key, note, is_settled), findings in groups.items():
        text = _note(f"The suppression has ended. It was: {note}")
        reopen = partial(hub.reopen, note=text, author=author, is_settled=is_settled)
        for start in range(0, len(findings), _BATCH):
            if not has_time():
                outcome.finished = False
                return
            batch = findings[start : start + _BATCH]
            with _noting(outcome.left, f"findings of {name}"):
                failed = _reopen_what_can_be(reopen, batch, sleep=sleep)
                (outcome.settled if is_settled else outcome.reopened)[key] += len(batch) - len(failed)
                outcome.left += [f"finding {one.found.identity}: {one.reason}" for one in failed]


def _note(text: str) -> str:
    """Cut a note to `MAX_NOTE` UTF-16 code units, the strictest way in which a service counts."""
    return text.encode("utf-16-le", "replace")[: 2 * MAX_NOTE].decode("utf-16-le", "ignore")


def _reopen_what_can_be(
    reopen: _Reopen, batch: Sequence[Found], *, sleep: Callable[[float], None]
) -> list[NotUpdated]:
    """Open findings, and divide those of a request that is refused until it's about one only."""
    try:
        return _reopen(reopen, batch, sleep=sleep)
    except RefusedError as error:
        if len(batch) == 1:
            return [NotUpdated(found=batch[0], reason=str(error), is_retryable=False)]
    middle = len(batch) // 2
    halves = (batch[:middle], batch[middle:])
    return [one for half in halves for one in _reopen_what_can_be(reopen, half, sleep=sleep)]


def _reopen(reopen: _Reopen, batch: Sequence[Found], *, sleep: Callable[[float], None]) -> list[NotUpdated]:
    """Open findings with retries, and return those that couldn't be opened."""
    final: list[NotUpdated] = []
    for pause in (*_PAUSES, None):
        failed = reopen(batch)
        retryable = [one for one in failed if one.is_retryable]
        final += [one for one in failed if not one.is_retryable]
        if not retryable or pause is None:
            return final + retryable
        sleep(pause)
        batch = [one.found for one in retryable]
    return final


def _report(suppressions: Suppressions, notices: Notices, outcome: Outcome) -> None:
    """Tell how many findings are open again, to the topic of each suppression; all if it no longer exists."""
    known = {one.key: one for one in suppressions.ending}
    topics = {one.topic for one in suppressions.ending if one.topic}
    for key, number in sorted(outcome.reopened.items()):
        one = known.get(key)
        name = one.name if one else f"{suppressions.markers}{key}, which is no longer in the code,"
        for topic in {one.topic} if one else topics:
            with _noting(outcome.failures, name):
                notices.send(
                    topic,
                    f"{number} findings are open again",
                    f"{number} findings that the suppression {name} had suppressed are open again (NEW), and "
                    f"{outcome.settled[key]} that were settled meanwhile are RESOLVED.",
                )
