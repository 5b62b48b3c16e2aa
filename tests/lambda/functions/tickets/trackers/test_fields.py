from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.tickets.trackers.destinations import Condition, Destinations
from functions.tickets.trackers.fields import FieldValue, fields_of, moment_of, number_of, read
from functions.tickets.trackers.settings_file import read_settings
from securityhub.events import parse_event
from tests.hypothesis_profiles import examples

TAGS = {"Resources": [{"Type": "AwsS3Bucket", "Id": "arn:aws:s3:::one", "Tags": {"team": "payments"}}]}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=10,
)
SEGMENTS = st.text(max_size=3) | st.integers(0, 3) | st.none() | st.just({"name": "team"})


@pytest.fixture
def ocsf(load_event):
    return parse_event(load_event("findings_imported_v2")).findings[0]


def field(**members):
    return FieldValue(key="ticketing.jira.fields.f", **{"type": "string", **members})


def with_raw(finding, **raw):
    return replace(finding, raw={**finding.raw, **raw})


def test_a_constant_is_the_same_for_every_finding(finding, ocsf):
    assert [field(value="Cloud").of(one) for one in (finding, ocsf, None)] == [["Cloud"]] * 3


def test_both_formats_have_a_path_of_their_own(finding, ocsf):
    both = field(asff=["Severity", "Label"], ocsf=["severity"])
    assert both.of(finding) == ["CRITICAL"]
    assert both.of(ocsf) == [ocsf.raw["severity"]]
    assert field(asff=["Severity", "Label"]).of(ocsf) == []


@pytest.mark.parametrize(("default", "given"), [(None, []), ("none", ["none"])])
def test_what_is_missing_has_the_default_or_is_left_out(finding, default, given):
    assert field(asff=["NoSuch", "Field"], default=default).of(finding) == given
    assert field(asff=["Severity", "Label"], default=default).of(None) == given


def test_a_finding_chooses_only_among_the_values_of_the_settings(finding):
    chosen = field(type="name", asff=["Severity", "Label"], values={"CRITICAL": "Highest"})
    assert chosen.of(finding) == ["Highest"]
    other = with_raw(finding, Severity={"Label": "Highest"})
    assert chosen.of(other) == []
    assert replace(chosen, default="Low").of(other) == ["Low"]


def test_a_tag_of_either_format_is_read(finding, ocsf):
    assert field(asff=["Resources", 0, "Tags", "team"]).of(with_raw(finding, **TAGS)) == ["payments"]
    tagged = with_raw(ocsf, resources=[{"tags": [{"name": "team", "value": "payments"}]}])
    assert field(ocsf=["resources", 0, "tags", {"name": "team"}, "value"]).of(tagged) == ["payments"]


def test_only_a_type_with_several_values_has_more_than_one(finding):
    many = with_raw(finding, Types=["a", "b"])
    assert field(asff=["Types", None]).of(many) == ["a"]
    assert field(type="strings", asff=["Types", None]).of(many) == ["a", "b"]


def test_what_several_items_of_a_finding_have_in_common_is_given_once(finding):
    resources = [{"Type": type_} for type_ in ("AwsEc2Instance", "AwsEc2Volume", "AwsS3Bucket", "AwsEc2Vpc")]
    types = field(type="options", asff=["Resources", None, "Type"])
    of_a_kind = replace(
        types,
        values={"AwsEc2Instance": "EC2", "AwsEc2Volume": "EC2", "AwsEc2Vpc": "EC2", "AwsS3Bucket": "S3"},
    )
    assert of_a_kind.of(with_raw(finding, Resources=resources)) == ["EC2", "S3"]
    assert types.of(with_raw(finding, Resources=[{"Type": "A"}] * 60 + [{"Type": "B"}])) == ["A", "B"]


def test_a_choice_and_the_one_below_it_may_have_the_same_name(finding):
    cascade = field(type="cascade", asff=["Types", None])
    assert cascade.of(with_raw(finding, Types=["Other", "Other"])) == ["Other", "Other"]


def test_a_text_of_a_finding_is_one_short_line_without_what_hides_in_it(finding):
    nasty = with_raw(finding, Title="a\n\u202eb" + "c" * 1_000)
    ((text,), blank) = (field(asff=["Title"]).of(one) for one in (nasty, with_raw(finding, Title="\u200b")))
    assert text.startswith("a bc")
    assert len(text) == 255
    assert blank == []


@pytest.mark.parametrize(("type_", "text"), [("number", "a lot"), ("date", "soon"), ("datetime", "1")])
def test_a_value_that_is_not_of_the_type_counts_as_missing(finding, type_, text):
    assert field(type=type_, asff=["Title"], default="x").of(with_raw(finding, Title=text)) == ["x"]


@given(JSON, st.lists(SEGMENTS, max_size=4))
@examples(0.5)
def test_whatever_a_finding_contains_reading_it_finds_only_texts_numbers_and_booleans(raw, path):
    found = read({"x": raw}, ["x", *path])
    assert all(isinstance(one, str | int | float) for one in found)
    for one in found:
        number_of(one)
        moment_of(one)


@pytest.mark.parametrize(
    ("rule", "matches"),
    [
        ({}, True),
        ({"accounts": ["111122223333"]}, True),
        ({"accounts": ["444455556666"]}, False),
        ({"controls": ["S3.1", "S3.8"]}, True),
        ({"controls": ["S3.1"]}, False),
        ({"resource_tags": {"team": ["search", "payments"]}}, True),
        ({"resource_tags": {"team": ["ANY"]}}, True),
        ({"resource_tags": {"team": ["search"]}}, False),
        ({"resource_tags": {"team": ["payments"], "stage": ["ANY"]}}, False),
        ({"accounts": ["111122223333"], "controls": ["S3.1"]}, False),
    ],
)
def test_a_rule_is_for_a_finding_that_matches_all_that_it_names(finding, rule, matches):
    resource = replace(finding.resources[0], id="arn:aws:s3:::one")
    tagged = replace(with_raw(finding, **TAGS), resources=(resource,))
    assert Condition.of(rule).matches(tagged) is matches


def test_the_first_rule_that_matches_counts_and_what_none_matches_has_the_default(finding):
    rules = [{"accounts": ["444455556666"], "to": "A"}, {"controls": ["S3.8"], "to": "B"}, {"to": "C"}]
    places = Destinations.read(
        {"rules": rules}, "t", default="D", place=lambda rule, key: f"{rule['to']} {key}"
    )
    assert places.of(finding) == "B t.rules[1]"
    assert Destinations(default="D").of(finding) == "D"


def test_a_rule_is_known_by_its_condition_wherever_it_is_in_the_list(finding):
    def places(*rules):
        return Destinations.read({"rules": rules}, "t", default="D", place=lambda rule, _: rule["to"])

    s3, other = {"controls": ["S3.8", "S3.1"], "to": "A"}, {"accounts": ["444455556666"], "to": "B"}
    name = places(s3).rule_of(finding)
    assert places(other, {"controls": ["S3.1", "S3.8"], "to": "C"}).of(None, name) == "C"
    assert places(other).of(None, name) == "D"
    assert places(other).rule_of(finding) == ""
    assert places(other).of(None, "") == "D"


def test_a_field_knows_its_key_in_the_settings():
    assert fields_of({"a": {"type": "string", "value": "x"}}, "ticketing.jira.fields")["a"].key == (
        "ticketing.jira.fields.a"
    )


def test_without_a_file_there_are_no_settings():
    assert read_settings({}) == {}


def test_the_file_is_found_in_a_folder_of_the_path(tmp_path, monkeypatch):
    (tmp_path / "settings.json").write_text('{"jira": {"steps": ["Go"]}}')
    monkeypatch.syspath_prepend(str(tmp_path))
    assert read_settings({"TRACKER_SETTINGS": "settings.json"}) == {"jira": {"steps": ["Go"]}}


@pytest.mark.parametrize("text", [None, "[]", "{"])
def test_a_file_that_is_missing_or_no_object_fails_the_cold_start(tmp_path, text):
    if text is not None:
        (tmp_path / "settings.json").write_text(text)
    with pytest.raises(ValueError, match="TRACKER_SETTINGS must be the path of a file with a JSON object"):
        read_settings({"TRACKER_SETTINGS": str(tmp_path / "settings.json")})
