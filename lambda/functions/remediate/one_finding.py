"""Remediates one finding with each remediation that serves it, once, even if others of them fail."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from functions.remediate.allow_and_deny import UnreadableTagsError
from functions.remediate.approval import AUTOMATIC, Asker, not_approved
from functions.remediate.attempts import REMEDIATE, UNDO, done_once, in_turn, key_of, reported
from functions.remediate.outcomes import Outcome, Status, combine, to_time
from functions.remediate.patience import unless_hanging
from functions.remediate.services import Saved, Services
from functions.remediate.session_policy import session_policy
from functions.remediate.settings import Settings
from functions.remediate.undoing import describe_undo, restore, why_nothing_to_undo
from functions.remediate.watched_session import WatchedSession
from remediations.contract import CannotRemediateError, Change, Plan, Remediation
from remediations.controls import control_of
from remediations.registry import remediations_for, unserved_resources
from securityhub.events import Finding
from securityhub.findings.settled import SUPPRESSED, settled_state, unwanted

if TYPE_CHECKING:
    from boto3.session import Session

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingWork:
    """The work on one finding.

    Attributes:
        finding: The finding.
        action: The ID of the custom action, or `AUTOMATIC`.
        kind: `AUTOMATIC`, `REMEDIATE`, or `UNDO`.
        changes: Whether anything is changed; otherwise, it is only planned.
        asker: On whose behalf approval is asked for.
        settings: What may be done.
        services: The adapters.
        request_id: The ID of the Lambda request.
        event_id: The ID of the event.
        sent: When the event was sent.
        is_current: Whether the finding was read just now, and isn't as the event shows it.
        is_settled: Whether it's known that somebody has settled it since an earlier attempt.
    """

    finding: Finding
    action: str
    kind: str
    changes: bool
    asker: Asker
    settings: Settings
    services: Services
    request_id: str
    event_id: str
    sent: datetime
    is_current: bool
    is_settled: bool = False

    def remediate(self) -> Outcome:
        """Run each enabled remediation that serves the finding.

        Raises:
            CannotRemediateError: No enabled remediation serves the finding, or it names no Region.
        """
        if (decided := self.asker.decided) and decided.is_withdrawn:
            held = not_approved(decided.execution.words.get("Change", ""), decided.execution)
            return self._outcome(held.status, held.why, remediation=decided.request.remediation)
        serving = remediations_for(self.finding, self.services.remediations)
        if not serving:
            types = ", ".join(sorted({resource.type or "unknown" for resource in self.finding.resources}))
            control = control_of(self.finding) or f"findings of {self.finding.product_arn}"
            raise CannotRemediateError(
                f"No enabled remediation serves {control} for resources of type {types}. Enable one in "
                "settings.toml, or remediate the finding manually."
            )
        self._require_region()
        unserved = self._unserved(serving)
        is_only = len(serving) + len(unserved) == 1
        parts = [self._part(one.name, partial(self._remediate, one), is_only=is_only) for one in serving]
        return combine([*parts, *unserved])

    def _unserved(self, serving: Collection[Remediation]) -> list[Outcome]:
        """Return the outcome for all resources that no remediation looks at, if there are any.

        It's one for all of them: the ID of a reported outcome names the finding and the remediation, and no
        resource.
        """
        resources = [f"{one.type} {one.id}" for one in unserved_resources(self.finding, serving)]
        if not resources:
            return []
        described = (
            f"No enabled remediation serves {', '.join(resources)}, which the finding names as well. Enable "
            "one in settings.toml, or remediate what is left manually"
        )
        return [self._outcome(Status.IMPOSSIBLE, described)]

    def plan_of(self, name: str) -> Plan | None:
        """Return what a remediation would do to the finding now, or None if it doesn't serve it."""
        for one in remediations_for(self.finding, self.services.remediations):
            if one.name == name:
                return one.plan(self.finding, self._session(one))
        return None

    def forget_reopened(self, outcome: Outcome) -> bool:
        """Allow the remembered parts of an outcome to be done again if their resources need it again.

        Somebody can have opened a resource again, and the finding isn't updated before its control is checked
        again, which can take a day.

        Returns:
            Whether there are any.
        """
        remembered = {one.remediation for one in outcome.each if one.repeated}
        reopened = [
            one.name
            for one in remediations_for(self.finding, self.services.remediations)
            if one.name in remembered and one.plan(self.finding, self._session(one)).is_needed
        ]
        for name in reopened:
            self._forget(self.kind, name)
        return bool(reopened)

    def undo(self) -> Outcome:
        """Restore everything that was changed for the finding. The records stay.

        Raises:
            CannotRemediateError: A record is missing or isn't the function's own, or the finding names no
                Region.
        """
        kept = self.services.records.load(self.finding)
        if not kept:
            return self._outcome(Status.NOTHING_TO_UNDO, why_nothing_to_undo(self.finding))
        if superseded := self.superseded(by=REMEDIATE):
            return superseded
        self._require_region()
        is_only = len(kept) == 1
        return combine(
            [
                self._part(name, partial(self._undo, name, change, place), is_only=is_only)
                for name, (change, place) in kept.items()
            ]
        )

    def refused_undo(self, refusal: str) -> Outcome:
        """Return that the settings refuse to undo, which matters only if there is something to undo.

        Raises:
            CannotRemediateError: As `undo` does.
        """
        if self.services.records.load(self.finding):
            return self._outcome(Status.REFUSED, refusal)
        return self._outcome(Status.NOTHING_TO_UNDO, why_nothing_to_undo(self.finding))

    def superseded(self, *, by: str) -> Outcome | None:
        """Return that the opposite was done for a later event, or None if it wasn't.

        EventBridge and Lambda deliver an event at least once, and people send it again from archives and
        dead-letter queues, so what is being done can have been done and reversed before.
        """
        latest = self.services.records.latest(self.finding, by)
        if latest is None or not latest.supersedes(self.event_id, self.sent):
            return None
        done = "undone" if by == UNDO else "remediated again"
        return self._outcome(
            Status.SUPERSEDED,
            f"The event is of {to_time(self.sent)}, and the finding was {done} for one of "
            f"{to_time(latest.sent)}. If that is to be changed, press the action again",
        )

    def _part(self, name: str, work: Callable[[], Outcome], *, is_only: bool) -> Outcome:
        """Run one remediation. If there are several, each is remembered, so no retry repeats it."""
        work = partial(unless_hanging, f"{name} in {self.finding.region}", work)
        if not is_only:
            key = key_of(self.finding, self.kind, remediation=name)
            work = partial(done_once, self.services.once, key, work)
        return reported(work, kind=self.kind, request_id=self.request_id, remediation=name)

    def _remediate(self, remediation: Remediation) -> Outcome:
        decided = self.asker.decided
        if decided and decided.refuses(remediation.name):
            held = not_approved(remediation.description, decided.execution)
            return self._outcome(held.status, held.why, remediation=remediation.name)
        session = self._session(remediation)
        work = partial(self._plan_and_change, remediation, session)
        return in_turn(self.services.once, self.finding, remediation, work) if self.changes else work()

    def _plan_and_change(self, remediation: Remediation, session: Session) -> Outcome:
        plan = remediation.plan(self.finding, session)
        if refusal := self._settled_meanwhile(remediation.name, plan):
            return refusal
        if not plan.is_needed:
            return self._unchanged(remediation.name, plan)
        intended = Change(resource=plan.resource, description=plan.description, prior_state=plan.prior_state)
        if refusal := self._refusal(remediation, intended, session):
            return refusal
        if not self.changes:
            return self._outcome(
                Status.PLANNED,
                plan.told(plan.description),
                remediation=remediation.name,
                prior_state=plan.prior_state,
            )
        return self._change(remediation, plan, intended, session)

    def _change(self, remediation: Remediation, plan: Plan, intended: Change, session: Session) -> Outcome:
        """Save the record and change the resource, one invocation at a time, if that needs no approval.

        A rule and a press work on a finding independently of each other, but share the record and the request
        for approval.
        """
        key = {
            "product": self.finding.product_arn,
            "finding": self.finding.id,
            "changes": remediation.name,
        }

        def change() -> Outcome:
            if (kept := self.superseded(by=UNDO) or self._held(remediation, plan)) is not None:
                return kept
            self._forget(UNDO, remediation.name)
            self._begin(REMEDIATE, reverses=UNDO)
            # Before anything changes, because the process can end at any time.
            saved = self.services.records.save(self.finding, remediation=remediation.name, change=intended)
            if self.services.approvals:
                self.services.approvals.use(self.finding, remediation.name)
            self.services.once.confirm()
            made = self._apply(remediation, plan, session, saved)
            if made.left is not None:
                self.services.records.complete(self.finding, remediation=remediation.name, change=made)
            left = plan.leaving(made)
            return self._outcome(
                Status.PARTIAL if left.remains else Status.APPLIED,
                left.told(made.description),
                remediation=remediation.name,
                prior_state=made.prior_state,
                record=saved.place,
            )

        # What is remembered is decided for the remediation as a whole.
        return done_once(self.services.once, key, change, remembers=False)

    def _held(self, remediation: Remediation, plan: Plan) -> Outcome | None:
        """Return that a plan waits for approval, or isn't approved; None if it may be carried out."""
        approvals = self.services.approvals
        if approvals is None or not approvals.scope.contains(
            self.finding, remediation.name, self.services.organization.containers_of
        ):
            return None
        held = approvals.held(self.finding, remediation.name, plan, asker=self.asker)
        return self._outcome(held.status, held.why, remediation=remediation.name) if held else None

    def _apply(self, remediation: Remediation, plan: Plan, session: Session, saved: Saved) -> Change:
        """Change the resource. If it certainly wasn't changed, its record goes, and its approval stays."""
        watched = WatchedSession(session)
        try:
            return remediation.apply(plan, cast("Session", watched))
        except Exception:
            if not watched.may_have_changed:
                self._discard(remediation.name, saved)
            raise

    def _discard(self, name: str, saved: Saved) -> None:
        try:
            # Another attempt that has taken over relies on the record.
            self.services.once.confirm()
            # Before the record, which the role can't delete if the settings have no undo.
            if self.services.approvals:
                self.services.approvals.use(self.finding, name, is_used=False)
            self.services.records.discard(self.finding, remediation=name, saved=saved)
        except Exception as error:  # noqa: BLE001 - why nothing was changed matters more
            logger.warning("What came before a change that failed was not undone: %s: %s", saved.place, error)

    def _unchanged(self, name: str, plan: Plan) -> Outcome:
        """Return the outcome where nothing is left to change, perhaps because of an interrupted attempt.

        Its record says what it was about to change, but not whether it got there: somebody else can have
        made the change after it failed.
        """
        description, state, place = plan.description, None, None
        if (kept := self.services.records.find(self.finding, remediation=name)) is not None:
            change, place = kept
            description += f", after an earlier attempt: {change.description}"
            state = change.prior_state
        return self._outcome(
            Status.IMPOSSIBLE if plan.remains else Status.NOT_NEEDED,
            plan.told(description),
            remediation=name,
            prior_state=state,
            record=place,
        )

    def _undo(self, name: str, change: Change, place: str) -> Outcome:
        remediation = self.services.remediations.get(name)
        if remediation is None or remediation.look is None or remediation.undo is None:
            raise CannotRemediateError(f"The remediation {name} is not enabled or cannot be undone.")
        if remediation not in remediations_for(self.finding, self.services.remediations):
            raise CannotRemediateError(
                f"The record is of the remediation {name}, which does not serve this finding, so it was not "
                "undone. Check the versions of the record, and restore the resource manually."
            )
        session = self._session(remediation)
        if refusal := self._refusal(remediation, change, session):
            return refusal
        work = partial(self._look_and_restore, remediation, change, place, session)
        return in_turn(self.services.once, self.finding, remediation, work)

    def _look_and_restore(
        self, remediation: Remediation, change: Change, place: str, session: Session
    ) -> Outcome:
        assert remediation.look is not None  # noqa: S101 - the caller checked it
        name, settings = remediation.name, remediation.look(change, session)
        restored = [one for one in settings if not one.is_changed]
        told = describe_undo(change, settings, place=place)
        if not restored:
            return self._outcome(Status.CANNOT_UNDO, told, remediation=name)
        # Before the remediation can be done again.
        self._begin(UNDO, reverses=REMEDIATE)
        self._forget(REMEDIATE, name)
        # What a rule remembers as remediated, it would resolve.
        self._forget(AUTOMATIC, name)
        self.services.once.confirm()
        left = restore(remediation, change, session, restored)
        undone = self._outcome(Status.UNDONE, f"{left}. {told}" if left else told, remediation=name)
        # The finding is NEW again, which a rule would take for its turn.
        self.services.once.run(key_of(self.finding, AUTOMATIC), undone.to_json)
        is_whole = not left and len(restored) == len(settings)
        return undone if is_whole else replace(undone, status=Status.PARTLY_UNDONE)

    def _begin(self, kind: str, *, reverses: str) -> None:
        self.services.records.begin(
            self.finding, kind, reverses=reverses, event_id=self.event_id, sent=self.sent
        )

    def _forget(self, kind: str, remediation: str) -> None:
        """Allow work to be done again, unless it's being done right now."""
        self.services.once.forget(key_of(self.finding, kind))
        self.services.once.forget(key_of(self.finding, kind, remediation=remediation))

    def _require_region(self) -> None:
        if not self.finding.region:
            raise CannotRemediateError(
                "The finding names no Region, and neither do its resource and its product. Remediate the "
                "finding manually."
            )

    def _session(self, remediation: Remediation) -> Session:
        policy = session_policy(
            remediation,
            account=self.finding.aws_account_id,
            partition=self.settings.partition,
            automation_role=self.settings.automation_role,
            undoes=self.kind == UNDO,
            reads_tags=self.settings.resource_tags.decide,
        )
        return self.services.members.session(self.finding, self.action, policy)

    def _settled_meanwhile(self, name: str, plan: Plan) -> Outcome | None:
        """Refuse what was settled since the event, unless nothing changes and no suppression is lost."""
        if not self.changes or (self.is_current and not self.is_settled):
            return None
        look = self.services.late_look
        state = settled_state(self.finding) if self.is_settled else look.state_since(self.finding, self.sent)
        if not state or (state != SUPPRESSED and not plan.is_needed):
            return None
        return self._outcome(Status.REFUSED, unwanted(state), remediation=name)

    def _refusal(self, remediation: Remediation, change: Change, session: Session) -> Outcome | None:
        """Refuse unless the tags of all resources to be changed or restored allow it."""
        lists = self.settings.resource_tags
        if not lists.decide:
            return None
        try:
            tags = (
                remediation.tags_of_changed(change, session)
                if remediation.tags_of_changed
                else {change.resource: self.services.read_tags(change.resource, self.finding, session)}
            )
        except UnreadableTagsError as error:
            reasons: list[str | None] = [str(error)]
        else:
            reasons = [
                lists.refusal(one, carried, reported=self.finding.tags_of(one), undoes=self.kind == UNDO)
                for one, carried in tags.items()
            ]
        reason = next(filter(None, reasons), None)
        return self._outcome(Status.REFUSED, reason, remediation=remediation.name) if reason else None

    def _outcome(self, status: Status, description: str, **more: Any) -> Outcome:  # noqa: ANN401 - fields
        return Outcome.now(status, description, request_id=self.request_id, event_id=self.event_id, **more)
