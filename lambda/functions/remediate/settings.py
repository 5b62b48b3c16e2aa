"""The function's environment variables, checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from functions.remediate.allow_and_deny import AccountLists, TagLists
from functions.remediate.approval import Scope
from invocation.environment import json_object, listed, matching, one_of, required, wrong

_APPROVAL: Final = (
    "APPROVAL_RUNBOOK",
    "APPROVAL_TABLE",
    "APPROVAL_HOURS",
    "APPROVAL_REMEDIATIONS",
    "APPROVAL_CONTROLS",
    "APPROVAL_ACCOUNTS",
)
_MODES: Final = ("dry-run", "apply")


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalSettings:
    """The settings of approval.

    Attributes:
        scope: `APPROVAL_REMEDIATIONS`, `APPROVAL_CONTROLS`, and `APPROVAL_ACCOUNTS`, lists separated by
            commas: what needs approval.
        runbook: `APPROVAL_RUNBOOK`, the name of the runbook that asks.
        table: `APPROVAL_TABLE`, the DynamoDB table of requests.
        hours: `APPROVAL_HOURS`, how long a request waits.
    """

    scope: Scope
    runbook: str
    table: str
    hours: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of the function.

    Attributes:
        remediations: `REMEDIATIONS`, the names of the enabled modules, separated by commas.
        parameters: `REMEDIATION_PARAMETERS`, a JSON object of objects: the values by module and parameter
            name. Default: none.
        accounts: `ALLOWED_ACCOUNTS` and `DENIED_ACCOUNTS`, the IDs of accounts and organizational units,
            separated by commas, or `ANY`. If no accounts are allowed, nothing is changed.
        resource_tags: `ALLOWED_RESOURCE_TAGS` and `DENIED_RESOURCE_TAGS`, JSON objects of tag keys and lists
            of values, such as `{"team": ["payments"]}`. Default: tags aren't checked.
        automatic_changes: Whether `AUTOMATIC_MODE` is `apply`. The default, `dry-run`, only plans the
            remediation of imported findings.
        insight_changes: Whether `INSIGHT_MODE` is `apply`. The default, `dry-run`, only plans the remediation
            of the findings of insight results, and undoes nothing for them.
        undo_action_id: `UNDO_ACTION_ID`, the custom action for undo, or None if undo isn't enabled.
        partition: `PARTITION`, the partition of all accounts. Default: `aws`.
        member_role: `MEMBER_ROLE`, the path and name of the member role, without a leading slash.
        automation_role: `AUTOMATION_ROLE`, the path and name of the role that runbooks assume in members.
        external_id: `EXTERNAL_ID`, the external ID that the member roles require.
        records_bucket: `RECORDS_BUCKET`, the bucket for previous states.
        idempotency_table: `IDEMPOTENCY_TABLE`, the DynamoDB table of completed work.
        approval: What needs approval, or None if nothing does.
    """

    remediations: tuple[str, ...]
    parameters: Mapping[str, Mapping[str, str]]
    accounts: AccountLists
    resource_tags: TagLists
    automatic_changes: bool
    insight_changes: bool
    undo_action_id: str | None
    partition: str
    member_role: str
    automation_role: str
    external_id: str
    records_bucket: str
    idempotency_table: str
    approval: ApprovalSettings | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Settings:
        """Read the settings.

        Raises:
            ValueError: A variable is missing or invalid.
        """
        automatic, insight = (
            one_of(environment, name, _MODES, default=_MODES[0])
            for name in ("AUTOMATIC_MODE", "INSIGHT_MODE")
        )
        return cls(
            remediations=listed(environment, "REMEDIATIONS"),
            parameters=_parameters(environment, "REMEDIATION_PARAMETERS"),
            accounts=_accounts(environment),
            resource_tags=TagLists(
                allow=_tags(environment, "ALLOWED_RESOURCE_TAGS"),
                deny=_tags(environment, "DENIED_RESOURCE_TAGS"),
            ),
            automatic_changes=automatic == "apply",
            insight_changes=insight == "apply",
            undo_action_id=environment.get("UNDO_ACTION_ID") or None,
            partition=environment.get("PARTITION") or "aws",
            member_role=required(environment, "MEMBER_ROLE").strip("/"),
            automation_role=required(environment, "AUTOMATION_ROLE").strip("/"),
            external_id=required(environment, "EXTERNAL_ID"),
            records_bucket=required(environment, "RECORDS_BUCKET"),
            idempotency_table=required(environment, "IDEMPOTENCY_TABLE"),
            approval=_approval(environment),
        )


def _approval(environment: Mapping[str, str]) -> ApprovalSettings | None:
    """Read what needs approval. Settings without the runbook aren't treated as none, which need no approval.

    Raises:
        ValueError: One of the variables is missing or invalid.
    """
    if not any(environment.get(name, "").strip() for name in _APPROVAL):
        return None
    hours = matching(environment, "APPROVAL_HOURS", pattern=r"[1-9][0-9]{0,2}", allowed="from 1 to 720")
    accounts = frozenset(listed(environment, "APPROVAL_ACCOUNTS"))
    try:
        AccountLists(allow=accounts, deny=frozenset())
    except ValueError as error:
        raise wrong("APPROVAL_ACCOUNTS", environment.get("APPROVAL_ACCOUNTS"), f"valid: {error}") from None
    return ApprovalSettings(
        scope=Scope(
            remediations=frozenset(listed(environment, "APPROVAL_REMEDIATIONS")),
            controls=frozenset(listed(environment, "APPROVAL_CONTROLS")),
            accounts=accounts,
        ),
        runbook=required(environment, "APPROVAL_RUNBOOK"),
        table=required(environment, "APPROVAL_TABLE"),
        hours=int(hours),
    )


def _accounts(environment: Mapping[str, str]) -> AccountLists:
    allow, deny = (frozenset(listed(environment, name)) for name in ("ALLOWED_ACCOUNTS", "DENIED_ACCOUNTS"))
    try:
        return AccountLists(allow=allow, deny=deny)
    except ValueError as error:
        raise ValueError(
            f"The environment variable ALLOWED_ACCOUNTS or DENIED_ACCOUNTS is wrong: {error}. Set it on the "
            "Lambda function."
        ) from None


def _tags(environment: Mapping[str, str], name: str) -> dict[str, frozenset[str]]:
    """Read a table of tags. An invalid value isn't treated as an empty table, which allows everything."""
    table = json_object(
        name,
        environment.get(name, "").strip() or "{}",
        fits=lambda table: all(
            isinstance(values, list) and values and all(isinstance(value, str) for value in values)
            for values in table.values()
        ),
        allowed='a JSON object of tag keys and lists of values, such as {"team": ["payments"]}',
    )
    return {key: frozenset(values) for key, values in table.items()}


def _parameters(environment: Mapping[str, str], name: str) -> Mapping[str, Mapping[str, str]]:
    return json_object(
        name,
        environment.get(name) or "{}",
        fits=lambda values: all(
            isinstance(table, dict) and all(isinstance(value, str) for value in table.values())
            for table in values.values()
        ),
        allowed="a JSON object of objects of strings",
    )
