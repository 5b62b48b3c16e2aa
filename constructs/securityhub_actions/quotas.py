"""The default quotas that apps reach first.

Source: https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub_limits.html
Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html
Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html
Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-policies.html
"""

from __future__ import annotations

from typing import Final

MAX_ACTIONS: Final = 50
MAX_WILDCARD_RULES_PER_BUS: Final = 30
MAX_LOG_POLICIES: Final = 10
MAX_QUEUE_POLICY_STATEMENTS: Final = 20
_MAX_RULES_PER_BUS: Final = 300
_MAX_RULES_PER_BUS_IN_SMALL_REGIONS: Final = 100
_SMALL_REGIONS: Final = frozenset({"af-south-1", "eu-south-1"})


def max_rules_per_bus(region: str | None) -> int:
    """Return the default quota for the rules on an event bus. AWS increases it on request.

    Args:
        region: The Region. None, or a token, stands for a Region that isn't known.
    """
    return _MAX_RULES_PER_BUS_IN_SMALL_REGIONS if region in _SMALL_REGIONS else _MAX_RULES_PER_BUS
