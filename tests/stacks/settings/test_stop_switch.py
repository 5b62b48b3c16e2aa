from __future__ import annotations

import pytest
from pydantic import ValidationError

from stacks.settings.stop_switch import StopSwitchSettings


@pytest.mark.parametrize("name", ["/securityhub-actions/changes", "/changes", "/a/b/c_d.e-f", "/a" * 14])
def test_a_name_of_a_parameter_is_taken(name):
    assert StopSwitchSettings(enabled=True, parameter_name=name).parameter_name == name


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("changes", "parameter_name"),
        ("/", "parameter_name"),
        ("/with space", "parameter_name"),
        ("/" + "a/" * 14 + "b", "parameter_name"),
        ("/aws/changes", "which Systems Manager reserves"),
        ("/SSM-changes", "which Systems Manager reserves"),
    ],
)
def test_another_is_refused(name, said):
    with pytest.raises(ValidationError, match=said):
        StopSwitchSettings(enabled=True, parameter_name=name)
