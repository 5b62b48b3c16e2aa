"""What ends suppressions: knows neither boto3 nor Lambda."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final

from .model import MATCHED_AT_ONCE, Found, Hub, NotUpdated, RefusedError, shortened
from .suppressions import Suppression, Suppressions

_MAX_SUBJECT: Final = 99
# The error becomes a dead letter, which has a maximum size.
_MAX_FAILURES: Final = 20
_BATCH: Final = 100
_NOTICE: Final = timedelta(days=14)
_PERIOD: Final = timedelta(hours=1)
# As suppression_rule.py writes it.
_DESCRIPTION: Final = re.compile(r"Suppresses findings (until (?P<until>[0-9-]+)|without end):")
_PAUSES: Final = (1.0, 2.0, 4.0)
_ENDED: Final = "The suppression has ended. It was: "
_NOT_MATCHED: Final = "The filter of the suppression has changed and matches no longer. It was: "


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
    kept: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    finished: bool = True
    extended: set[str] = field(default_factory=set)
    """The keys of suppressions that a deployment extended after this invocation began, or may have."""

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
            "kept": dict(self.kept),
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
    longer exists, or if it's of an earlier filter and the present one doesn't match them. What failed doesn't
    keep the rest from being done.

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
        groups, outdated = _found(
            name, hub, suppressions, outcome, has_time=has_time, has_time_for_more=has_time_to_read
        )
        for key, findings in outdated.items():
            one = suppressions.known[key]
            decided = 0
            with _noting(outcome.left, one.name):
                for found, change in _sorted_out(
                    one, hub, findings, suppressions.markers, has_time=has_time_to_read
                ):
                    _add(groups, found, change)
                    decided += 1
            outcome.finished &= decided == len(findings)
        _update_findings(name, hub, groups, author, outcome, has_time=has_time, sleep=sleep)
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
    try:
        description = hub.description_if_enabled(one.rule)
    except Exception:
        # Whether a deployment has just extended it isn't known, and doesn't become known by waiting longer.
        if now.date() <= one.until:
            outcome.extended.add(one.key)
        raise
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Change:
    """What to do with findings that are alike.

    Attributes:
        key: The key of their suppression.
        note: Their note as it will be.
        is_settled: Whether they are settled, and so RESOLVED rather than NEW.
        marker: The marker of the filter that matches them, if they stay suppressed; None to open them.
    """

    key: str
    note: str
    is_settled: bool
    marker: str | None


_Groups = dict[_Change, list[Found]]
_Update = Callable[[Sequence[Found]], Sequence[NotUpdated]]


def _found(
    name: str,
    hub: Hub,
    suppressions: Suppressions,
    outcome: Outcome,
    *,
    has_time: Callable[[], bool],
    has_time_for_more: Callable[[], bool],
) -> tuple[_Groups, Mapping[str, Sequence[Found]]]:
    """Return the findings to open, and by suppression those that an earlier filter has suppressed.

    These are all, or as many as there is time for, or were read before an error. They are read before any is
    opened, because what is opened is found no longer, which would shift the pages. The next invocation finds
    the others.
    """
    in_force = {*suppressions.in_force(), *outcome.extended}
    digests = {
        key: one.digest
        for key, one in suppressions.known.items()
        if key in in_force and one.hub == name and one.digest
    }
    groups: _Groups = {}
    outdated: dict[str, list[Found]] = {}
    with _noting(outcome.left, f"findings of {name}"):
        as_now = [suppressions.known[key].marked for key in digests]
        for number, found in enumerate(hub.suppressed(suppressions.markers, as_now), 1):
            if found.key not in in_force:
                _add(groups, found, _opening(found, _ENDED))
            elif found.key in digests and found.digest != digests[found.key]:
                outdated.setdefault(found.key, []).append(found)
            if not has_time() or (number >= _BATCH and not has_time_for_more()):
                outcome.finished = False
                break
    return groups, outdated


def _add(groups: _Groups, found: Found, change: _Change) -> None:
    groups.setdefault(change, []).append(found)


def _opening(found: Found, why: str) -> _Change:
    return _Change(key=found.key, note=shortened(why + found.note), is_settled=found.is_settled, marker=None)


def _sorted_out(
    one: Suppression, hub: Hub, findings: Sequence[Found], markers: str, *, has_time: Callable[[], bool]
) -> Iterator[tuple[Found, _Change]]:
    """Decide on findings that an earlier filter of a suppression has suppressed, by the one of the rule now.

    Those that it matches stay suppressed, and get the marker that the rule would give them: opening them for
    a day would have tickets opened and remediations started for what is accepted. The others are opened.

    Yields:
        Those that there is time for. None if the rule has another filter than the event says: a deployment is
        changing it, or has after this invocation began.

    Raises:
        LookupError: The rule doesn't exist.
    """
    rule = hub.rule(one.rule)
    marker = markers + one.marked
    if rule.marker != marker:
        return
    for start in range(0, len(findings), MATCHED_AT_ONCE):
        if start and not has_time():
            return
        batch = findings[start : start + MATCHED_AT_ONCE]
        matching = hub.matching(batch, rule.criteria)
        for found in batch:
            kept = _Change(key=one.key, note=found.note, is_settled=found.is_settled, marker=marker)
            yield found, kept if found in matching else _opening(found, _NOT_MATCHED)


def _update_findings(
    name: str,
    hub: Hub,
    groups: _Groups,
    author: str,
    outcome: Outcome,
    *,
    has_time: Callable[[], bool],
    sleep: Callable[[float], None],
) -> None:
    for change, findings in groups.items():
        for start in range(0, len(findings), _BATCH):
            if not has_time():
                outcome.finished = False
                return
            batch = findings[start : start + _BATCH]
            with _noting(outcome.left, f"findings of {name}"):
                failed = _update_what_can_be(_update(hub, change, author), batch, sleep=sleep)
                _count_of(change, outcome)[change.key] += len(batch) - len(failed)
                outcome.left += [f"finding {one.found.identity}: {one.reason}" for one in failed]


def _update(hub: Hub, change: _Change, author: str) -> _Update:
    if change.marker:
        return partial(hub.mark, note=change.note, marker=change.marker)
    return partial(hub.reopen, note=change.note, author=author, is_settled=change.is_settled)


def _count_of(change: _Change, outcome: Outcome) -> Counter[str]:
    if change.marker:
        return outcome.kept
    return outcome.settled if change.is_settled else outcome.reopened


def _update_what_can_be(
    update: _Update, batch: Sequence[Found], *, sleep: Callable[[float], None]
) -> list[NotUpdated]:
    """Update findings, and divide those of a request that is refused until it's about one only."""
    try:
        return _with_retries(update, batch, sleep=sleep)
    except RefusedError as error:
        if len(batch) == 1:
            return [NotUpdated(found=batch[0], reason=str(error), is_retryable=False)]
    middle = len(batch) // 2
    halves = (batch[:middle], batch[middle:])
    return [one for half in halves for one in _update_what_can_be(update, half, sleep=sleep)]


def _with_retries(
    update: _Update, batch: Sequence[Found], *, sleep: Callable[[float], None]
) -> list[NotUpdated]:
    """Update findings with retries, and return those that couldn't be updated."""
    final: list[NotUpdated] = []
    for pause in (*_PAUSES, None):
        failed = update(batch)
        retryable = [one for one in failed if one.is_retryable]
        final += [one for one in failed if not one.is_retryable]
        if not retryable or pause is None:
            return final + retryable
        sleep(pause)
        batch = [one.found for one in retryable]
    return final


def _report(suppressions: Suppressions, notices: Notices, outcome: Outcome) -> None:
    """Tell how many findings are open again, to the topic of each suppression; all if it no longer exists."""
    known = suppressions.known
    topics = {one.topic for one in known.values() if one.topic}
    for key, number in sorted(outcome.reopened.items()):
        one = known.get(key)
        name = (
            one.name if one else f"{suppressions.markers}{key}, which is disabled or no longer in the code,"
        )
        why = " Its filter has changed, and no longer matches them." if key in suppressions.in_force() else ""
        findings, are = ("finding", "is") if number == 1 else ("findings", "are")
        for topic in {one.topic} if one else topics:
            with _noting(outcome.failures, name):
                notices.send(
                    topic,
                    f"{number} {findings} {are} open again",
                    f"{number} {findings} that the suppression {name} had suppressed {are} open again (NEW), "
                    f"and {outcome.settled[key]} that were settled meanwhile are RESOLVED.{why}",
                )
