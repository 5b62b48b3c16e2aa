"""The Lambda function of `targets.SecurityIncidentCase`: creates a case in AWS Security Incident Response.

This package is the whole deployment package, with the handler `incident_case_handler.handler.handle`, so it
imports only the standard library and the boto3 of the Lambda runtime.

The payload is an event of `targets.EachFinding`, whose detail has a `summary`. Environment variables:

* `RESOLVER_TYPE`: `AWS` or `Self`.
* `ENGAGEMENT_TYPE`: `Security Incident` or `Investigation`.
* `WATCHERS`: a JSON list of email addresses.
* `CASE_REGION`: the Region of the service.

The function's role needs `security-ir:CreateCase`. The client token of a case is the key of the finding in
the press, so an event that is sent again doesn't create a second case.

Source: https://docs.aws.amazon.com/security-ir/latest/APIReference/API_CreateCase.html
"""

from __future__ import annotations

import json
import logging
import os
import re
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import boto3
from botocore.config import Config

if TYPE_CHECKING:
    from collections.abc import Mapping

LOGGER: Final = logging.getLogger(__name__)
LOGGER.setLevel(logging.INFO)
MAX_TITLE: Final = 300
MAX_DESCRIPTION: Final = 8000
MAX_TOKEN: Final = 255
_REGION: Final = re.compile(r"[a-z]{2}-[a-z]+-\d")


class UnusableEventError(ValueError):
    """The event isn't one of `targets.EachFinding`."""


def case_of(event: object, environment: Mapping[str, str]) -> dict[str, Any]:
    """Return the request for a case about the finding of an event.

    Args:
        event: An event of `targets.EachFinding`.
        environment: The environment variables.

    Raises:
        UnusableEventError: The event has no summary.
    """
    detail = event.get("detail") if isinstance(event, dict) else None
    summary = detail.get("summary") if isinstance(detail, dict) else None
    if not isinstance(event, dict) or not isinstance(summary, dict):
        raise UnusableEventError(
            "The event has no detail.summary. Only rules with targets.EachFinding should invoke the function."
        )
    text = {name: str(summary.get(name, "")) for name in ("key", "title", "text", "account", "region")}
    return {
        "clientToken": text["key"][:MAX_TOKEN],
        "resolverType": environment["RESOLVER_TYPE"],
        "engagementType": environment["ENGAGEMENT_TYPE"],
        "title": text["title"][:MAX_TITLE],
        "description": text["text"][:MAX_DESCRIPTION],
        "reportedIncidentStartDate": _time_of(event),
        "impactedAccounts": [text["account"]] if re.fullmatch(r"[0-9]{12}", text["account"]) else [],
        "impactedAwsRegions": [{"region": text["region"]}] if _REGION.fullmatch(text["region"]) else [],
        "watchers": [{"email": email} for email in json.loads(environment["WATCHERS"])],
    }


def _time_of(event: Mapping[str, Any]) -> datetime:
    try:
        moment = datetime.fromisoformat(str(event.get("time")))
    except ValueError:
        return datetime.now(UTC)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def handle(event: object, _context: object) -> dict[str, str]:
    """Create a case. This is the Lambda function's entry point.

    Returns:
        `caseId`: the ID of the case.
    """
    case = case_of(event, os.environ)
    case_id = str(_client().create_case(**case)["caseId"])
    LOGGER.info(json.dumps({"caseId": case_id, "key": case["clientToken"]}))
    return {"caseId": case_id}


@cache
def _client() -> Any:  # noqa: ANN401 - the stubs don't have the service
    config = Config(connect_timeout=3, read_timeout=15, retries={"mode": "standard", "total_max_attempts": 3})
    return boto3.client("security-ir", region_name=os.environ["CASE_REGION"], config=config)
