"""The interfaces of the adapters that the logic uses. Depends on neither boto3 nor Lambda."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from functions.remediate.approval import Approvals
from functions.remediate.order import Latest
from invocation.once import Answer, Result
from remediations.contract import Change, Remediation
from securityhub.events import Finding
from securityhub.findings.settled import LateLook
from securityhub.findings.turns import Turns
from securityhub.findings.updates import FindingsUpdater
from securityhub.outcomes import Reporter

if TYPE_CHECKING:
    from boto3.session import Session


class MemberAccounts(Protocol):
    """Provides sessions in the accounts of the findings."""

    def session(self, finding: Finding, action: str, policy: str) -> Session:
        """Return a session in the finding's account and Region, limited to what a policy allows.

        Raises:
            MemberRoleError: The account's role is missing or can't be assumed.
        """


class Organization(Protocol):
    """Knows where accounts are in the organization."""

    def containers_of(self, account: str) -> Collection[str]:
        """Return the IDs of the organizational units above an account, and of the root.

        Raises:
            OrganizationError: They can't be looked up.
        """


class TagReader(Protocol):
    """Reads the current tags of resources."""

    def __call__(self, resource: str, finding: Finding, session: Session) -> Mapping[str, str]:
        """Return the tags of a resource.

        Raises:
            UnreadableTagsError: The tags can't be determined.
            ResourceTagsError: The tags could not be read. A retry can succeed.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """A record of what is about to be changed.

    Attributes:
        place: The location.
        is_new: False if it's the record of an earlier attempt, which had all of it and stays.
        replaced: The record whose place it took, of an earlier attempt or update of the finding.
    """

    place: str
    is_new: bool = True
    replaced: object = None


class Records(Protocol):
    """Stores the previous states, one record for each finding and remediation."""

    def save(self, finding: Finding, *, remediation: str, change: Change) -> Saved:
        """Store what is about to be changed."""

    def discard(self, finding: Finding, *, remediation: str, saved: Saved) -> None:
        """Restore the state before a record was saved, because nothing was changed."""

    def find(self, finding: Finding, *, remediation: str) -> tuple[Change, str] | None:
        """Return what was about to be changed for the finding as it was last updated, and the location."""

    def complete(self, finding: Finding, *, remediation: str, change: Change) -> None:
        """Add to the record what the change has left, which wasn't known before."""

    def load(self, finding: Finding) -> Mapping[str, tuple[Change, str]]:
        """Return all that was changed for a finding, and the locations, by the name of the remediation."""

    def delete(self, finding: Finding, *, remediation: str) -> None:
        """Delete one of the records."""

    def latest(self, finding: Finding, kind: str) -> Latest | None:
        """Return the latest of the events given to `begin` for a finding and a kind of work, or None."""

    def begin(self, finding: Finding, kind: str, *, reverses: str, event_id: str, sent: datetime) -> None:
        """Store that a finding is about to be changed for an event, and which kind of work that reverses."""


class Once(Protocol):
    """Does work once for each key."""

    def run(
        self, key: Mapping[str, str], work: Callable[[], Result], *, remembered_seconds: float = ...
    ) -> tuple[Result, bool]:
        """Return the result, and whether the work was done before. Work that raises an error isn't done.

        Raises:
            WorkInProgressError: Another invocation is doing it.
        """

    def in_turn(
        self, key: Mapping[str, str], work: Callable[[], Answer], *, patience_seconds: float = ...
    ) -> Answer:
        """Do work while no other invocation does work with the same key, and return its result.

        Raises:
            WorkInProgressError: Another invocation still is, after some waiting.
        """

    def confirm(self) -> None:
        """Make sure that no other invocation has taken over the work that is being done.

        Raises:
            WorkInProgressError: Another one may have.
        """

    def forget(self, key: Mapping[str, str]) -> None:
        """Allow the work to be done again.

        Raises:
            WorkInProgressError: Another invocation is doing it.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The adapters, the enabled remediations by name, and what asks for approval, if anything needs it.

    `late_look` finds out what was settled after its event was sent.
    """

    members: MemberAccounts
    organization: Organization
    read_tags: TagReader
    records: Records
    once: Once
    security_hub: FindingsUpdater
    late_look: LateLook
    turns: Turns | None
    remediations: Mapping[str, Remediation]
    outcomes: Reporter | None = None
    approvals: Approvals | None = None
