from __future__ import annotations

import json

TEMPLATE = json.dumps({"Resources": {"Queue": {"Type": "AWS::SQS::Queue"}}})


def test_whoever_asks_for_a_stack_that_is_being_made_is_told_when_it_is_there(embedded_aws):
    cloudformation = embedded_aws.client("cloudformation")
    cloudformation.create_stack(StackName="asked-at-once", TemplateBody=TEMPLATE)
    (stack,) = cloudformation.describe_stacks(StackName="asked-at-once")["Stacks"]
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    cloudformation.delete_stack(StackName=stack["StackId"])
    (stack,) = cloudformation.describe_stacks(StackName=stack["StackId"])["Stacks"]
    assert stack["StackStatus"] == "DELETE_COMPLETE"
