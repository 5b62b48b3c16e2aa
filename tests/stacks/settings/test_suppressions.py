from __future__ import annotations

from datetime import date

import pytest

from securityhub_actions.filters import FindingFilter, OcsfFindingFilter
from stacks.settings import SettingsError

FILTER = '{ control_ids = "S3.2" }'


def suppressions(overlaid, *tables):
    """The settings with suppressions, of which each table has what differs; None leaves a key out."""
    text = ""
    for table in tables:
        values = {"name": '"Website"', "reason": '"It is public"', "filter": FILTER, **table}
        lines = [f"{name} = {value}" for name, value in values.items() if value is not None]
        text += "\n".join(["[[suppressions]]", *lines, ""])
    return overlaid(text).suppressions


def test_as_shipped_and_without_the_list_nothing_is_suppressed(overlaid):
    assert overlaid("").suppressions == []


def test_a_suppression_has_what_it_says_and_defaults(overlaid):
    (one,) = suppressions(overlaid, {"until": "2027-03-31"})
    assert (one.name, one.reason, one.until) == ("Website", "It is public", date(2027, 3, 31))
    assert (one.hub, one.enabled) == ("cspm", True)
    assert one.findings == FindingFilter(control_ids=["S3.2"])


def test_a_filter_is_translated_for_the_new_hub(overlaid):
    (one,) = suppressions(overlaid, {"hub": '"v2"', "enabled": "false"})
    assert one.findings == OcsfFindingFilter(status=["New"], control_ids=["S3.2"])
    assert (one.until, one.enabled) == (None, False)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"name": None}, r"suppressions\[0\].name is missing. Specify 1 to 64 letters and digits"),
        (
            {"name": '"public-website"'},
            r"suppressions\[0\].name = \"public-website\" is not valid. Specify 1 to",
        ),
        ({"reason": None}, r"suppressions\[0\].reason is missing. Specify why the findings are accepted"),
        ({"reason": '" "'}, r"suppressions\[0\].reason = \" \" is not valid"),
        ({"reason": f'"{"x" * 257}"'}, r"suppressions\[0\].reason = .* 1 to 256 characters"),
        ({"until": '"2027-03-31"'}, r"suppressions\[0\].until = \"2027-03-31\" .* without quotation marks"),
        ({"hub": '"both"'}, r"suppressions\[0\].hub = \"both\" is not valid. Specify 'cspm'"),
        ({"filter": None}, r"suppressions\[0\].filter is missing. Specify a table with the findings"),
        ({"ends": "1"}, r"suppressions\[0\].ends is not a valid key. Use a list of tables"),
        (
            {"filter": "{ regions = 'eu-west-1', title = { suffix = 'x' } }"},
            r"suppressions\[0\].filter.regions = \"eu-west-1\": .* acts in its own Region",
        ),
        (
            {"filter": "{ colour = 'red' }"},
            r"suppressions\[0\].filter.colour = \"red\": there is no such field",
        ),
        (
            {"hub": '"v2"', "filter": "{ resource_id = 'x' }"},
            r"suppressions\[0\].filter.resource_id = .* use account_ids",
        ),
        (
            {"filter": '{ workflow_status = "ANY", record_state = "ANY" }'},
            r"suppressions\[0\].filter = .* matches every finding",
        ),
    ],
)
def test_a_wrong_value_is_named_with_what_is_allowed(overlaid, table, said):
    with pytest.raises(SettingsError, match=said):
        suppressions(overlaid, table)


def test_all_that_a_rule_cannot_express_is_reported_at_once(overlaid):
    with pytest.raises(SettingsError, match="2 errors"):
        suppressions(overlaid, {"filter": "{ regions = 'eu-west-1', title = { suffix = 'x' } }"})


def test_names_differ(overlaid):
    assert len(suppressions(overlaid, {}, {"name": '"Other"'})) == 2
    with pytest.raises(SettingsError, match="2 suppressions have the name 'Website'"):
        suppressions(overlaid, {}, {})
