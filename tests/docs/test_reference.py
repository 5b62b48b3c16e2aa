"""The reference documents list what the code has: settings, fields, endpoints, remediations, and names."""

from __future__ import annotations

import re
import tomllib

import pytest
from pydantic import BaseModel

import securityhub_actions
from emulator.__main__ import main as emulator_command
from securityhub_actions import filters, patterns, targets
from securityhub_actions.action_target_providers import NATIVE_REGIONS
from securityhub_actions.filters import FindingFilter, OcsfFindingFilter
from stacks.remediation_catalog import read_catalog
from stacks.settings import Settings, SuppressionSettings, check_settings
from tests.docs.documents import DOCS, ROOT, code_in, prose, sections, table, table_in
from tests.shipped_settings import load_shipped_settings

EMULATOR = DOCS / "emulator.md"
SETTINGS = DOCS / "settings.md"
FIELDS = sections(DOCS / "events-and-filters.md", level=3)
READS = re.compile(r"\w+:(Describe|Get|List)")
API_PAGES = {
    "constructs": securityhub_actions,
    "targets": targets,
    "filters": filters,
    "patterns": patterns,
}


# Of which none is shipped.
LISTS_OF_TABLES = [list[SuppressionSettings]]


def settings_tables(model, path=()):
    """The keys of each table of settings.toml, by the table's name."""
    tables = {".".join(path): set()} if path else {}
    for name, field in model.model_fields.items():
        if field.annotation in LISTS_OF_TABLES:
            continue
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            tables |= settings_tables(field.annotation, (*path, name))
        else:
            tables[".".join(path)].add(name)
    return {name: keys for name, keys in tables.items() if keys}


SECTIONS = {
    match[1]: text
    for heading, text in sections(SETTINGS).items()
    if (match := re.fullmatch(r"`\[([\w.]+)\]`", heading))
}


def documented(name):
    """The keys of a table with what the document says is shipped."""
    rows = {code_in(row[0])[0]: code_in(row[1])[0] for row in table_in(SECTIONS[name], "Key")}
    return tomllib.loads("\n".join(f"{key} = {value}" for key, value in rows.items()))


def test_every_table_of_the_settings_has_a_section():
    assert set(SECTIONS) == set(settings_tables(Settings))


@pytest.mark.parametrize("name", SECTIONS)
def test_the_section_of_a_table_names_every_key(name):
    assert set(documented(name)) == settings_tables(Settings)[name]


def test_the_section_of_a_list_of_tables_names_every_key():
    rows = table_in(sections(SETTINGS)["`[[suppressions]]`"], "Key")
    assert [code_in(row[0])[0] for row in rows] == list(SuppressionSettings.model_fields)


def test_what_the_document_says_is_shipped_is_what_the_tests_use():
    # Not compared with settings.toml: whoever configures the app changes it.
    document = {}
    for name in SECTIONS:
        table = document
        for part in name.split("."):
            table = table.setdefault(part, {})
        table |= documented(name)
    assert check_settings(document, source=str(SETTINGS)) == load_shipped_settings()


@pytest.mark.parametrize("kind", [FindingFilter, OcsfFindingFilter])
def test_the_table_of_a_filter_names_every_field_its_place_and_its_values(kind):
    rows = table_in(FIELDS[f"Fields of `{kind.__name__}`"], "Field")
    keyed = {"resource_tags", "user_defined_fields"} & set(kind.__dataclass_fields__)
    assert [code_in(row[0])[0] for row in rows] == [*kind.fields, *sorted(keyed)]
    for row in rows:
        field = kind.fields.get(code_in(row[0])[0])
        if field is None:
            continue
        assert code_in(row[1]) == [field.path]
        if field.labels:
            assert code_in(row[2]) == list(field.labels)
        if field.numbers:
            assert row[2] == "{} to {}".format(*field.numbers)


def test_the_document_lists_the_warnings_about_rules():
    source = (ROOT / "constructs" / "securityhub_actions" / "rule_warnings.py").read_text()
    rows = table(DOCS / "events-and-filters.md", "Warning")
    assert {code_in(row[0])[0] for row in rows} == set(re.findall(r'"(securityhub-actions:\w+)"', source))


def test_the_providers_document_lists_the_native_regions():
    (sentence,) = re.findall(r"^Native Regions: (.*?)\. ", prose(DOCS / "providers.md"), re.M | re.S)
    assert code_in(sentence) == sorted(NATIVE_REGIONS)


def test_the_emulator_document_lists_every_endpoint_of_its_own():
    sources = "\n".join(path.read_text() for path in (ROOT / "emulator").rglob("*.py"))
    endpoints = re.findall(r'^\w+_PATH(?:: Final)? = "(/_.+)"$', sources, re.MULTILINE)
    rows = table(EMULATOR, "Endpoint")
    assert sorted(code_in(row[0])[0].split()[1] for row in rows) == sorted(endpoints)


def test_the_emulator_document_lists_every_command(capsys):
    with pytest.raises(SystemExit):
        emulator_command(["--help"])
    commands = re.findall(r"^ {4}(\w+)", capsys.readouterr().out, re.MULTILINE)
    text = EMULATOR.read_text()
    assert commands
    assert [name for name in commands if f"-m emulator {name}" not in text] == []


def test_the_table_of_remediations_names_every_module_once():
    rows = re.findall(r"^\| `(\w+)` \|", (DOCS / "remediation.md").read_text(), re.MULTILINE)
    assert sorted(rows) == sorted(read_catalog())


def writes_of(entry):
    """The actions of a remediation that change something, as the document writes them."""
    groups = {
        "": entry.statements,
        " (undo)": entry.undo_statements,
        " (runbook)": entry.runbook_statements,
    }
    found = {
        suffix: {action for statement in statements for action in statement.actions}
        for suffix, statements in groups.items()
    }
    return {
        f"`{action}`{suffix}"
        for suffix, actions in found.items()
        for action in actions
        if not READS.match(action) and (suffix != " (undo)" or action not in found[""])
    }


def test_the_worst_case_of_every_remediation_is_documented_with_its_writes():
    rows = table(DOCS / "remediation-permissions.md", "Remediation")
    documented = {code_in(name)[0]: set(writes.split(", ")) for name, writes, _ in rows}
    assert documented == {name: writes_of(entry) for name, entry in read_catalog().items()}
    assert [name for name, _, worst in rows if not worst] == []


def test_the_comparison_counts_the_controls_that_are_remediated():
    controls = {control for entry in read_catalog().values() for control in entry.controls}
    assert f"remediations for {len(controls)} controls" in (DOCS / "comparison.md").read_text()


@pytest.mark.parametrize("page", API_PAGES)
def test_the_api_reference_has_every_public_name(page):
    documented = re.findall(
        r"^\.\. auto\w+:: (?:[\w.]+\.)?(\w+)", (DOCS / "api" / f"{page}.rst").read_text(), re.MULTILINE
    )
    module = API_PAGES[page]
    public = {name for name in module.__all__ if not name.startswith("_")}
    elsewhere = {"FindingFilter", "OcsfFindingFilter", "targets"} if page == "constructs" else set()
    shared = set(patterns.__all__) if page == "filters" else set()
    assert public - elsewhere - shared <= set(documented)
