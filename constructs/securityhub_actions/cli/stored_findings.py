"""The findings of an account."""

from __future__ import annotations

import re
from typing import Final

from securityhub_actions.cli.aws import Aws, explained
from securityhub_actions.cli.errors import CommandError, ExitCode
from securityhub_actions.cli.given_events import Given

_RESOURCE_OF_EVENT: Final = re.compile(
    r"(?P<product>arn:[^:]+:securityhub:[^:]*:\d*:product/[^/]+/[^/]+)/(?P<id>.+)"
)


def findings_by_id(identifier: str, *, profile: str | None, region: str | None) -> list[Given]:
    """Return the findings of an account that have an ID, of which each product can have one.

    Args:
        identifier: The `Id`, or `ProductArn/Id` as in the resources of events.
        profile: The AWS profile, or None for that of the environment.
        region: The Region, or None for that of the environment.

    Raises:
        CommandError: There is no such finding, or AWS refuses.
    """
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - takes long to import

    match = _RESOURCE_OF_EVENT.fullmatch(identifier)
    wanted = {"Id": match["id"], "ProductArn": match["product"]} if match else {"Id": identifier}
    filters = {name: [{"Value": value, "Comparison": "EQUALS"}] for name, value in wanted.items()}
    aws = Aws(profile=profile, region=region)
    try:
        pages = aws.client("securityhub").get_paginator("get_findings").paginate(Filters=filters)
        found = [finding for page in pages for finding in page["Findings"]]
    except (BotoCoreError, ClientError) as error:
        raise explained(error) from error
    if not found:
        raise CommandError(
            f"No finding in {aws.region} has the ID {identifier}. Specify the finding's `Id`, or another "
            "--region or --profile.",
            code=ExitCode.FAILED,
        )
    return [Given(origin=f"Security Hub in {aws.region}", document=finding) for finding in found]
