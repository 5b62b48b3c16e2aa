"""Holds remediations back until a second person has approved them, in Systems Manager.

What has to be approved is a plan: this change of this resource, for this finding. An execution of a runbook
with the step `aws:approve` asks for it. Systems Manager itself decides who may approve, waits, and gives up
when the time is over; only what it says about the execution counts. The table of requests says which
execution belongs to which finding, and nothing about its outcome.

docs/adr/0023-approval-in-systems-manager.md explains why.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import ClassVar, Final
from uuid import uuid4

from functions.remediate.allow_and_deny import ANY, AccountLists
from functions.remediate.approval_contract import (
    Answer,
    Execution,
    Request,
    Requests,
    Runbook,
)
from functions.remediate.approval_words import PLAN, digest_of, key_of, words_of
from functions.remediate.outcomes import Status
from remediations.contract import Plan
from remediations.controls import control_of
from securityhub.events import CustomActionEvent, Finding
from securityhub.findings.settled import FindingsReader, settled_state

logger = logging.getLogger(__name__)

AUTOMATIC: Final = "automatic"
"""What asks if no person does: the rule for imported findings."""
# How long an approval counts after it was given: longer than all retries of an event.
_VALID: Final = timedelta(hours=24)
NOTHING_LEFT: Final = "nothing is left to change"
"""Why a request is outdated whose remediation is done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What needs approval: these remediations and controls, in these accounts.

    Attributes:
        remediations: Names, or `ANY`.
        controls: The IDs of controls.
        accounts: IDs of accounts, of organizational units or of the root, or `ANY`.
    """

    remediations: frozenset[str]
    controls: frozenset[str]
    accounts: frozenset[str]

    def contains(
        self, finding: Finding, remediation: str, containers_of: Callable[[str], Collection[str]]
    ) -> bool:
        """Return whether a remediation of a finding needs approval. Errors of the look-up aren't caught."""
        named = self.remediations & {ANY, remediation} or control_of(finding) in self.controls
        if not named:
            return False
        listed = AccountLists(allow=self.accounts, deny=frozenset())
        return listed.refusal(finding.aws_account_id, containers_of) is None


@dataclass(frozen=True, slots=True, kw_only=True)
class DecidedFindings(CustomActionEvent):
    """The finding of a request that was decided on, as it is now.

    The ARN of the custom action is empty if no press, but a rule, asked.

    Attributes:
        request: The request.
        execution: Its execution, which has ended.
    """

    is_decision: ClassVar[bool] = True

    request: Request
    execution: Execution

    @property
    def by(self) -> str:
        """Who asked for it and who decided, for a note."""
        return f"{self.request.asked_by}, {self.execution.why} in Automation execution {self.execution.id}"

    @property
    def is_withdrawn(self) -> bool:
        """Whether it ended because it was outdated, so that it leads to nothing but a note."""
        return bool(self.request.outdated) and self.refuses(self.request.remediation)

    def refuses(self, remediation: str) -> bool:
        """Return whether a remediation wasn't approved."""
        return self.request.remediation == remediation and self.execution.answer is not Answer.APPROVED


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """On whose behalf approval is asked for.

    Attributes:
        action: The ARN of the custom action, or `AUTOMATIC`.
        by: Who that is, for a note.
        decided: The decision that is being carried out, or None.
    """

    action: str
    by: str
    decided: DecidedFindings | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Why a remediation may not be done.

    Attributes:
        status: The status of the outcome.
        why: A description of it, in a sentence without a period.
    """

    status: Status
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Approvals:
    """Asks for approval, and knows what was approved.

    Attributes:
        scope: What needs approval.
        hours: How long a request waits.
        requests: The table of requests.
        runbook: The runbook.
        findings: Reads findings.
        parameters: The parameters of the remediations, by their names.
        now: Returns the current time in UTC.
    """

    scope: Scope
    hours: int
    requests: Requests
    runbook: Runbook
    findings: FindingsReader
    parameters: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    def held(self, finding: Finding, remediation: str, plan: Plan, *, asker: Asker) -> Held | None:
        """Return why a plan may not be carried out, or None if it's approved.

        If nobody has been asked about this plan, this asks. Call it while no other invocation works on the
        finding with this remediation.

        Args:
            finding: The finding as it is now.
            remediation: The name of the remediation.
            plan: What is going to be changed. Nothing else may be, if this returns None.
            asker: On whose behalf.

        Raises:
            WorkInProgressError: Another invocation asks.
        """
        digest = digest_of(finding, remediation, plan, self.parameters.get(remediation, {}))
        request = self.requests.load(key_of(finding, remediation))
        execution = self.runbook.look(request.execution) if request and request.execution else None
        words = words_of(finding, remediation, plan, digest)
        # Not the digest alone, which tells an approver nothing.
        is_same = execution is not None and execution.words == words
        if execution and is_same:
            if execution.answer is Answer.WAITING and not _is_outdated(request):
                return self._waiting(plan, execution.id)
            if execution.answer is Answer.APPROVED and self._counts(execution) and not _is_used(request):
                return _no_longer_wanted(finding, request) if asker.decided else None
            if execution.answer is Answer.REFUSED and asker.action == AUTOMATIC and not _is_outdated(request):
                # Whoever refused isn't asked by every update of the finding.
                return not_approved(plan.description, execution)
        execution_id = self._ask(finding, remediation, words, asker=asker, replacing=request)
        if execution and execution.answer is Answer.WAITING:
            return self._waiting(
                plan,
                execution_id,
                begin=f"What was asked for before has changed, so Automation execution {execution.id} is "
                "canceled. ",
            )
        if asker.decided is None or asker.decided.request.remediation != remediation:
            return self._waiting(plan, execution_id)
        again = "What was approved has changed since"
        if is_same:
            again = "The approval is used" if _is_used(request) else "The approval is older than a day"
        return self._waiting(plan, execution_id, begin=f"{again}, so it's asked for again. ")

    def use(self, finding: Finding, remediation: str, *, is_used: bool = True) -> None:
        """Record that an approval is used: it's good for one change.

        Call it before the change, because the process can end at any time, and again with `is_used` false if
        certainly nothing was changed.

        Args:
            finding: The finding.
            remediation: The name of the remediation.
            is_used: Whether the approval is used. Default: True.
        """
        request = self.requests.load(key_of(finding, remediation))
        if request is not None:
            self.requests.change(request, is_used=is_used)

    def settle(self, finding: Finding, remediation: str) -> None:
        """Forget a request, because the remediation was done, or there is nothing to do.

        If it still waits, it's canceled. If that fails, it's left to the hourly look.
        """
        request = self.requests.load(key_of(finding, remediation))
        if request is None:
            return
        if not self.cancel_replaced(request):
            return
        if request.execution and not self._cancel(request.execution):
            self.requests.change(request, outdated=NOTHING_LEFT)
            return
        self.requests.close(request, refused=False)

    def withdraw(self, request: Request, why: str) -> None:
        """Cancel a request that is outdated. What Systems Manager says then settles it.

        Whoever approves in the same second may come first. The request stays, so that this approval is
        handled like any other: by another look at the plan.

        Args:
            request: The request.
            why: Why it's outdated, in a clause that the note on the finding has.

        Raises:
            Exception: It isn't canceled. The next hour tries again.
        """
        # Before it's canceled, so that the event of its end finds the reason.
        if request.execution and self.requests.change(request, outdated=why):
            self.runbook.cancel(request.execution)

    def cancel_replaced(self, request: Request) -> bool:
        """Cancel the executions that a request replaces, and return whether none is left that may wait."""
        if not request.replaces:
            return True
        left = [one for one in request.replaces.split() if not self._cancel(one)]
        self.requests.change(request, replaces=" ".join(left))
        return not left

    def _cancel(self, execution_id: str) -> bool:
        """Cancel an execution if it waits, and return False if that fails, which changes no finding."""
        try:
            self.runbook.cancel(execution_id)
        except Exception as error:  # noqa: BLE001 - the hourly look tries again
            logger.warning("Automation execution %s was not canceled: %s", execution_id, error)
            return False
        return True

    def _ask(
        self,
        finding: Finding,
        remediation: str,
        words: Mapping[str, str],
        *,
        asker: Asker,
        replacing: Request | None,
    ) -> str:
        request = replacing
        if request is None or request.plan != words[PLAN] or request.execution is not None:
            request = Request(
                key=key_of(finding, remediation),
                finding=finding.id,
                product=finding.product_uid or finding.product_arn,
                account=finding.aws_account_id,
                remediation=remediation,
                plan=words[PLAN],
                action=asker.action,
                asked_by=asker.by,
                attempt=str(uuid4()),
                settled=settled_state(finding),
                replaces=" ".join(
                    filter(None, [replacing.replaces, replacing.execution or ""]) if replacing else ()
                ),
            )
            # Before the execution is started, so that a retry after an interruption starts no second one.
            self.requests.save(request, replacing=replacing)
        execution_id = self.runbook.start(request.attempt, words)
        request = replace(request, execution=execution_id)
        self.requests.save(request, replacing=request)
        self.cancel_replaced(request)
        return execution_id

    def _waiting(self, plan: Plan, execution_id: str, *, begin: str = "") -> Held:
        return Held(
            status=Status.WAITING,
            why=f"{begin}Automation execution {execution_id} in Systems Manager waits up to {self.hours} "
            f"hours for an approval to: {plan.description}",
        )

    def _counts(self, execution: Execution) -> bool:
        return execution.ended is not None and self.now() - execution.ended < _VALID


def not_approved(description: str, execution: Execution) -> Held:
    """Return why a plan that wasn't approved is not carried out."""
    return Held(
        status=Status.NOT_APPROVED,
        why=f"Automation execution {execution.id} was {execution.why}: {description}",
    )


def _no_longer_wanted(finding: Finding, request: Request | None) -> Held | None:
    """Return that a finding was settled while its remediation waited, in which case nobody wants it."""
    state = settled_state(finding)
    if not state or (request and state == request.settled):
        return None
    return Held(
        status=Status.REFUSED,
        why=f"The finding is {state} by now, so what was approved was not done. Press the action again if it "
        "is to be done nevertheless",
    )


def _is_outdated(request: Request | None) -> bool:
    return request is not None and bool(request.outdated)


def _is_used(request: Request | None) -> bool:
    return request is not None and request.is_used
