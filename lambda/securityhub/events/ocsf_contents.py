"""The contents of a finding in the Open Cybersecurity Schema Framework (OCSF).

Source: https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-ocsf-findings.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from securityhub.events.contents import (
    Note,
    Raw,
    VulnerablePackage,
    as_mapping,
    first_text_in,
    mappings_in,
    moment_or_none,
    text_or_none,
)

# The unique IDs by which remediations tell a resource from a later one of the same name, by the resource's
# type: the field of ASFF's details that has the ID, and its form. OCSF has it in `uid`, if anywhere.
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids
# https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_AwsRdsDbInstanceDetails.html
_UNIQUE_IDS: Final = {
    "AwsIamUser": ("UserId", re.compile(r"AIDA[A-Z0-9]{12,124}")),
    "AwsRdsDbCluster": ("DbClusterResourceId", re.compile(r"cluster-[A-Z0-9]{20,}")),
    "AwsRdsDbInstance": ("DbiResourceId", re.compile(r"db-[A-Z0-9]{20,}")),
}


def control(raw: Raw) -> str | None:
    """Return `compliance.control`."""
    return text_or_none(as_mapping(raw.get("compliance")).get("control"))


def control_parameters(raw: Raw) -> object:
    """Return `compliance.control_parameters` as ASFF has them, but whatever isn't an array as it is.

    Source: https://schema.ocsf.io/1.6.0/objects/compliance
    """
    given = as_mapping(raw.get("compliance")).get("control_parameters")
    if not isinstance(given, list | tuple):
        return given
    return [
        {"Name": one.get("name"), "Value": one["values"] if "values" in one else [one.get("value")]}
        if isinstance(one, Mapping)
        else one
        for one in given
    ]


def account_name(raw: Raw) -> str | None:
    """Return `cloud.account.name`."""
    return text_or_none(as_mapping(as_mapping(raw.get("cloud")).get("account")).get("name"))


def created_at(raw: Raw) -> datetime | None:
    """Return `finding_info.created_time_dt`, or else `created_time`, which is in milliseconds."""
    info = as_mapping(raw.get("finding_info"))
    milliseconds = info.get("created_time")
    if "created_time_dt" not in info and isinstance(milliseconds, int):
        try:
            return datetime.fromtimestamp(milliseconds / 1000, UTC)
        except (ValueError, OverflowError, OSError):
            return None
    return moment_or_none(info.get("created_time_dt"))


def description(raw: Raw) -> str | None:
    """Return `finding_info.desc`."""
    return text_or_none(as_mapping(raw.get("finding_info")).get("desc"))


def first_type(raw: Raw) -> str | None:
    """Return the first of `finding_info.types`."""
    return first_text_in(as_mapping(raw.get("finding_info")).get("types"))


def recommendation(raw: Raw) -> tuple[str | None, str | None]:
    """Return `remediation.desc` and the first of `remediation.references`."""
    said = as_mapping(raw.get("remediation"))
    return text_or_none(said.get("desc")), first_text_in(said.get("references"))


def note(raw: Raw) -> Note | None:
    """Return `comment`, which BatchUpdateFindingsV2 sets."""
    text = text_or_none(raw.get("comment"))
    return None if text is None else Note(text=text)


def user_defined_fields(raw: Raw) -> dict[str, str]:  # noqa: ARG001 - as in ASFF
    """Return nothing: OCSF has no such fields."""
    return {}


def vulnerable_packages(raw: Raw) -> list[VulnerablePackage]:
    """Return each of `affected_packages` of each of `vulnerabilities`.

    Source: https://schema.ocsf.io/1.6.0/objects/affected_package
    """
    return [
        VulnerablePackage(
            vulnerability=as_mapping(vulnerability.get("cve")).get("uid"),
            name=package.get("name"),
            version=package.get("version"),
            path=package.get("path"),
            fixed_in=package.get("fixed_in_version"),
        )
        for vulnerability in mappings_in(raw.get("vulnerabilities"))
        for package in mappings_in(vulnerability.get("affected_packages")) or [{}]
    ]


def resources(raw: Raw, ids: Sequence[str]) -> list[tuple[str, Raw]]:
    """Return the resources with their IDs, which were read from them in their order."""
    given = raw.get("resources")
    listed = given if isinstance(given, list | tuple) else []
    return [(id_, as_mapping(one)) for id_, one in zip(ids, listed, strict=False)]


def tags(resource: Raw) -> dict[str, str]:
    """Return the tags of a resource."""
    return {
        str(tag["name"]): str(tag.get("value", ""))
        for tag in mappings_in(resource.get("tags"))
        if "name" in tag
    }


def details(resource: Raw, type_: str | None) -> Raw:
    """Return the details of a resource as ASFF has them, as far as OCSF contains them.

    Those are the owner of an access key, and the unique IDs of users and databases.
    """
    if type_ == "AwsIamAccessKey":
        data, user = as_mapping(resource.get("data")), as_mapping(resource.get("user"))
        found = {
            "PrincipalName": data.get("user_name") or user.get("name"),
            "PrincipalType": data.get("user_type") or user.get("type"),
            "PrincipalId": data.get("principal_id") or user.get("uid"),
        }
        return {name: value for name, value in found.items() if isinstance(value, str)}
    field, form = _UNIQUE_IDS.get(type_ or "", ("", None))
    uid = resource.get("uid")
    return {field: uid} if form and isinstance(uid, str) and form.fullmatch(uid) else {}
