"""Tags of EC2 resources in the Resource Groups Tagging API, which MiniStack has only for other services.

Source: https://docs.aws.amazon.com/resourcegroupstagging/latest/APIReference/API_GetResources.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ministack.core.responses import get_account_id, get_region
from ministack.services import ec2, tagging


def register() -> None:
    """Add them to GetResources."""
    tagging._COLLECTORS["ec2"] = _collect  # noqa: SLF001


def _collect() -> Iterator[tuple[str, list[Mapping[str, str]]]]:
    place = f"arn:aws:ec2:{get_region()}:{get_account_id()}"
    for resource_id, tags in ec2._tags.items():  # noqa: SLF001
        yield f"{place}:{ec2._guess_resource_type(resource_id)}/{resource_id}", list(tags)  # noqa: SLF001
