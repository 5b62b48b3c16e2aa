"""The documents list every stack of the app."""

from __future__ import annotations

import re

import pytest

from tests.docs.documents import DOCS, README, ROOT, code_in, name_of, table

NUMBERS = ("Ten", "Eleven", "Twelve", "Thirteen", "Fourteen")
STACKS = {
    name
    for source in (ROOT / "app.py", ROOT / "stacks" / "encryption.py")
    for name in re.findall(r'^ +"(SecurityHub\w+)",$', source.read_text(), re.MULTILINE)
}


@pytest.mark.parametrize("document", [README, DOCS / "getting-started.md"], ids=name_of)
def test_the_table_has_every_stack(document):
    assert {code_in(row[0])[0] for row in table(document, "Stack")} == STACKS


def test_the_readme_counts_the_stacks():
    assert f"{NUMBERS[len(STACKS) - 10]} stacks are ready to deploy:" in README.read_text()


def test_the_command_that_deploys_an_app_of_ones_own_names_the_app():
    text = (DOCS / "getting-started.md").read_text()
    assert "npx aws-cdk@2 deploy" in text
    assert '{"app": "python3 app.py"}' in text
