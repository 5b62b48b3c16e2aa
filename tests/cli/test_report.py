"""The command `report`."""

from __future__ import annotations

import json

import pytest

from securityhub_actions.cli.errors import ExitCode
from tests.cli.report.conftest import small_app


@pytest.fixture
def template(tmp_path):
    small_app(tmp_path)
    return tmp_path / "App.template.json"


def test_the_page_is_written_to_a_file(cli, template, tmp_path):
    ran = cli("report", "--template", template, "-o", tmp_path / "page.html", "--json")
    assert ran.document == {"file": str(tmp_path / "page.html"), "actions": 1, "rules": 2}
    assert (tmp_path / "page.html").read_text().startswith("<!DOCTYPE html>")


def test_the_page_says_what_account_it_assumes(cli, template):
    assert (
        "Stacks that name no account are shown in 111122223333."
        in cli("report", "--template", template, "-o", "-").out
    )
    given = cli("report", "--template", template, "-o", "-", "--account", "444455556666").out
    assert "Stacks that name no account" not in given
    assert "us-east-1:444455556666:action/custom/Ticket" in given


@pytest.mark.parametrize(
    ("environment", "given", "shown"),
    [
        ({}, (), "us-east-1"),
        ({"AWS_REGION": "cn-north-1"}, (), "cn-north-1"),
        ({"AWS_DEFAULT_REGION": "eu-west-3"}, (), "eu-west-3"),
        ({"AWS_REGION": "eu-west-3"}, ("--region", "us-west-2"), "us-west-2"),
    ],
)
def test_stacks_without_a_region_are_shown_in_the_given_one_or_that_of_the_environment(
    cli, tmp_path, monkeypatch, *, environment, given, shown
):
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    action = {"Id": "Ticket", "Name": "Ticket", "Description": "Opens a ticket"}
    resources = {"Ticket": {"Type": "AWS::SecurityHub::ActionTarget", "Properties": action}}
    file = tmp_path / "S.template.json"
    file.write_text(json.dumps({"Resources": resources}))
    page = cli("report", "--template", file, "-o", "-", *given).out
    assert f":securityhub:{shown}:111122223333:action/custom/Ticket" in page
    assert (f"Stacks that name no Region are shown in {shown}." in page) is (not given)


def test_a_file_that_can_not_be_written_is_refused_in_one_line(cli, template, tmp_path):
    ran = cli("report", "--template", template, "-o", tmp_path / "missing" / "page.html")
    assert ran.code == ExitCode.USAGE
    assert ran.err.count("\n") == 1
