"""What do the parameters in Systems Manager stop, and do the functions understand them?

docs/operations.md has their values.

Source: https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParameters.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from securityhub_actions.cli.assembly import is_known
from securityhub_actions.cli.doctor.model import Check, fault, ok, skipped, warning
from securityhub_actions.cli.doctor.patient import Patient

CHANGES: Final = ("remediate", "tickets", "undo", "update_findings")
BY_HAND: Final = "/by-hand"
"""As in lambda/invocation/stop_switch.py."""
_VARIABLE: Final = "CHANGES_PARAMETER"
_ALLOWED: Final = "allowed"
_STOPPED: Final = "stopped"


def stop_switch(patient: Patient) -> Iterator[Check]:
    """The functions change nothing if the parameter is missing, or has a value that they don't understand."""
    readers: dict[str, list[str]] = {}
    for function in patient.functions:
        name = function.environment.get(_VARIABLE)
        if name and is_known(name):
            readers.setdefault(name, []).append(function.logical_id)
    if not readers:
        yield skipped("No function of the app can be stopped by a parameter.")
    is_deployed = any(function.role_arn for function in patient.functions)
    for name, functions in readers.items():
        yield from _of_parameters(patient, name, ", ".join(functions), is_deployed=is_deployed)


def _of_parameters(patient: Patient, name: str, functions: str, *, is_deployed: bool) -> Iterator[Check]:
    by_hand = f"{name}{BY_HAND}"
    found = patient.aws.client("ssm").get_parameters(Names=[name, by_hand])["Parameters"]
    values = {one["Name"]: one["Value"] for one in found}
    if name in values:
        yield _of_value(name, values[name])
    elif not is_deployed:
        yield skipped(f"The parameter {name}, which stops changes, is not deployed yet.")
    else:
        yield fault(
            f"There is no parameter {name}, so these functions change nothing: {functions}.",
            f"Run `{_allow(name)}`, or delete the stack of the parameter and deploy it again.",
        )
    if by_hand in values:
        yield _of_value(by_hand, values[by_hand])


def _of_value(name: str, value: str) -> Check:
    words = value.replace(",", " ").split()
    if words == [_ALLOWED]:
        return ok(f"The parameter {name} allows all changes.")
    names = words[1:]
    if words[:1] != [_STOPPED] or not all(one in CHANGES or re.fullmatch(r"[0-9]{12}", one) for one in names):
        return fault(
            f"The parameter {name} is {value[:100]!r}, which stops all changes, because it's neither "
            f"'{_ALLOWED}' nor '{_STOPPED}' with some of {', '.join(CHANGES)}, and IDs of accounts.",
            f"Run `{_allow(name)}`, or set another of these values.",
        )
    but = "" if name.endswith(BY_HAND) else f" A deployment can end that: put {name}{BY_HAND} instead."
    return warning(
        f"The parameter {name} stops {' and '.join(_in_words(names))}.{but}",
        f"If that is over, run `{_allow(name)}`, and send the dead letters again.",
    )


def _allow(name: str) -> str:
    return f"aws ssm put-parameter --overwrite --type String --name {name} --value {_ALLOWED}"


def _in_words(names: list[str]) -> Iterator[str]:
    if not names:
        yield "all changes"
    if kinds := [name for name in names if name in CHANGES]:
        yield f"these changes: {', '.join(kinds)}"
    if accounts := [name for name in names if name not in CHANGES]:
        yield f"all changes about findings of {', '.join(accounts)}"
