"""The saved queries, run over what the functions report, at the places and in the columns of the template.

sqlglot reads them as Athena's SQL, and DuckDB runs them.
"""

from __future__ import annotations

import gzip
import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest
import sqlglot
from aws_cdk.assertions import Template
from sqlglot import exp

from emulator import firehose_queries
from securityhub.events import parse_event
from securityhub.outcomes import Operation, Outcome, Outcomes, Result
from stacks.outcome_queries import QUERIES
from stacks.outcomes import OutcomesStack
from tests.shipped_settings import load_shipped_settings

ROOT = Path(__file__).parents[2]
EVENT = json.loads((ROOT / "tests" / "events" / "custom_action_1_finding.json").read_text(encoding="utf-8"))
BUCKET = "example-bucket"
DOCUMENTED = re.findall(r"```sql\n(.+?)```", (ROOT / "docs" / "outcomes.md").read_text("utf-8"), re.DOTALL)
# Source: https://docs.aws.amazon.com/athena/latest/ug/reserved-words.html (in SELECT statements)
# Source: https://trino.io/docs/current/language/reserved.html
RESERVED = """
ALTER AND AS BETWEEN BY CASE CAST CONSTRAINT CREATE CROSS CUBE CURRENT_CATALOG CURRENT_DATE
CURRENT_PATH CURRENT_ROLE CURRENT_SCHEMA CURRENT_TIME CURRENT_TIMESTAMP CURRENT_USER DEALLOCATE
DELETE DESCRIBE DISTINCT DROP ELSE END ESCAPE EXCEPT EXECUTE EXISTS EXTRACT FALSE FIRST FOR FROM
FULL GROUP GROUPING HAVING IN INNER INSERT INTERSECT INTO IS JOIN JSON_ARRAY JSON_EXISTS JSON_OBJECT
JSON_QUERY JSON_TABLE JSON_VALUE LAST LEFT LIKE LISTAGG LOCALTIME LOCALTIMESTAMP NATURAL NORMALIZE
NOT NULL ON OR ORDER OUTER PREPARE RECURSIVE RIGHT ROLLUP SELECT SKIP TABLE THEN TRIM TRUE UESCAPE
UNESCAPE UNION UNNEST USING VALUES WHEN WHERE WITH
"""


class Record:
    """The record of outcomes: files that are written as Firehose does, and read as Athena does."""

    def __init__(self, template, folder):
        (table,) = template.find_resources("AWS::Glue::Table").values()
        self.table = table["Properties"]["TableInput"]
        (stream,) = template.find_resources("AWS::KinesisFirehose::DeliveryStream").values()
        self.destination = stream["Properties"]["ExtendedS3DestinationConfiguration"]
        self.folder = folder

    def put(self, details, *, source, detail_type):
        """Write events, which EventBridge delivers more than once now and then."""
        del source, detail_type
        for detail in details:
            key = self._key(detail)
            key.parent.mkdir(parents=True, exist_ok=True)
            with gzip.open(key, "at", encoding="utf-8") as lines:
                lines.write(json.dumps(detail) + "\n")

    def run(self, query, *parameters):
        """Return the rows of a query as dicts."""
        connection = duckdb.connect()
        storage = self.table["StorageDescriptor"]["Columns"] + self.table["PartitionKeys"]
        rows = self.folder / "rows.jsonl"
        rows.write_text("".join(json.dumps(row) + "\n" for row in self._rows()), encoding="utf-8")
        connection.read_json(
            str(rows),
            format="newline_delimited",
            columns={one["Name"]: duckdb_type(one["Type"]) for one in storage},
        ).create(self.table["Name"])
        (statement,) = sqlglot.transpile(QUERIES[query].sql, read="athena", write="duckdb")
        found = connection.execute(statement, parameters)
        names = [one[0] for one in found.description]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]

    def _key(self, detail):
        (metadata, *_) = self.destination["ProcessingConfiguration"]["Processors"]
        query = {one["ParameterName"]: one["ParameterValue"] for one in metadata["Parameters"]}
        prefix = self.destination["Prefix"]
        for name, evaluate in firehose_queries.parse(query["MetadataExtractionQuery"]):
            prefix = prefix.replace(f"!{{partitionKeyFromQuery:{name}}}", evaluate(detail))
        return self.folder / BUCKET / f"{prefix}example{self.destination['FileExtension']}"

    def _rows(self):
        """Read the partitions that there are by projection.

        Source: https://docs.aws.amazon.com/athena/latest/ug/partition-projection-supported-types.html
        """
        parameters = self.table["Parameters"]
        parts = parameters["storage.location.template"]["Fn::Join"][1]
        template = "".join(part if isinstance(part, str) else BUCKET for part in parts)
        kind, form = parameters["projection.day.type"], parameters["projection.day.format"]
        assert (template[:5], template[-1], kind, form) == ("s3://", "/", "date", "yyyy-MM-dd")
        first, last = (moment(bound) for bound in parameters["projection.day.range"].split(","))
        for days in range((last - first).days + 1):
            day = f"{first + timedelta(days=days):%Y-%m-%d}"
            for file in (self.folder / template.removeprefix("s3://").replace("${day}", day)).glob("*"):
                for line in gzip.decompress(file.read_bytes()).decode().splitlines():
                    yield {**json.loads(line, object_pairs_hook=without_case), "day": day}


def duckdb_type(hive):
    """Return the type of a column in DuckDB."""
    return exp.DataType.build(hive, dialect="hive").sql("duckdb")


def moment(bound):
    """Return the moment of a bound such as `NOW-400DAYS`."""
    return datetime.now(UTC) + timedelta(days=int(re.fullmatch(r"NOW([+-]\d+)DAYS", bound)[1]))


def without_case(pairs):
    """Return an object as the JSON SerDe of Hive reads it, which ignores the case of all names.

    Source: https://docs.aws.amazon.com/athena/latest/ug/hive-json-serde.html
    """
    return {name.lower(): value for name, value in pairs}


@pytest.fixture(scope="module")
def template(new_app, environment):
    settings = load_shipped_settings().outcomes
    return Template.from_stack(OutcomesStack(new_app(), "Queried", settings=settings, env=environment))


@pytest.fixture
def record(template, tmp_path):
    return Record(template, tmp_path)


@pytest.fixture
def report(record):
    """A function that reports an outcome as a function does: days ago, about a press of that time."""
    event = parse_event(EVENT)
    outcomes = Outcomes("remediate", record, control_of=lambda _: "S3.8", groups={})
    now = datetime.now(UTC)

    def run(days_ago, *, finding="one", event_id="press", **changes):
        time = now - timedelta(days=days_ago)
        press = replace(event, event_id=event_id, time=time - timedelta(seconds=3))
        outcome = Outcome(
            operation=Operation.REMEDIATE,
            result=Result.DONE,
            reason="Closed it",
            finding=replace(event.findings[0], id=finding, updated_at=time - timedelta(seconds=60)),
            event=press,
            request_id="request",
            part="s3_public_access",
            time=time,
        )
        outcomes.report([replace(outcome, **changes)])

    return run


@pytest.mark.parametrize("sql", [*(query.sql for query in QUERIES.values()), *DOCUMENTED])
def test_a_query_is_athenas_sql_with_functions_that_are_known_and_no_reserved_word_as_a_name(sql):
    (statement,) = sqlglot.parse(sql, read="athena")
    assert [function.name for function in statement.find_all(exp.Anonymous)] == []
    names = [name.this for name in statement.find_all(exp.Identifier) if not name.quoted]
    assert names
    assert [name for name in names if name.upper() in RESERVED.split()] == []


def test_outcomes_are_counted_once_by_what_was_done_and_not_after_30_days(record, report):
    for days_ago in (29, 29, 31, 500):
        report(days_ago, event_id=f"{days_ago} days ago")
    report(2, result=Result.REFUSED, part=None)
    report(1, result=Result.REFUSED, part=None, finding="two")
    assert record.run("QueryCounts") == [
        {
            "function": "remediate",
            "operation": "remediate",
            "outcome": outcome,
            "cause": "press",
            "number": number,
            "median_seconds_since_update": 60,
        }
        for outcome, number in (("refused", 2), ("done", 1))
    ]


def test_a_press_has_one_row_that_says_on_how_many_findings_and_what_became_of_them(record, report):
    for finding, result in [("one", Result.DONE), ("two", Result.REFUSED), ("three", Result.HELD_BACK)]:
        report(1, finding=finding, result=result)
    report(5, event_id="earlier", result=Result.FAILED)
    latest, earlier = record.run("QueryPresses")
    assert latest.pop("pressed") > earlier.pop("pressed")
    where = {"action": EVENT["resources"][0], "account": EVENT["account"], "region": EVENT["region"]}
    counts = {"findings": 3, **dict.fromkeys(Result, 0), "done": 1, "held_back": 1, "refused": 1}
    assert latest == {**where, "event_id": "press", **counts}
    assert (earlier["event_id"], earlier["findings"], earlier["failed"]) == ("earlier", 1, 1)


def test_the_history_of_a_finding_is_everything_about_it_in_the_order_of_time(record, report):
    report(2, operation=Operation.UNDO)
    report(300)
    report(1, finding="two")
    assert [(row["operation"], row["reason"]) for row in record.run("QueryFinding", "one")] == [
        ("remediate", "Closed it"),
        ("undo", "Closed it"),
    ]


def test_a_change_is_paired_with_the_first_undo_after_it(record, report):
    report(50, operation=Operation.UNDO, event_id="before")
    report(40, event_id="undone")
    report(30, operation=Operation.UNDO, event_id="first")
    report(20, operation=Operation.UNDO, event_id="second", result=Result.PARTLY_DONE)
    report(10, event_id="kept", result=Result.PARTLY_DONE)
    report(5, operation=Operation.UNDO, event_id="failed", result=Result.FAILED)
    report(5, operation=Operation.UNDO, event_id="other", finding="two")
    kept, undone = record.run("QueryChanges")
    today = datetime.now(UTC)
    assert kept["undone"] is None
    assert undone["remediated"] < undone["undone"] < f"{today - timedelta(days=29):%Y-%m-%d}"
    assert (undone["control"], undone["remediation"], undone["finding"]) == (
        "S3.8",
        "s3_public_access",
        "one",
    )


def test_problems_are_what_was_not_done_the_latest_first(record, report):
    for days_ago, result in enumerate(Result):
        report(days_ago / 2, result=result, reason=f"It was {result}")
    report(9, result=Result.FAILED, event_id="long ago")
    assert [row["reason"] for row in record.run("QueryProblems")] == [
        f"It was {result}" for result in ("held_back", "refused", "impossible", "stopped", "failed")
    ]


@pytest.mark.parametrize(
    ("problem", "then", "is_done_later"),
    [
        ({"result": Result.FAILED}, {}, True),
        ({"result": Result.FAILED}, {"event_id": "of the next hour", "result": Result.PARTLY_DONE}, True),
        ({"result": Result.FAILED}, {"part": "another"}, False),
        ({"result": Result.FAILED}, {"finding": "two"}, False),
        ({"result": Result.FAILED}, {"operation": Operation.UNDO}, False),
        ({"result": Result.FAILED}, {"result": Result.UNCHANGED}, False),
        ({"result": Result.FAILED, "part": None}, {"part": None}, True),
        ({"result": Result.FAILED, "part": None}, {}, False),
        ({"result": Result.STOPPED, "part": None}, {}, True),
    ],
)
def test_a_problem_says_when_the_same_was_done_after_it(record, report, problem, then, is_done_later):
    report(3, event_id="before")
    report(2, **problem)
    report(1, **then)
    (row,) = record.run("QueryProblems")
    assert row["time"].startswith(f"{datetime.now(UTC) - timedelta(days=2):%Y-%m-%d}")
    assert bool(row["done_later"]) == is_done_later
