"""The document of outcomes, the schema of their event, and the code say the same."""

from __future__ import annotations

import json

import jsonschema

from securityhub.outcomes import Operation, Result, metrics
from securityhub.outcomes.reporting import DETAIL_TYPE, SOURCE
from stacks import outcomes
from stacks.outcome_queries import QUERIES
from stacks.settings.outcomes import OTHER_ACCOUNTS
from tests.docs.documents import DOCS, code_in, table

PAGE = DOCS / "outcomes.md"
SCHEMA = json.loads((DOCS / "outcome-event.schema.json").read_text())


def fields(schema, path=""):
    """The description of each field, by its path."""
    for name, field in schema["properties"].items():
        yield f"{path}{name}", field["description"]
        if "properties" in field:
            yield from fields(field, f"{path}{name}.")


def test_the_schema_is_one():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_the_table_has_every_field_in_the_words_of_the_schema():
    rows = [(code_in(name)[0], what) for name, what in table(PAGE, "Field")]
    assert rows == list(fields(SCHEMA))


def test_operations_and_outcomes_are_those_of_the_code():
    properties = SCHEMA["properties"]
    assert properties["operation"]["enum"] == list(Operation)
    assert properties["outcome"]["enum"] == list(Result)
    assert [code_in(row[0])[0] for row in table(PAGE, "`operation`")] == list(Operation)
    assert [code_in(row[0])[0] for row in table(PAGE, "`outcome`")] == list(Result)


def test_the_table_of_metrics_has_every_metric_and_names_its_outcome():
    rows = table(PAGE, "Metric")
    names = {code_in(row[0])[0]: code_in(row[2]) for row in rows}
    others = {value for name, value in vars(metrics).items() if name.isupper() and isinstance(value, str)}
    assert set(names) == {*metrics.RESULTS.values(), *others} - {metrics.NAMESPACE}
    assert {name: names[name] for name in metrics.RESULTS.values()} == {
        name: [result] for result, name in metrics.RESULTS.items()
    }


def test_the_saved_queries_are_listed():
    assert [row[0] for row in table(PAGE, "Saved query")] == [query.name for query in QUERIES.values()]


def test_the_stack_listens_to_what_the_functions_send():
    assert (outcomes.SOURCE, outcomes.DETAIL_TYPE) == (SOURCE, DETAIL_TYPE)
    text = PAGE.read_text()
    assert f"`{SOURCE}`" in text
    assert f"`{DETAIL_TYPE}`" in text
    assert f"`{OTHER_ACCOUNTS}`" in text
