from __future__ import annotations

from dataclasses import replace

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from remediations.contract import CannotRemediateError
from remediations.iam.iam_password_policy import (
    _DEMANDS,
    CONTROL_IDS,
    _meets,
    _strengthened,
    apply,
    look,
    plan,
    undo,
)

STRICT = {
    "MinimumPasswordLength": 20,
    "RequireSymbols": True,
    "RequireNumbers": True,
    "RequireUppercaseCharacters": True,
    "RequireLowercaseCharacters": True,
    "AllowUsersToChangePassword": True,
    "HardExpiry": True,
    "MaxPasswordAge": 30,
    "PasswordReusePrevention": 24,
}
POLICIES = st.fixed_dictionaries(
    {
        "MinimumPasswordLength": st.integers(6, 128),
        "RequireSymbols": st.booleans(),
        "RequireNumbers": st.booleans(),
    },
    optional={"MaxPasswordAge": st.integers(1, 1095), "PasswordReusePrevention": st.integers(1, 24)},
)


@pytest.fixture
def iam(member):
    return member.client("iam")


def finding_about(member, control):
    return member.finding(control, "AwsAccount", f"AWS::::Account:{member.account}")


def policy_of(iam):
    try:
        policy = iam.get_account_password_policy()["PasswordPolicy"]
    except ClientError:
        return None
    return {name: value for name, value in policy.items() if name != "ExpirePasswords"}


@pytest.mark.parametrize(
    ("control", "setting", "weak", "strong"),
    [
        ("IAM.7", "MinimumPasswordLength", 7, 8),
        ("IAM.10", "PasswordReusePrevention", 3, 4),
        ("IAM.11", "RequireUppercaseCharacters", False, True),
        ("IAM.12", "RequireLowercaseCharacters", False, True),
        ("IAM.13", "RequireSymbols", False, True),
        ("IAM.14", "RequireNumbers", False, True),
        ("IAM.15", "MinimumPasswordLength", 13, 14),
        ("IAM.16", "PasswordReusePrevention", 23, 24),
        ("IAM.17", "MaxPasswordAge", 91, 90),
    ],
)
def test_only_what_is_weaker_than_the_control_asks_is_changed(member, control, setting, weak, strong):
    iam = member.client("iam")
    iam.update_account_password_policy(**STRICT | {setting: weak})
    change = apply(plan(finding_about(member, control), member.session), member.session)
    assert policy_of(iam) == STRICT | {setting: strong}
    assert change.description == f"Set {setting}={strong} in the account's password policy"
    undo(change, member.session, look(change, member.session))
    assert policy_of(iam) == STRICT | {setting: weak}


@pytest.mark.parametrize("control", CONTROL_IDS)
def test_nothing_is_needed_where_the_policy_is_stricter(member, iam, control):
    iam.update_account_password_policy(**STRICT)
    assert not plan(finding_about(member, control), member.session).is_needed


@pytest.mark.parametrize("control", CONTROL_IDS)
def test_a_second_time_nothing_is_needed(member, control):
    apply(plan(finding_about(member, control), member.session), member.session)
    assert not plan(finding_about(member, control), member.session).is_needed


@pytest.mark.parametrize("control", CONTROL_IDS)
def test_a_policy_where_there_was_none_asks_no_less_than_iam_itself(member, iam, control):
    change = apply(plan(finding_about(member, control), member.session), member.session)
    made = policy_of(iam)
    assert made["MinimumPasswordLength"] >= 8
    assert all(value for name, value in made.items() if name.startswith("Require"))
    undo(change, member.session, look(change, member.session))
    assert policy_of(iam) is None


def test_what_another_control_has_set_since_the_plan_stays(member, iam):
    iam.update_account_password_policy(**STRICT | {"RequireSymbols": False, "RequireNumbers": False})
    symbols, numbers = (
        plan(finding_about(member, control), member.session) for control in ("IAM.13", "IAM.14")
    )
    apply(symbols, member.session)
    apply(numbers, member.session)
    assert policy_of(iam) == STRICT


@pytest.mark.parametrize("existing", [True, False])
def test_undoing_one_control_leaves_what_another_has_set_since(member, iam, existing):
    if existing:
        iam.update_account_password_policy(**STRICT | {"RequireSymbols": False, "PasswordReusePrevention": 3})
    first, second = (
        apply(plan(finding_about(member, control), member.session), member.session)
        for control in ("IAM.13", "IAM.16")
    )
    undo(first, member.session, look(first, member.session))
    made = policy_of(iam)
    assert (made["RequireSymbols"], made["PasswordReusePrevention"]) == (False, 24)
    undo(second, member.session, look(second, member.session))
    expected = STRICT | {"RequireSymbols": False, "PasswordReusePrevention": 3} if existing else None
    assert policy_of(iam) == expected


def test_undoing_leaves_what_was_made_stricter_since(member, iam):
    iam.update_account_password_policy(**STRICT | {"MinimumPasswordLength": 6})
    change = apply(plan(finding_about(member, "IAM.15"), member.session), member.session)
    iam.update_account_password_policy(**STRICT)
    undo(change, member.session, look(change, member.session))
    assert policy_of(iam) == STRICT


def test_an_undo_notices_what_was_made_stricter_since_and_a_policy_that_was_deleted(
    member, iam, changed_since
):
    weak = STRICT | {"MinimumPasswordLength": 6}
    iam.update_account_password_policy(**weak)
    first, second = (
        apply(plan(finding_about(member, control), member.session), member.session)
        for control in ("IAM.10", "IAM.15")
    )
    assert changed_since(look, second) == []
    assert changed_since(look, first) == ["MinimumPasswordLength is 14 instead of 7"]
    undo(second, member.session, look(second, member.session))
    # The second one doesn't stand in the way any longer.
    assert changed_since(look, first) == []
    undo(first, member.session, look(first, member.session))
    assert policy_of(iam) == weak
    iam.delete_account_password_policy()
    assert changed_since(look, first) == ["MinimumPasswordLength is None instead of 7"]


@pytest.mark.parametrize(
    "before",
    [None, {"MinimumPasswordLength": 7}, STRICT | {"RequireSymbols": False}, {"MinimumPasswordLength": 6}],
    ids=["none", "weak", "almost strict", "empty"],
)
def test_undoing_what_was_remediated_twice_restores_what_either_time_has_changed(member, iam, before):
    if before:
        iam.update_account_password_policy(**before)
    initial, finding = policy_of(iam), finding_about(member, "IAM.7")
    first = apply(plan(finding, member.session), member.session)
    # Somebody opens another setting than the first time has changed, or one of them again.
    iam.update_account_password_policy(**policy_of(iam) | {"RequireNumbers": False})
    change = apply(plan(finding, member.session), member.session).after(first)
    undo(change, member.session, look(change, member.session))
    opened = {"RequireNumbers": False} if initial else {}
    assert policy_of(iam) == (initial | opened if initial else None)
    assert all(one.is_restored for one in look(change, member.session))


def test_a_record_that_has_only_the_policy_is_undone(member, iam):
    for before in (None, STRICT | {"RequireSymbols": False}, {"MinimumPasswordLength": 6}):
        if before:
            iam.update_account_password_policy(**before)
        initial = policy_of(iam)
        change = apply(plan(finding_about(member, "IAM.7"), member.session), member.session)
        kept = ("PasswordPolicy", "Changes")
        change = replace(change, prior_state={name: change.prior_state[name] for name in kept})
        undo(change, member.session, look(change, member.session))
        assert policy_of(iam) == initial


def test_a_request_repeats_all_that_stays(member, iam):
    iam.update_account_password_policy(**STRICT | {"RequireSymbols": False})
    requests = []
    member.session.events.register(
        "provide-client-params.iam.UpdateAccountPasswordPolicy", lambda params, **_: requests.append(params)
    )
    apply(plan(finding_about(member, "IAM.13"), member.session), member.session)
    assert requests == [STRICT]


def with_parameters(member, control, **values):
    """A finding that was made with these values of the control's parameters."""
    given = [{"Name": name, "Value": value} for name, value in values.items()]
    raw = {"Compliance": {"SecurityControlId": control, "SecurityControlParameters": given}}
    return member.finding(control, "AwsAccount", f"AWS::::Account:{member.account}", raw=raw)


def test_what_the_parameters_of_iam_7_ask_is_set_and_what_they_do_not_ask_stays(member, iam):
    weak = {"MinimumPasswordLength": 8, "RequireSymbols": False, "RequireNumbers": False}
    iam.update_account_password_policy(**STRICT | weak)
    finding = with_parameters(
        member,
        "IAM.7",
        RequireSymbols=["false"],
        RequireNumbers=["true"],
        MinimumPasswordLength=["12"],
        PasswordReusePrevention=[],
        MaxPasswordAge=["20"],
    )
    apply(plan(finding, member.session), member.session)
    asked = {"MinimumPasswordLength": 12, "RequireNumbers": True, "MaxPasswordAge": 20}
    assert policy_of(iam) == STRICT | weak | asked


@pytest.mark.parametrize(
    ("parameter", "message"),
    [
        (
            {"MinimumPasswordLength": ["7"]},
            "MinimumPasswordLength is 7, but it must be a number from 8 to 128",
        ),
        ({"MaxPasswordAge": ["ninety"]}, "MaxPasswordAge is ninety, but it must be a number from 1 to 90"),
        ({"PasswordReusePrevention": ["12", "24"]}, "is 12, 24, but it must be a number from 12 to 24"),
        ({"RequireSymbols": ["True"]}, "RequireSymbols is True, but it must be true or false"),
    ],
)
def test_a_parameter_that_cannot_be_is_refused(member, parameter, message):
    with pytest.raises(CannotRemediateError, match=message):
        plan(with_parameters(member, "IAM.7", **parameter), member.session)


def test_parameters_of_a_control_that_has_none_change_nothing(member, iam):
    apply(
        plan(with_parameters(member, "IAM.15", MinimumPasswordLength=["8"]), member.session), member.session
    )
    assert policy_of(iam)["MinimumPasswordLength"] == 14


def test_a_plan_changes_nothing(member, iam):
    assert plan(finding_about(member, "IAM.7"), member.session).is_needed
    assert policy_of(iam) is None


@given(policy=POLICIES, demands=st.sampled_from(list(_DEMANDS.values())))
def test_what_is_strengthened_meets_the_demands_and_weakens_nothing(policy, demands):
    changes = _strengthened(policy, demands)
    result = policy | changes
    assert all(_meets(name, result[name], value) for name, value in demands.items())
    assert all(_meets(name, value, policy[name]) for name, value in changes.items() if policy.get(name))


def test_a_refusal_is_not_taken_for_an_absence(member):
    def refuse(model, **_):
        if model.name == "GetAccountPasswordPolicy":
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, model.name)

    member.session.events.register("before-call.iam", refuse)
    with pytest.raises(ClientError, match="AccessDenied"):
        plan(finding_about(member, "IAM.7"), member.session)


def test_a_control_that_is_not_about_the_password_policy_is_refused(member):
    with pytest.raises(CannotRemediateError, match=r"No password policy control has the ID IAM\.9"):
        plan(finding_about(member, "IAM.9"), member.session)


def test_the_statements_are_what_it_takes(prove_statements, member):
    # The first makes a policy, which undoing removes; the second strengthens it.
    prove_statements("iam_password_policy", finding_about(member, "IAM.7"), finding_about(member, "IAM.15"))


def test_findings_that_follow_each_other_do_not_overwrite_what_iam_does_not_show_yet(
    member, iam, monkeypatch
):
    """IAM is eventually consistent, and several controls are about one policy."""
    iam.update_account_password_policy(**STRICT | {"RequireSymbols": False, "RequireNumbers": False})
    outdated, pauses = [], []
    monkeypatch.setattr("remediations.iam.iam_password_policy.sleep", pauses.append)

    def write(**_):
        outdated[:] = [iam.get_account_password_policy()["PasswordPolicy"]] * 2

    def read(parsed, **_):
        if outdated:
            parsed["PasswordPolicy"] = outdated.pop()

    member.register("before-call.iam.UpdateAccountPasswordPolicy", write)
    member.register("after-call.iam.GetAccountPasswordPolicy", read)
    for control in ("IAM.13", "IAM.14"):
        apply(plan(finding_about(member, control), member.session), member.session)
    assert policy_of(iam) == STRICT
    assert len(pauses) == 4
