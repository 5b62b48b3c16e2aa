from __future__ import annotations

import pytest

from stacks.settings import SettingsError

ROLE = "arn:aws:iam::111122223333:role/SecurityResponder"


def press(overlaid, **values):
    lines = "\n".join(f"{name} = {value}" for name, value in values.items())
    return overlaid(f"[press]\n{lines}").press


@pytest.mark.parametrize(
    "principal",
    [
        ROLE,
        "arn:aws-cn:iam::111122223333:user/people/ann@example.com",
        "arn:aws:iam::111122223333:role/aws-reserved/sso.amazonaws.com/*/AWSReservedSSO_Responder_*",
    ],
)
def test_roles_and_users_can_be_named(overlaid, principal):
    assert press(overlaid, enabled="true", principals=[principal]).principals == [principal]


@pytest.mark.parametrize(
    "principal",
    [
        "*",
        "arn:aws:iam::111122223333:root",
        "arn:aws:iam::*:role/SecurityResponder",
        "arn:aws:iam::111122223333:role/*",
        "arn:aws:iam::111122223333:role/",
        "arn:aws:sts::111122223333:assumed-role/SecurityResponder/ann",
        "SecurityResponder",
    ],
)
def test_what_is_not_a_role_or_user_of_one_account_is_refused(overlaid, principal):
    with pytest.raises(
        SettingsError, match=r"press\.principals.* Specify a list of ARNs of IAM roles and users"
    ):
        press(overlaid, enabled="true", principals=[principal])


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"enabled": "true"}, "enabled is true, but principals is empty"),
        ({"enabled": "true", "principals": [ROLE], "actions": []}, "enabled is true, but actions is empty"),
        ({"actions": ["Remidiate"]}, "actions contains Remidiate, which this app doesn't have"),
        ({"actions": ["Remediate", "Remediate"]}, "duplicate values"),
        ({"principals": [ROLE, ROLE]}, "press.principals: duplicate values are not allowed; 'arn:"),
    ],
)
def test_what_would_open_nothing_or_something_else_is_refused(overlaid, values, said):
    with pytest.raises(SettingsError, match=said):
        press(overlaid, **values)


def test_as_shipped_nobody_can_and_remediation_is_not_among_the_actions(overlaid):
    shipped = overlaid("").press
    assert (shipped.enabled, shipped.principals) == (False, [])
    assert not {"Remediate", "UndoRemediation"} & set(shipped.actions)
