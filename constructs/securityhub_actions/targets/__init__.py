"""Where the rules of this library send events: one small class per AWS service.

Any other `aws_events.IRuleTarget` works as well.
"""

from securityhub_actions.targets.lambda_function import LambdaFunction

__all__ = ["LambdaFunction"]
