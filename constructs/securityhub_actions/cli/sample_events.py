"""Samples of the events that Security Hub sends."""

from __future__ import annotations

import random
import uuid
from typing import Any, Final

from securityhub_actions.cli import envelopes
from securityhub_actions.cli.assembly.values import partition_of
from securityhub_actions.cli.sample_findings import Sample, in_asff, in_ocsf

KINDS: Final = ("imported", "custom-action", "insight-results", "imported-v2")
MOST: Final = {"imported": 1000, "custom-action": 20, "insight-results": 100, "imported-v2": 1000}
"""How many findings, or results of an insight, can be asked for.

Security Hub sends each imported finding in an event of its own, so these are as many events.

Source: https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-cloudwatch-events.html
"""
_NAME: Final = "Sample action"
_DESCRIPTION: Final = "A sample of a custom action"


def sample_events(
    kind: str, sample: Sample, *, count: int, action: str, identifiers: random.Random
) -> list[dict[str, Any]]:
    """Return new events.

    Args:
        kind: One of `KINDS`.
        sample: What the findings say.
        count: The number of findings or, of the results of an insight, of results.
        action: The ID or the ARN of the custom action.
        identifiers: Where IDs come from.
    """
    place = {"account": sample.account, "region": sample.region}
    press = {"arn": arn_of_action(action, **place), "name": _NAME, "description": _DESCRIPTION, **place}
    if kind == "imported":
        made = [envelopes.imported(in_asff(sample, identifiers), **place) for _ in range(count)]
    elif kind == "imported-v2":
        made = [envelopes.imported_v2(in_ocsf(sample, identifiers), **place) for _ in range(count)]
    elif kind == "custom-action":
        made = [envelopes.custom_action([in_asff(sample, identifiers) for _ in range(count)], **press)]
    else:
        made = [
            envelopes.insight_results(_results(sample, count, identifiers), insight=_insight(sample), **press)
        ]
    for event in made:
        event["id"] = str(uuid.UUID(int=identifiers.getrandbits(128), version=4))
        event["time"] = sample.now.strftime("%Y-%m-%dT%H:%M:%SZ")
    return made


def arn_of_action(action: str, *, account: str, region: str) -> str:
    """Return the ARN of a custom action, of which the ID or the ARN is given."""
    if action.startswith("arn:"):
        return action
    return f"arn:{partition_of(region)}:securityhub:{region}:{account}:action/custom/{action}"


def _results(sample: Sample, count: int, identifiers: random.Random) -> list[dict[str, int]]:
    values = (
        f"{sample.resource(identifiers)[2]}" if number == 0 else f"{sample.resource(identifiers)[2]}-{number}"
        for number in range(count)
    )
    return [{value: identifiers.randint(1, 20)} for value in values]


def _insight(sample: Sample) -> dict[str, str]:
    return {
        "InsightArn": f"arn:{partition_of(sample.region)}:securityhub:::insight/securityhub/default/10",
        "Name": "Resources with the most findings",
        "GroupByAttribute": "ResourceId",
    }
