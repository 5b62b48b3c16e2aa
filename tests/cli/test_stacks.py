"""The resources of a deployed stack are those that are in it."""

from __future__ import annotations

import pytest

from securityhub_actions.cli.stacks import resources_of
from tests.cli.doctor.conftest import AnsweredAws


@pytest.mark.parametrize("status", ["DELETE_COMPLETE", "DELETE_SKIPPED"])
def test_what_was_deleted_or_retained_is_no_longer_in_a_stack(status, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    summaries = [
        {
            "ResourceType": "AWS::SQS::Queue",
            "LogicalResourceId": name,
            "PhysicalResourceId": f"App-{name}-1",
            "ResourceStatus": one,
        }
        for name, one in (("Queue", "CREATE_COMPLETE"), ("Former", status))
    ]
    aws = AnsweredAws({"cloudformation.ListStackResources": {"StackResourceSummaries": summaries}})
    assert [one.logical_id for one in resources_of(aws, "App")] == ["Queue"]
