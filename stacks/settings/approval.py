"""The table `[remediation.approval]` of settings.toml."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import AfterValidator, Field, model_validator

from stacks.settings.forms import ANY, EMAILS_DESCRIPTION, AccountOrUnit, Emails, Section, distinct

MAX_APPROVERS: Final = 10
"""Source: https://docs.aws.amazon.com/systems-manager/latest/userguide/automation-action-approve.html"""
MAX_HOURS: Final = 720
_PRINCIPAL: Final = r"^arn:aws[a-z-]*:iam::[0-9]{12}:(role|user)/[A-Za-z0-9_+=,.@/-]+$"


class ApprovalSettings(Section):
    """Remediations that wait until a second person has approved them."""

    enabled: bool = Field(description="true or false, whether some remediations need approval")
    approvers: Annotated[
        list[Annotated[str, Field(pattern=_PRINCIPAL)]],
        Field(max_length=MAX_APPROVERS),
        AfterValidator(distinct),
    ] = Field(
        description=f"a list of ARNs of at most {MAX_APPROVERS} IAM roles and users without duplicates or "
        "wildcards, such as arn:aws:iam::111122223333:role/SecurityLead"
    )
    minimum_approvals: int = Field(
        ge=1,
        le=MAX_APPROVERS,
        description=f"a whole number from 1 to {MAX_APPROVERS}, how many of the approvers must approve",
    )
    hours: int = Field(
        ge=1,
        le=MAX_HOURS,
        description=f"a whole number from 1 to {MAX_HOURS}, the hours after which a request is given up",
    )
    remediations: Annotated[list[str], AfterValidator(distinct)] = Field(
        description=f"a list of enabled remediations without duplicates, by name, or ['{ANY}'] for all"
    )
    controls: Annotated[list[str], AfterValidator(distinct)] = Field(
        description="a list of IDs of controls of the enabled remediations without duplicates, such as "
        "['EC2.19'], or [] for none"
    )
    accounts: Annotated[list[AccountOrUnit], AfterValidator(distinct)] = Field(
        description="a list of 12-digit account IDs, or IDs of organizational units or of the root, which "
        f"include every account below them, or ['{ANY}'] for all"
    )
    emails: Emails = Field(description=EMAILS_DESCRIPTION)

    @model_validator(mode="after")
    def _let_somebody_approve_something(self) -> ApprovalSettings:
        if not self.enabled:
            return self
        for name in ("approvers", "accounts"):
            if not getattr(self, name):
                raise ValueError(
                    f"enabled is true, but {name} is empty; name at least one, or set enabled to false"
                )
        if not (self.remediations or self.controls):
            raise ValueError(
                "enabled is true, but remediations and controls are empty; name at least one that needs "
                "approval, or set enabled to false"
            )
        if self.minimum_approvals > len(self.approvers):
            raise ValueError(
                f"minimum_approvals is {self.minimum_approvals}, but only {len(self.approvers)} can approve; "
                "name more approvers, or set minimum_approvals to at most as many"
            )
        return self
