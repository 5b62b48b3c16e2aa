from __future__ import annotations

import copy
import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from securityhub_actions.filters import FindingFilter
from stacks.settings import SettingsError, check_settings
from tests.stacks.settings.documents import REST, VALID


def test_what_is_no_topic_cannot_be_told_of_alarms(overlaid):
    with pytest.raises(
        SettingsError,
        match=r"alarms\.topic_arn = .* Specify the ARN of an SNS topic",
    ):
        overlaid('[alarms]\ntopic_arn = "on-call"')


@pytest.mark.parametrize(
    ("key", "value", "allowed"),
    [
        ("maximum_findings", "0", "a whole number from 1 to 500"),
        ("maximum_findings", "501", "a whole number from 1 to 500"),
        ("remediate", '"yes"', "'dry-run', with which Remediate only adds a note"),
    ],
)
def test_what_is_no_setting_for_insight_results_is_rejected(overlaid, key, value, allowed):
    with pytest.raises(SettingsError, match=rf"insight_results\.{key} = .* Specify {allowed}"):
        overlaid(f"[insight_results]\n{key} = {value}")


_SCALARS = st.one_of(
    st.booleans(),
    st.integers(),
    st.floats(),
    st.dates(),
    st.text(max_size=5),
    st.sampled_from(["ANY", "NEW", "HIGH", "CRITICAL", "111122223333", "eu-west-1", ">=", "*"]),
)
_KEYS = st.sampled_from(
    [
        *FindingFilter.__dataclass_fields__,
        *("prefix", "suffix", "wildcard", "numeric", "anything-but", "equals-ignore-case", "exists", "cidr"),
    ]
)
_VALUES = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=3)
)
_VALID_DOCUMENT = tomllib.loads(VALID + REST)


@st.composite
def documents(draw):
    """The valid document with a few of its values replaced, tables included."""
    document = copy.deepcopy(_VALID_DOCUMENT)
    for _ in range(draw(st.integers(1, 3))):
        table = document
        while True:
            key = draw(st.sampled_from(sorted(table))) if table else "routing"
            if not isinstance(table.get(key), dict) or draw(st.integers(0, 4)) == 0:
                break
            table = table[key]
        table[key] = draw(_VALUES)
    return document


@given(document=documents())
def test_any_document_gives_usable_settings_or_a_settingserror(document):
    try:
        routing = check_settings(document, source="settings.toml").routing
    except SettingsError:
        return
    assert 1 <= routing.archive.retention_days <= 36_500
    for part in (routing.archive, routing.critical, routing.high):
        assert part.filter.unreachable_reason() is None
