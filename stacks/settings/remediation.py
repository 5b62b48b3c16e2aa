"""The table `[remediation]` of settings.toml."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import (
    Field,
    ValidationInfo,
    field_validator,
)

from stacks.remediation_catalog import CatalogEntry, check_parameters, chosen, read_catalog
from stacks.settings.filters import FILTER_DESCRIPTION, Filter
from stacks.settings.forms import ANY, ROLE_NAME, UNIT, AccountId, ResourceTags, Section, listed


class AccountsSettings(Section):
    """Which accounts may be changed. One that is neither allowed nor denied is not."""

    allow: list[Annotated[str, Field(pattern=rf"^([0-9]{{12}}|{UNIT}|{ANY})$")]] = Field(
        description="a list of 12-digit account IDs, of IDs of organizational units or of the root, such as "
        f"'ou-abcd-12345678', which stand for every account anywhere below, or of '{ANY}', or [] for none"
    )
    deny: list[Annotated[str, Field(pattern=rf"^([0-9]{{12}}|{UNIT}|{ANY})$")]] = Field(
        description="a list of the same, which wins over the accounts that are allowed, or [] for none"
    )

    @property
    def known(self) -> list[str] | None:
        """The accounts that are allowed, or None where that is not known before a finding arrives."""
        if ANY in self.deny:
            return []
        if not all(entry.isdecimal() for entry in self.allow):
            return None
        return sorted(set(self.allow) - set(self.deny))

    @property
    def name_units(self) -> bool:
        """Whether it matters where in the organization an account is."""
        return any(re.fullmatch(UNIT, entry) for entry in (*self.allow, *self.deny))


class ResourceTagsSettings(Section):
    """Which resources may be changed, by the tags that they carry. Keys and values are case-sensitive."""

    allow: ResourceTags = Field(
        description="a table of tag keys and lists of their values, such as { team = ['payments'] }, where "
        f"'{ANY}' is any value: only a resource that carries one of these tags is changed; or {{}} for all"
    )
    deny: ResourceTags = Field(
        description="a table of the same: no resource that carries one of them is changed; or {} for none"
    )

    @property
    def decide(self) -> bool:
        """Whether tags matter at all."""
        return bool(self.allow or self.deny)


class RoleSettings(Section):
    """The roles of remediation."""

    path: str = Field(
        pattern=r"^/([A-Za-z0-9_+=,.@-]+/)*$",
        description="the path of all these roles, with a slash at both ends, such as '/securityhub/'",
    )
    name: str = Field(
        pattern=ROLE_NAME, description="the name of the role in every member, up to 64 characters"
    )
    automation_name: str = Field(
        pattern=ROLE_NAME,
        description="the name of the role in every member with which runbooks act, up to 64 characters",
    )
    administrator_name: str = Field(
        pattern=ROLE_NAME,
        description="the name of the function's role in the administrator account, up to 64 characters",
    )
    permissions_boundary: str = Field(
        pattern=r"^[A-Za-z0-9_+=,.@/-]{0,128}$",
        description="the name of a managed policy in every member that limits both its roles, or '' for none",
    )


class StackSetSettings(Section):
    """The member role in the accounts of an organization."""

    enabled: bool = Field(description="true or false, whether the stack set is deployed")
    organizational_units: list[Annotated[str, Field(pattern=rf"^{UNIT}$")]] = Field(
        min_length=1,
        description="a list of at least one ID of a unit or of the root, such as ['ou-abcd-12345678']",
    )
    delegated_administrator: bool = Field(
        description="true where the administrator account is a delegated administrator of CloudFormation "
        "StackSets, false where it is the management account"
    )


class AutomaticSettings(Section):
    """Remediation of imported findings."""

    enabled: bool = Field(description="true or false, whether there is a rule for them")
    mode: Literal["dry-run", "apply"] = Field(
        description="'dry-run', which writes to a finding what would be done, or 'apply', which does it"
    )
    maximum_concurrency: int = Field(
        ge=2, le=1000, description="a whole number from 2 to 1000, the batches that are worked on at a time"
    )
    filter: Filter = Field(description=FILTER_DESCRIPTION)


class RemediationSettings(Section):
    """What remediation may do, and where."""

    enabled: bool = Field(description="true or false, whether its stacks are deployed")
    administrator_account: AccountId = Field(
        description="the 12-digit ID of Security Hub's administrator account, which has the remediation stack"
    )
    organization_id: str = Field(
        pattern=r"^o-[a-z0-9]{10,32}$",
        description="the ID of the organization of all accounts, such as 'o-exampleorgid'",
    )
    external_id: str = Field(
        pattern=r"^[A-Za-z0-9_+=,.@:/-]{2,256}$",
        description="what the member role requires, 2 to 256 letters, digits and _+=,.@:/-",
    )
    remediations: list[str] = Field(
        min_length=1, description="a list of at least one name of a remediation in lambda/remediations"
    )
    parameters: dict[str, dict[str, str]] = Field(
        description="a table for each remediation that must be told something, with the PARAMETERS of its "
        "module as keys, or nothing where none must"
    )
    undo: bool = Field(
        description="true or false, whether there is a custom action that undoes, and the permissions for it"
    )
    regions: list[Annotated[str, Field(pattern=r"^[a-z]{2,4}(-[a-z]+)+-[0-9]$")]] = Field(
        description="a list of the Regions in which members may be changed, or [] for all"
    )
    record_retention_days: int = Field(
        ge=1, le=36_500, description="a whole number from 1 to 36500, the days after which a record expires"
    )
    accounts: AccountsSettings
    resource_tags: ResourceTagsSettings
    role: RoleSettings
    stack_set: StackSetSettings
    automatic: AutomaticSettings

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
        controls = [control for entry in chosen(names, read_catalog()) for control in entry.controls]
        if automatic.enabled and names and not controls:
            raise ValueError(
                f"enabled is true, but no control of Security Hub is served by {listed(names)}; add a "
                "remediation that serves one, or set enabled to false"
            )
        return automatic

    @property
    def entries(self) -> Sequence[CatalogEntry]:
        """The enabled remediations."""
        return chosen(self.remediations, read_catalog())
