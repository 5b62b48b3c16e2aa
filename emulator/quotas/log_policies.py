"""CloudWatch Logs: the size of a resource policy. MiniStack itself holds that a Region has ten at most.

Source: https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutResourcePolicy.html
"""

from __future__ import annotations

from typing import Final

from ministack.services import cloudwatch_logs

from emulator.quotas.wrapping import Document, Refusal, check_before

MAX_POLICY_CHARACTERS: Final = 5120


def register() -> None:
    """Check PutResourcePolicy, which CloudFormation's resource policies call as well."""
    check_before(cloudwatch_logs, "_put_resource_policy", _refusal_of_policy)


def _refusal_of_policy(request: Document) -> Refusal | None:
    policy = request.get("policyDocument") or ""
    if len(policy) <= MAX_POLICY_CHARACTERS:
        return None
    message = (
        f"1 validation error detected: Value at 'policyDocument' with {len(policy)} characters failed to "
        f"satisfy constraint: Member must have length less than or equal to {MAX_POLICY_CHARACTERS}"
    )
    return Refusal("InvalidParameterException", message)
