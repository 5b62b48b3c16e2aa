"""Insights: findings that a filter chooses, counted by the value of one attribute."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Final

from ministack.core.responses import get_account_id, new_uuid

from emulator.securityhub import finding_filters, findings, paging, state
from emulator.securityhub.managed_insights import managed_insight
from emulator.securityhub.model import Document, SecurityHubError
from emulator.securityhub.state import Insight

MAX_INSIGHTS: Final = 100
"""The quota of custom insights per account and Region."""

MAX_RESULTS: Final = 100
"""The most results of an insight."""


def create(request: Document) -> Document:
    """CreateInsight.

    Source: https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_CreateInsight.html
    """
    _check(request["Filters"], request["GroupByAttribute"])
    if len(state.insights) >= MAX_INSIGHTS:
        raise SecurityHubError(
            "LimitExceededException",
            f"Account {get_account_id()} has {MAX_INSIGHTS} custom insights, the most",
        )
    arn = state.arn_of(f"insight/{get_account_id()}/custom/{new_uuid()}")
    state.insights[arn] = Insight(
        arn=arn,
        name=request["Name"],
        filters=request["Filters"],
        group_by_attribute=request["GroupByAttribute"],
    )
    return {"InsightArn": arn}


def update(request: Document) -> Document:
    """UpdateInsight.

    Source: https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_UpdateInsight.html
    """
    insight = _find_custom(request["InsightArn"])
    updated = replace(
        insight,
        name=request.get("Name", insight.name),
        filters=request.get("Filters", insight.filters),
        group_by_attribute=request.get("GroupByAttribute", insight.group_by_attribute),
    )
    _check(updated.filters, updated.group_by_attribute)
    state.insights[insight.arn] = updated
    return {}


def delete(request: Document) -> Document:
    """DeleteInsight.

    Source: https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_DeleteInsight.html
    """
    insight = _find_custom(request["InsightArn"])
    del state.insights[insight.arn]
    return {"InsightArn": insight.arn}


def get(request: Document) -> Document:
    """GetInsights: those with the given ARNs, or else all custom insights.

    Source: https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_GetInsights.html
    """
    arns = request.get("InsightArns")
    chosen = [find(arn) for arn in arns] if arns else list(state.insights.values())
    insights, more = paging.page("insights", chosen, request)
    return {
        "Insights": [
            {
                "InsightArn": insight.arn,
                "Name": insight.name,
                "Filters": insight.filters,
                "GroupByAttribute": insight.group_by_attribute,
            }
            for insight in insights
        ],
        **more,
    }


def get_results(request: Document) -> Document:
    """GetInsightResults.

    Source: https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_GetInsightResults.html
    """
    insight = find(request["InsightArn"])
    return {
        "InsightResults": {
            "InsightArn": insight.arn,
            "GroupByAttribute": insight.group_by_attribute,
            "ResultValues": [
                {"GroupByAttributeValue": value, "Count": count} for value, count in results_of(insight)
            ],
        }
    }


def results_of(insight: Insight) -> list[tuple[str, int]]:
    """An insight's values and how many findings have each: the 100 most frequent, the most frequent first."""
    counts: Counter[str] = Counter()
    for finding in findings.matching(insight.filters):
        counts.update(
            {str(value) for value in finding_filters.values_of(finding, insight.group_by_attribute)}
        )
    return sorted(counts.items(), key=lambda result: (-result[1], result[0]))[:MAX_RESULTS]


def find(arn: str) -> Insight:
    """The insight with an ARN, custom or managed by AWS.

    Raises:
        SecurityHubError: ResourceNotFoundException where the account and Region have none.
    """
    return managed_insight(arn) or _find_custom(arn)


def _find_custom(arn: str) -> Insight:
    """The custom insight with an ARN: managed insights can't be edited or deleted."""
    insight: Insight | None = state.insights.get(arn)
    if insight is None:
        raise SecurityHubError("ResourceNotFoundException", f"Insight {arn} does not exist")
    return insight


def _check(filters: Document, group_by_attribute: str) -> None:
    finding_filters.check(filters)
    allowed = finding_filters.attributes_of_kind("StringFilter")
    if group_by_attribute not in allowed:
        raise SecurityHubError(
            "InvalidInputException",
            f"GroupByAttribute must be a text attribute to filter by, such as ResourceId, "
            f"but is {group_by_attribute!r}",
        )
