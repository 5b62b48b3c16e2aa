"""Finds the remediation modules, and the one that fits a finding."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from types import ModuleType
from typing import Final, TypeVar

import remediations
from remediation.contract import CannotRemediateError, Remediation
from securityhub_events import Finding

_SECURITY_HUB: Final = "product/aws/securityhub"
# Those of accounts have the account before `product`.
_PRODUCT_OF_AWS: Final = re.compile(r"arn:aws[a-z-]*:securityhub:[a-z0-9-]*::(product/aws/[^/]+)")
_T = TypeVar("_T")


@cache
def all_remediations() -> Mapping[str, Remediation]:
    """Return every module of the package `remediations`, by name.

    Raises:
        TypeError: A module lacks something that the package's docstring asks for.
        ValueError: Two modules want the same control and resource type.
    """
    found = {
        module.name: _checked(module.name, importlib.import_module(f"remediations.{module.name}"))
        for module in pkgutil.iter_modules(remediations.__path__)
    }
    owners: dict[tuple[str, str], str] = {}
    for name, one in found.items():
        for served in ((control, type_) for control in one.control_ids for type_ in one.resource_types):
            if (other := owners.setdefault(served, name)) != name:
                raise ValueError(
                    f"remediations.{other} and remediations.{name} both serve control {served[0]} for "
                    f"resources of type {served[1]}. Leave it to one of them."
                )
    return found


def enabled_remediations(
    names: Iterable[str], parameters: Mapping[str, Mapping[str, str]] | None = None
) -> Mapping[str, Remediation]:
    """Return the modules of those names, told their parameters.

    Args:
        names: The modules' names.
        parameters: Values by module and name, for those that take any.

    Raises:
        ValueError: There is no such module, or a parameter is unknown, missing or not what is allowed.
    """
    known = all_remediations()
    wanted = set(names)
    if unknown := sorted(wanted - known.keys()):
        raise ValueError(f"There is no remediation {', '.join(unknown)}; there are {', '.join(known)}.")
    given = parameters or {}
    if unused := sorted(given.keys() - wanted):
        raise ValueError(f"There are parameters for {', '.join(unused)}, which is not enabled. Remove them.")
    return {name: _told(known[name], given.get(name, {})) for name in known if name in wanted}


def _told(one: Remediation, given: Mapping[str, str]) -> Remediation:
    if given.keys() != one.parameters.keys() or not all(
        re.fullmatch(one.parameters[name]["pattern"], value) for name, value in given.items()
    ):
        taken = "; ".join(f"{name}, {rule['description']}" for name, rule in one.parameters.items()) or "none"
        raise ValueError(
            f"The remediation {one.name} was given the parameters {dict(given)}, but takes {taken}. Correct "
            "them in settings.toml and deploy again."
        )
    if not given:
        return one
    return replace(one, plan=_with(one.plan, given), apply=_with(one.apply, given))


def _with(function: Callable[..., _T], parameters: Mapping[str, str]) -> Callable[..., _T]:
    return partial(function, parameters=parameters)


def _checked(name: str, module: ModuleType) -> Remediation:
    required = ("CONTROL_IDS", "RESOURCE_TYPES", "DESCRIPTION", "STATEMENTS", "plan", "apply")
    if missing := [attribute for attribute in required if not hasattr(module, attribute)]:
        raise TypeError(
            f"remediations.{name} lacks {', '.join(missing)}. See the docstring of the package remediations."
        )
    if hasattr(module, "undo") != hasattr(module, "UNDO_STATEMENTS"):
        raise TypeError(f"remediations.{name} must have both undo and UNDO_STATEMENTS, or neither.")
    if hasattr(module, "RUNBOOK") != hasattr(module, "RUNBOOK_STATEMENTS"):
        raise TypeError(f"remediations.{name} must have both RUNBOOK and RUNBOOK_STATEMENTS, or neither.")
    return Remediation(
        name=name,
        control_ids=module.CONTROL_IDS,
        resource_types=module.RESOURCE_TYPES,
        description=module.DESCRIPTION,
        plan=module.plan,
        apply=module.apply,
        undo=getattr(module, "undo", None),
        parameters=getattr(module, "PARAMETERS", {}),
        tags_of_changed=getattr(module, "tags_of_changed", None),
    )


def remediation_for(finding: Finding, among: Mapping[str, Remediation]) -> Remediation | None:
    """Return the remediation that serves a finding's control and one of its resources' types, or None.

    Where several do, the first by name: a finding of GuardDuty about credentials that left an instance names
    both. They are temporary and end by themselves, so that `ec2_quarantine` is what can be done, and comes
    before `iam_exposed_access_key`.
    """
    control = control_of(finding)
    types = {resource.type for resource in finding.resources}
    return next(
        (one for one in among.values() if control in one.control_ids and types & set(one.resource_types)),
        None,
    )


def control_of(finding: Finding) -> str | None:
    """Return which control failed, in the terms of `CONTROL_IDS`.

    Only findings of Security Hub itself are about its controls: any account can import findings of a product
    of its own that claim to be. With consolidated control findings the control's id is in `Compliance`;
    without, the standard's own number follows the last slash of the generator's id.

    Source: https://docs.aws.amazon.com/securityhub/latest/userguide/controls-findings-create-update.html
    """
    found = _PRODUCT_OF_AWS.fullmatch(finding.product_arn)
    if found is None or found[1] != _SECURITY_HUB:
        return found and found[1]
    compliance = finding.raw.get("Compliance")
    control = compliance.get("SecurityControlId") if isinstance(compliance, Mapping) else None
    if isinstance(control, str):
        return control
    return (finding.generator_id or "").rpartition("/")[2] or None


def parameters_of(finding: Finding) -> Mapping[str, Sequence[str]]:
    """Return the values of the control's parameters that a finding was made with, by name.

    Security Hub says them as texts, such as `80` and `443`; none for a parameter without value. Findings of
    controls without parameters have none.

    Raises:
        CannotRemediateError: They are not as documented.

    Source: https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_SecurityControlParameter.html
    """
    compliance = finding.raw.get("Compliance")
    given = compliance.get("SecurityControlParameters") if isinstance(compliance, Mapping) else None
    found: dict[str, Sequence[str]] = {}
    for parameter in given if isinstance(given, list) else [given] if given else ():
        match parameter:
            case {"Name": str(name), "Value": [*values]} if all(isinstance(value, str) for value in values):
                found[name] = values
            case _:
                raise CannotRemediateError(
                    "Compliance.SecurityControlParameters of the finding must be a list of objects of Name "
                    f"and Value, a list of texts, but has {parameter!r}. Remediate it by hand."
                )
    return found
