"""The metadata of the remediation modules, read from their files.

Stacks refer to Lambda code only by path, so the literals are parsed and nothing is imported.
"""

from __future__ import annotations

import ast
import dataclasses
import difflib
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final, cast

from aws_cdk import Aws
from aws_cdk import aws_iam as iam

MODULES_FOLDER: Final = Path(__file__).resolve().parent.parent / "lambda" / "remediations"
_REQUIRED: Final = frozenset({"CONTROL_IDS", "RESOURCE_TYPES", "DESCRIPTION", "STATEMENTS"})
# https://docs.aws.amazon.com/systems-manager-automation-runbooks/latest/userguide/automation-runbook-reference.html
_OWNED_BY_AWS: Final = re.compile(r"(AWS|AWSConfigRemediation|AWSSupport)-[A-Za-z0-9]+")


class CatalogError(ValueError):
    """A remediation module has missing or invalid metadata. The message says what, and where."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What a remediation may do.

    Attributes:
        actions: IAM actions, without wildcards.
        resources: ARNs with the placeholders `${Partition}`, `${Region}`, and `${Account}`, or `*`.
        conditions: The conditions, as in a policy, with the same placeholders; or None.
    """

    actions: tuple[str, ...]
    resources: tuple[str, ...]
    conditions: Mapping[str, Mapping[str, str]] | None = None

    def to_policy_statement(self) -> iam.PolicyStatement:
        """Return the policy statement for the account of its stack."""
        filled = self.filled(partition=Aws.PARTITION, account=Aws.ACCOUNT_ID)
        return iam.PolicyStatement(
            actions=list(filled.actions), resources=list(filled.resources), conditions=filled.conditions
        )

    def filled(self, *, partition: str, account: str) -> Statement:
        """Return the statement with the placeholders in its resources and conditions replaced."""
        conditions = self.conditions and {
            operator: {key: fill(value, partition=partition, account=account) for key, value in keys.items()}
            for operator, keys in self.conditions.items()
        }
        return dataclasses.replace(
            self,
            resources=tuple(
                fill(resource, partition=partition, account=account) for resource in self.resources
            ),
            conditions=conditions,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A parameter that a remediation requires.

    Attributes:
        description: The description of the parameter and its allowed values.
        pattern: A regular expression that the whole value must match.
    """

    description: str
    pattern: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogEntry:
    """What the stacks need to know about a remediation module.

    Attributes:
        name: The name of the module.
        service: The folder of the module, one for each AWS service.
        control_ids: The Security Hub controls and other products whose findings it remediates.
        resource_types: The ASFF resource types that it remediates.
        description: What it changes.
        statements: The permissions that `plan` and `apply` need.
        undo_statements: The permissions that `look` and `undo` need. Empty if there is no undo.
        parameters: The required parameters, by name.
        runbook: The AWS-owned Automation runbook that it runs, or None.
        runbook_statements: The permissions that the steps of the runbook need. Empty without a runbook.
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
        """The Security Hub controls among `control_ids`, which can also contain products."""
        return [control for control in self.control_ids if not control.startswith("product/")]

    @property
    def start_statements(self) -> tuple[Statement, ...]:
        """The permissions to start the runbook, in addition to `EXECUTION_STATEMENTS`. Empty without one."""
        if self.runbook is None:
            return ()
        return tuple(
            dataclasses.replace(
                one, resources=tuple(name.replace("${Runbook}", self.runbook) for name in one.resources)
            )
            for one in _START_STATEMENTS
        )


@cache
def read_catalog(folder: Path = MODULES_FOLDER) -> Mapping[str, CatalogEntry]:
    """Read every remediation in the service folders, by name.

    A module without any of the required literals is ignored. It contains code that remediations share.

    Raises:
        CatalogError: A module is missing a literal, or a literal doesn't follow
            lambda/remediations/__init__.py. Or two remediations have the same name, or remediate the same
            control for the same resource type.
    """
    entries = [entry for path in folder.glob("*/*.py") for entry in _entries(path, _literals(path))]
    owners: dict[tuple[str, str], str] = {}
    found: dict[str, CatalogEntry] = {}
    for entry in sorted(entries, key=lambda entry: entry.name):
        if entry.name in found:
            raise CatalogError(f"Two remediations are named {entry.name}. Rename one of them.")
        found[entry.name] = entry
        for served in ((control, kind) for control in entry.control_ids for kind in entry.resource_types):
            if (other := owners.setdefault(served, entry.name)) != entry.name:
                raise CatalogError(
                    f"The remediations {other} and {entry.name} both remediate control {served[0]} for "
                    f"resources of type {served[1]}. Remove the control from one of them."
                )
    return found


def chosen(names: Collection[str], catalog: Mapping[str, CatalogEntry]) -> Sequence[CatalogEntry]:
    """Return the entries with the given names, in the order of the catalog.

    Raises:
        CatalogError: There is no module with one of the names.
    """
    if unknown := sorted(set(names) - catalog.keys()):
        close = difflib.get_close_matches(unknown[0], catalog, n=1)
        hint = f"did you mean {close[0]}? There" if close else "there"
        raise CatalogError(f"there is no remediation {', '.join(unknown)}; {hint} are {', '.join(catalog)}.")
    return [entry for name, entry in catalog.items() if name in names]


def check_parameters(
    given: Mapping[str, Mapping[str, str]], names: Collection[str], catalog: Mapping[str, CatalogEntry]
) -> None:
    """Validate the parameters of the remediations.

    Args:
        given: The values, by module and parameter name.
        names: The enabled modules, which must exist.
        catalog: All modules.

    Raises:
        CatalogError: A module or parameter is unknown, a parameter is missing or not valid, or its module
            isn't enabled. The message lists all errors.
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
    """A row of `SWITCHES`, with the same statements that lambda/remediations/switch.py derives from it."""

    def statement(operation: str, resource: str) -> Statement:
        return Statement(actions=(f"{row['service']}:{operation}",), resources=(resource,))

    read = statement(row["read"][0], row["read"][2])
    return CatalogEntry(
        name=row["name"],
        service=path.parent.name,
        control_ids=_texts(path, "control_ids", row["control_ids"]),
        resource_types=_texts(path, "resource_types", row["resource_types"]),
        description=row["description"],
        statements=(read, statement(row["wanted"][1], row["resource"])),
        undo_statements=(read, statement(row["other"][1], row["resource"])),
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
        raise CatalogError(f"{path}: RUNBOOK and RUNBOOK_STATEMENTS must be defined together.")
    if "RUNBOOK" not in literals:
        return None
    (name,) = _texts(path, "RUNBOOK", (literals["RUNBOOK"],))
    if not _OWNED_BY_AWS.fullmatch(name):
        raise CatalogError(
            f"{path}: RUNBOOK must be an AWS-owned runbook, whose name starts with AWS-, "
            f"AWSConfigRemediation-, or AWSSupport-, but is {name!r}."
        )
    return name


def _literals(path: Path) -> dict[str, object]:
    """Return the literals that a module assigns to names in capitals."""
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
        raise CatalogError(f"{path}: {name} must be a tuple of non-empty strings, but is {value!r}.")
    return value


def _statements(path: Path, name: str, value: object) -> tuple[Statement, ...]:
    if not isinstance(value, tuple) or not value:
        raise CatalogError(f"{path}: {name} must be a tuple of statements, but is {value!r}.")
    return tuple(_statement(path, name, one) for one in value)


def _statement(path: Path, name: str, value: Any) -> Statement:  # noqa: ANN401 - it is checked here
    required = {"Action", "Resource"}
    if not isinstance(value, dict) or not required <= value.keys() <= {*required, "Condition"}:
        raise CatalogError(
            f"{path}: a statement of {name} must have Action, Resource, and optionally Condition, not "
            f"{value!r}."
        )
    actions = _texts(path, f"Action of {name}", value["Action"])
    if wild := [action for action in actions if "*" in action or ":" not in action]:
        raise CatalogError(f"{path}: {name} must name its actions in full, such as s3:GetObject, not {wild}.")
    return Statement(
        actions=actions,
        resources=_texts(path, f"Resource of {name}", value["Resource"]),
        conditions=_conditions(path, name, value["Condition"]) if "Condition" in value else None,
    )


def _conditions(path: Path, name: str, value: Any) -> Mapping[str, Mapping[str, str]]:  # noqa: ANN401 - as above
    if (
        not isinstance(value, dict)
        or not value
        or not all(isinstance(keys, dict) and keys for keys in value.values())
        or not all(isinstance(one, str) and one for keys in value.values() for one in keys.values())
    ):
        raise CatalogError(
            f"{path}: Condition of {name} must be a dict of operators, each a dict of keys and their values, "
            f'such as {{"StringEquals": {{"aws:ResourceAccount": "${{Account}}"}}}}, but is {value!r}.'
        )
    return value


def _parameters(path: Path, value: Any) -> Mapping[str, Parameter]:  # noqa: ANN401 - it is checked here
    try:
        found = {name: Parameter(**rule) for name, rule in value.items()}
        for parameter in found.values():
            re.compile(parameter.pattern)
    except (AttributeError, TypeError, re.error):
        raise CatalogError(
            f"{path}: PARAMETERS must be a dict of dicts with description and pattern, a regular expression, "
            f"but is {value!r}."
        ) from None
    return found


def fill(resource: str, *, partition: str, account: str) -> str:
    """Insert partition, account, and a wildcard for the Region. A separate policy denies other Regions."""
    return (
        resource.replace("${Partition}", partition).replace("${Region}", "*").replace("${Account}", account)
    )


def _statements_of_runbooks(name: str) -> tuple[Statement, ...]:
    path = MODULES_FOLDER / "runbooks.py"
    return _statements(path, name, _literals(path).get(name))


_START_STATEMENTS: Final = _statements_of_runbooks("START_STATEMENTS")
EXECUTION_STATEMENTS: Final = _statements_of_runbooks("EXECUTION_STATEMENTS")
"""The permissions to start and monitor an execution of any runbook."""
SEARCH_STATEMENTS: Final = _statements_of_runbooks("SEARCH_STATEMENTS")
"""The permissions to find an execution that is already running."""
