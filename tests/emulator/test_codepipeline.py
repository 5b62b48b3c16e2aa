"""Pipelines of templates: what starts them is recorded, and can be read back."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError


@pytest.fixture
def pipeline(chain):
    """The name of a pipeline that a stack created."""
    properties = {"Name": chain.name, "RoleArn": "arn:aws:iam::111122223333:role/pipeline", "Stages": []}
    resources = {"Pipeline": {"Type": "AWS::CodePipeline::Pipeline", "Properties": properties}}
    status, reasons = chain.deploy(resources)
    assert status == "CREATE_COMPLETE", reasons
    return chain.name


@pytest.fixture
def client(chain):
    return chain.aws.client("codepipeline")


def triggers(client, name):
    found = client.list_pipeline_executions(pipelineName=name)["pipelineExecutionSummaries"]
    return [one["trigger"]["triggerType"] for one in found]


def test_a_pipeline_starts_when_it_is_created_and_when_it_is_told_to(client, pipeline):
    started = client.start_pipeline_execution(name=pipeline)["pipelineExecutionId"]
    assert triggers(client, pipeline) == ["StartPipelineExecution", "CreatePipeline"]
    found = client.get_pipeline_execution(pipelineName=pipeline, pipelineExecutionId=started)
    assert found["pipelineExecution"]["status"] == "Succeeded"
    assert found["pipelineExecution"]["trigger"]["triggerDetail"] == "arn:aws:iam::111122223333:root"


def test_a_rule_needs_the_permission_to_start_the_pipeline(chain, client, pipeline):
    arn = f"arn:aws:codepipeline:eu-west-1:111122223333:{pipeline}"
    chain.target(arn, RoleArn=chain.role("codepipeline:StartPipelineExecution", f"{arn}-other"))
    assert chain.outcome(chain.send()).error_code == "NO_PERMISSIONS"
    chain.target(arn, RoleArn=chain.role("codepipeline:StartPipelineExecution", arn))
    assert chain.outcome(chain.send()).outcome == "delivered"
    assert triggers(client, pipeline) == ["CloudWatchEvent", "CreatePipeline"]


def test_a_pipeline_is_gone_with_its_stack(chain, client, pipeline):
    stacks = chain.aws.client("cloudformation")
    stacks.delete_stack(StackName=chain.name)
    with pytest.raises(ClientError, match="PipelineNotFoundException"):
        chain.aws.wait_until(lambda: triggers(client, pipeline) is None, what="the deletion")
    arn = f"arn:aws:codepipeline:eu-west-1:111122223333:{pipeline}"
    chain.target(arn, RoleArn=chain.role("codepipeline:StartPipelineExecution", arn))
    assert chain.outcome(chain.send()).error_code == "NO_RESOURCE"


def test_an_execution_that_does_not_exist_is_an_error(client, pipeline):
    unknown = "0f1e2d3c-0000-4000-8000-000000000000"
    with pytest.raises(ClientError, match="PipelineExecutionNotFoundException"):
        client.get_pipeline_execution(pipelineName=pipeline, pipelineExecutionId=unknown)
