"""The formats of identifiers: required ones as a regular expression, usual ones as a function."""

from __future__ import annotations

import re
from typing import Final

ACCOUNT_ID: Final = (r"[0-9]{12}", "a 12-digit account ID")
ARN: Final = (r"arn:[a-z-]+:.+", "an ARN, which starts with arn:")
REGION: Final = (r"global|[a-z]{2,4}(-[a-z]+)+-[0-9]", "a Region such as eu-west-1")

_SERVICES: Final = """
    Account ACM Amplify APIGateway AppConfig AppFlow AppRunner AppSync Athena AutoScaling Backup Batch
    CloudFormation CloudFront CloudTrail CloudWatch CodeArtifact CodeBuild CodeGuruProfiler CodeGuruReviewer
    Cognito Config Connect DataFirehose DataSync Detective DMS DocumentDB DynamoDB EC2 ECR ECS EFS EKS
    ElastiCache ElasticBeanstalk ELB EMR ES EventBridge FraudDetector FSx GlobalAccelerator Glue GuardDuty
    IAM Inspector IoT IoTEvents IoTSiteWise IoTTwinMaker IoTWireless IVS Keyspaces Kinesis KMS Lambda Macie
    MQ MSK Neptune NetworkFirewall Opensearch PCA RDS Redshift RedshiftServerless Route53 S3 SageMaker
    SecretsManager ServiceCatalog SES SNS SQS SSM StepFunctions Transfer WAF WorkSpaces
"""
"""Source: https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-controls-reference.html"""
_SPELLINGS: Final = {service.lower(): service for service in _SERVICES.split()}


def unusual_control_id(value: str) -> str | None:
    """Why a value is probably not the ID of a security control, or None if it may be one."""
    service, _, number = value.partition(".")
    spelling = _SPELLINGS.get(service.lower(), service)
    if spelling != service:
        return f"the IDs of its controls are spelled {spelling}.{number or 1}"
    if not re.fullmatch(r"[A-Z][A-Za-z0-9]*\.[0-9]+", value):
        return "control IDs look like S3.8"
    return None


def unusual_asff_resource_type(value: str) -> str | None:
    """Why a value is probably not a resource type in ASFF.

    Source: https://docs.aws.amazon.com/securityhub/latest/userguide/asff-resources.html
    """
    return "resource types in ASFF look like AwsEc2Instance" if "::" in value else None


def unusual_ocsf_resource_type(value: str) -> str | None:
    """Why a value is probably not a resource type in OCSF.

    Source: https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-v2-cwe-event-formats.html
    """
    if re.match(r"Aws[A-Z]", value):
        return "resource types in OCSF look like AWS::EC2::Instance"
    return None
