"""Is Security Hub set up as the app needs it?

Sources:
    https://docs.aws.amazon.com/securityhub/latest/userguide/finding-aggregation.html
    https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-accounts.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from securityhub_actions.cli.aws import code_of
from securityhub_actions.cli.doctor.model import Check, fault, ok, skipped, warning
from securityhub_actions.cli.doctor.patient import Patient
from securityhub_actions.event_names import IMPORTED_V2

_NOT_ENABLED: Final = frozenset({"InvalidAccessException", "ResourceNotFoundException"})
_NO_REGIONS: Final = "NO_REGIONS"
_LINKED: Final = {
    "ALL_REGIONS": "all Regions",
    "ALL_REGIONS_EXCEPT_SPECIFIED": "all Regions except {regions}",
    "SPECIFIED_REGIONS": "{regions}",
}


def cspm(patient: Patient) -> Iterator[Check]:
    """Custom actions, and events of findings in ASFF, need Security Hub CSPM."""
    client = patient.aws.client("securityhub")
    try:
        hub = client.describe_hub()
    except client.exceptions.ClientError as error:
        if code_of(error) not in _NOT_ENABLED:
            raise
        yield fault(
            f"Security Hub CSPM is not enabled for {patient.place}, so there can be no custom actions.",
            f"Run `aws securityhub enable-security-hub --region {patient.aws.region}`, or let the "
            "administrator account enable it.",
        )
        return
    yield ok(f"Security Hub CSPM has been enabled since {str(hub.get('SubscribedAt', ''))[:10]}.")


def version_2(patient: Patient) -> Iterator[Check]:
    """Events of findings in OCSF need the new Security Hub."""
    wanted = _rules_for_ocsf(patient)
    hub = _hub_v2(patient)
    if hub is None:
        if wanted:
            yield fault(
                f"Security Hub, which sends findings in OCSF, is not enabled for {patient.place}: "
                f"{', '.join(wanted)} would never match.",
                f"Run `aws securityhub enable-security-hub-v2 --region {patient.aws.region}`, or let the "
                "rules receive findings in ASFF.",
            )
        else:
            yield ok("Security Hub, which sends findings in OCSF, is not enabled, and no rule needs it.")
        return
    yield ok(
        f"Security Hub, which sends findings in OCSF, has been enabled since "
        f"{str(hub.get('SubscribedAt', ''))[:10]}."
    )


def _hub_v2(patient: Patient) -> Mapping[str, Any] | None:
    """Return the new Security Hub as DescribeSecurityHubV2 describes it, or None if it isn't enabled."""
    client = patient.aws.client("securityhub")
    try:
        found: Mapping[str, Any] = client.describe_security_hub_v2()
    except client.exceptions.ClientError as error:
        if code_of(error) not in _NOT_ENABLED:
            raise
        return None
    return found


def _rules_for_ocsf(patient: Patient) -> list[str]:
    return [
        rule.path
        for rule in patient.app.rules
        if rule.pattern is not None and IMPORTED_V2 in (rule.pattern.get("detail-type") or ())
    ]


def aggregation(patient: Patient) -> Iterator[Check]:
    """Only the home Region has the findings of all Regions, and only there are they selected together."""
    client = patient.aws.client("securityhub")
    pages = client.get_paginator("list_finding_aggregators").paginate()
    arns = [one["FindingAggregatorArn"] for page in pages for one in page["FindingAggregators"]]
    if not arns:
        yield ok(f"Findings are not aggregated across Regions: the app gets those of {patient.aws.region}.")
        return
    # The aggregator is in the home Region, and can be listed from any.
    home_client = patient.aws.client("securityhub", region=arns[0].split(":")[3])
    yield _aggregated(home_client.get_finding_aggregator(FindingAggregatorArn=arns[0]), patient.aws.region)


def aggregation_v2(patient: Patient) -> Iterator[Check]:
    """The new Security Hub has a home Region of its own, for findings in OCSF."""
    if _hub_v2(patient) is None:
        yield skipped("Security Hub, which sends findings in OCSF, is not enabled.")
        return
    pages = patient.aws.client("securityhub").get_paginator("list_aggregators_v2").paginate()
    arns = [one["AggregatorV2Arn"] for page in pages for one in page["AggregatorsV2"]]
    if not arns:
        yield ok(f"Findings in OCSF are not aggregated: the app gets those of {patient.aws.region}.")
        return
    home_client = patient.aws.client("securityhub", region=arns[0].split(":")[3])
    found = home_client.get_aggregator_v2(AggregatorV2Arn=arns[0])
    names = {"FindingAggregationRegion": "AggregationRegion", "Regions": "LinkedRegions"}
    yield _aggregated({**found, **{old: found.get(new) for old, new in names.items()}}, patient.aws.region)


def _aggregated(aggregator: Mapping[str, Any], region: str) -> Check:
    home, mode = aggregator["FindingAggregationRegion"], aggregator["RegionLinkingMode"]
    named = aggregator.get("Regions") or []
    linked = _LINKED.get(mode, mode).format(regions=", ".join(named))
    if home == region:
        return ok(f"{region} is the home Region; it has the findings of {linked}.")
    is_linked = mode == "ALL_REGIONS" or (
        mode != _NO_REGIONS and (region in named) == (mode == "SPECIFIED_REGIONS")
    )
    if not is_linked:
        return ok(
            f"The home Region is {home}, and {region} is not linked to it: the app gets its own findings."
        )
    return warning(
        f"{region} is linked to the home Region {home}: an app in {region} gets only its own findings, and "
        f"a custom action only what is selected in {region}.",
        f"Deploy the app to {home}, unless it's meant for the findings of {region} alone.",
    )


def administrator(patient: Patient) -> Iterator[Check]:
    """Only the administrator account has the findings of all accounts."""
    client = patient.aws.client("securityhub")
    found = client.get_administrator_account().get("Administrator") or {}
    if found.get("AccountId"):
        yield warning(
            f"{patient.aws.account} is a member account of the administrator account {found['AccountId']}: "
            "an app here gets only the findings of this account.",
            f"Deploy the app to {found['AccountId']}, unless it's meant for this account alone.",
        )
        return
    members = [
        one for page in client.get_paginator("list_members").paginate() for one in page.get("Members") or ()
    ]
    if members:
        yield ok(f"{patient.aws.account} is the administrator account of {len(members):,} member accounts.")
        return
    yield from _of_organization(patient)


def _of_organization(patient: Patient) -> Iterator[Check]:
    """Of the administrator that an organization designates, only the management account is told."""
    client = patient.aws.client("securityhub")
    none = skipped(f"{patient.aws.account} has no administrator account and no member accounts.")
    try:
        pages = list(client.get_paginator("list_organization_admin_accounts").paginate())
    except client.exceptions.ClientError:
        yield none
        return
    admins = [one["AccountId"] for page in pages for one in page["AdminAccounts"]]
    if not admins or admins == [patient.aws.account]:
        yield none
        return
    yield warning(
        f"{patient.aws.account} manages the organization, whose administrator account for Security Hub is "
        f"{admins[0]}: an app here gets only the findings of this account.",
        f"Deploy the app to {admins[0]}, unless it's meant for this account alone.",
    )
