from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

LAMBDA_CODE = Path(__file__).parents[3] / "lambda"
ENVIRONMENTS = {
    "update_findings": {"WORKFLOW_STATUS": "NOTIFIED", "IDEMPOTENCY_TABLE": "done"},
    "insight_digest": {"TOPIC_ARN": "arn:aws:sns:eu-west-1:111122223333:digests"},
    "summary": {
        "IDEMPOTENCY_TABLE": "done",
        "OVERDUE_DAYS": "7,30,90,180,0",
        "SUMMARY_BUCKET": "summaries",
        "TOPIC_ARN": "arn:aws:sns:eu-west-1:111122223333:summaries",
    },
    "tracker_webhook": {
        "IDEMPOTENCY_TABLE": "done",
        "TICKET_CHANGES_QUEUE": "https://sqs.eu-west-1.amazonaws.com/111122223333/changes",
        "WEBHOOK_SECRETS": "jira=securityhub-actions/jira-webhook",
    },
    "tickets": {
        "IDEMPOTENCY_TABLE": "done",
        "LOOKS_QUEUE_URL": "https://sqs.eu-west-1.amazonaws.com/111122223333/looks",
        "TICKET_TABLE": "tickets",
        "TRACKERS": "slack",
        "TICKETS_PER_ACCOUNT_AND_HOUR": "30",
        "SLACK_CHANNEL": "C024BE91L",
        "SLACK_SECRET": "secret",
    },
}


def imported_by(function):
    code = f"import sys, functions.{function}.handler; print(*sys.modules)"
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(LAMBDA_CODE),
        "AWS_REGION": "eu-west-1",
        "AWS_DEFAULT_REGION": "eu-west-1",
        **ENVIRONMENTS[function],
    }
    done = subprocess.run(  # noqa: S603 - this test's own command
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    modules = set(done.stdout.split())
    return {name.partition(".")[0] for name in modules}, modules


@pytest.mark.parametrize(
    "function", ["update_findings", "insight_digest", "summary", "tickets", "tracker_webhook"]
)
def test_a_function_that_needs_clients_only_starts_with_botocore_and_without_boto3(function):
    packages, _ = imported_by(function)
    assert "botocore" in packages
    assert not packages & {"boto3", "s3transfer"}


@pytest.mark.parametrize("function", ENVIRONMENTS)
def test_what_only_a_queues_messages_need_is_not_imported_at_the_start(function):
    _, modules = imported_by(function)
    assert "aws_lambda_powertools.utilities.batch" not in modules


def test_a_tracker_that_is_not_enabled_is_not_imported():
    packages, _ = imported_by("tickets")
    assert "slack_sdk" in packages
    assert not packages & {"jira", "pysnc", "pagerduty", "requests", "httpx2"}
