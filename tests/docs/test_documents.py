"""Every link, path and command in the documents leads somewhere, and every document can be found."""

from __future__ import annotations

import re

import pytest

from tests.docs.documents import (
    DOCS,
    DOCUMENTS,
    FOLDERS,
    README,
    ROOT,
    anchors,
    blocks,
    code_in,
    headings,
    local_links,
    name_of,
    prose,
    table,
)

MOST_LINES_OF_README = 180
every_document = pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)


@every_document
def test_every_link_leads_to_a_file_and_a_heading_in_it(document):
    for link in local_links(document):
        path, _, anchor = link.partition("#")
        linked = (document.parent / path).resolve() if path else document
        assert linked.exists(), link
        assert not anchor or anchor in anchors(linked), link


@every_document
def test_every_path_in_code_marks_exists(document):
    named = [
        token for token in code_in(prose(document)) if token.partition("/")[0] in FOLDERS and "/" in token
    ]
    assert [path for path in named if not ("NAME" in path or (ROOT / path).exists())] == []


@every_document
def test_every_make_command_is_in_the_makefile(document):
    commands = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    code = [*code_in(prose(document)), *blocks(document, "sh")]
    named = {name for text in code for name in re.findall(r"\bmake (?:PYTHON=\S+ )?([a-z-]+)", text)}
    assert named <= commands


@every_document
def test_every_command_of_this_projects_tools_names_their_interpreter(document):
    code = "\n".join([*code_in(prose(document)), *blocks(document, "sh")])
    bare = re.findall(r"(?<!\.venv/bin/)\bpython -m (?:emulator|tools)\b.*|^cdk \w+ .*", code, re.MULTILINE)
    assert bare == []


def test_every_document_can_be_reached_from_the_readme():
    reached, waiting = set(), [README]
    while waiting:
        document = waiting.pop()
        reached.add(document)
        linked = {(document.parent / link.partition("#")[0]).resolve() for link in local_links(document)}
        waiting += [path for path in linked - reached if path.suffix == ".md"]
    assert set(DOCUMENTS) <= reached


def test_the_readme_is_short_and_in_the_order_in_which_a_newcomer_asks():
    assert len(README.read_text().splitlines()) <= MOST_LINES_OF_README
    assert headings(README)[1:] == [
        "Two commands",
        "Ten lines of code",
        "What you get",
        "Deploy",
        "Where to go next",
    ]


def test_the_first_example_of_the_readme_has_ten_lines_of_code():
    (example,) = blocks(README, "python")
    assert len([line for line in example.splitlines() if line.strip()]) == 10


def test_every_decision_has_context_decision_and_consequences():
    for number, record in enumerate(sorted((DOCS / "adr").glob("*.md")), start=1):
        assert record.name.startswith(f"{number:04}-")
        title, *rest = headings(record)
        assert title.startswith(f"{number}. ")
        assert rest == ["Context", "Decision", "Consequences"]


def test_the_decisions_are_listed_by_number_and_title():
    titles = [headings(record)[0] for record in sorted((DOCS / "adr").glob("*.md"))]
    listed = table(DOCS / "decisions.md", "Record")
    assert [f"{re.search(r'[0-9]+', row[0])[0]}. {row[1]}" for row in listed] == titles
