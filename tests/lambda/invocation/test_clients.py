from __future__ import annotations

import pytest

from invocation.clients import create_client


def limits(config):
    return config.connect_timeout, config.read_timeout, config.retries["total_max_attempts"]


@pytest.mark.parametrize("service", ["securityhub", "sns", "organizations"])
def test_a_client_waits_and_repeats_within_limits_of_its_own(service):
    config = create_client(service).meta.config
    assert limits(config) == (5, 15, 4)
    assert config.retries["mode"] == "standard"


def test_a_client_can_wait_for_another_time():
    assert limits(create_client("sts", read_seconds=20).meta.config) == (5, 20, 4)


def test_the_functions_modules_share_a_client_and_its_connections():
    assert create_client("dynamodb") is create_client("dynamodb")
    assert create_client("sts") is not create_client("sts", read_seconds=20)


def test_a_client_is_of_the_functions_own_region_or_of_the_one_given():
    assert create_client("sns").meta.region_name == "eu-west-1"
    assert (
        create_client("sns", region="cn-north-1").meta.endpoint_url
        == "https://sns.cn-north-1.amazonaws.com.cn"
    )
