"""Findings, custom actions, and insights of an account."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from securityhub_actions.cli.aws import Aws, code_of, refusals_in_one_line
from securityhub_actions.cli.errors import CommandError, ExitCode
from securityhub_actions.cli.given_events import Given

MOST_VALUES: Final = 20
"""How many values a filter of GetFindings can have for one field.

Source: https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_AwsSecurityFindingFilters.html
"""
_PAGE: Final = 100
_OF_EVENT: Final = re.compile(r"(?P<product>arn:[^:]+:securityhub:[^:]*:\d*:product/[^/]+/[^/]+)/(?P<id>.+)")

Finding = Mapping[str, Any]


def findings_like(
    aws: Aws, filters: Mapping[str, Any], *, sort: Sequence[Mapping[str, str]] = ()
) -> Iterator[dict[str, Any]]:
    """Return the findings that match the filters of GetFindings.

    Args:
        aws: The account.
        filters: The filters.
        sort: The `SortCriteria`, the first criterion first. Default: in no order.
    """
    pages = aws.client("securityhub").get_paginator("get_findings").paginate
    for page in pages(Filters=filters, SortCriteria=list(sort), PaginationConfig={"PageSize": _PAGE}):
        yield from page["Findings"]


def ocsf_findings_like(aws: Aws, filters: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Return the findings of the new Security Hub, in OCSF, that match the filters of GetFindingsV2."""
    pages = aws.client("securityhub").get_paginator("get_findings_v2").paginate
    for page in pages(**({"Filters": filters} if filters else {}), PaginationConfig={"PageSize": _PAGE}):
        yield from page["Findings"]


def findings_with_ids(aws: Aws, ids: Sequence[str]) -> list[dict[str, Any]]:
    """Return the findings with IDs, in their order.

    Args:
        aws: The account.
        ids: The `Id` of each finding, or `ProductArn/Id` as in the resources of events.

    Raises:
        CommandError: A finding doesn't exist, or several products have one with the ID.
    """
    wanted = {one: (match["id"] if (match := _OF_EVENT.fullmatch(one)) else one) for one in ids}
    stored: dict[str, list[dict[str, Any]]] = {}
    unique = list(dict.fromkeys(wanted.values()))
    for start in range(0, len(unique), MOST_VALUES):
        values = [{"Value": one, "Comparison": "EQUALS"} for one in unique[start : start + MOST_VALUES]]
        for finding in findings_like(aws, {"Id": values}):
            stored.setdefault(finding["Id"], []).append(finding)
    return [_only(aws, given, stored.get(identifier, [])) for given, identifier in wanted.items()]


def _only(aws: Aws, given: str, findings: Sequence[dict[str, Any]]) -> dict[str, Any]:
    if match := _OF_EVENT.fullmatch(given):
        findings = [finding for finding in findings if finding["ProductArn"] == match["product"]]
    if not findings:
        raise CommandError(
            f"There is no finding {given} in {aws.region}. Specify the ID that the finding has in Security "
            "Hub, or another --region or --profile."
        )
    if len(findings) > 1:
        named = ", ".join(f"{finding['ProductArn']}/{finding['Id']}" for finding in findings)
        raise CommandError(f"Several products have a finding {given}. Specify one of {named}.")
    return findings[0]


def findings_by_id(identifier: str, *, profile: str | None, region: str | None) -> list[Given]:
    """Return the findings of an account that have an ID, of which each product can have one.

    Args:
        identifier: The `Id`, or `ProductArn/Id` as in the resources of events.
        profile: The AWS profile, or None for that of the environment.
        region: The Region, or None for that of the environment.

    Raises:
        CommandError: There is no such finding, or AWS refuses.
    """
    match = _OF_EVENT.fullmatch(identifier)
    wanted = {"Id": match["id"], "ProductArn": match["product"]} if match else {"Id": identifier}
    filters = {name: [{"Value": value, "Comparison": "EQUALS"}] for name, value in wanted.items()}
    aws = Aws(profile=profile, region=region)
    with refusals_in_one_line():
        found = list(findings_like(aws, filters))
    if not found:
        raise CommandError(
            f"No finding in {aws.region} has the ID {identifier}. Specify the finding's `Id`, or another "
            "--region or --profile.",
            code=ExitCode.FAILED,
        )
    return [Given(origin=f"Security Hub in {aws.region}", document=finding) for finding in found]


def custom_action(aws: Aws, given: str) -> dict[str, Any]:
    """Return a custom action, by its ID or ARN.

    Raises:
        CommandError: It doesn't exist.
    """
    arn = given
    if not given.startswith("arn:"):
        arn = f"arn:{aws.partition}:securityhub:{aws.region}:{aws.account}:action/custom/{given}"
    client = aws.client("securityhub")
    try:
        found = client.describe_action_targets(ActionTargetArns=[arn])["ActionTargets"]
    except client.exceptions.ResourceNotFoundException:
        found = []
    if not found:
        pages = client.get_paginator("describe_action_targets").paginate()
        all_ = [
            action["ActionTargetArn"].rpartition("/")[2] for page in pages for action in page["ActionTargets"]
        ]
        raise CommandError(
            f"There is no custom action {given!r} in {aws.region}. Actions are: {', '.join(all_) or 'none'}."
        )
    action: dict[str, Any] = found[0]
    return action


def insight_with_results(
    aws: Aws, arn: str, chosen: Sequence[str]
) -> tuple[dict[str, Any], list[dict[str, int]]]:
    """Return an insight, and its results with their numbers of findings; only the chosen, if any.

    Raises:
        CommandError: The insight, or one of the results, doesn't exist.
    """
    client = aws.client("securityhub")
    try:
        (insight,) = client.get_insights(InsightArns=[arn])["Insights"]
        answer = client.get_insight_results(InsightArn=arn)["InsightResults"]
    except (client.exceptions.ClientError, ValueError) as error:
        if code_of(error) not in {"ResourceNotFoundException", "InvalidInputException", "ValueError"}:
            raise
        raise CommandError(f"There is no insight {arn} in {aws.region}. Specify its ARN.") from error
    counts = {one["GroupByAttributeValue"]: one["Count"] for one in answer["ResultValues"]}
    if not counts:
        raise CommandError(f"The insight {insight['Name']} has no results, so there is nothing to choose.")
    for value in chosen:
        if value not in counts:
            listed = ", ".join(counts)
            raise CommandError(f"The insight has no result {value!r}. Its results are: {listed}.")
    return insight, [{value: counts[value]} for value in chosen or counts]
