"""What the remediation modules state about themselves, read from their files.

Stacks know Lambda code only as a path, so the literals are parsed and nothing is imported.
"""

from __future__ import annotations

import ast
import dataclasses
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final, cast

from aws_cdk import Aws
from aws_cdk import aws_iam as iam

MODULES_FOLDER: Final = Path(__file__).resolve().parent.parent / "lambda" / "remediations"
# https://docs.aws.amazon.com/systems-manager-automation-runbooks/latest/userguide/automation-runbook-reference.html
_REQUIRED: Final = frozenset({"CONTROL_IDS", "RESOURCE_TYPES", "DESCRIPTION", "STATEMENTS"})
_OWNED_BY_AWS: Final = re.compile(r"(AWS|AWSConfigRemediation|AWSSupport)-[A-Za-z0-9]+")


class CatalogError(ValueError):
    """A remediation module does not state what it must; the message says what, and where."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What a remediation may do.

    Attributes:
        actions: IAM actions, without wildcards.
        resources: ARNs with the placeholders `${Partition}`, `${Region}` and `${Account}`, or `*`.
        conditions: As in a policy; a module states none.
    """

    actions: tuple[str, ...]
    resources: tuple[str, ...]
    conditions: Mapping[str, Mapping[str, str]] | None = None

    def to_policy_statement(self) -> iam.PolicyStatement:
        """Make it a statement for the account of its stack."""
        return iam.PolicyStatement(
            actions=list(self.actions),
            resources=[_fill(resource) for resource in self.resources],
            conditions=self.conditions,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """What a remediation must be told.

    Attributes:
        description: What it is, and which values are allowed.
        pattern: A regular expression that an allowed value matches in full.
    """

    description: str
    pattern: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogEntry:
    """A remediation module, as far as deploying it goes.

    Attributes:
        name: The module's name.
        service: The folder that it is in, one for each AWS service.
        control_ids: The Security Hub controls and the other products whose findings it serves.
        resource_types: The ASFF resource types it serves.
        description: What it changes.
        statements: What `plan` and `apply` need.
        undo_statements: What `undo` needs; empty where it cannot be undone.
        parameters: What it must be told, by name.
        runbook: The AWS-owned Automation runbook that it runs; None where it runs none.
        runbook_statements: What the runbook's own steps need; empty where there is none.
    """

    name: str
    service: str
    control_ids: tuple[str, ...]
    resource_types: tuple[str, ...]
    description: str
    statements: tuple[Statement, ...]
    undo_statements: tuple[Statement, ...]
    parameters: Mapping[str, Parameter]
    runbook: str | None
    runbook_statements: tuple[Statement, ...]

    @property
    def controls(self) -> Sequence[str]:
        """The controls of Security Hub among `control_ids`, which name products as well."""
        return [control for control in self.control_ids if not control.startswith("product/")]

    @property
    def start_statements(self) -> tuple[Statement, ...]:
        """What starting the runbook takes, besides `EXECUTION_STATEMENTS`; empty where there is none."""
        if self.runbook is None:
            return ()
        return tuple(
            dataclasses.replace(
                one, resources=tuple(name.replace("${Runbook}", self.runbook) for name in one.resources)
            )
            for one in _statements_of_runbooks("START_STATEMENTS")
        )


@cache
def read_catalog(folder: Path = MODULES_FOLDER) -> Mapping[str, CatalogEntry]:
    """Read every remediation in the service folders of a folder, by the module's name.

    A module there that states nothing of what a remediation must state is what remediations share.

    Raises:
        CatalogError: A module lacks a literal, or one is not as lambda/remediations/__init__.py says. Or two
            remediations have one name, or serve the same control for resources of one type.
    """
    entries = [entry for path in folder.glob("*/*.py") for entry in _entries(path, _literals(path))]
    owners: dict[tuple[str, str], str] = {}
    found: dict[str, CatalogEntry] = {}
    for entry in sorted(entries, key=lambda entry: entry.name):
        if entry.name in found:
            raise CatalogError(f"Two remediations are called {entry.name}. Rename one of them.")
        found[entry.name] = entry
        for served in ((control, kind) for control in entry.control_ids for kind in entry.resource_types):
            if (other := owners.setdefault(served, entry.name)) != entry.name:
                raise CatalogError(
                    f"The remediations {other} and {entry.name} both serve control {served[0]} for resources "
                    f"of type {served[1]}. Leave it to one of them."
                )
    return found


def chosen(names: Collection[str], catalog: Mapping[str, CatalogEntry]) -> Sequence[CatalogEntry]:
    """Return the entries of the names, in the catalog's order.

    Raises:
        CatalogError: There is no such module.
    """
    if unknown := sorted(set(names) - catalog.keys()):
        raise CatalogError(f"There is no remediation {', '.join(unknown)}; there are {', '.join(catalog)}.")
    return [entry for name, entry in catalog.items() if name in names]


def check_parameters(
    given: Mapping[str, Mapping[str, str]], names: Collection[str], catalog: Mapping[str, CatalogEntry]
) -> None:
    """Check what the remediations are told.

    Args:
        given: Values by module and name.
        names: The enabled modules, which exist.
        catalog: All modules.

    Raises:
        CatalogError: A module or a parameter is unknown, one is missing or not what is allowed, or its module
            is not enabled; the message lists all faults.
    """
    if faults := [*_faults_of_tables(given, names, catalog), *_faults_of_values(given, names, catalog)]:
        raise CatalogError("; ".join(faults))


def _faults_of_tables(
    given: Mapping[str, Mapping[str, str]], names: Collection[str], catalog: Mapping[str, CatalogEntry]
) -> Iterator[str]:
    takers = ", ".join(name for name, entry in catalog.items() if entry.parameters)
    for name in given:
        if name not in catalog or not catalog[name].parameters:
            yield f"there is no remediation {name} that takes parameters; those that do are {takers}"
        elif name not in names:
            yield f"{name} is not enabled; add it to remediations, or remove its parameters"


def _faults_of_values(
    given: Mapping[str, Mapping[str, str]], names: Collection[str], catalog: Mapping[str, CatalogEntry]
) -> Iterator[str]:
    for entry in chosen(names, catalog):
        values = given.get(entry.name, {}) if entry.parameters else {}
        for name in values.keys() - entry.parameters.keys():
            yield f"{entry.name}.{name} is unknown; {entry.name} takes {', '.join(entry.parameters)}"
        for name, parameter in entry.parameters.items():
            if name not in values:
                yield f"{entry.name}.{name} is missing; specify {parameter.description}"
            elif not re.fullmatch(parameter.pattern, values[name]):
                yield f"{entry.name}.{name} = {values[name]!r} is not valid; specify {parameter.description}"


def _entries(path: Path, literals: Mapping[str, object]) -> list[CatalogEntry]:
    if "SWITCHES" in literals:
        return [_switch(path, row) for row in cast("Iterable[Mapping[str, Any]]", literals["SWITCHES"])]
    return [_entry(path, literals)] if literals.keys() & _REQUIRED else []


def _switch(path: Path, row: Mapping[str, Any]) -> CatalogEntry:
    """A row of `SWITCHES`, with the statements that lambda/remediations/switch.py derives from it as well."""

    def statement(operation: str, resource: str) -> Statement:
        return Statement(actions=(f"{row['service']}:{operation}",), resources=(resource,))

    return CatalogEntry(
        name=row["name"],
        service=path.parent.name,
        control_ids=_texts(path, "control_ids", row["control_ids"]),
        resource_types=_texts(path, "resource_types", row["resource_types"]),
        description=row["description"],
        statements=(
            statement(row["read"][0], row["read"][2]),
            statement(row["wanted"][1], row["resource"]),
        ),
        undo_statements=(statement(row["other"][1], row["resource"]),),
        parameters={},
        runbook=None,
        runbook_statements=(),
    )


def _entry(path: Path, literals: Mapping[str, object]) -> CatalogEntry:
    return CatalogEntry(
        name=path.stem,
        service=path.parent.name,
        control_ids=_texts(path, "CONTROL_IDS", literals.get("CONTROL_IDS")),
        resource_types=_texts(path, "RESOURCE_TYPES", literals.get("RESOURCE_TYPES")),
        description=_texts(path, "DESCRIPTION", (literals.get("DESCRIPTION"),))[0],
        statements=_statements(path, "STATEMENTS", literals.get("STATEMENTS")),
        undo_statements=_statements(path, "UNDO_STATEMENTS", literals["UNDO_STATEMENTS"])
        if "UNDO_STATEMENTS" in literals
        else (),
        parameters=_parameters(path, literals.get("PARAMETERS", {})),
        runbook=_runbook(path, literals),
        runbook_statements=_statements(path, "RUNBOOK_STATEMENTS", literals["RUNBOOK_STATEMENTS"])
        if "RUNBOOK_STATEMENTS" in literals
        else (),
    )


def _runbook(path: Path, literals: Mapping[str, object]) -> str | None:
    if ("RUNBOOK" in literals) != ("RUNBOOK_STATEMENTS" in literals):
        raise CatalogError(f"{path}: there must be both RUNBOOK and RUNBOOK_STATEMENTS, or neither.")
    if "RUNBOOK" not in literals:
        return None
    (name,) = _texts(path, "RUNBOOK", (literals["RUNBOOK"],))
    if not _OWNED_BY_AWS.fullmatch(name):
        raise CatalogError(
            f"{path}: RUNBOOK must be one of AWS, whose names begin with AWS-, AWSConfigRemediation- or "
            f"AWSSupport-, but {name!r} was given."
        )
    return name


def _literals(path: Path) -> dict[str, object]:
    """Return the values that a module assigns to names in capitals, as far as they are literals."""
    found: dict[str, object] = {}
    for node in ast.parse(path.read_text(encoding="utf-8"), str(path)).body:
        if not isinstance(node, ast.Assign | ast.AnnAssign) or node.value is None:
            continue
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        for target in targets:
            if isinstance(target, ast.Name) and target.id.isupper() and not target.id.startswith("_"):
                try:
                    found[target.id] = ast.literal_eval(node.value)
                except ValueError:
                    raise CatalogError(
                        f"{path}:{node.lineno}: {target.id} must be a literal, because the stacks read it "
                        "without running the module."
                    ) from None
    return found


def _texts(path: Path, name: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, tuple) or not value or not all(isinstance(one, str) and one for one in value):
        raise CatalogError(f"{path}: {name} must be a literal of non-empty text, but {value!r} was given.")
    return value


def _statements(path: Path, name: str, value: object) -> tuple[Statement, ...]:
    if not isinstance(value, tuple) or not value:
        raise CatalogError(f"{path}: {name} must be a tuple of statements, but {value!r} was given.")
    return tuple(_statement(path, name, one) for one in value)


def _statement(path: Path, name: str, value: Any) -> Statement:  # noqa: ANN401 - it is checked here
    if not isinstance(value, dict) or value.keys() != {"Action", "Resource"}:
        raise CatalogError(
            f"{path}: a statement of {name} must have Action and Resource only, not {value!r}."
        )
    actions = _texts(path, f"Action of {name}", value["Action"])
    if wild := [action for action in actions if "*" in action or ":" not in action]:
        raise CatalogError(f"{path}: {name} must name its actions in full, such as s3:GetObject, not {wild}.")
    return Statement(actions=actions, resources=_texts(path, f"Resource of {name}", value["Resource"]))


def _parameters(path: Path, value: Any) -> Mapping[str, Parameter]:  # noqa: ANN401 - it is checked here
    try:
        found = {name: Parameter(**rule) for name, rule in value.items()}
        for parameter in found.values():
            re.compile(parameter.pattern)
    except (AttributeError, TypeError, re.error):
        raise CatalogError(
            f"{path}: PARAMETERS must be a dict of dicts with description and pattern, a regular expression, "
            f"but {value!r} was given."
        ) from None
    return found


def _fill(resource: str) -> str:
    """Put the account in, and any region: a role's policy of its own denies those that are not chosen."""
    return (
        resource.replace("${Partition}", Aws.PARTITION)
        .replace("${Region}", "*")
        .replace("${Account}", Aws.ACCOUNT_ID)
    )


def _statements_of_runbooks(name: str) -> tuple[Statement, ...]:
    path = MODULES_FOLDER / "runbooks.py"
    return _statements(path, name, _literals(path).get(name))


EXECUTION_STATEMENTS: Final = _statements_of_runbooks("EXECUTION_STATEMENTS")
"""What starting and following an execution takes, whichever runbook it is of."""
SEARCH_STATEMENTS: Final = _statements_of_runbooks("SEARCH_STATEMENTS")
"""What finding an execution that runs already takes."""
