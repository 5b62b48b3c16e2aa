from __future__ import annotations

from typing import get_args

import pytest
from pydantic import ValidationError

from securityhub.outcomes import Result, reporting
from stacks.settings import outcomes
from stacks.settings.outcomes import OutcomesSettings

TOPIC = {"enabled": True, "emails": [], "outcomes": ["failed"]}


def settings(groups, **topic):
    values = {
        "enabled": True,
        "metrics": True,
        "account_groups": groups,
        "topic": {**TOPIC, **topic},
        "audit": {"enabled": True, "retention_days": 400},
    }
    return OutcomesSettings.model_validate(values)


def accounts(count):
    return [f"{number:012}" for number in range(count)]


def test_the_settings_and_the_functions_know_the_same_outcomes_and_the_same_other_group():
    assert get_args(outcomes.Result) == tuple(Result)
    assert outcomes.OTHER_ACCOUNTS == reporting.OTHER_ACCOUNTS


def test_up_to_a_hundred_accounts_are_in_groups():
    groups = {"production": accounts(60), "test": accounts(100)[60:]}
    assert settings(groups).account_groups == groups


@pytest.mark.parametrize(
    ("groups", "said"),
    [
        ({"all": accounts(101)}, "101 accounts are in groups, and at most 100 can be"),
        ({"a": accounts(1), "b": accounts(1)}, "000000000000 is in several groups"),
        ({"other": accounts(1)}, "'other' is the group of all other accounts; choose another name"),
        ({"with space": accounts(1)}, "String should match pattern"),
        ({"a": ["1234"]}, "String should match pattern"),
    ],
)
def test_wrong_groups_are_refused(groups, said):
    with pytest.raises(ValidationError, match=said):
        settings(groups)


@pytest.mark.parametrize(
    ("chosen", "said"), [(["broken"], "Input should be 'done'"), (["done", "done"], "duplicate values")]
)
def test_wrong_outcomes_are_refused(chosen, said):
    with pytest.raises(ValidationError, match=said):
        settings({}, outcomes=chosen)
