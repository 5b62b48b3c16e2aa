"""What a user can specify as an event."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from securityhub.events import parse_event
from securityhub_actions.cli import envelopes
from securityhub_actions.cli.assembly.model import Action
from securityhub_actions.cli.errors import CommandError
from securityhub_actions.cli.given_events import events_of, read_given

EVENTS = Path(__file__).parents[1] / "events"
IMPORTED = json.loads((EVENTS / "findings_imported.json").read_text())
(FINDING,) = IMPORTED["detail"]["findings"]
(OCSF,) = json.loads((EVENTS / "findings_imported_v2.json").read_text())["detail"]["findings"]


def actions_in(*, account, region):
    return [
        Action(
            stack="Stack",
            logical_id="Action",
            path="Stack/Action",
            id="Ticket",
            name="Open ticket",
            description="Open a ticket",
            arn=f"arn:aws:securityhub:{region}:{account}:action/custom/Ticket",
        )
    ]


def written(tmp_path, content, name="given.json"):
    file = tmp_path / name
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    return str(file)


def made(path, **place):
    return [one for each in read_given(path) for one in events_of(each, actions_in=actions_in, **place)]


def test_an_event_is_taken_as_it_is(tmp_path):
    (found,) = made(written(tmp_path, IMPORTED))
    assert (found.event, found.made_from) == (IMPORTED, None)


def test_a_finding_is_in_the_event_for_imported_findings_and_in_one_for_each_action(tmp_path):
    imported, pressed = made(written(tmp_path, FINDING))
    assert [one.event["detail-type"] for one in (imported, pressed)] == [
        envelopes.IMPORTED,
        envelopes.CUSTOM_ACTION,
    ]
    assert imported.event["resources"] == IMPORTED["resources"]
    assert pressed.event["resources"] == ["arn:aws:securityhub:eu-west-1:111122223333:action/custom/Ticket"]
    assert imported.made_from == pressed.made_from == FINDING["Id"]


def test_a_finding_in_ocsf_is_in_one_event(tmp_path):
    (found,) = made(written(tmp_path, OCSF))
    assert found.event["detail-type"] == envelopes.IMPORTED_V2
    assert found.event["account"] == "444455556666"
    assert found.made_from == OCSF["finding_info"]["uid"]


def test_the_lambda_code_can_read_events_that_are_made(tmp_path):
    events = made(written(tmp_path, [FINDING, OCSF]))
    assert len([parse_event(one.event) for one in events]) == 3


def test_the_place_of_events_can_be_chosen(tmp_path):
    found = made(written(tmp_path, FINDING), account="999999999999", region="us-east-1")
    assert {(one.event["account"], one.event["region"]) for one in found} == {("999999999999", "us-east-1")}


@pytest.mark.parametrize(
    "content",
    [
        [FINDING, FINDING],
        {"Findings": [FINDING, FINDING]},
        f"{json.dumps(FINDING)}\n\n{json.dumps(FINDING)}\n",
    ],
    ids=["list", "GetFindings", "lines"],
)
def test_several_findings_are_told_apart_by_their_position(content, tmp_path):
    found = made(written(tmp_path, content))
    assert len(found) == 4
    assert {one.origin[-4:] for one in found} == {" [1]", " [2]"}


def test_a_byte_order_mark_is_no_part_of_the_json(tmp_path):
    assert made(written(tmp_path, "\ufeff" + json.dumps(IMPORTED)))


def test_a_folder_is_read_with_its_folders(tmp_path):
    (tmp_path / "in").mkdir()
    written(tmp_path / "in", IMPORTED, name="a.ndjson")
    written(tmp_path, OCSF)
    written(tmp_path, "not read", name="b.txt")
    assert len(made(str(tmp_path))) == 2


def test_the_standard_input_is_read(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(json.dumps(IMPORTED).encode())))
    assert [one.origin for one in made("-")] == ["the standard input"]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", "is not JSON"),
        ("{", "is not JSON"),
        ("{}\n{", "is not JSON"),
        ("[" * 100_000, "nested too deeply"),
        ([1], "is not a JSON object"),
        ({"a": 1, "b": 2}, "contains an object with the keys a, b"),
        ({}, "no keys"),
    ],
)
def test_something_else_is_refused_with_what_is_allowed(content, problem, tmp_path):
    with pytest.raises(CommandError, match=problem):
        made(written(tmp_path, content))


def test_what_cannot_be_read_says_why(tmp_path):
    with pytest.raises(CommandError, match="No such file"):
        made(str(tmp_path / "nowhere.json"))
    with pytest.raises(CommandError, match=r"no files that end with \.json"):
        made(str(tmp_path))
    (tmp_path / "binary.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CommandError, match="not UTF-8"):
        made(str(tmp_path))


ODD = st.none() | st.integers() | st.text(max_size=3) | st.lists(st.none(), max_size=1) | st.just({})


@given(
    st.fixed_dictionaries({"ProductArn": ODD, "Id": ODD}, optional={"AwsAccountId": ODD, "Region": ODD})
    | st.fixed_dictionaries(
        {"class_uid": ODD, "metadata": st.just({}) | st.fixed_dictionaries({"uid": ODD})},
        optional={
            "cloud": ODD | st.fixed_dictionaries({"account": ODD, "region": ODD}),
            "finding_info": ODD | st.fixed_dictionaries({"uid": ODD}),
        },
    )
)
def test_odd_findings_are_in_events(tmp_path_factory, finding):
    file = tmp_path_factory.getbasetemp() / "odd.json"
    file.write_text(json.dumps(finding))
    for one in made(str(file)):
        assert one.event["detail"]["findings"] == [finding]
        assert isinstance(one.event["account"], str)
