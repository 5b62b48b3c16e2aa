"""What a target receives, compared with the embedded AWS's own implementation."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.delivery import inputs
from securityhub_actions.cli.target_input import is_broken, target_input, value_at
from tests.hypothesis_profiles import examples

EVENT = json.loads((Path(__file__).parents[1] / "events" / "findings_imported.json").read_text())
RULE = {"rule_name": "Rule", "rule_arn": "arn:aws:events:eu-west-1:111122223333:rule/Rule"}


def received(target, event=EVENT):
    return target_input(target, event, **RULE, ingested=event["time"])


def transformed(template, **paths):
    return received({"InputTransformer": {"InputTemplate": template, "InputPathsMap": paths}})


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("$.account", "111122223333"),
        ("$", EVENT),
        ("$.detail.findings[0].Severity.Label", "CRITICAL"),
        ("$['detail']['findings'][0]['Severity']['Label']", "CRITICAL"),
        ("$.detail.findings[*].Severity.Label", ["CRITICAL"]),
        ("$.detail.findings[0].Resources[*].Odd", []),
    ],
)
def test_a_path_has_its_value(path, value):
    assert value_at(path, EVENT) == (value,)


@pytest.mark.parametrize(
    "path", ["$.odd", "$.account.odd", "$.account[*]", "$.resources[1]", "odd", "$.a[", ""]
)
def test_another_path_has_none(path):
    assert value_at(path, {"account": "1", "resources": ["a"]}) is None or path in {"", "$"}


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ('{"title": <title>}', '{"title": "S3 general purpose buckets should block public access"}'),
        (
            '{"title": "It: <title>"}',
            '{"title": "It: S3 general purpose buckets should block public access"}',
        ),
        ("<title>", '"S3 general purpose buckets should block public access"'),
        ("It: <title>", "It: S3 general purpose buckets should block public access"),
        ('"<severity>"', '"{Label:CRITICAL,Normalized:90,Original:CRITICAL}"'),
        ('{"odd": "<odd>"}', '{"odd": ""}'),
        ('{"rule": "<aws.events.rule-name>"}', '{"rule": "Rule"}'),
        ('{"at": "<aws.events.event.ingestion-time>"}', '{"at": "2026-01-31T09:02:41Z"}'),
        ('{"other": "<other>"}', '{"other": "<other>"}'),
    ],
)
def test_a_template_is_filled(template, expected):
    finding = "$.detail.findings[0]"
    paths = {"title": f"{finding}.Title", "severity": f"{finding}.Severity", "odd": "$.odd"}
    assert transformed(template, **paths) == expected


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ('{"a": "<severity>"}', True),
        ('"<severity>"', False),
        ('{"a": <severity>}', False),
        ("<severity>", False),
    ],
)
def test_quotes_of_a_value_break_a_text_of_a_json_template(template, expected):
    target = {
        "InputTransformer": {
            "InputTemplate": template,
            "InputPathsMap": {"severity": "$.detail.findings[0].Severity"},
        }
    }
    assert is_broken(target, received(target)) is expected
    assert inputs.is_broken(target, received(target)) is expected


def test_other_inputs_replace_the_event():
    assert json.loads(received({})) == EVENT
    assert received({"Input": "text"}) == "text"
    assert json.loads(received({"InputPath": "$.detail.findings[0].Severity.Label"})) == "CRITICAL"
    assert json.loads(received({"InputPath": "$.odd"})) == EVENT


ODD = st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.text()) | st.just({})


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "Input": ODD,
            "InputPath": ODD,
            "InputTransformer": ODD
            | st.fixed_dictionaries(
                {}, optional={"InputTemplate": ODD, "InputPathsMap": ODD | st.dictionaries(st.text(), ODD)}
            ),
        },
    )
)
def test_odd_inputs_are_no_error(target):
    assert isinstance(received(target), str)


PIECES = [
    "<a>",
    "<b>",
    "<c>",
    "<aws.events.rule-arn>",
    "<aws.events.event.json>",
    "<odd>",
    '"',
    "\\",
    "{",
    "}",
    ":",
    "x",
    " ",
    "<",
    ">",
    "\\n",
]
PATHS = [
    "$.account",
    "$.detail",
    "$.detail.findings[*].Id",
    "$.detail.findings[0]",
    "$.odd",
    "$.resources[0]",
]


@examples(5)
@given(
    st.lists(st.sampled_from(PIECES), max_size=12).map("".join),
    st.dictionaries(st.sampled_from("abc"), st.sampled_from(PATHS)),
)
def test_the_embedded_aws_fills_templates_alike(template, paths):
    target = {"InputTransformer": {"InputTemplate": template, "InputPathsMap": paths}}
    assert received(target) == inputs.target_input(target, EVENT, **RULE)
