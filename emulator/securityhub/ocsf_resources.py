"""The resources of a finding in the Open Cybersecurity Schema Framework.

Security Hub names types as CloudFormation does, and identifies a resource as its own service does, with its
ARN as the other identifier.

Source: https://github.com/cruxstack/aws-securityhubv2-bot/blob/9af52c8/fixtures/samples.json
"""

from __future__ import annotations

import re
from typing import Final

from emulator.securityhub.model import Document

ACCOUNT_TYPE: Final[Document] = {"type": "AWS Account", "type_id": 10}
"""What OCSF calls an account of AWS.

Source: https://schema.ocsf.io/1.6.0/objects/account
"""

_ARN: Final = re.compile(
    r"arn:(?P<partition>[^:]*):(?P<service>[^:]*):(?P<region>[^:]*):(?P<account>[^:]*):(?P<resource>.+)"
)
# Resources without an ARN, such as accounts and temporary access keys: AWS::::Account:111122223333.
_TYPED_ID: Final = re.compile(r"AWS::[A-Za-z0-9]*::[A-Za-z0-9]+:(?P<id>.+)")
_ASFF_TYPE: Final = re.compile(r"Aws(?P<service>[A-Z][A-Za-z0-9]*)")
_GLOBAL: Final = "global"
# CloudFormation's names of the services, by those of the format.
_SERVICES: Final = {
    "AmazonMq": "AmazonMQ",
    "ApiGatewayV2": "ApiGatewayV2",
    "ApiGateway": "ApiGateway",
    "AppSync": "AppSync",
    "Athena": "Athena",
    "AutoScaling": "AutoScaling",
    "Backup": "Backup",
    "CertificateManager": "CertificateManager",
    "CloudFormation": "CloudFormation",
    "CloudFront": "CloudFront",
    "CloudTrail": "CloudTrail",
    "CloudWatch": "CloudWatch",
    "CodeBuild": "CodeBuild",
    "DynamoDb": "DynamoDB",
    "Dms": "DMS",
    "Ec2": "EC2",
    "Ecr": "ECR",
    "Ecs": "ECS",
    "Efs": "EFS",
    "Eks": "EKS",
    "ElasticBeanstalk": "ElasticBeanstalk",
    "Elasticsearch": "Elasticsearch",
    "Elbv2": "ElasticLoadBalancingV2",
    "Elb": "ElasticLoadBalancing",
    "EventSchemas": "EventSchemas",
    "Events": "Events",
    "GuardDuty": "GuardDuty",
    "Iam": "IAM",
    "Kinesis": "Kinesis",
    "Kms": "KMS",
    "Lambda": "Lambda",
    "Msk": "MSK",
    "NetworkFirewall": "NetworkFirewall",
    "OpenSearchService": "OpenSearchService",
    "Rds": "RDS",
    "Redshift": "Redshift",
    "Route53": "Route53",
    "S3": "S3",
    "SageMaker": "SageMaker",
    "SecretsManager": "SecretsManager",
    "Sns": "SNS",
    "Sqs": "SQS",
    "Ssm": "SSM",
    "StepFunction": "StepFunctions",
    "Waf": "WAF",
    "WafRegional": "WAFRegional",
    "Wafv2": "WAFv2",
    "Xray": "XRay",
}
# ApiGatewayV2 before ApiGateway, which it starts with.
_BY_LENGTH: Final = sorted(_SERVICES, key=len, reverse=True)
# Whole types that don't follow from their parts.
_TYPES: Final = {
    "AwsAccount": "AWS::::Account",
    "AwsAppSyncGraphQlApi": "AWS::AppSync::GraphQLApi",
    "AwsEc2Eip": "AWS::EC2::EIP",
    "AwsEc2Vpc": "AWS::EC2::VPC",
    "AwsEc2VpcEndpointService": "AWS::EC2::VPCEndpointService",
    "AwsEc2VpcPeeringConnection": "AWS::EC2::VPCPeeringConnection",
    "AwsEc2VpnConnection": "AWS::EC2::VPNConnection",
    "AwsEventsEventbus": "AWS::Events::EventBus",
    "AwsRdsDbCluster": "AWS::RDS::DBCluster",
    "AwsRdsDbClusterSnapshot": "AWS::RDS::DBClusterSnapshot",
    "AwsRdsDbInstance": "AWS::RDS::DBInstance",
    "AwsRdsDbSecurityGroup": "AWS::RDS::DBSecurityGroup",
    "AwsRdsDbSnapshot": "AWS::RDS::DBSnapshot",
    "AwsWafRegionalWebAcl": "AWS::WAFRegional::WebACL",
    "AwsWafWebAcl": "AWS::WAF::WebACL",
    "AwsWafv2WebAcl": "AWS::WAFv2::WebACL",
    "Container": "AWS::Container::Container",
}


def resource_of(resource: Document, finding: Document) -> Document:
    """Translate one resource of a finding.

    Args:
        resource: An entry of `Resources`.
        finding: The finding, whose account and Region the resource has unless it says otherwise.

    Returns:
        The OCSF resource: `type`, `uid`, `uid_alt` if there is an ARN, `name`, `region`, `cloud_partition`,
        `owner`, and `tags`.
    """
    given = resource["Id"]
    arn = _ARN.fullmatch(given)
    region = resource.get("Region") or (arn and arn["region"]) or finding.get("Region", "")
    account = (arn and arn["account"]) or finding["AwsAccountId"]
    partition = resource.get("Partition") or (arn and arn["partition"]) or "aws"
    translated: Document = {
        "type": type_of(resource["Type"]),
        "uid": _uid(resource["Type"], given, arn, region=region, account=account, partition=partition),
        "cloud_partition": partition,
        "region": _GLOBAL if resource["Type"].startswith("AwsIam") else region,
        "owner": {"account": {**ACCOUNT_TYPE, "uid": account}},
    }
    if arn is not None:
        translated |= {"uid_alt": given, "name": _last_part(arn["resource"])}
    if "Tags" in resource:
        translated["tags"] = [{"name": name, "value": value} for name, value in resource["Tags"].items()]
    return translated


def type_of(asff_type: str) -> str:
    """CloudFormation's name of a type of the AWS Security Finding Format; as it is if AWS has none."""
    if asff_type in _TYPES:
        return _TYPES[asff_type]
    match = _ASFF_TYPE.fullmatch(asff_type)
    service = match and next(filter(match["service"].startswith, _BY_LENGTH), None)
    if not match or not service or service == match["service"]:
        return asff_type
    return f"AWS::{_SERVICES[service]}::{match['service'].removeprefix(service)}"


def _uid(
    asff_type: str, given: str, arn: re.Match[str] | None, *, region: str, account: str, partition: str
) -> str:
    """The identifier of a resource in its own service."""
    if arn is None:
        typed = _TYPED_ID.fullmatch(given)
        return typed["id"] if typed else given
    if asff_type == "AwsSqsQueue":
        suffix = "amazonaws.com.cn" if partition == "aws-cn" else "amazonaws.com"
        return f"https://sqs.{region}.{suffix}/{account}/{arn['resource']}"
    if asff_type == "AwsSnsTopic":
        return given
    if asff_type == "AwsS3Object":
        return arn["resource"].partition("/")[2]
    return _last_part(arn["resource"])


def _last_part(resource: str) -> str:
    """The name in the last part of an ARN: `i-1` of `instance/i-1`, `f` of `function:f`."""
    return re.split(r"[/:]", resource)[-1]
