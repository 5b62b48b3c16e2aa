"""The table `[remediation]` of settings.toml."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Collection, Sequence
from typing import Annotated, Final, Literal

from pydantic import (
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from securityhub_actions.filters import FindingFilter
from securityhub_actions.filters.base import all_meet, lists_at
from stacks.remediation_catalog import CatalogEntry, check_parameters, chosen, read_catalog
from stacks.settings.approval import ApprovalSettings
from stacks.settings.filters import FILTER_DESCRIPTION, AutomaticFilter
from stacks.settings.forms import (
    ANY,
    ROLE_NAME,
    UNIT,
    AccountId,
    AccountOrUnit,
    ResourceTags,
    Section,
    listed,
)

_FAILED: Final = "FAILED"


class AccountsSettings(Section):
    """The accounts that may be changed. An account that isn't allowed is never changed."""

    allow: list[AccountOrUnit] = Field(
        description="a list of 12-digit account IDs, or IDs of organizational units or of the root, such as "
        f"'ou-abcd-12345678', which include every account below them, or ['{ANY}']; or [] for none"
    )
    deny: list[AccountOrUnit] = Field(
        description="a list of IDs as in allow, which takes precedence over allow; or [] for none"
    )

    @property
    def known(self) -> list[str] | None:
        """The allowed accounts, or None if they aren't known before a finding arrives."""
        if ANY in self.deny:
            return []
        if not all(entry.isdecimal() for entry in self.allow):
            return None
        return sorted(set(self.allow) - set(self.deny))


class ResourceTagsSettings(Section):
    """The resources that may be changed, by their tags. Keys and values are case-sensitive."""

    allow: ResourceTags = Field(
        description="a table of tag keys and lists of their values, such as { team = ['payments'] }, where "
        f"'{ANY}' matches any value; only resources with one of these tags are changed; or {{}} for all"
    )
    deny: ResourceTags = Field(
        description="a table of tag keys and lists of their values, as in allow; resources with one of these "
        "tags aren't changed; or {} for none"
    )

    @property
    def decide(self) -> bool:
        """Whether tags are checked."""
        return bool(self.allow or self.deny)


class RoleSettings(Section):
    """The roles for remediation."""

    path: str = Field(
        pattern=r"^/([A-Za-z0-9_+=,.@-]+/)*$",
        max_length=512,  # https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html
        description="the path of all roles, with a leading and a trailing slash, such as '/securityhub/', up "
        "to 512 characters",
    )
    name: str = Field(
        pattern=ROLE_NAME, description="the name of the role in every member account, up to 64 characters"
    )
    automation_name: str = Field(
        pattern=ROLE_NAME,
        description="the name of the role for runbooks in every member account, up to 64 characters",
    )
    administrator_name: str = Field(
        pattern=ROLE_NAME,
        description="the name of the function's role in the administrator account, up to 64 characters",
    )
    permissions_boundary: str = Field(
        pattern=r"^[A-Za-z0-9_+=,.@/-]{0,128}$",
        description="the name of a managed policy in every member account to use as the permissions boundary "
        "of both roles, or '' for none",
    )

    @model_validator(mode="after")
    def _have_different_names(self) -> RoleSettings:
        # All three can be in the administrator account, and the names of IAM roles aren't case-sensitive:
        # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
        names = [self.name, self.automation_name, self.administrator_name]
        if len({name.casefold() for name in names}) < len(names):
            raise ValueError(
                f"name, automation_name, and administrator_name are {listed(names)}; give each role a "
                "name of its own, regardless of case"
            )
        return self


class StackSetSettings(Section):
    """The member role in the accounts of an organization."""

    enabled: bool = Field(description="true or false, whether the stack set is deployed")
    organizational_units: list[Annotated[str, Field(pattern=rf"^{UNIT}$")]] = Field(
        min_length=1,
        description="a list of at least one ID of an organizational unit or of the root, such as "
        "['ou-abcd-12345678']",
    )
    delegated_administrator: bool = Field(
        description="true if the administrator account is a delegated administrator of CloudFormation "
        "StackSets, or false if it is the management account"
    )


class AutomaticSettings(Section):
    """Remediation of imported findings."""

    enabled: bool = Field(description="true or false, whether imported findings are remediated")
    mode: Literal["dry-run", "apply"] = Field(
        description="'dry-run', which only adds a note with the planned change to a finding, or 'apply', "
        "which makes the change"
    )
    maximum_concurrency: int = Field(
        ge=2,
        le=1000,
        description="a whole number from 2 to 1000, the number of batches that are processed at a time",
    )
    filter: AutomaticFilter = Field(description=FILTER_DESCRIPTION)


class RemediationSettings(Section):
    """What remediation may do, and where."""

    enabled: bool = Field(description="true or false, whether the remediation stacks are deployed")
    administrator_account: AccountId = Field(
        description="the 12-digit ID of the Security Hub administrator account, in which the remediation "
        "stack is deployed"
    )
    organization_id: str = Field(
        pattern=r"^o-[a-z0-9]{10,32}$",
        description="the ID of the organization, such as 'o-exampleorgid'",
    )
    external_id: str = Field(
        pattern=r"^[A-Za-z0-9_+=,.@:/-]{2,256}$",
        description="the external ID that the member role requires, 2 to 256 letters, digits, and _+=,.@:/-",
    )
    remediations: list[str] = Field(
        min_length=1, description="a list of at least one remediation in lambda/remediations, by name"
    )
    parameters: dict[str, dict[str, str]] = Field(
        description="a table for each remediation that needs parameters, with the PARAMETERS of its module "
        "as keys, or an empty table if none does"
    )
    undo: bool = Field(
        description="true or false, whether there is a custom action to undo changes, with its permissions"
    )
    regions: list[Annotated[str, Field(pattern=r"^[a-z]{2,4}(-[a-z]+)+-[0-9]$")]] = Field(
        description="a list of the Regions in which member accounts may be changed, such as ['eu-west-1'], "
        "or [] for all"
    )
    record_retention_days: int = Field(
        ge=1, le=36_500, description="a whole number from 1 to 36500, the days after which a record expires"
    )
    accounts: AccountsSettings
    resource_tags: ResourceTagsSettings
    role: RoleSettings
    stack_set: StackSetSettings
    automatic: AutomaticSettings
    approval: ApprovalSettings

    @field_validator("remediations")
    @classmethod
    def _exist(cls, names: list[str]) -> list[str]:
        chosen(names, read_catalog())
        return names

    @field_validator("parameters")
    @classmethod
    def _are_what_the_remediations_take(
        cls, given: dict[str, dict[str, str]], others: ValidationInfo
    ) -> dict[str, dict[str, str]]:
        if names := others.data.get("remediations"):
            check_parameters(given, names, read_catalog())
        return given

    @field_validator("automatic")
    @classmethod
    def _has_controls(cls, automatic: AutomaticSettings, others: ValidationInfo) -> AutomaticSettings:
        names = others.data.get("remediations", [])
        if automatic.enabled and names and not _controls_of(names):
            raise ValueError(
                f"enabled is true, but no Security Hub control is remediated by {listed(names)}; add a "
                "remediation that has one, or set enabled to false"
            )
        if automatic.enabled and names:
            for field, known in (("compliance_status", [_FAILED]), ("control_ids", _controls_of(names))):
                if not _passing(automatic.filter, field, known):
                    raise ValueError(
                        f"filter.{field} lets none of {listed(known)} pass, and no other findings are "
                        "remediated; let some of them pass, or leave it out"
                    )
        return automatic

    @field_validator("approval")
    @classmethod
    def _is_about_what_is_enabled(
        cls, approval: ApprovalSettings, others: ValidationInfo
    ) -> ApprovalSettings:
        names: list[str] = others.data.get("remediations", [])
        if not approval.enabled or not names:
            return approval
        for kind, fault, given, known in (
            ("remediations", "isn't enabled", approval.remediations, [*names, ANY]),
            ("controls", "no enabled remediation has", approval.controls, _controls_of(names)),
        ):
            if unknown := [one for one in given if one not in known]:
                raise ValueError(
                    f"{kind} contains {listed(unknown)}, which {fault}; specify some of "
                    f"{listed(known) if known else 'none'}, or enable more in remediations"
                )
        return approval

    @property
    def name_units(self) -> bool:
        """Whether the location of an account in the organization matters."""
        for_approval = self.approval.accounts if self.approval.enabled else []
        named = (*self.accounts.allow, *self.accounts.deny, *for_approval)
        return any(re.fullmatch(UNIT, one) for one in named)

    @property
    def entries(self) -> Sequence[CatalogEntry]:
        """The enabled remediations."""
        return chosen(self.remediations, read_catalog())

    @property
    def automatic_filter(self) -> FindingFilter:
        """The filter for imported findings: of those that the settings want, failures that can be remediated.

        The controls are listed, because a pattern can't have two sets of conditions for one field.
        """
        wanted = self.automatic.filter
        controls = _passing(wanted, "control_ids", _controls_of(self.remediations))
        return dataclasses.replace(wanted, compliance_status=_FAILED, control_ids=controls)


def _controls_of(names: Collection[str]) -> list[str]:
    return [control for entry in chosen(names, read_catalog()) for control in entry.controls]


def _passing(findings: FindingFilter, field: str, values: Collection[str]) -> list[str]:
    """Return the values of a field that a filter lets pass."""
    path = tuple(FindingFilter.fields[field].path.split("."))
    conditions = lists_at(path, [findings.conditions_by_path()])
    return [value for value in values if all_meet(conditions, value)]
