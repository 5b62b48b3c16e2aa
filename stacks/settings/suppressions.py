"""The list `[[suppressions]]` of settings.toml: findings that are accepted, with a reason and an end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import date
from typing import Literal

from pydantic import Field, model_validator

from securityhub_actions.filters import FindingFilter, OcsfFindingFilter
from securityhub_actions.filters.criteria import InexpressibleFilterError, criteria_of
from securityhub_actions.filters.translation import UntranslatableFilterError, to_ocsf_filter
from stacks.settings.filters import FILTER_DESCRIPTION, Filter, as_written
from stacks.settings.forms import Section, TableFaultsError


class SuppressionSettings(Section):
    """One suppression."""

    name: str = Field(
        pattern=r"^[A-Za-z][A-Za-z0-9]{0,63}$",
        description="1 to 64 letters and digits, beginning with a letter, different from the other names; "
        "what has been suppressed is opened if it changes",
    )
    reason: str = Field(
        pattern=r"\S",
        max_length=256,
        description="why the findings are accepted, 1 to 256 characters, which become their note or comment",
    )
    until: date | None = Field(
        default=None,
        description="a day in the future, such as 2027-03-31 without quotation marks, on which the "
        "suppression ends, in UTC; without it, it doesn't end",
    )
    hub: Literal["cspm", "v2"] = Field(
        default="cspm",
        description="'cspm' for findings of Security Hub CSPM in the stack's Region, or 'v2' for those of "
        "the new Security Hub, of which the stack's Region is the home Region",
    )
    enabled: bool = Field(
        default=True,
        description="true or false, whether it's in force; if not, what it has suppressed is opened",
    )
    filter: Filter = Field(description=FILTER_DESCRIPTION)

    @model_validator(mode="after")
    def _rule_can_express_it(self) -> SuppressionSettings:
        try:
            criteria_of(self.findings)
        except (InexpressibleFilterError, UntranslatableFilterError) as error:
            faults = [
                ("filter" if name == "findings" else f"filter.{name}", as_written(value), reason)
                for name, value, reason in error.faults
            ]
            raise TableFaultsError(faults) from error
        return self

    @property
    def findings(self) -> FindingFilter | OcsfFindingFilter:
        """The filter for the findings of its hub."""
        return to_ocsf_filter(self.filter) if self.hub == "v2" else self.filter


def require_different_names(suppressions: Sequence[SuppressionSettings]) -> Sequence[SuppressionSettings]:
    """Reject suppressions with the same name."""
    # Logical IDs leave out what isn't a letter or digit, but they tell upper from lower case.
    for name, number in Counter(one.name for one in suppressions).items():
        if number > 1:
            raise ValueError(f"{number} suppressions have the name {name!r}; give each a different one")
    return suppressions
