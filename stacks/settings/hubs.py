"""The table `[hubs]` of settings.toml: which Security Hub each stack listens to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, Literal, TypeAlias

from pydantic import Field

from securityhub_actions.filters import FindingFilter
from securityhub_actions.filters.translation import UntranslatableFilterError, to_ocsf_filter
from stacks.settings.filters import as_written
from stacks.settings.forms import Section, TableFaultsError

Hub: TypeAlias = Literal["cspm", "v2", "both"]

_ALLOWED: Final = (
    "'cspm' for Security Hub CSPM, 'v2' for the new Security Hub, or 'both': whose imported findings {}"
)


class HubsSettings(Section):
    """Which Security Hub's imported findings the stacks get. Custom actions are of Security Hub CSPM."""

    routing: Hub = Field(description=_ALLOWED.format("are routed; with 'both', an issue is routed twice"))
    remediation: Hub = Field(
        description=_ALLOWED.format(
            "are remediated; with 'both', those of Security Hub CSPM, and the others get a comment"
        )
    )
    ticketing: Hub = Field(
        description=_ALLOWED.format(
            "get tickets; with 'both', those of Security Hub CSPM, and the others get a comment"
        )
    )


def listens_to_cspm(hub: Hub) -> bool:
    """Whether a stack gets the findings of Security Hub CSPM."""
    return hub in ("cspm", "both")


def listens_to_v2(hub: Hub) -> bool:
    """Whether a stack gets the findings of the new Security Hub."""
    return hub in ("v2", "both")


def require_translatable(filters: Mapping[str, tuple[str, Hub, FindingFilter]]) -> None:
    """Refuse filters that can't be translated for the new Security Hub, where a stack listens to that.

    Args:
        filters: By the key of each enabled filter, its stack in `[hubs]`, what the stack listens to, and the
            filter.

    Raises:
        TableFaultsError: Some can't be. It has all of them.
    """
    faults = [fault for key, given in filters.items() for fault in _faults(key, *given)]
    if faults:
        raise TableFaultsError(faults)


def _faults(key: str, stack: str, hub: Hub, findings: FindingFilter) -> Iterator[tuple[str, object, str]]:
    if not listens_to_v2(hub):
        return
    try:
        to_ocsf_filter(findings)
    except UntranslatableFilterError as error:
        for name, value, reason in error.faults:
            told = f"hubs.{stack} is '{hub}', and {reason}; or set hubs.{stack} to 'cspm'"
            yield f"{key}.{name}", as_written(value), told
