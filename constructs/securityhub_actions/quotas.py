"""The default quotas that apps reach first.

Source: https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub_limits.html
Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html
Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html
Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-policies.html
Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
Source: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
"""

from __future__ import annotations

from typing import Final

NEARLY: Final = 0.8
"""The share of a quota from which on its use is told."""
MAX_ACTIONS: Final = 50
AUTOMATION_RULE: Final = "AWS::SecurityHub::AutomationRule"
AUTOMATION_RULE_V2: Final = "AWS::SecurityHub::AutomationRuleV2"
MAX_AUTOMATION_RULES: Final = 100
"""Of each Security Hub: per administrator account in CSPM, and per account and Region in the new one.

Source: https://docs.aws.amazon.com/securityhub/latest/userguide/automation-rules.html
Source: https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-v2-automation-rules.html
"""
MAX_WILDCARD_RULES_PER_BUS: Final = 30
MAX_LOG_POLICIES: Final = 10
LOG_POLICY: Final = "AWS::Logs::ResourcePolicy"
LOG_POLICY_OF_CDK: Final = "Custom::CloudwatchLogResourcePolicy"
"""What aws_events_targets.CloudWatchLogGroup creates, for each log group.

Source: https://github.com/aws/aws-cdk/blob/main/packages/aws-cdk-lib/aws-events-targets/lib/log-group-resource-policy.ts
"""
MAX_QUEUE_POLICY_STATEMENTS: Final = 20
MAX_ROLES: Final = 1_000
"""Of an account. AWS increases it on request, to 5,000."""
MAX_RESOURCES: Final = 500
"""Of a stack.

Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
"""
MAX_TEMPLATE: Final = 1_000_000
"""The bytes of a template, which CloudFormation gives as 1 MB.

Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
"""
MAX_ENVIRONMENT: Final = 4_096
"""The bytes of a function's environment variables."""
RULES_QUOTA: Final = "securityhub-actions:rulesQuota"
"""The context value with the rules of an event bus, for accounts in which the quota was increased."""
ROLES_QUOTA: Final = "securityhub-actions:rolesQuota"
"""The context value with the roles of an account, for accounts in which the quota was increased."""
EVENT_PATTERN_QUOTA: Final = "securityhub-actions:eventPatternQuota"
"""The context value with the size of event patterns, for accounts in which the quota was increased."""
RAISED_BY: Final = (RULES_QUOTA, ROLES_QUOTA, EVENT_PATTERN_QUOTA)
"""All context values that raise a quota. Synthesis writes them to the assembly as metadata of these types."""
_MAX_RULES_PER_BUS: Final = 300
MIN_RULES_PER_BUS: Final = 100
"""The lowest default quota of any Region for the rules on an event bus."""
_SMALL_REGIONS: Final = frozenset({"af-south-1", "eu-south-1"})


def max_rules_per_bus(region: str | None) -> int:
    """Return the default quota for the rules on an event bus. AWS increases it on request.

    Args:
        region: The Region. None, or a token, stands for a Region that isn't known.
    """
    return MIN_RULES_PER_BUS if region in _SMALL_REGIONS else _MAX_RULES_PER_BUS
