"""Finds the remediation modules, and those that serve a finding."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cache, partial
from types import ModuleType
from typing import Final, TypeVar

import remediations
from remediations.contract import Remediation
from remediations.controls import PRODUCT_PREFIX, control_of
from remediations.refusals import explaining_denials, refusing, refusing_to_undo
from remediations.switch import remediations_of
from securityhub.events import Finding, Resource

_REQUIRED: Final = ("CONTROL_IDS", "RESOURCE_TYPES", "DESCRIPTION", "STATEMENTS", "plan", "apply")
_OF_UNDO: Final = ("look", "undo", "UNDO_STATEMENTS")
_SWITCHES: Final = ".switches"
_T = TypeVar("_T")


@cache
def all_remediations() -> Mapping[str, Remediation]:
    """Return every remediation in the service folders of the package `remediations`, by the module's name.

    A module there that states nothing that a remediation must state is shared code.

    Raises:
        TypeError: A module lacks something that the package's docstring asks for.
        ValueError: Two modules have one name, or serve the same control and resource type.
    """
    found: dict[str, Remediation] = {}
    for module in map(importlib.import_module, _module_names()):
        for one in _remediations_in(module):
            if one.name in found:
                raise ValueError(f"Two remediations are called {one.name}. Rename one of them.")
            found[one.name] = one
    found = dict(sorted(found.items()))
    owners: dict[tuple[str, str], str] = {}
    for name, one in found.items():
        for served in ((control, type_) for control in one.control_ids for type_ in one.resource_types):
            if (other := owners.setdefault(served, name)) != name:
                raise ValueError(
                    f"The remediations {other} and {name} both serve control {served[0]} for "
                    f"resources of type {served[1]}. Leave it to one of them."
                )
    return found


def _module_names() -> Iterator[str]:
    """The names of the modules in the service folders, without importing these modules."""
    for service in pkgutil.iter_modules(remediations.__path__, "remediations."):
        if service.ispkg:
            package = importlib.import_module(service.name)
            for module in pkgutil.iter_modules(package.__path__, f"{service.name}."):
                yield module.name


def _loaded(wanted: Collection[str]) -> Mapping[str, Remediation]:
    """The remediations of those names that there are; a start imports no module of the others.

    A switch is named only in its row, so the modules with switches are read if a name isn't a module's.
    """
    modules = list(_module_names())
    own = [module for module in modules if module.rpartition(".")[2] in wanted]
    rows = [module for module in modules if module.endswith(_SWITCHES)] if len(own) < len(wanted) else []
    found = [one for name in (*own, *rows) for one in _remediations_in(importlib.import_module(name))]
    return dict(sorted((one.name, one) for one in found if one.name in wanted))


def _remediations_in(module: ModuleType) -> list[Remediation]:
    if hasattr(module, "SWITCHES"):
        found = remediations_of(module.SWITCHES)
    else:
        found = [_checked(module)] if any(hasattr(module, attribute) for attribute in _REQUIRED) else []
    return [
        replace(
            one,
            plan=explaining_denials(refusing(one.plan)),
            apply=explaining_denials(one.apply),
            look=one.look and explaining_denials(refusing_to_undo(one.look)),
            undo=one.undo and explaining_denials(one.undo),
            tags_of_changed=one.tags_of_changed and explaining_denials(one.tags_of_changed),
        )
        for one in found
    ]


def _name_of(module: ModuleType) -> str:
    return module.__name__.rpartition(".")[2]


def enabled_remediations(
    names: Iterable[str], parameters: Mapping[str, Mapping[str, str]] | None = None
) -> Mapping[str, Remediation]:
    """Return the remediations of those names, with their parameters.

    Args:
        names: The modules' names.
        parameters: Values by module and name, for those that take any.

    Raises:
        ValueError: There is no such module, or a parameter is unknown, missing, or not allowed.
    """
    wanted = set(names)
    known = _loaded(wanted)
    if unknown := sorted(wanted - known.keys()):
        known = all_remediations()
        raise ValueError(f"There is no remediation {', '.join(unknown)}; there are {', '.join(known)}.")
    given = parameters or {}
    if unused := sorted(given.keys() - wanted):
        raise ValueError(f"There are parameters for {', '.join(unused)}, which is not enabled. Remove them.")
    return {name: _configured(one, given.get(name, {})) for name, one in known.items()}


def _configured(one: Remediation, given: Mapping[str, str]) -> Remediation:
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


def _checked(module: ModuleType) -> Remediation:
    name = module.__name__
    if missing := [attribute for attribute in _REQUIRED if not hasattr(module, attribute)]:
        raise TypeError(f"{name} lacks {', '.join(missing)}. See the docstring of the package remediations.")
    if len({hasattr(module, attribute) for attribute in _OF_UNDO}) > 1:
        raise TypeError(f"{name} must have all of {', '.join(_OF_UNDO)}, or none.")
    if hasattr(module, "RUNBOOK") != hasattr(module, "RUNBOOK_STATEMENTS"):
        raise TypeError(f"{name} must have both RUNBOOK and RUNBOOK_STATEMENTS, or neither.")
    return Remediation(
        name=_name_of(module),
        control_ids=module.CONTROL_IDS,
        resource_types=module.RESOURCE_TYPES,
        description=module.DESCRIPTION,
        plan=module.plan,
        apply=module.apply,
        look=getattr(module, "look", None),
        undo=getattr(module, "undo", None),
        statements=module.STATEMENTS,
        undo_statements=getattr(module, "UNDO_STATEMENTS", ()),
        runbook=getattr(module, "RUNBOOK", None),
        parameters=getattr(module, "PARAMETERS", {}),
        tags_of_changed=getattr(module, "tags_of_changed", None),
    )


def remediations_for(finding: Finding, among: Mapping[str, Remediation]) -> tuple[Remediation, ...]:
    """Return the remediations that serve a finding's control and one of its resources' types.

    There can be several: a GuardDuty finding can name an instance and credentials, and each needs its own.
    """
    control = control_of(finding)
    types = {resource.type for resource in finding.resources}
    return tuple(
        one for one in among.values() if control in one.control_ids and types & set(one.resource_types)
    )


def unserved_resources(finding: Finding, serving: Collection[Remediation]) -> tuple[Resource, ...]:
    """Return the resources of a finding that its remediations don't look at.

    A control is about one kind of resource, which its remediation serves. A finding of another product can
    be about all of the resources that it names, so that what is done about one settles none of the others.

    Source: https://docs.aws.amazon.com/guardduty/latest/ug/guardduty_finding-types-active.html
    """
    if not (control_of(finding) or "").startswith(PRODUCT_PREFIX):
        return ()
    served = {type_ for one in serving for type_ in one.resource_types}
    return tuple(resource for resource in finding.resources if resource.type not in served)
