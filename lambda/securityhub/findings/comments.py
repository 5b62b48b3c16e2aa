"""Comments on findings of the new Security Hub, where the findings of Security Hub CSPM are acted on.

If both hubs are on, both send an event about an issue, and one of them has to be enough. The event of
Security Hub CSPM acts, because only its findings have notes with an author, user-defined fields, and custom
actions. The other event only copies what was written to the finding of Security Hub CSPM into the comment.

Source: https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-v2-eventbridge-automations.html
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Final

from invocation.environment import Environment, one_of, wrong
from invocation.messages import IncompleteError
from securityhub.events import Finding, ImportedFindingsV2Event, MalformedItem
from securityhub.findings.turns import Turns, Update, write_in_turns
from securityhub.findings.updates import (
    MAX_NOTE_CHARACTERS,
    FindingsUpdater,
    NotUpdated,
    distinct,
    truncate,
    with_earlier_note,
)

_VARIABLE: Final = "FINDINGS_V2"
_ACT: Final = "act"
_COMMENT: Final = "comment"


@dataclass(frozen=True, slots=True, kw_only=True)
class Commented:
    """The outcome of an event: each of its findings is in one of these.

    Attributes:
        commented: The findings that got a comment.
        unchanged: Those that have it already.
        waiting: Those about whose counterpart in Security Hub CSPM nothing was written in the last 24 hours.
        not_updated: Those that Security Hub didn't update.
        malformed: Those that can't be read.
    """

    commented: tuple[Finding, ...]
    unchanged: tuple[Finding, ...]
    waiting: tuple[Finding, ...]
    not_updated: tuple[NotUpdated, ...]
    malformed: tuple[MalformedItem, ...]

    @property
    def failures(self) -> list[str]:
        """The failures, each in a sentence that names the finding."""
        return [
            *(f"{one.finding.id}: {one.error_code}, {one.error_message}" for one in self.not_updated),
            *(f"{one.id or f'finding number {one.index}'}: {one.reason}" for one in self.malformed),
        ]

    def to_json(self) -> dict[str, object]:
        """Return the outcome as it appears in the log and in the function's response."""
        return {
            "commented": [finding.id for finding in self.commented],
            "unchanged": [finding.id for finding in self.unchanged],
            "waiting": [finding.id for finding in self.waiting],
            "notUpdated": [f"{one.finding.id}: {one.error_code}" for one in self.not_updated],
            "malformed": [asdict(one) for one in self.malformed],
        }


class CommentsIncompleteError(IncompleteError):
    """Some findings didn't get their comment, or not yet. All others did.

    Attributes:
        outcome: The outcome for all findings.
    """

    def __init__(self, outcome: Commented) -> None:
        self.outcome = outcome
        self.is_busy = not outcome.failures
        waiting = [
            f"{one.id}: nothing is written to the finding of Security Hub CSPM yet" for one in outcome.waiting
        ]
        super().__init__(" | ".join([*outcome.failures, *waiting]))


class Comments:
    """Writes comments."""

    def __init__(self, turns: Turns, security_hub: FindingsUpdater) -> None:
        """Write comments.

        Args:
            turns: The turns of the functions that write to findings, which know what they wrote.
            security_hub: Where to write.
        """
        self._turns = turns
        self._security_hub = security_hub

    @classmethod
    def from_environment(
        cls, environment: Environment, *, turns: Turns | None, security_hub: FindingsUpdater
    ) -> Comments | None:
        """Return what writes comments if `FINDINGS_V2` is `comment`, or None if it's `act`, the default.

        Raises:
            ValueError: It's neither, or there is no table of turns.
        """
        if one_of(environment, _VARIABLE, (_ACT, _COMMENT), default=_ACT) == _ACT:
            return None
        if turns is None:
            raise wrong(_VARIABLE, _COMMENT, f"{_ACT} where FINDING_TURNS_TABLE isn't set")
        return cls(turns, security_hub)

    def write(
        self, event: ImportedFindingsV2Event, *, note_updated_by: str, waits: bool = False
    ) -> dict[str, object]:
        """Copy what was written to the findings of Security Hub CSPM about the same issues, once.

        A comment causes another event, so what is already there isn't written again.

        Args:
            event: The findings.
            note_updated_by: The ARN of the function.
            waits: Whether to fail, so that the event is retried soon, if nothing is written there yet: which
                of the two events comes first isn't known. Default: False.

        Returns:
            The outcome for all findings.

        Raises:
            CommentsIncompleteError: Some findings failed, or wait.
        """
        outcome = self._write(event, note_updated_by)
        if outcome.failures or (waits and outcome.waiting):
            raise CommentsIncompleteError(outcome)
        return outcome.to_json()

    def _write(self, event: ImportedFindingsV2Event, author: str) -> Commented:
        unchanged, waiting = [], []
        missing: Mapping[str, list[Finding]] = defaultdict(list)
        for finding in distinct(event.findings):
            note = self._turns.note_in_cspm(finding)
            if note is None:
                waiting.append(finding)
            elif self._has(finding, note):
                unchanged.append(finding)
            else:
                missing[note].append(finding)
        failed = [one for note, some in missing.items() for one in self._comment(note, some, author)]
        lost = {one.finding.identity for one in failed}
        return Commented(
            commented=tuple(one for some in missing.values() for one in some if one.identity not in lost),
            unchanged=tuple(unchanged),
            waiting=tuple(waiting),
            not_updated=tuple(failed),
            malformed=event.malformed_findings,
        )

    def _has(self, finding: Finding, note: str) -> bool:
        seen = finding.note
        is_there = seen is not None and seen.text.startswith(note)
        return is_there or self._turns.last_comment(finding) == note

    def _comment(self, note: str, findings: Sequence[Finding], author: str) -> Sequence[NotUpdated]:
        not_updated = write_in_turns(
            findings,
            compose=partial(self._update, note, author),
            note_updated_by=author,
            security_hub=self._security_hub,
            turns=self._turns,
        )
        failed = {one.finding.identity for one in not_updated}
        for finding in findings:
            if finding.identity not in failed:
                self._turns.remember_comment(finding, note)
        return not_updated

    def _update(self, note: str, author: str, finding: Finding) -> Update:
        """Replace the note that was copied last, which the new one contains as far as it matters."""
        seen, last = finding.note, self._turns.last_comment(finding)
        if seen and last and seen.text.startswith(last):
            text = truncate(note + seen.text.removeprefix(last), MAX_NOTE_CHARACTERS)
        else:
            text = with_earlier_note(note, finding, author=author)
        return Update(workflow_status=None, note_text=text)
