from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stacks.settings.finding_paths import asff_path, ocsf_path
from tests.hypothesis_profiles import examples


@pytest.mark.parametrize(
    ("path", "segments"),
    [
        ("Severity.Label", ["Severity", "Label"]),
        ("Resources[0].Tags['cost center']", ["Resources", 0, "Tags", "cost center"]),
        ('ProductFields["aws/x"]', ["ProductFields", "aws/x"]),
        ("Types[*]", ["Types", None]),
        ("Resources[0].Details.AwsS3Bucket.OwnerId", ["Resources", 0, "Details", "AwsS3Bucket", "OwnerId"]),
    ],
)
def test_a_path_in_asff_becomes_segments(path, segments):
    assert asff_path(path) == segments


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("Severity.Lable", "Severity has no field 'Lable'; did you mean Label"),
        ("severity", "a finding in ASFF has no field 'severity'"),
        ("Severity", "Severity is a structure; specify one of its fields"),
        ("Types", r"Types is a list; specify Types\[0\]"),
        ("Resources.Id", r"Resources is a list; specify Resources\[0\]"),
        ("Resources[0].Tags", r"is a map; specify the value of a key"),
        ("Severity.Label.X", "Severity.Label is a string, which has no fields"),
        ("Severity[0]", "Severity has no field 0"),
    ],
)
def test_a_path_that_asff_does_not_have_is_refused_with_the_reason(path, reason):
    with pytest.raises(ValueError, match=reason):
        asff_path(path)


@pytest.mark.parametrize(
    ("path", "segments"),
    [
        ("severity", ["severity"]),
        ("cloud.account.uid", ["cloud", "account", "uid"]),
        ("resources[0].tags['team']", ["resources", 0, "tags", {"name": "team"}, "value"]),
        ("finding_info.types[*]", ["finding_info", "types", None]),
        ("vulnerabilities[*].cve.uid", ["vulnerabilities", None, "cve", "uid"]),
    ],
)
def test_a_path_in_ocsf_becomes_segments(path, segments):
    assert ocsf_path(path) == segments


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("Severity", "a finding in OCSF has no field 'Severity'; did you mean severity"),
        ("cloud.account", "cloud.account is a structure"),
        ("resources.uid", r"resources is a list; specify resources\[0\]"),
        ("finding_info.types", "finding_info.types is a list"),
        ("severity[0]", "severity is no list"),
        ("resources[0].tags", "is a map; specify the value of a key"),
        ("resources[0].tags['team'].value", "is a list of tags"),
    ],
)
def test_a_path_that_ocsf_does_not_have_is_refused_with_the_reason(path, reason):
    with pytest.raises(ValueError, match=reason):
        ocsf_path(path)


@pytest.mark.parametrize("path", ["", ".Severity", "Severity.", "Severity..Label", "[0]", "a b", "Types[-1]"])
@pytest.mark.parametrize("parse", [asff_path, ocsf_path])
def test_what_is_no_path_is_refused_with_an_example(parse, path):
    with pytest.raises(ValueError, match="is not a path; specify one such as"):
        parse(path)


@given(st.text(alphabet="ab.[]*'\"0 SeverityLabel", max_size=20))
@examples(0.5)
def test_any_text_is_a_path_or_refused(text):
    for parse in (asff_path, ocsf_path):
        with suppress(ValueError):
            assert parse(text)
