"""The contents of a finding in the AWS Security Finding Format (ASFF).

Source: https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_AwsSecurityFinding.html
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

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


def control(raw: Raw) -> str | None:
    """Return `Compliance.SecurityControlId`."""
    return text_or_none(as_mapping(raw.get("Compliance")).get("SecurityControlId"))


def control_parameters(raw: Raw) -> object:
    """Return `Compliance.SecurityControlParameters`."""
    return as_mapping(raw.get("Compliance")).get("SecurityControlParameters")


def account_name(raw: Raw) -> str | None:
    """Return `AwsAccountName`."""
    return text_or_none(raw.get("AwsAccountName"))


def created_at(raw: Raw) -> datetime | None:
    """Return `CreatedAt`."""
    return moment_or_none(raw.get("CreatedAt"))


def description(raw: Raw) -> str | None:
    """Return `Description`."""
    return text_or_none(raw.get("Description"))


def first_type(raw: Raw) -> str | None:
    """Return the first of `Types`."""
    return first_text_in(raw.get("Types"))


def recommendation(raw: Raw) -> tuple[str | None, str | None]:
    """Return the text and the URL of `Remediation.Recommendation`."""
    said = as_mapping(as_mapping(raw.get("Remediation")).get("Recommendation"))
    return text_or_none(said.get("Text")), text_or_none(said.get("Url"))


def note(raw: Raw) -> Note | None:
    """Return `Note`."""
    said = as_mapping(raw.get("Note"))
    if (text := text_or_none(said.get("Text"))) is None:
        return None
    return Note(
        text=text,
        updated_by=text_or_none(said.get("UpdatedBy")),
        updated_at=text_or_none(said.get("UpdatedAt")),
    )


def user_defined_fields(raw: Raw) -> dict[str, str]:
    """Return `UserDefinedFields`."""
    return {str(key): str(value) for key, value in as_mapping(raw.get("UserDefinedFields")).items()}


def vulnerable_packages(raw: Raw) -> list[VulnerablePackage]:
    """Return each of `VulnerablePackages` of each of `Vulnerabilities`."""
    return [
        VulnerablePackage(
            vulnerability=vulnerability.get("Id"),
            name=package.get("Name"),
            version=package.get("Version"),
            path=package.get("FilePath"),
            fixed_in=package.get("FixedInVersion"),
        )
        for vulnerability in mappings_in(raw.get("Vulnerabilities"))
        for package in mappings_in(vulnerability.get("VulnerablePackages")) or [{}]
    ]


def resources(raw: Raw, ids: Sequence[str]) -> list[tuple[str, Raw]]:  # noqa: ARG001 - as in OCSF
    """Return the resources with their IDs."""
    return [(str(one.get("Id")), one) for one in mappings_in(raw.get("Resources"))]


def tags(resource: Raw) -> dict[str, str]:
    """Return the tags of a resource."""
    return {str(key): str(value) for key, value in as_mapping(resource.get("Tags")).items()}


def details(resource: Raw, type_: str | None) -> Raw:
    """Return the details of a resource of a type."""
    return as_mapping(as_mapping(resource.get("Details")).get(type_ or ""))
