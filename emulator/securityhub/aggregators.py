"""Aggregators: which Region has the findings of which others, in Security Hub CSPM and in the new one.

An account has at most one of each, in its home Region. Findings aren't copied here.

Source: https://docs.aws.amazon.com/securityhub/latest/userguide/finding-aggregation.html
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from ministack.core.responses import get_account_id, get_region, new_uuid

from emulator.securityhub import paging, state
from emulator.securityhub.model import Document, SecurityHubError

_WITH_REGIONS: Final = frozenset({"ALL_REGIONS_EXCEPT_SPECIFIED", "SPECIFIED_REGIONS"})
_MODES: Final = frozenset({"ALL_REGIONS", "NO_REGIONS", *_WITH_REGIONS})


def _operations(
    store: dict[str, Document], *, arn: str, home: str, regions: str, listed: str, resource: str
) -> tuple[Callable[[Document], Document], ...]:
    """Return the operations that create, get, list, and delete, which differ only in the names of members."""

    def create(request: Document) -> Document:
        if get_account_id() in store:
            # AWS documents no error for this; among those of the model, these come closest.
            code = "ConflictException" if store is state.aggregators_v2 else "LimitExceededException"
            raise SecurityHubError(code, "The account has an aggregator already")
        mode, named = request["RegionLinkingMode"], request.get(regions) or []
        if mode not in _MODES:
            allowed = ", ".join(sorted(_MODES))
            raise SecurityHubError(
                "InvalidInputException", f"RegionLinkingMode is {mode}; allowed are {allowed}"
            )
        if bool(named) != (mode in _WITH_REGIONS):
            wanted = "needs" if mode in _WITH_REGIONS else "allows no"
            raise SecurityHubError("InvalidInputException", f"{mode} {wanted} {regions}")
        store[get_account_id()] = {
            arn: state.arn_of(f"{resource}/{new_uuid()}"),
            home: get_region(),
            "RegionLinkingMode": mode,
            regions: list(named),
        }
        return store[get_account_id()]

    def get(request: Document) -> Document:
        found = store.get(get_account_id())
        if found is None or found[arn] != request[arn]:
            raise SecurityHubError("ResourceNotFoundException", f"{request[arn]} does not exist")
        return found

    def list_all(request: Document) -> Document:
        own = [store[get_account_id()]] if get_account_id() in store else []
        page, more = paging.page(listed, own, request)
        return {listed: [{arn: one[arn]} for one in page], **more}

    def delete(request: Document) -> Document:
        get(request)
        del store[get_account_id()]
        return {}

    return create, get, list_all, delete


create, get, list_all, delete = _operations(
    state.finding_aggregators,
    arn="FindingAggregatorArn",
    home="FindingAggregationRegion",
    regions="Regions",
    listed="FindingAggregators",
    resource="finding-aggregator",
)
create_v2, get_v2, list_v2, delete_v2 = _operations(
    state.aggregators_v2,
    arn="AggregatorV2Arn",
    home="AggregationRegion",
    regions="LinkedRegions",
    listed="AggregatorsV2",
    resource="aggregatorv2",
)
