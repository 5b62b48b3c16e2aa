"""The account that commands use, and AWS's refusals in one line."""

from __future__ import annotations

import os

import click
import pytest
from botocore.exceptions import (
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    TokenRetrievalError,
)

from securityhub_actions.cli.aws import Aws, explained, with_aws
from securityhub_actions.cli.errors import CommandError, ExitCode


def refusal(code, message="User: arn:aws:iam::1:user/a is not authorized to perform: lambda:InvokeFunction"):
    return ClientError({"Error": {"Code": code, "Message": message}}, "Invoke")


@pytest.mark.parametrize(
    ("error", "cure"),
    [
        (NoCredentialsError(), "aws sso login"),
        (TokenRetrievalError(provider="sso", error_msg="gone"), "has expired"),
        (EndpointConnectionError(endpoint_url="https://x"), "Check the Region"),
        (refusal("ExpiredTokenException"), "have expired"),
        (refusal("UnrecognizedClientException"), "doesn't know the credentials"),
        (refusal("AccessDeniedException"), "AWS denied lambda:InvokeFunction"),
        (refusal("InvalidAccessException", "Account 1 is not subscribed"), "Enable Security Hub"),
        (refusal("Odd", "Very odd."), "Invoke failed with Odd: Very odd."),
    ],
)
def test_a_refusal_becomes_one_line_with_its_cure(error, cure):
    raised = explained(error)
    assert cure in str(raised)
    assert "\n" not in str(raised)
    assert raised.code == ExitCode.FAILED


@pytest.mark.usefixtures("of_account")
def test_the_account_and_the_partition_are_those_of_the_session():
    aws = Aws(region="cn-north-1")
    assert (aws.account, aws.partition) == ("111122223333", "aws-cn")


@pytest.mark.usefixtures("of_account")
def test_the_region_of_the_option_comes_before_that_of_the_environment():
    assert Aws().region == os.environ["AWS_REGION"]
    assert Aws(region="eu-north-1").region == "eu-north-1"


def test_a_missing_region_is_named_with_the_option(monkeypatch):
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    with pytest.raises(CommandError, match="--region"):
        Aws()


def test_an_unknown_profile_is_refused_with_those_that_exist(monkeypatch, tmp_path):
    (tmp_path / "config").write_text("[profile audit]\nregion = eu-west-1\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    with pytest.raises(CommandError, match=r"'nobody'.*audit"):
        Aws(profile="nobody")


@pytest.mark.usefixtures("of_account")
def test_a_client_without_retries_calls_once():
    assert Aws().client("sqs", retries=False).meta.config.retries["total_max_attempts"] == 1


@pytest.mark.usefixtures("of_account")
def test_what_a_command_is_refused_ends_it_with_one_line():
    @click.command()
    @with_aws
    def command(*, aws):
        aws.client("sqs").get_queue_url(QueueName="none-such")

    with pytest.raises(CommandError, match="GetQueueUrl failed"):
        command.main([], standalone_mode=False)
