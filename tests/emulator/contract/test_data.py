"""The tables, stores, and classes of MiniStack, and the records that its services put into the stores."""

from __future__ import annotations

import json
from itertools import count

import pytest
from ministack.core.responses import request_scope
from ministack.services import (
    cloudwatch_logs,
    documentdb,
    ec2,
    eventbridge,
    firehose,
    iam,
    kinesis,
    lambda_svc,
    organizations,
    rds,
    sns,
    sqs,
    sts,
)

from tests.emulator.contract.data import CLASSES, MODULES, REGIONAL, STORES, TABLES
from tests.emulator.contract.lookup import found

REGION = "eu-central-1"
POLICY = json.dumps({"Version": "2012-10-17", "Statement": []})
_accounts = count(400000000101)


@pytest.fixture
def account():
    """An account whose requests are those of the test."""
    account = str(next(_accounts))
    with request_scope(account, REGION):
        yield account


@pytest.mark.parametrize("name", MODULES)
def test_a_module_is_used_by_names_that_it_has(name):
    assert all(hasattr(found(name), used) for used in MODULES[name].split()), f"ministack.{name}"


@pytest.mark.parametrize("name", TABLES)
def test_a_table_has_its_entries(name):
    assert TABLES[name] in found(name), f"ministack.{name}"


@pytest.mark.parametrize("name", STORES)
def test_a_store_keeps_apart_what_it_kept_apart(name):
    assert type(found(name)).__name__ == STORES[name], f"ministack.{name}"


@pytest.mark.parametrize("name", CLASSES)
def test_a_class_has_what_is_used_of_it(name):
    known = found(name)
    assert isinstance(known, type), f"ministack.{name} is gone"
    fields = {*dir(known), *getattr(known, "__annotations__", {}), *_parameters(known)}
    assert {*CLASSES[name].split()} <= fields, f"ministack.{name}"


def _parameters(known):
    return known.__init__.__code__.co_varnames if hasattr(known.__init__, "__code__") else ()


@pytest.mark.parametrize("name", [name for name, kind in STORES.items() if kind == REGIONAL])
def test_a_regional_store_shows_only_its_own_account_and_region(name, account):
    store = found(name)
    store["key"] = {"of": account}
    try:
        with request_scope(account, "us-east-1"):
            assert "key" not in store
        with request_scope(str(next(_accounts)), REGION):
            assert "key" not in store
        assert store["key"] == {"of": account}
    finally:
        del store["key"]


def query(**parameters):
    """The parameters of a query request, as MiniStack parses them."""
    return {name: [value] for name, value in parameters.items()}


def run_instance():
    ec2._ACTION_MAP["RunInstances"](query(ImageId="ami-1", MinCount="1", MaxCount="1"))


def create_interface():
    ec2._ACTION_MAP["CreateVpc"](query(CidrBlock="10.0.0.0/16"))
    vpc = list(ec2._vpcs)[-1]
    ec2._ACTION_MAP["CreateSubnet"](query(VpcId=vpc, CidrBlock="10.0.0.0/24"))
    ec2._ACTION_MAP["CreateNetworkInterface"](query(SubnetId=list(ec2._subnets)[-1]))


def create_group():
    ec2._ACTION_MAP["CreateSecurityGroup"](query(GroupName="one", GroupDescription="one"))


def create_snapshot():
    ec2._ACTION_MAP["CreateVolume"](query(AvailabilityZone=f"{REGION}a", Size="1"))
    ec2._ACTION_MAP["CreateSnapshot"](query(VolumeId=next(iter(ec2._volumes))))


def create_rule():
    eventbridge._ensure_default_bus()
    eventbridge._put_rule({"Name": "one", "EventPattern": '{"source": ["one"]}'})
    eventbridge._put_targets({"Rule": "one", "Targets": [{"Id": "T", "Arn": "arn:aws:sqs:eu-west-1:1:q"}]})


def create_destination():
    key = {"ApiKeyAuthParameters": {"ApiKeyName": "X-Key", "ApiKeyValue": "secret"}}
    connection = {"Name": "one", "AuthorizationType": "API_KEY", "AuthParameters": key}
    arn = json.loads(eventbridge._create_connection(connection)[2])["ConnectionArn"]
    destination = {"Name": "one", "ConnectionArn": arn, "HttpMethod": "POST"}
    eventbridge._create_api_destination({**destination, "InvocationEndpoint": "https://example.com"})


def create_role():
    iam._create_role(query(RoleName="one", AssumeRolePolicyDocument=POLICY))


def create_organization():
    organizations._ensure_org()
    root = next(iter(organizations._roots))
    organizations._DISPATCH["CreateOrganizationalUnit"]({"ParentId": root, "Name": "one"})


def create_cluster(service):
    def create():
        engine = "aurora-mysql" if service is rds else "docdb"
        service._ACTION_MAP["CreateDBCluster"](query(DBClusterIdentifier="one", Engine=engine))

    return create


def put_log_policy():
    cloudwatch_logs._put_resource_policy({"policyName": "one", "policyDocument": POLICY})


CLUSTER = "DbClusterResourceId Status Engine"
ROLE = "Arn RoleName AssumeRolePolicyDocument InlinePolicies AttachedPolicies"
# A store, how MiniStack puts a record into it, and the members of the record that are used.
RECORDS = [
    ("services.cloudwatch_logs._resource_policies", put_log_policy, "policyDocument"),
    ("services.documentdb._clusters", create_cluster(documentdb), CLUSTER),
    ("services.ec2._instances", run_instance, "InstanceId State SecurityGroups"),
    ("services.ec2._network_interfaces", create_interface, "Groups"),
    ("services.ec2._security_groups", create_group, "GroupName IpPermissions IpPermissionsEgress"),
    ("services.ec2._snapshots", create_snapshot, "SnapshotId"),
    ("services.eventbridge._rules", create_rule, "Name Arn EventBusName EventPattern"),
    ("services.eventbridge._event_buses", create_rule, "Name Arn"),
    ("services.eventbridge._connections", create_destination, "Name ConnectionState AuthorizationType"),
    ("services.eventbridge._api_destinations", create_destination, "ConnectionArn InvocationEndpoint"),
    (
        "services.iam._roles",
        create_role,
        ROLE,
    ),
    ("services.organizations._orgs", create_organization, "Id"),
    ("services.organizations._accounts", create_organization, "Id Arn _ParentId"),
    ("services.organizations._ous", create_organization, "Id Arn _ParentId"),
    (
        "services.rds._clusters",
        create_cluster(rds),
        f"{CLUSTER} BackupRetentionPeriod",
    ),
]


@pytest.mark.parametrize(("name", "create", "members"), RECORDS, ids=[record[0] for record in RECORDS])
@pytest.mark.usefixtures("account")
def test_a_record_has_the_members_that_are_used(name, create, members):
    create()
    record = list(found(name).values())[-1]
    assert {*members.split()} <= record.keys(), f"a record of ministack.{name}"


@pytest.mark.usefixtures("account")
def test_the_targets_of_a_rule_are_kept_as_they_were_put():
    create_rule()
    assert [target["Id"] for target in eventbridge._targets[eventbridge._rule_key("one", "default")]] == ["T"]


@pytest.mark.usefixtures("account")
def test_tags_are_kept_in_lists_under_the_id():
    run_instance()
    instance_id = next(iter(ec2._instances))
    ec2._ACTION_MAP["CreateTags"](
        {"ResourceId.1": [instance_id], "Tag.1.Key": ["team"], "Tag.1.Value": ["blue"]}
    )
    assert ec2._tags[instance_id] == [{"Key": "team", "Value": "blue"}]


@pytest.mark.usefixtures("account")
def test_a_queue_and_a_topic_have_attributes():
    url = sqs._act_create_queue({"QueueName": "one", "Attributes": {}}, "")["QueueUrl"]
    arn = sqs._get_q(url)["attributes"]["QueueArn"]
    assert sqs._queue_by_arn(arn)["attributes"]["QueueArn"] == arn
    sns._create_topic(query(Name="one"))
    [topic] = sns._topics.values()
    assert sns._topic_by_arn_any_scope(topic["arn"])["attributes"] is topic["attributes"]


@pytest.mark.usefixtures("account")
def test_a_stream_is_kept_under_its_name():
    kinesis._create_stream({"StreamName": "one", "ShardCount": 1})
    assert "one" in kinesis._streams


@pytest.mark.usefixtures("account")
def test_a_delivery_stream_is_kept_under_its_name_with_its_encryption():
    encryption = {"KeyType": "CUSTOMER_MANAGED_CMK", "KeyARN": "arn:aws:kms:us-east-1:1:key/one"}
    places = {"BucketARN": "arn:aws:s3:::one", "RoleARN": "arn:aws:iam::1:role/one"}
    firehose._create_delivery_stream(
        {
            "DeliveryStreamName": "one",
            "DeliveryStreamEncryptionConfigurationInput": encryption,
            "ExtendedS3DestinationConfiguration": places,
        }
    )
    assert firehose._streams["one"]["encryption"] == {**encryption, "Status": "ENABLED"}


def test_a_permission_is_appended_to_the_functions_policy(account):
    arn = f"arn:aws:lambda:{REGION}:{account}:function:one"
    function = {"config": {"FunctionName": "one", "FunctionArn": arn}, "policy": {"Statement": []}}
    lambda_svc._functions["one"] = {**function, "versions": {}, "aliases": {}}
    request = {"StatementId": "s", "Action": "lambda:InvokeFunction", "Principal": "events.amazonaws.com"}
    assert lambda_svc._add_permission("one", request)[0] == 201
    assert [one["Resource"] for one in lambda_svc._functions["one"]["policy"]["Statement"]] == [arn]


@pytest.mark.usefixtures("account")
def test_a_session_is_kept_under_its_access_key():
    sts.register_session("ASIAEXAMPLE", {"Arn": "arn:aws:sts::1:assumed-role/r/s", "AccountId": "1"})
    assert sts._sessions.pop("ASIAEXAMPLE")["Arn"] == "arn:aws:sts::1:assumed-role/r/s"


@pytest.mark.usefixtures("account")
def test_an_error_of_sqs_carries_its_status():
    error = sqs._Err("OverLimit", "too many", 403)
    assert (error.code, error.message, error.status) == ("OverLimit", "too many", 403)
