"""What a target of a rule is, in AWS's words.

Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-targets.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from securityhub_actions.cli.assembly.values import split

API_DESTINATION: Final = "API destination"
_ARN_PARTS: Final = 6
_BY_RESOURCE: Final = (
    ("ssm", "automation-definition/", "Systems Manager Automation"),
    ("ssm", "document/", "Systems Manager Run Command"),
    ("ssm", "opsitem", "Systems Manager OpsItem"),
    ("events", "api-destination/", API_DESTINATION),
    ("events", "event-bus/", "event bus"),
)
_BY_SERVICE: Final = {
    "apigateway": "API Gateway REST API",
    "appsync": "AppSync API",
    "batch": "Batch job queue",
    "codebuild": "CodeBuild project",
    "codepipeline": "CodePipeline pipeline",
    "ecs": "ECS task",
    "execute-api": "API Gateway REST API",
    "firehose": "Firehose stream",
    "kinesis": "Kinesis data stream",
    "lambda": "Lambda function",
    "logs": "CloudWatch log group",
    "redshift": "Redshift cluster",
    "redshift-serverless": "Redshift Serverless workgroup",
    "sns": "SNS topic",
    "sqs": "SQS queue",
    "states": "Step Functions state machine",
}


def kind_of(target: Mapping[str, Any]) -> str:
    """Return what a target is, such as `Lambda function`."""
    parts = split(str(target.get("Arn", "")), ":")
    if len(parts) < _ARN_PARTS:
        return "target"
    service, resource = parts[2], ":".join(parts[5:])
    for its_service, prefix, kind in _BY_RESOURCE:
        if service == its_service and resource.startswith(prefix):
            return kind
    return _BY_SERVICE.get(service, f"{service} target")
