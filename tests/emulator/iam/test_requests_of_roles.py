from __future__ import annotations

import contextlib
import json
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

ACCOUNT = "111122223333"
REGION = "eu-west-1"


def allow(action, resource="*", **conditions):
    statement = {"Effect": "Allow", "Action": action, "Resource": resource}
    return {**statement, "Condition": conditions} if conditions else statement


def refused(call, **parameters):
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    return caught.value.response["Error"]


@pytest.mark.parametrize(
    ("started", "passed", "service", "missing"),
    [
        (("document/Mine", "automation-execution/*"), "Role", "ssm.amazonaws.com", None),
        (("document/Yours", "automation-execution/*"), "Role", "ssm.amazonaws.com", "document/Mine"),
        (("document/Mine",), "Role", "ssm.amazonaws.com", "automation-execution/"),
        (("automation-definition/Mine:*",), "Role", "ssm.amazonaws.com", "document/Mine"),
        (("document/Mine", "automation-execution/*"), "Another", "ssm.amazonaws.com", "role/Role"),
        (("document/Mine", "automation-execution/*"), "Role", "ec2.amazonaws.com", "role/Role"),
    ],
    ids=["allowed", "runbook", "execution", "definition", "role", "service"],
)
def test_a_runbook_starts_only_if_it_is_allowed_and_its_role_may_be_passed_to_systems_manager(
    as_role, started, passed, service, missing
):
    resources = [f"arn:aws:ssm:{REGION}:{ACCOUNT}:{one}" for one in started]
    to_service = {"StringEquals": {"iam:PassedToService": service}}
    role = as_role(
        allow("ssm:StartAutomationExecution", resources),
        allow("iam:PassRole", f"arn:aws:iam::{ACCOUNT}:role/{passed}", **to_service),
    )
    start = role("ssm").start_automation_execution
    request = {
        "DocumentName": "Mine",
        "Parameters": {"AutomationAssumeRole": [f"arn:aws:iam::{ACCOUNT}:role/Role"]},
    }
    if missing is None:
        assert start(**request)["AutomationExecutionId"]
    else:
        assert f":{missing}" in refused(start, **request)["Message"]


def test_the_role_that_a_runbook_names_itself_is_passed_as_well(as_role, embedded_aws):
    ssm = embedded_aws.client("ssm", account=ACCOUNT, region=REGION)
    role = f"arn:aws:iam::{ACCOUNT}:role/Named"
    content = {
        "schemaVersion": "0.3",
        "assumeRole": role,
        "mainSteps": [{"name": "a", "action": "aws:approve", "inputs": {"Approvers": ["me"]}}],
    }
    ssm.create_document(Name="Named", Content=json.dumps(content), DocumentType="Automation")
    start = as_role(allow("ssm:StartAutomationExecution"))("ssm").start_automation_execution
    assert f"iam:PassRole on resource: {role}" in refused(start, DocumentName="Named")["Message"]
    ssm.delete_document(Name="Named")


def test_a_role_without_a_policy_may_do_nothing(as_role):
    error = refused(as_role()("sqs").list_queues)
    assert error["Code"] == "AccessDenied"
    assert "is not authorized to perform: sqs:ListQueues on resource: *" in error["Message"]


def test_a_role_may_do_what_a_policy_allows_and_nothing_else(as_role):
    role = as_role(allow("ec2:DescribeVpcs"))
    assert role("ec2").describe_vpcs()["Vpcs"]
    assert "ec2:DescribeSubnets" in refused(role("ec2").describe_subnets)["Message"]


def test_it_may_do_so_on_the_named_resources_only(as_role, embedded_aws):
    sqs = embedded_aws.client("sqs", account=ACCOUNT)
    urls = {name: sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("mine", "yours")}
    role = as_role(allow("sqs:SendMessage", f"arn:aws:sqs:{REGION}:{ACCOUNT}:mine"))
    role("sqs").send_message(QueueUrl=urls["mine"], MessageBody="allowed")
    message = refused(role("sqs").send_message, QueueUrl=urls["yours"], MessageBody="not")["Message"]
    assert f"arn:aws:sqs:{REGION}:{ACCOUNT}:yours" in message


def test_it_may_do_so_in_the_named_regions_only(as_role):
    role = as_role(allow("ec2:DescribeVpcs", StringEquals={"aws:RequestedRegion": [REGION]}))
    assert role("ec2").describe_vpcs()["Vpcs"]
    assert refused(role("ec2", region="us-east-1").describe_vpcs)["Code"] == "UnauthorizedOperation"


def test_a_denial_wins(as_role):
    role = as_role(allow("ec2:Describe*"), {**allow("ec2:DescribeVpcs"), "Effect": "Deny"})
    refused(role("ec2").describe_vpcs)


def test_a_permissions_boundary_limits_a_role(as_role, embedded_aws):
    iam = embedded_aws.client("iam", account=ACCOUNT)
    document = json.dumps({"Version": "2012-10-17", "Statement": [allow("ec2:DescribeVpcs")]})
    boundary = iam.create_policy(PolicyName="boundary", PolicyDocument=document)["Policy"]["Arn"]
    role = as_role(allow("ec2:*"), boundary=boundary)
    assert role("ec2").describe_vpcs()["Vpcs"]
    refused(role("ec2").describe_subnets)


@pytest.mark.parametrize("action", ["BatchUpdateFindings", "GetFindings", "GetInsights"])
def test_findings_belong_to_the_hub_of_the_account_and_region(as_role, embedded_aws, action):
    hub = f"arn:aws:securityhub:{REGION}:{ACCOUNT}:hub"
    administrator = embedded_aws.client("securityhub", account=ACCOUNT)
    with contextlib.suppress(administrator.exceptions.ResourceConflictException):
        administrator.enable_security_hub()
    allowed = as_role(allow(f"securityhub:{action}", f"{hub}/default"))("securityhub")
    other = as_role(allow(f"securityhub:{action}", f"{hub}/other"))("securityhub")
    identifiers = [
        {"Id": "finding/1", "ProductArn": f"arn:aws:securityhub:{REGION}::product/aws/securityhub"}
    ]
    calls = {
        "BatchUpdateFindings": lambda client: client.batch_update_findings(
            FindingIdentifiers=identifiers, Workflow={"Status": "NOTIFIED"}
        ),
        "GetFindings": lambda client: client.get_findings(),
        "GetInsights": lambda client: client.get_insights(),
    }
    calls[action](allowed)
    assert refused(lambda: calls[action](other))["Code"] == "AccessDeniedException"


def test_findings_of_the_new_security_hub_need_the_same_actions_on_its_own_hub(as_role, embedded_aws):
    hub_v2 = embedded_aws.client("securityhub", account=ACCOUNT).enable_security_hub_v2()["HubV2Arn"]
    actions = ["securityhub:BatchUpdateFindings", "securityhub:GetFindings"]
    allowed = as_role(allow(actions, hub_v2))("securityhub")
    other = as_role(allow(actions, f"arn:aws:securityhub:{REGION}:{ACCOUNT}:hub/default"))("securityhub")
    update = {"MetadataUids": ["missing"], "StatusId": 4}
    assert allowed.get_findings_v2()
    assert allowed.batch_update_findings_v2(**update)["UnprocessedFindings"]
    assert "securityhub:GetFindings on resource: " + hub_v2 in refused(other.get_findings_v2)["Message"]
    assert refused(other.batch_update_findings_v2, **update)["Code"] == "AccessDeniedException"


def test_the_roles_of_bootstrapping_may_deploy(as_role):
    assert as_role(name="cdk-example")("ec2").describe_vpcs()["Vpcs"]


def test_the_keys_of_an_account_may_do_everything(embedded_aws):
    assert embedded_aws.client("ec2", account=ACCOUNT).describe_vpcs()["Vpcs"]


def test_where_an_account_or_unit_is_may_be_asked_of_the_named_ones_only(as_role, embedded_aws):
    organizations = embedded_aws.client("organizations", account=ACCOUNT)
    (root,) = organizations.list_roots()["Roots"]
    unit = organizations.create_organizational_unit(Name="Unit", ParentId=root["Id"])["OrganizationalUnit"]
    organization = organizations.describe_organization()["Organization"]["Id"]
    accounts = f"arn:aws:organizations::*:account/{organization}/*"
    units = f"arn:aws:organizations::*:ou/{organization}/ou-*"
    role = as_role(allow("organizations:ListParents", accounts))("organizations")
    assert role.list_parents(ChildId=ACCOUNT)["Parents"] == [{"Id": root["Id"], "Type": "ROOT"}]
    assert unit["Arn"] in refused(role.list_parents, ChildId=unit["Id"])["Message"]
    role = as_role(allow("organizations:ListParents", [accounts, units]))("organizations")
    assert role.list_parents(ChildId=unit["Id"])["Parents"] == [{"Id": root["Id"], "Type": "ROOT"}]


def test_tags_of_all_services_may_be_read_with_one_action(as_role):
    arns = [f"arn:aws:s3:::{uuid4().hex}", f"arn:aws:ec2:{REGION}:{ACCOUNT}:vpc/vpc-0abc"]
    reader = as_role(allow("tag:GetResources"))("resourcegroupstaggingapi")
    assert reader.get_resources(ResourceARNList=arns)["ResourceTagMappingList"] == []
    nobody = as_role(allow("ec2:DescribeTags"))("resourcegroupstaggingapi")
    assert "tag:GetResources" in refused(nobody.get_resources, ResourceARNList=arns)["Message"]


def test_the_permission_for_one_message_is_that_for_several(embedded_aws, as_role):
    queue = embedded_aws.client("sqs", account=ACCOUNT, region=REGION)
    url = queue.create_queue(QueueName=f"queue-{uuid4().hex[:8]}")["QueueUrl"]
    entries = [{"Id": "0", "MessageBody": "x"}]
    assert as_role(allow("sqs:SendMessage"))("sqs").send_message_batch(QueueUrl=url, Entries=entries)[
        "Successful"
    ]
    refused(as_role(allow("sqs:DeleteMessage"))("sqs").send_message_batch, QueueUrl=url, Entries=entries)
