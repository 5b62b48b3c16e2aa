"""What does the parameter in Systems Manager stop, and can the functions read it?

docs/operations.md has its values.

Source: https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParameter.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from securityhub_actions.cli.assembly import is_known
from securityhub_actions.cli.doctor.model import Check, fault, ok, skipped, warning
from securityhub_actions.cli.doctor.patient import Patient

CHANGES: Final = ("remediate", "tickets", "undo", "update_findings")
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
        yield _of_parameter(patient, name, ", ".join(functions), is_deployed=is_deployed)


def _of_parameter(patient: Patient, name: str, functions: str, *, is_deployed: bool) -> Check:
    client = patient.aws.client("ssm")
    allow = f"aws ssm put-parameter --overwrite --type String --name {name} --value {_ALLOWED}"
    try:
        value = client.get_parameter(Name=name)["Parameter"]["Value"]
    except client.exceptions.ParameterNotFound:
        if not is_deployed:
            return skipped(f"The parameter {name}, which stops changes, is not deployed yet.")
        return fault(
            f"There is no parameter {name}, so these functions change nothing: {functions}.",
            f"Run `{allow}`, or delete the stack of the parameter and deploy it again.",
        )
    words = value.replace(",", " ").split()
    if words == [_ALLOWED]:
        return ok(f"The parameter {name} allows all changes.")
    names = words[1:]
    if words[:1] != [_STOPPED] or not all(one in CHANGES or re.fullmatch(r"[0-9]{12}", one) for one in names):
        return fault(
            f"The parameter {name} is {value[:100]!r}, which stops all changes, because it's neither "
            f"'{_ALLOWED}' nor '{_STOPPED}' with some of {', '.join(CHANGES)}, and IDs of accounts.",
            f"Run `{allow}`, or set another of these values.",
        )
    return warning(
        f"The parameter {name} stops {' and '.join(_in_words(names))}.",
        f"If that is over, run `{allow}`, and send the dead letters again.",
    )


def _in_words(names: list[str]) -> Iterator[str]:
    if not names:
        yield "all changes"
    if kinds := [name for name in names if name in CHANGES]:
        yield f"these changes: {', '.join(kinds)}"
    if accounts := [name for name in names if name not in CHANGES]:
        yield f"all changes about findings of {', '.join(accounts)}"
