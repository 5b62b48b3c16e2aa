"""The table `[press]` of settings.toml."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import AfterValidator, Field, model_validator

from stacks.settings.forms import Section, distinct, listed

ACTIONS: Final = (
    "InsightDigest",
    "MarkAsNotified",
    "OpenTicket",
    "Remediate",
    "SuppressWithNote",
    "UndoRemediation",
)
# The name needs another character than a wildcard, so that nobody names all roles.
_PRINCIPAL: Final = (
    r"^arn:aws[a-z-]*:iam::[0-9]{12}:(role|user)/"
    r"[A-Za-z0-9_+=,.@/*?-]*[A-Za-z0-9_+=,.@-][A-Za-z0-9_+=,.@/*?-]*$"
)


class PressSettings(Section):
    """Custom actions from a terminal, with `securityhub-actions press`."""

    enabled: bool = Field(
        description="true or false, whether the principals can use the actions from a terminal, with any "
        "finding, also one that doesn't exist"
    )
    principals: Annotated[list[Annotated[str, Field(pattern=_PRINCIPAL)]], AfterValidator(distinct)] = Field(
        description="a list of ARNs of IAM roles and users without duplicates, such as "
        "arn:aws:iam::111122223333:role/SecurityResponder; the name can have * and ?",
    )
    actions: Annotated[list[str], AfterValidator(distinct)] = Field(
        description=f"a list of action IDs without duplicates, out of {listed(ACTIONS)}"
    )

    @model_validator(mode="after")
    def _let_somebody_do_something(self) -> PressSettings:
        unknown = [action for action in self.actions if action not in ACTIONS]
        if unknown:
            raise ValueError(
                f"actions contains {listed(unknown)}, which this app doesn't have; the actions are "
                f"{listed(ACTIONS)}"
            )
        for name in ("principals", "actions"):
            if self.enabled and not getattr(self, name):
                raise ValueError(
                    f"enabled is true, but {name} is empty; name at least one, or set enabled to false"
                )
        return self
