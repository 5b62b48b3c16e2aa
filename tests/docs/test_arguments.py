"""The tables of arguments name every argument of a constructor, with its type and default."""

from __future__ import annotations

import inspect
import re
from enum import Enum

import pytest

from securityhub_actions import CustomActionRule, Delivery, ImportedFindingsRule, SuppressionRule
from securityhub_actions.delivery import Target
from tests.docs.documents import DOCS, code_in, sections, table_in
from tests.target_classes import TARGETS

# Annotations have the names under which AWS CDK's modules are imported; the documents have the modules' own.
CDK_MODULES = {
    "events": "aws_events",
    "firehose": "aws_kinesisfirehose",
    "iam": "aws_iam",
    "kinesis": "aws_kinesis",
    "kms": "aws_kms",
    "lambda_": "aws_lambda",
    "logs": "aws_logs",
    "secretsmanager": "aws_secretsmanager",
    "sns": "aws_sns",
    "sqs": "aws_sqs",
    "ssm": "aws_ssm",
    "stepfunctions": "aws_stepfunctions",
}
TARGET_PAGES = ("aws-services", "systems-manager", "saas", "each-finding")
SECTIONS = {
    heading.strip("`"): text
    for page in TARGET_PAGES
    for heading, text in sections(DOCS / "targets" / f"{page}.md").items()
    if re.fullmatch(r"`\w+`", heading)
}
TABLES = {
    **{name: (TARGETS.get(name), text) for name, text in SECTIONS.items()},
    "CustomActionRule": (CustomActionRule, (DOCS / "custom-actions.md").read_text()),
    "ImportedFindingsRule": (ImportedFindingsRule, (DOCS / "events-and-filters.md").read_text()),
    "SuppressionRule": (SuppressionRule, sections(DOCS / "suppressions.md")["Suppress findings"]),
    "Delivery": (Delivery, (DOCS / "targets.md").read_text()),
}


def arguments_of(constructor):
    arguments = inspect.signature(constructor.__init__).parameters.values()
    hidden = {"self"} if issubclass(constructor, Target) else {"self", "scope", "construct_id"}
    return [argument for argument in arguments if argument.name not in hidden]


def types_of(argument):
    """The alternatives of an annotation without None."""
    types = [part for part in str(argument.annotation).split(" | ") if part != "None"]
    return [re.sub(r"\b(\w+)\.", lambda name: f"{CDK_MODULES.get(name[1], name[1])}.", one) for one in types]


def written_default(value):
    if isinstance(value, Enum):
        return f"{type(value).__name__}.{value.name}"
    return repr(value).replace("'", '"')


def is_plain(value):
    return isinstance(value, (str, int, bool, Enum)) or (
        isinstance(value, tuple)
        and all(isinstance(item, str) and not isinstance(item, Enum) for item in value)
    )


def test_every_target_has_a_section_on_the_page_of_its_group():
    assert sorted(SECTIONS) == sorted(TARGETS)


@pytest.mark.parametrize("name", TABLES)
def test_the_table_names_every_argument(name):
    constructor, text = TABLES[name]
    rows = table_in(text, "Argument")
    named = [code_in(row[0])[0] for row in rows]
    expected = [argument.name for argument in arguments_of(constructor)]
    assert sorted(named) == sorted(expected)


@pytest.mark.parametrize("name", TABLES)
def test_the_table_has_the_type_of_every_argument(name):
    constructor, text = TABLES[name]
    written = {code_in(row[0])[0]: code_in(row[1]) for row in table_in(text, "Argument")}
    filters = ["FindingFilter", "OcsfFindingFilter"]  # of the two rules for imported findings
    expected = {
        argument.name: filters if types_of(argument) == ["_Filter"] else types_of(argument)
        for argument in arguments_of(constructor)
    }
    aliases = {"list[str]": "Sequence[str]"}
    assert {key: [aliases.get(one, one) for one in value] for key, value in written.items()} == expected


@pytest.mark.parametrize("name", TABLES)
def test_the_table_has_the_default_of_every_argument(name):
    constructor, text = TABLES[name]
    written = {code_in(row[0])[0]: row[2] for row in table_in(text, "Argument")}
    for argument in arguments_of(constructor):
        default = written[argument.name]
        if argument.default is inspect.Parameter.empty:
            assert default == "required", argument.name
        elif is_plain(argument.default):
            assert default == f"`{written_default(argument.default)}`", argument.name
        else:
            assert default not in {"", "required"}, argument.name


@pytest.mark.parametrize("name", TABLES)
def test_the_table_says_which_values_every_argument_takes(name):
    _, text = TABLES[name]
    assert all(len(row) == 4 and row[3] for row in table_in(text, "Argument"))
