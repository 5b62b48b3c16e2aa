"""Strengthens the password policy of an account as far as a control requires, and keeps what is stricter.

Source: https://docs.aws.amazon.com/securityhub/latest/userguide/iam-controls.html#iam-7
Source: https://docs.aws.amazon.com/IAM/latest/APIReference/API_UpdateAccountPasswordPolicy.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from time import sleep
from typing import TYPE_CHECKING, Any, Final

from remediations.contract import CannotRemediateError, Change, Plan, Setting, resource_of
from remediations.controls import control_of, parameters_of

if TYPE_CHECKING:
    from boto3.session import Session

    from securityhub.events import Finding

CONTROL_IDS: Final = ("IAM.7", "IAM.10", "IAM.11", "IAM.12", "IAM.13", "IAM.14", "IAM.15", "IAM.16", "IAM.17")
RESOURCE_TYPES: Final = ("AwsAccount",)
DESCRIPTION: Final = "Strengthens the account's password policy for IAM users as far as the control requires"
# An account has one password policy, which has no ARN.
STATEMENTS: Final = (
    {"Action": ("iam:GetAccountPasswordPolicy", "iam:UpdateAccountPasswordPolicy"), "Resource": ("*",)},
)
UNDO_STATEMENTS: Final = (
    {
        "Action": (
            "iam:DeleteAccountPasswordPolicy",
            "iam:GetAccountPasswordPolicy",
            "iam:UpdateAccountPasswordPolicy",
        ),
        "Resource": ("*",),
    },
)

Policy = Mapping[str, bool | int]

_STRONG: Policy = {
    "RequireUppercaseCharacters": True,
    "RequireLowercaseCharacters": True,
    "RequireSymbols": True,
    "RequireNumbers": True,
    "MinimumPasswordLength": 8,
}
_DEMANDS: Mapping[str, Policy] = {
    "IAM.7": _STRONG,
    "IAM.10": {
        "RequireUppercaseCharacters": True,
        "RequireLowercaseCharacters": True,
        "RequireNumbers": True,
        "MinimumPasswordLength": 7,
        "PasswordReusePrevention": 4,
        "MaxPasswordAge": 90,
    },
    "IAM.11": {"RequireUppercaseCharacters": True},
    "IAM.12": {"RequireLowercaseCharacters": True},
    "IAM.13": {"RequireSymbols": True},
    "IAM.14": {"RequireNumbers": True},
    "IAM.15": {"MinimumPasswordLength": 14},
    "IAM.16": {"PasswordReusePrevention": 24},
    "IAM.17": {"MaxPasswordAge": 90},
}
# The values if a request leaves them out.
_DEFAULTS: Policy = {**dict.fromkeys(_STRONG, False), "MinimumPasswordLength": 6}
# The one control with parameters, and their allowed numbers. The others are true or false.
_CUSTOMIZABLE: Final = "IAM.7"
_NUMBERS: Final = {
    "MinimumPasswordLength": range(8, 129),
    "PasswordReusePrevention": range(12, 25),
    "MaxPasswordAge": range(1, 91),
}
_BOOLEANS: Final = {"true": True, "false": False}
# After these, it goes on: the change is made, though not shown.
_PAUSES: Final = (0.5, 1.0, 2.0, 4.0)
_INITIALLY, _ABSENT, _EMPTY = "Initially", "absent", "empty"
# IAM returns it, but derives it from the maximum age.
_DERIVED: Final = "ExpirePasswords"


def plan(finding: Finding, session: Session) -> Plan:
    """Read the policy and find what is weaker than the finding's control requires."""
    resource = resource_of(finding, RESOURCE_TYPES)
    demands = _demands_of(finding)
    policy = _read(session)
    if policy is None:
        # IAM's default is eight characters of three kinds. A policy that requires less would be weaker.
        changes: Policy = {**demands, **_strengthened(demands, _STRONG)}
    else:
        changes = _strengthened(policy, demands)
    return Plan(
        resource=resource.id,
        description=f"Set {', '.join(f'{name}={value}' for name, value in changes.items())} in the account's "
        "password policy"
        if changes
        else "The account's password policy is already as strong as the control requires",
        prior_state={
            "PasswordPolicy": policy,
            "Changes": changes,
            # By setting, so that the records of two attempts can be joined.
            "Before": {name: (_DEFAULTS if policy is None else policy).get(name) for name in changes},
            **_initially(policy),
        },
        is_needed=bool(changes),
    )


def apply(plan: Plan, session: Session) -> Change:
    """Set it, together with everything that stays: what a request leaves out returns to its default.

    The policy is read again, because the findings of other controls can have changed it since the plan.
    """
    changes: Any = plan.prior_state["Changes"]
    now = _read(session) or {}
    if missing := _strengthened(now, changes):
        _write({**now, **missing}, session)
    return Change(resource=plan.resource, description=plan.description, prior_state=plan.prior_state)


def look(change: Change, session: Session) -> list[Setting]:
    """Read what was set. People, or the findings of other controls, can have changed it since."""
    changes: Any = change.prior_state["Changes"]
    earlier, now = _before(change), _read(session)
    if now is None:
        # There was none before, or somebody has deleted it.
        now = _DEFAULTS if _was(change) == _ABSENT else {}
    return [
        Setting(name=name, before=earlier.get(name), left=value, now=now.get(name))
        for name, value in changes.items()
    ]


def undo(change: Change, session: Session, settings: Sequence[Setting]) -> None:
    """Restore what was set, and remove the policy where there was none. What others set since stays."""
    now = _read(session)
    if now is None:
        return
    earlier = _before(change)
    ours = {one.name for one in settings if now.get(one.name) in (one.before, one.left)}
    restored = {name: value for name, value in now.items() if name not in ours}
    restored |= {name: earlier[name] for name in ours if name in earlier}
    # A policy that asks nothing asks less than IAM does without one.
    if _asks_nothing(restored) and _was(change) != _EMPTY:
        session.client("iam").delete_account_password_policy()
    else:
        _write(restored, session)


def _before(change: Change) -> Policy:
    """Return the policy in a record, or what counts as the policy where there is none."""
    state: Any = change.prior_state
    policy = _DEFAULTS if state["PasswordPolicy"] is None else state["PasswordPolicy"]
    # Records of version 0.1.0 have only the policy.
    known = {**policy, **state.get("Before", {})}
    return {name: value for name, value in known.items() if value is not None}


def _initially(policy: Policy | None) -> dict[str, str]:
    """Say what an undo has to know of a policy that asked nothing, or of none."""
    if policy is None:
        return {_INITIALLY: _ABSENT}
    return {_INITIALLY: _EMPTY} if _asks_nothing(policy) else {}


def _was(change: Change) -> object:
    """Return whether the policy was absent or empty before; None if it was neither."""
    policy: Any = change.prior_state["PasswordPolicy"]
    return change.prior_state.get(_INITIALLY) or _initially(policy).get(_INITIALLY)


def _demands_of(finding: Finding) -> Policy:
    """Return what the control asks, with the values of its parameters that the finding was made with."""
    control = control_of(finding) or ""
    if control not in _DEMANDS:
        raise CannotRemediateError(f"No password policy control has the ID {control_of(finding)}.")
    if control != _CUSTOMIZABLE:
        return _DEMANDS[control]
    given = {
        name: _value(name, values)
        for name, values in parameters_of(finding).items()
        if values and name in (*_STRONG, *_NUMBERS)
    }
    # A demand that is false is none.
    return {name: value for name, value in {**_STRONG, **given}.items() if value}


def _value(name: str, values: Sequence[str]) -> bool | int:
    text = ", ".join(values)
    if name in _NUMBERS:
        if text.isdecimal() and int(text) in _NUMBERS[name]:
            return int(text)
        allowed = f"a number from {_NUMBERS[name][0]} to {_NUMBERS[name][-1]}"
    elif text in _BOOLEANS:
        return _BOOLEANS[text]
    else:
        allowed = "true or false"
    raise CannotRemediateError(
        f"The finding says that {name} is {text}, but it must be {allowed}. Remediate the finding manually."
    )


def _read(session: Session) -> Policy | None:
    client = session.client("iam")
    try:
        policy: Any = client.get_account_password_policy()["PasswordPolicy"]
    except client.exceptions.NoSuchEntityException:
        return None
    return {name: value for name, value in policy.items() if name != _DERIVED}


def _write(policy: Policy, session: Session) -> None:
    """Set the policy as a whole, and wait until IAM shows it: the next finding's would overwrite the rest.

    Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventually-consistent
    """
    client: Any = session.client("iam")
    client.update_account_password_policy(**policy)
    for pause in _PAUSES:
        if policy.items() <= (_read(session) or {}).items():
            return
        sleep(pause)


def _asks_nothing(policy: Policy) -> bool:
    return all(value == _DEFAULTS.get(name, False) for name, value in policy.items())


def _strengthened(policy: Policy, demands: Policy) -> Policy:
    """Return the demands that a policy doesn't meet."""
    return {name: value for name, value in demands.items() if not _meets(name, policy.get(name), value)}


def _meets(name: str, given: bool | int | None, demand: bool | int) -> bool:
    if not given:
        return False
    return given <= demand if name == "MaxPasswordAge" else given >= demand
