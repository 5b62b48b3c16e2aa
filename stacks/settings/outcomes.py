"""The table `[outcomes]` of settings.toml."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, field_validator

from stacks.settings.forms import EMAILS_DESCRIPTION, AccountId, Emails, Section, distinct

OTHER_ACCOUNTS: Final = "other"
"""As lambda/securityhub/outcomes/reporting.py calls the accounts that are in no group."""
# An environment variable has them, and all variables of a function may have 4 KB.
# https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
_MAX_GROUPED: Final = 100

Result = Literal[
    "done",
    "partly_done",
    "unchanged",
    "dry_run",
    "held_back",
    "refused",
    "impossible",
    "stopped",
    "failed",
]


class TopicSettings(Section):
    """Outcomes to an SNS topic."""

    enabled: bool = Field(description="true or false, whether there is a topic")
    emails: Emails = Field(description=EMAILS_DESCRIPTION)
    outcomes: Annotated[list[Result], AfterValidator(distinct)] = Field(
        description="a list of the outcomes that the topic gets, of 'done', 'partly_done', 'unchanged', "
        "'dry_run', 'held_back', 'refused', 'impossible', 'stopped' and 'failed', or [] for all"
    )


class AuditSettings(Section):
    """Outcomes to Amazon S3, with a table and saved queries for Amazon Athena."""

    enabled: bool = Field(description="true or false, whether outcomes are kept")
    retention_days: int = Field(
        ge=1, le=36_500, description="a whole number from 1 to 36500, the days after which a record expires"
    )


class OutcomesSettings(Section):
    """What became of each finding, as events and metrics."""

    enabled: bool = Field(
        description="true or false, whether the functions report what became of each finding"
    )
    metrics: bool = Field(description="true or false, whether they also write metrics, which are charged")
    account_groups: dict[Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")], list[AccountId]] = Field(
        description="names of groups, with lists of the IDs of their accounts, by which metrics are counted, "
        f'such as {{ production = ["111122223333"] }}; up to {_MAX_GROUPED} accounts, each in one group, and '
        f"'{OTHER_ACCOUNTS}' is the group of all others"
    )
    topic: TopicSettings
    audit: AuditSettings

    @field_validator("account_groups")
    @classmethod
    def _are_distinct_and_few(cls, groups: dict[str, list[str]]) -> dict[str, list[str]]:
        accounts = [account for group in groups.values() for account in group]
        twice = sorted({account for account in accounts if accounts.count(account) > 1})
        if OTHER_ACCOUNTS in groups:
            raise ValueError(f"{OTHER_ACCOUNTS!r} is the group of all other accounts; choose another name")
        if twice:
            raise ValueError(f"{', '.join(twice)} is in several groups, or twice in one; leave it in one")
        if len(accounts) > _MAX_GROUPED:
            raise ValueError(
                f"{len(accounts)} accounts are in groups, and at most {_MAX_GROUPED} can be, because an "
                f"environment variable has them; leave those of the largest group out: {OTHER_ACCOUNTS!r} "
                "then counts them"
            )
        return groups
