"""The types that the remediations share with the code that runs them."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from boto3.session import Session

    from securityhub.events import Finding, Resource

_ARN: Final = re.compile(r"arn:[^:]*:[^:]*:(?P<region>[^:]*):(?P<account>[^:]*):.+")
_EXACT: Final = re.compile(r"arn:[^:]*:[^:]*:[^:]*:[0-9]{12}:.+|arn:[^:]*:s3:::.+")
_UNIQUE_ID: Final = re.compile(r"/A[A-Z]{3}[A-Z0-9]{12,}$")
_ACCOUNT_ID: Final = re.compile(r"AWS::::Account:(?P<account>.*)")
_ACCOUNT_TYPE: Final = "AwsAccount"


Statement = Mapping[str, Any]
"""An IAM statement that allows: `Action`, `Resource`, and optionally `Condition`.

The resources and the values of the conditions can contain placeholders, such as `${Account}`.
"""


# The verbs with which descriptions of plans begin.
_PAST: Final = {
    "Add": "Added",
    "Deactivate": "Deactivated",
    "Encrypt": "Encrypted",
    "Make": "Made",
    "Move": "Moved",
    "Remove": "Removed",
    "Require": "Required",
    "Revoke": "Revoked",
    "Stop": "Stopped",
    "Turn": "Turned",
}


class CannotRemediateError(Exception):
    """A finding can't be remediated, however often it's tried. The message says why, and what to do."""


class PartlyUndoneError(CannotRemediateError):
    """An undo has restored something, and can't restore the rest. The message says what to do about that."""


def nothing_to_restore(what: str) -> CannotRemediateError:
    """Make the error for an undo of something that no longer exists, which a retry wouldn't find either.

    Args:
        what: What it is, such as `The bucket`.
    """
    return CannotRemediateError(f"{what} no longer exists, so there is nothing to restore.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a remediation is going to do about one finding. Making it changes nothing.

    Attributes:
        resource: What will be changed, by the ARN or ID that the finding has for it. Its tags decide whether
            it may be.
        description: What will change, in one sentence without a period. If nothing is needed, why not.
        prior_state: The current state, as far as it will change: JSON values only, and enough for `undo`.
        is_needed: False if the resource is as it should be, or no longer exists.
        remains: What else the finding is about and has to be done manually, or what is pending and can be
            canceled or fail, in one sentence without a period. If there is any, the finding isn't resolved.
    """

    resource: str
    description: str
    prior_state: Mapping[str, object]
    is_needed: bool
    remains: str = ""

    @classmethod
    def nothing(cls, resource: str, why: str) -> Plan:
        """Make the plan to change nothing.

        Args:
            resource: What is as it should be, or no longer exists.
            why: Which of the two, in one sentence without a period.
        """
        return cls(resource=resource, description=why, prior_state={}, is_needed=False)

    @classmethod
    def gone(cls, resource: str, what: str) -> Plan:
        """Make the plan for a resource that the service doesn't find, if the finding names it for certain.

        An ARN with an account does, and so does that of a bucket. A bare ID can belong to another account or
        Region, and an ARN with a unique ID, as in IAM's findings, doesn't name the resource as its API does.

        Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids

        Args:
            resource: Its ID in the finding.
            what: What it is, such as `The bucket`.

        Raises:
            CannotRemediateError: The ID could be that of a resource elsewhere.
        """
        if not _EXACT.fullmatch(resource) or _UNIQUE_ID.search(resource):
            raise CannotRemediateError(
                f"{what} was not found, but {resource!r} doesn't say for certain which one the finding is "
                "about. Check manually."
            )
        return cls.nothing(resource, f"{what} no longer exists")

    def told(self, description: str) -> str:
        """Put what is left to do manually before a description: if it's long, it's truncated at its end."""
        return f"{self.remains}. {description}" if self.remains else description

    def leaving(self, made: Change) -> Plan:
        """Return the plan with what remains after a change that is made."""
        return replace(self, remains=". ".join(filter(None, (self.remains, made.remains))))

    def done(self) -> Change:
        """Return the change that has been made once all of the plan is carried out."""
        verb, _, rest = self.description.partition(" ")
        # Something has been changed by now: an unknown verb must not keep it from being recorded.
        told = f"{_PAST[verb]} {rest}" if verb in _PAST else f"Done: {self.description}"
        return Change(resource=self.resource, description=told, prior_state=self.prior_state)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a remediation did.

    Attributes:
        resource: What was changed, as the plan has it.
        description: What was changed, in one sentence without a period.
        prior_state: The previous state: JSON values only, and enough for `undo`.
        left: What `apply` set, as far as `look` can't tell: JSON values only. None in records of changes
            that were interrupted, or made by an earlier version.
        remains: What of the plan AWS refused and has to be done manually, in one sentence without a period.
            If there is any, the finding isn't resolved. Records don't have it.
    """

    resource: str
    description: str
    prior_state: Mapping[str, object]
    left: Mapping[str, object] | None = None
    remains: str = ""

    def after(self, earlier: Change) -> Change:
        """Return what undoing both this change and an earlier one of the same resource takes.

        What both of them changed was last as this one found it. What only the earlier one changed can be as
        that left it: it had stopped halfway, or somebody opened something else since.

        Args:
            earlier: What the same remediation did, or was about to do, for the same finding.
        """
        known = earlier.prior_state
        joined = {name: _joined(known.get(name), state) for name, state in self.prior_state.items()}
        prior_state = {**known, **joined}
        if prior_state == known:
            return replace(earlier, left=None)
        if prior_state == self.prior_state:
            return replace(self, left=None)
        return Change(
            resource=self.resource,
            description=f"{self.description}; {earlier.description}",
            prior_state=prior_state,
        )


def _joined(earlier: object, later: object) -> object:
    """Return all of two lists, the later one's items first, and of two objects; otherwise what is later."""
    if isinstance(earlier, list) and isinstance(later, list):
        return earlier if all(one in earlier for one in later) else _distinct([*later, *earlier])
    if isinstance(earlier, Mapping) and isinstance(later, Mapping):
        return {**earlier, **later}
    return later


def _distinct(items: Sequence[object]) -> list[object]:
    return [one for index, one in enumerate(items) if one not in items[:index]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """Something that a remediation changed, as it's found when that is to be undone.

    Attributes:
        name: What it is, such as `BackupRetentionPeriod`, or the ID of one of several.
        before: What it was, as the record has it.
        left: What the remediation made of it, or None if nobody knows.
        now: What it is, in the same form.
    """

    name: str
    before: object
    left: object
    now: object

    @property
    def is_restored(self) -> bool:
        """Whether it's as it was before."""
        return self.now == self.before

    @property
    def is_changed(self) -> bool:
        """Whether somebody has certainly changed it since the remediation, and not back."""
        return self.left is not None and self.now not in (self.before, self.left)

    def __str__(self) -> str:
        """Say what it is and what the remediation made of it."""
        return f"{self.name} is {self.now} instead of {self.left}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Remediation:
    """One remediation module, checked.

    Attributes:
        name: The module's name, for example `s3_public_access`.
        control_ids: `CONTROL_IDS`.
        resource_types: `RESOURCE_TYPES`.
        description: `DESCRIPTION`.
        plan: Reads the resource and decides, without changing anything. Raises CannotRemediateError for a
            finding it can do nothing about, and lets botocore's errors pass.
        apply: Does what the plan says, and nothing else. Called with needed plans only; calling it again
            after an interruption must do no harm.
        look: Reads each setting that the change was about. None if it can't be undone.
        undo: Restores these settings of the change, those that are restored already as well: the services
            that were asked may not show yet what is so. None if the API doesn't permit it.
        statements: `STATEMENTS`, what `plan` and `apply` may call.
        undo_statements: `UNDO_STATEMENTS`, what `look` and `undo` may call; empty if there is no undo.
        runbook: `RUNBOOK`, the AWS-owned Automation runbook that it runs, or None.
        parameters: `PARAMETERS`, by name. If there are any, `plan` and `apply` need their values as the
            argument `parameters`, which `enabled_remediations` provides.
        tags_of_changed: Reads the tags of everything that is changed, by its ID, if the finding doesn't name
            it. None if it does.
    """

    name: str
    control_ids: tuple[str, ...]
    resource_types: tuple[str, ...]
    description: str
    plan: Callable[[Finding, Session], Plan]
    apply: Callable[[Plan, Session], Change]
    look: Callable[[Change, Session], Sequence[Setting]] | None
    undo: Callable[[Change, Session, Sequence[Setting]], None] | None
    statements: tuple[Statement, ...] = ()
    undo_statements: tuple[Statement, ...] = ()
    runbook: str | None = None
    parameters: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    tags_of_changed: Callable[[Change, Session], Mapping[str, Mapping[str, str]]] | None = None


def only_resource_of(finding: Finding, types: Collection[str]) -> Resource:
    """Return the one resource of a finding that is of one of the types, wherever it is.

    Raises:
        CannotRemediateError: There is none, or more than one.
    """
    found = [resource for resource in finding.resources if resource.type in types]
    if len(found) != 1:
        raise CannotRemediateError(
            f"The finding names {len(found)} resources of type {' or '.join(sorted(types))}; exactly one is "
            "required. Remediate the finding manually."
        )
    return found[0]


def resource_of(finding: Finding, types: Collection[str]) -> Resource:
    """Return the one resource of a finding that is of one of the types, in the finding's account and Region.

    A resource elsewhere, such as a subnet shared by another account, wouldn't be found here and would count
    as gone, or would be confused with another of the same name.

    Raises:
        CannotRemediateError: There is none, or more than one, or it is elsewhere.
    """
    resource = only_resource_of(finding, types)
    if place := _ARN.fullmatch(resource.id) or _ACCOUNT_ID.fullmatch(resource.id):
        own = {"region": finding.region, "account": finding.aws_account_id}
        if any(named and named != own[part] for part, named in place.groupdict().items()):
            raise CannotRemediateError(
                f"The finding's resource is {resource.id!r}, but it must be of the finding's own account and "
                f"Region, {finding.aws_account_id} and {finding.region}. Remediate the finding manually."
            )
    if resource.type == _ACCOUNT_TYPE:
        _require_account(resource, finding.aws_account_id)
    return resource


def _require_account(resource: Resource, account: str) -> None:
    """Refuse what is reported as an account but is a resource in it, whose state isn't that of the account.

    Source: https://docs.aws.amazon.com/securityhub/latest/userguide/asff-resources-attributes.html
    """
    if not re.fullmatch(rf"(AWS::::Account:|arn:aws[a-z-]*:iam::)?{account}(:root)?", resource.id):
        raise CannotRemediateError(
            f"The finding is about the account, but its resource is {resource.id!r} instead of "
            f"'AWS::::Account:{account}'. Remediate the finding manually."
        )


def name_in_own_arn(
    resource: Resource, finding: Finding, *, service: str, kind: str = "", pattern: str
) -> str:
    """Return the name in the ARN of a resource in its finding's account and Region.

    Args:
        resource: The resource.
        finding: Names the account and the Region.
        service: The service in the ARN, such as `rds`.
        kind: What comes between the account and the name, such as `db:`. Default: nothing.
        pattern: A regular expression for the name.

    Raises:
        CannotRemediateError: The resource's ID isn't such an ARN.
    """
    place = f"{service}:{finding.region}:{finding.aws_account_id}:{kind}"
    found = re.fullmatch(rf"arn:aws[a-z-]*:{re.escape(place)}({pattern})", resource.id)
    if found is None:
        raise CannotRemediateError(
            f"The finding's resource is {resource.id!r}, but it must be an ARN such as arn:aws:{place}NAME, "
            "of the finding's own account and Region. Remediate the finding manually."
        )
    return found[1]


def name_in_arn(resource: Resource) -> str:
    """Return what follows the last slash or colon of a resource's ARN, or the ID if it isn't an ARN."""
    return resource.id.rsplit("/", 1)[-1].rsplit(":", 1)[-1]
