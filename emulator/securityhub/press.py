"""Pressing a custom action, as an analyst does in the console."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from emulator.securityhub import action_targets, events, hub, insights, state
from emulator.securityhub.model import Document, SecurityHubError

MAX_FINDINGS: Final = 20
"""The most findings that one press can select."""

MAX_RESULTS: Final = 100
"""The most insight results that one press can select."""


class PressError(Exception):
    """A press that the console doesn't allow, or that names something that doesn't exist.

    Args:
        status: The HTTP status: 400, or 404 if something doesn't exist.
        message: What is wrong and what to do.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class Press:
    """What was selected and which action was pressed on it."""

    action_arn: str
    findings: tuple[tuple[str | None, str], ...] = ()
    """ProductArn (None if only the ID is known) and Id of each selected finding."""
    insight_arn: str | None = None
    result_values: tuple[str, ...] | None = None
    """The selected results of the insight, or None for all of them."""
    one_event_per_finding: bool = False
    """Whether each finding travels alone, as newer documentation says, or all in one event, as older does."""


def press(request: Press) -> list[Document]:
    """Press a custom action in the account and Region in scope.

    Args:
        request: What was selected and which action was pressed.

    Returns:
        The events that were sent, with their envelopes.

    Raises:
        PressError: Nothing or too much is selected, or something that is named doesn't exist.
    """
    try:
        hub.require()
    except SecurityHubError as error:
        raise PressError(400, error.message) from error
    if bool(request.findings) == bool(request.insight_arn):
        raise PressError(
            400, "Select either findings or an insight: give findings, finding_arns or insight_arn"
        )
    if request.insight_arn:
        return [_press_on_insight(request, request.insight_arn)]
    return _press_on_findings(request)


def _press_on_findings(request: Press) -> list[Document]:
    if len(request.findings) > MAX_FINDINGS:
        raise PressError(
            400, f"Select up to {MAX_FINDINGS} findings at a time; {len(request.findings)} are selected"
        )
    action = _action_detail(request.action_arn)
    selected = [_find_finding(product_arn, finding_id) for product_arn, finding_id in request.findings]
    batches = [[finding] for finding in selected] if request.one_event_per_finding else [selected]
    return [
        events.send(events.CUSTOM_ACTION, [request.action_arn], {**action, "findings": batch})
        for batch in batches
    ]


def _press_on_insight(request: Press, insight_arn: str) -> Document:
    action = _action_detail(request.action_arn)
    try:
        insight = insights.find(insight_arn)
    except SecurityHubError as error:
        raise PressError(404, error.message) from error
    counts = dict(insights.results_of(insight))
    chosen = request.result_values if request.result_values is not None else tuple(counts)
    if not 1 <= len(chosen) <= MAX_RESULTS:
        raise PressError(400, f"Select 1 to {MAX_RESULTS} insight results; {len(chosen)} are selected")
    if missing := [value for value in chosen if value not in counts]:
        raise PressError(404, f"Insight {insight_arn} has no result {missing[0]!r}")
    detail = {
        **action,
        "insightArn": insight.arn,
        "insightName": insight.name,
        "resultType": insight.group_by_attribute,
        "insightResults": [{value: counts[value]} for value in chosen],
    }
    return events.send(events.INSIGHT_RESULTS, [request.action_arn], detail)


def _action_detail(action_arn: str) -> Document:
    try:
        action = action_targets.find(action_arn)
    except SecurityHubError as error:
        raise PressError(404, error.message) from error
    return {"actionName": action.name, "actionDescription": action.description}


def _find_finding(product_arn: str | None, finding_id: str) -> Document:
    found: list[Document] = [
        finding.document
        for (its_product_arn, its_id), finding in state.findings.items()
        if (its_id == finding_id and product_arn in {None, its_product_arn})
        or (product_arn is None and f"{its_product_arn}/{its_id}" == finding_id)
    ]
    if not found:
        raise PressError(404, f"Finding {finding_id} does not exist in this account and Region")
    if len(found) > 1:
        raise PressError(
            400, f"{len(found)} products have a finding {finding_id}: give findings with Id and ProductArn"
        )
    return found[0]
