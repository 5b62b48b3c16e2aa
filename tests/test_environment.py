from __future__ import annotations

import os

import pytest

from tests.environment import without_users_settings


@pytest.mark.parametrize(
    "name",
    [
        "AWS_PROFILE",
        "AWS_REGION",
        "AWS_ENDPOINT_URL_SQS",
        "CDK_OUTDIR",
        "CDK_DEFAULT_REGION",
        "NO_COLOR",
        "LOG_LEVEL",
    ],
)
def test_a_users_setting_is_left_out(name):
    assert name not in without_users_settings({name: "of the user"})


def test_a_users_files_are_not_read():
    cleaned = without_users_settings({"AWS_CONFIG_FILE": "/home/user/config"})
    assert cleaned["AWS_CONFIG_FILE"] == cleaned["AWS_SHARED_CREDENTIALS_FILE"] == os.devnull


def test_everything_else_stays():
    others = {"PATH": "/bin", "HOME": "/home/user", "TMPDIR": "/with a space", "HTTPS_PROXY": "http://proxy"}
    assert others.items() <= without_users_settings(others).items()


@pytest.mark.parametrize(
    ("given", "direct"),
    [
        ({}, "127.0.0.1,localhost"),
        ({"NO_PROXY": "intranet"}, "intranet,127.0.0.1,localhost"),
        ({"no_proxy": "intranet"}, "intranet,127.0.0.1,localhost"),
    ],
)
def test_servers_on_this_machine_are_reached_without_a_proxy(given, direct):
    cleaned = without_users_settings(given)
    assert cleaned["NO_PROXY"] == cleaned["no_proxy"] == direct


def test_the_tests_run_in_such_an_environment():
    of_the_tests = {"CDK_VALIDATION"}
    assert without_users_settings(os.environ).keys() == os.environ.keys() - of_the_tests
