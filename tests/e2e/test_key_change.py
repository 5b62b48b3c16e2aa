"""A customer managed key that is removed from the settings: what was stored with it is still handled."""

from __future__ import annotations

import pytest
from aws_cdk import App, Environment

from emulator.server import DEFAULT_ACCOUNT, DEFAULT_REGION
from stacks.encryption import encrypt_stacks
from stacks.member_role import MemberRoleStack
from stacks.remediation import RemediationStack
from stacks.settings import RemediationSettings
from stacks.settings.encryption import EncryptionSettings
from tests.e2e.findings import control_finding, import_findings
from tests.e2e.observed import press
from tests.e2e.settings import remediation_at_home
from tests.e2e.stacks import delete_stack, deploy_synthesized, physical_id, stack_of

pytestmark = pytest.mark.long

KEY_STACK, REMEDIATION, MEMBER_ROLE = (
    "SecurityHubKey",
    "SecurityHubRemediation",
    "SecurityHubRemediationMember",
)


@pytest.fixture(scope="module")
def key_removed(aws, feature_flags, tmp_path_factory):
    """Remediation whose stores had a key, and have it no longer.

    What was stored before: an event in the queue about the first finding, the record of the second one.
    """
    values = remediation_at_home(aws, "subnet_public_ip")
    values["automatic"] |= {"enabled": True, "mode": "apply", "filter": {"severity": ["CRITICAL"]}}
    settings = RemediationSettings.model_validate(values)

    def deploy(name, key, *earlier):
        folder = tmp_path_factory.mktemp(name)
        cdk = App(context=feature_flags, analytics_reporting=False, outdir=str(folder))
        environment = Environment(account=DEFAULT_ACCOUNT, region=DEFAULT_REGION)
        RemediationStack(cdk, REMEDIATION, settings=settings, env=environment)
        MemberRoleStack(cdk, MEMBER_ROLE, settings=settings, env=environment)
        encrypt_stacks(cdk, EncryptionSettings(key=key, earlier_keys=list(earlier)), environment)
        cdk.synth()
        new = (KEY_STACK, MEMBER_ROLE) if key else ()
        deploy_synthesized(aws, folder, *new, REMEDIATION, region=DEFAULT_REGION)

    deploy("with-key", "create")
    consume(aws, enabled=False)
    queued, recorded = subnet_finding(aws, "CRITICAL"), subnet_finding(aws, "LOW")
    import_findings(aws, [queued, recorded])
    assert press(aws, "Remediate", [recorded]).function_error is None
    outputs = stack_of(aws, KEY_STACK, region=DEFAULT_REGION)["Outputs"]
    deploy("without-key", "", next(one["OutputValue"] for one in outputs if one["OutputKey"] == "KeyArn"))
    yield aws, queued, recorded
    for name in (REMEDIATION, MEMBER_ROLE, KEY_STACK):
        delete_stack(aws, name, region=DEFAULT_REGION)


def consume(aws, *, enabled):
    """Let the function of remediation work on its queue, or not."""
    client = aws.client("lambda")
    function = physical_id(aws, REMEDIATION, "AWS::Lambda::Function", "Function")
    for mapping in client.list_event_source_mappings(FunctionName=function)["EventSourceMappings"]:
        client.update_event_source_mapping(UUID=mapping["UUID"], Enabled=enabled)


def subnet_finding(aws, severity):
    ec2 = aws.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
    ec2.modify_subnet_attribute(SubnetId=subnet, MapPublicIpOnLaunch={"Value": True})
    arn = f"arn:aws:ec2:{DEFAULT_REGION}:{DEFAULT_ACCOUNT}:subnet/{subnet}"
    resource = {"Type": "AwsEc2Subnet", "Id": arn, "Region": DEFAULT_REGION}
    return control_finding("EC2.15", subnet, Resources=[resource], Severity={"Label": severity})


def assigns(aws, finding):
    subnet = finding["Resources"][0]["Id"].rpartition("/")[2]
    return aws.client("ec2").describe_subnets(SubnetIds=[subnet])["Subnets"][0]["MapPublicIpOnLaunch"]


def test_what_waited_in_a_queue_is_handled_after_the_key_was_removed(key_removed):
    aws, queued, _ = key_removed
    assert assigns(aws, queued)
    consume(aws, enabled=True)
    aws.wait_until(lambda: not assigns(aws, queued), what="the remediation of the queued finding")


def test_what_was_recorded_is_undone_after_the_key_was_removed(key_removed):
    aws, _, recorded = key_removed
    assert not assigns(aws, recorded)
    assert press(aws, "UndoRemediation", [recorded]).function_error is None
    assert assigns(aws, recorded)
