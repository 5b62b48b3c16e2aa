"""The command `report`."""

from __future__ import annotations

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


def test_a_file_that_can_not_be_written_is_refused_in_one_line(cli, template, tmp_path):
    ran = cli("report", "--template", template, "-o", tmp_path / "missing" / "page.html")
    assert ran.code == ExitCode.USAGE
    assert ran.err.count("\n") == 1
