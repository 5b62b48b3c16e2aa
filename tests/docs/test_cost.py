"""The table of what a month costs is what the command computes.

Rewrite it with `.venv/bin/python -m pytest tests/docs/test_cost.py --snapshot-update`.
"""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from securityhub_actions.cli.commands import cost
from stacks.settings import load_settings
from tests.docs.documents import DOCS
from tests.docs.generated import between_marks, replace_between_marks
from tests.shipped_settings import SHIPPED_SETTINGS_FILE
from tests.whole_app import synthesize_app
from tools.security.__main__ import EVERYTHING

DOCUMENT = DOCS / "cost.md"
JIRA = "[ticketing]\nenabled = true\n[ticketing.jira]\nenabled = true\n"
REMEDIATION = '[remediation]\nenabled = true\n[remediation.accounts]\nallow = ["ANY"]\n'
AUTOMATIC = "[remediation.automatic]\nenabled = true\n"
APPS = {
    "As shipped": "",
    "With tickets in Jira": JIRA,
    "With tickets in Jira, and automatic remediation": JIRA + REMEDIATION + AUTOMATIC,
    "Everything": EVERYTHING.read_text(),
}
SIZES = ((1_000, 10), (10_000, 50), (100_000, 500))


@pytest.fixture
def synthesized(feature_flags, tmp_path):
    """A function that synthesizes the app with settings that are merged into the shipped ones."""

    def synthesize(text):
        overlay, folder = tmp_path / "overlay.toml", tmp_path / str(len(list(tmp_path.iterdir())))
        overlay.write_text(text)
        settings = load_settings(SHIPPED_SETTINGS_FILE, overlay=overlay)
        context = {**feature_flags, "aws:cdk:disable-asset-staging": True}
        synthesize_app(settings, folder, context=context)
        return folder

    return synthesize


def dollars(folder, findings, accounts):
    options = ["--template", folder, "--findings", findings, "--accounts", accounts, "--json"]
    ran = CliRunner().invoke(cost.command, [str(one) for one in options], catch_exceptions=False)
    total = json.loads(ran.stdout)["usd"]
    return f"{total['from']:,.0f} to {total['to']:,.0f}"


def test_the_document_has_what_the_command_computes(synthesized, pytestconfig):
    sizes = [f"{findings:,} findings a day, {accounts} accounts" for findings, accounts in SIZES]
    rows = [("App", *sizes), ("---",) * (1 + len(SIZES))]
    for name, text in APPS.items():
        folder = synthesized(text)
        rows.append((name, *(dollars(folder, *size) for size in SIZES)))
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    if pytestconfig.getoption("update_snapshots"):
        replace_between_marks(DOCUMENT, "months", table)
    assert between_marks(DOCUMENT, "months") == table
