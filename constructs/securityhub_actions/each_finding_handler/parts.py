"""Takes an event of Security Hub apart: one detail for each finding, or for each result of an insight.

The same event is always taken apart into the same details, so that a receiver can recognize those that are
sent again. Nothing here needs boto3.

Source: https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-cwe-event-formats.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

from .summary import of_asff_finding, of_insight_result, of_ocsf_finding

SOURCE: Final = "securityhub-actions.each-finding"
"""The source of the entries. EventBridge accepts sources with `aws.` only from AWS services."""
ROUTE: Final = "route"
"""The member of the payload, and of each detail, that says which target the event is for."""
_LISTS: Final = {
    "Security Hub Findings - Imported": "findings",
    "Security Hub Findings - Custom Action": "findings",
    "Findings Imported V2": "findings",
    "Security Hub Insight Results": "insightResults",
}
_OCSF: Final = "Findings Imported V2"


class UnusableEventError(ValueError):
    """The event isn't one that can be taken apart."""


def take_apart(
    event: Mapping[str, Any], account_name: Callable[[str], str | None] = lambda _: None
) -> Iterator[dict[str, Any]]:
    """Return one detail for each finding of an event, or for each result of an insight.

    A detail is that of the event with only one finding in `findings`, or only one result in
    `insightResults`, so that paths such as `$.detail.findings[0].Title` lead to it. It also has the `route`
    of the payload, and a `summary` with the same members for all kinds of events.

    An event that was taken apart before, and didn't reach its target, has the detail that it had then, so
    that its receiver can recognize it.

    Args:
        event: The event with the member `route`.
        account_name: Returns the name of an account by its ID, or None. Default: names in findings only.

    Raises:
        UnusableEventError: The event isn't an event of Security Hub with a finding or a result.
    """
    detail_type, detail = event.get("detail-type"), event.get("detail")
    name = _LISTS.get(detail_type) if isinstance(detail_type, str) else None
    if name is None or not isinstance(event.get(ROUTE), str):
        allowed = ", ".join(map(repr, _LISTS))
        raise UnusableEventError(
            f"The detail-type is {detail_type!r} and the route is {event.get(ROUTE)!r}. Only rules with "
            f"targets.EachFinding should invoke this function, with events of {allowed}."
        )
    items = detail.get(name) if isinstance(detail, dict) else None
    if not isinstance(detail, dict) or not isinstance(items, list) or not items:
        raise UnusableEventError(f"The event has nothing in detail.{name}, so there is nothing to send.")
    if event.get("source") == SOURCE and isinstance(detail.get("summary"), dict):
        yield {**detail, ROUTE: event[ROUTE]}
        return
    for index, item in enumerate(items):
        summary = _summary(event, item, detail_type, account_name)
        key = f"{event.get('id')}/{index}"
        yield {**detail, name: [item], ROUTE: event[ROUTE], "summary": {"key": key, **summary}}


def _summary(
    event: Mapping[str, Any],
    item: object,
    detail_type: object,
    account_name: Callable[[str], str | None],
) -> dict[str, str]:
    if detail_type == _OCSF:
        return of_ocsf_finding(item, event, account_name)
    if _LISTS[str(detail_type)] == "findings":
        return of_asff_finding(item, event, account_name)
    return of_insight_result(item, event, account_name)
