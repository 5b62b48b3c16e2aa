from __future__ import annotations

import json
from itertools import count

import pytest
from botocore.exceptions import ClientError

from emulator.cloudformation.security_hub import has_action_target

NATIVE, ELSEWHERE = "eu-central-1", "eu-west-1"
_accounts = count(300000000001)


def template(action_id="Suppress", name="Suppress", description="Suppress it", **attributes):
    properties = {"Id": action_id, "Name": name, "Description": description}
    action = {"Type": "AWS::SecurityHub::ActionTarget", "Properties": properties} | attributes
    outputs = {
        "Ref": {"Value": {"Ref": "Action"}},
        "Arn": {"Value": {"Fn::GetAtt": ["Action", "ActionTargetArn"]}},
    }
    return {"Resources": {"Action": action}, "Outputs": outputs}


class Stacks:
    def __init__(self, aws, region):
        self.aws, self.region, self.account = aws, region, str(next(_accounts))
        self.cfn = aws.client("cloudformation", account=self.account, region=region)
        self.hub = aws.client("securityhub", account=self.account, region=region)

    def create(self, body, name="stack"):
        self.cfn.create_stack(StackName=name, TemplateBody=json.dumps(body))
        return self.settled(name)

    def update(self, body, name="stack"):
        self.cfn.update_stack(StackName=name, TemplateBody=json.dumps(body))
        return self.settled(name)

    def settled(self, name="stack"):
        def stack():
            (description,) = self.cfn.describe_stacks(StackName=name)["Stacks"]
            return None if description["StackStatus"].endswith("_IN_PROGRESS") else description

        return self.aws.wait_until(stack, what=f"stack {name}")

    def delete(self, name="stack"):
        stack_id = self.settled(name)["StackId"]
        self.cfn.delete_stack(StackName=name)
        return self.settled(stack_id)["StackStatus"]

    def failures(self, name="stack"):
        events = self.cfn.describe_stack_events(StackName=name)["StackEvents"]
        return " ".join(
            event.get("ResourceStatusReason", "")
            for event in events
            if event["ResourceStatus"].endswith("_FAILED")
        )

    def actions(self):
        return {
            action["ActionTargetArn"].rpartition("/")[2]: action["Name"]
            for action in self.hub.describe_action_targets()["ActionTargets"]
        }

    def arn(self, action_id="Suppress"):
        return f"arn:aws:securityhub:{self.region}:{self.account}:action/custom/{action_id}"


@pytest.fixture
def stacks(embedded_aws):
    stacks = Stacks(embedded_aws, NATIVE)
    stacks.hub.enable_security_hub()
    return stacks


def test_ref_and_get_att_are_the_arn(stacks):
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stacks.create(template())["Outputs"]}
    assert outputs == {"Ref": stacks.arn(), "Arn": stacks.arn()}


def test_a_new_name_is_updated_in_place(stacks):
    stacks.create(template())
    stack = stacks.update(template(name="Renamed", description="Other"))
    assert stack["StackStatus"] == "UPDATE_COMPLETE"
    assert stacks.actions() == {"Suppress": "Renamed"}


def test_a_new_id_replaces_the_action(stacks):
    stacks.create(template())
    stack = stacks.update(template(action_id="Other"))
    assert stack["StackStatus"] == "UPDATE_COMPLETE"
    assert stacks.actions() == {"Other": "Suppress"}


def test_a_failed_update_is_rolled_back(stacks):
    stacks.create(template())
    body = template(name="Renamed")
    body["Resources"]["Bad"] = template(action_id="not valid", DependsOn="Action")["Resources"]["Action"]
    stack = stacks.update(body)
    assert stack["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert stacks.actions() == {"Suppress": "Suppress"}


def test_delete_removes_the_action(stacks):
    stacks.create(template())
    assert stacks.delete() == "DELETE_COMPLETE"
    assert stacks.actions() == {}


def test_deleting_an_action_that_is_gone_succeeds(stacks):
    stacks.create(template())
    stacks.hub.delete_action_target(ActionTargetArn=stacks.arn())
    assert stacks.delete() == "DELETE_COMPLETE"


def test_an_action_that_exists_fails_the_create_and_stays(stacks):
    stacks.hub.create_action_target(Id="Suppress", Name="Mine", Description="Made by hand")
    stack = stacks.create(template())
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    assert f"with identifier '{stacks.arn()}' already exists" in stacks.failures()
    assert stacks.actions() == {"Suppress": "Mine"}


def test_an_unsubscribed_account_fails_the_create(embedded_aws):
    stacks = Stacks(embedded_aws, NATIVE)
    assert stacks.create(template())["StackStatus"] == "ROLLBACK_COMPLETE"
    assert "is not subscribed to AWS Security Hub" in stacks.failures()


def test_a_region_without_the_type_refuses_the_template(embedded_aws):
    stacks = Stacks(embedded_aws, ELSEWHERE)
    message = r"Unrecognized resource types: \[AWS::SecurityHub::ActionTarget\]"
    with pytest.raises(ClientError, match=message):
        stacks.create(template())
    with pytest.raises(ClientError, match=message):
        stacks.cfn.validate_template(TemplateBody=json.dumps(template()))
    with pytest.raises(ClientError, match=message):
        stacks.cfn.create_change_set(
            StackName="stack",
            ChangeSetName="change",
            ChangeSetType="CREATE",
            TemplateBody=json.dumps(template()),
        )


def test_a_resource_whose_condition_is_false_is_not_refused(embedded_aws):
    body = template(Condition="Never")
    del body["Outputs"]
    body["Conditions"] = {"Never": {"Fn::Equals": ["a", "b"]}}
    body["Resources"]["Topic"] = {"Type": "AWS::SNS::Topic"}
    assert Stacks(embedded_aws, ELSEWHERE).create(body)["StackStatus"] == "CREATE_COMPLETE"


@pytest.mark.parametrize(
    ("region", "expected"),
    [
        *[(region, True) for region in ("us-east-1", "us-west-2", "eu-central-1", "ap-south-1")],
        *[(region, True) for region in ("eusc-de-east-1", "us-iso-east-1", "us-isob-east-1")],
        *[(region, False) for region in ("us-east-2", "eu-west-1", "cn-north-1", "us-gov-west-1")],
    ],
)
def test_the_type_exists_where_aws_has_it(region, expected):
    assert has_action_target(region) is expected


def import_change_set(stacks, body, arn, stack_name="imported"):
    stacks.cfn.create_change_set(
        StackName=stack_name,
        ChangeSetName="import",
        ChangeSetType="IMPORT",
        TemplateBody=json.dumps(body),
        ResourcesToImport=[
            {
                "ResourceType": "AWS::SecurityHub::ActionTarget",
                "LogicalResourceId": "Action",
                "ResourceIdentifier": {"ActionTargetArn": arn},
            }
        ],
    )

    def change_set():
        change = stacks.cfn.describe_change_set(StackName=stack_name, ChangeSetName="import")
        return change if change["Status"] in {"CREATE_COMPLETE", "FAILED"} else None

    return stacks.aws.wait_until(change_set, what="the change set")


def test_an_existing_action_is_imported_and_then_owned(stacks):
    arn = stacks.hub.create_action_target(Id="Suppress", Name="Suppress", Description="Suppress it")[
        "ActionTargetArn"
    ]
    body = template(DeletionPolicy="Delete")
    del body["Outputs"]
    assert import_change_set(stacks, body, arn)["ExecutionStatus"] == "AVAILABLE"
    stacks.cfn.execute_change_set(StackName="imported", ChangeSetName="import")
    # Until the import begins, the new stack only waits for review.
    stacks.aws.wait_until(
        lambda: stacks.settled("imported")["StackStatus"] == "IMPORT_COMPLETE", what="the import"
    )
    resource = stacks.cfn.describe_stack_resource(StackName="imported", LogicalResourceId="Action")
    assert resource["StackResourceDetail"]["PhysicalResourceId"] == arn
    renamed = template(name="Renamed", DeletionPolicy="Delete")
    assert stacks.update(renamed, "imported")["StackStatus"] == "UPDATE_COMPLETE"
    assert stacks.actions() == {"Suppress": "Renamed"}
    assert stacks.delete("imported") == "DELETE_COMPLETE"
    assert stacks.actions() == {}


def test_a_missing_action_cannot_be_imported(stacks):
    body = template(DeletionPolicy="Delete")
    del body["Outputs"]
    change = import_change_set(stacks, body, stacks.arn("Missing"))
    assert change["Status"] == "FAILED"
    assert "was not found" in change["StatusReason"]


def test_the_template_summary_names_what_an_import_needs(stacks):
    summary = stacks.cfn.get_template_summary(TemplateBody=json.dumps(template()))
    assert summary["ResourceIdentifierSummaries"] == [
        {
            "ResourceType": "AWS::SecurityHub::ActionTarget",
            "LogicalResourceIds": ["Action"],
            "ResourceIdentifiers": ["ActionTargetArn"],
        }
    ]


def test_a_loop_over_actions_is_created(stacks):
    action = {
        "Type": "AWS::SecurityHub::ActionTarget",
        "Properties": {"Id": {"Fn::Sub": "${Name}"}, "Name": {"Ref": "Name"}, "Description": "One of many"},
    }
    loop = ["Name", ["One", "Two"], {"Action${Name}": action}]
    body = {"Transform": "AWS::LanguageExtensions", "Resources": {"Fn::ForEach::Actions": loop}}
    assert stacks.cfn.get_template_summary(TemplateBody=json.dumps(body))["ResourceIdentifierSummaries"] == []
    stacks.cfn.create_stack(
        StackName="stack", TemplateBody=json.dumps(body), Capabilities=["CAPABILITY_AUTO_EXPAND"]
    )
    assert stacks.settled()["StackStatus"] == "CREATE_COMPLETE"
    assert stacks.actions() == {"One": "One", "Two": "Two"}


def test_a_hub_is_enabled_updated_and_disabled_by_its_stack(embedded_aws):
    stacks = Stacks(embedded_aws, ELSEWHERE)
    hub = {"Type": "AWS::SecurityHub::Hub", "Properties": {"ControlFindingGenerator": "STANDARD_CONTROL"}}
    body = {"Resources": {"Hub": hub}, "Outputs": {"Arn": {"Value": {"Ref": "Hub"}}}}
    (output,) = stacks.create(body)["Outputs"]
    described = stacks.hub.describe_hub()
    assert described["HubArn"] == output["OutputValue"]
    assert described["ControlFindingGenerator"] == "STANDARD_CONTROL"
    hub["Properties"]["AutoEnableControls"] = False
    assert stacks.update(body)["StackStatus"] == "UPDATE_COMPLETE"
    assert stacks.hub.describe_hub()["AutoEnableControls"] is False
    assert stacks.delete() == "DELETE_COMPLETE"
    with pytest.raises(stacks.hub.exceptions.InvalidAccessException):
        stacks.hub.describe_hub()
