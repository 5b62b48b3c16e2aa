"""The names of MiniStack that the embedded AWS uses, read from its source."""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
SOURCES = tuple(sorted((ROOT / "emulator").rglob("*.py")))
PACKAGE = "ministack"
# What a private attribute may hang on besides MiniStack's modules: the object itself.
OWN = frozenset({"self", "cls"})


@dataclass(slots=True)
class Uses:
    """What one file uses.

    Attributes:
        names: MiniStack's names without the package, such as `services.eventbridge._put_rule`.
        unknown: Private attributes of something that isn't known to be a module of MiniStack, with their
            lines.
    """

    names: set[str] = field(default_factory=set)
    unknown: list[str] = field(default_factory=list)


def uses_of(source: str) -> Uses:
    """Read the source of a module.

    A name counts if it's an attribute of an imported module, is imported itself, or is given as text next to
    the module: `check(eventbridge, "_put_rule")`.
    """
    tree = ast.parse(source)
    imported = dict(_imports(tree))
    uses = Uses(names={_name(full) for full in imported.values() if not _is_module(full)})
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            full = _full_name(node, imported)
            if full is not None and not _is_module(full):
                uses.names.add(_name(full))
            elif full is None and _is_private(node.attr) and not _is_own(node.value):
                uses.unknown.append(f"{ast.unparse(node)} in line {node.lineno}")
        elif isinstance(node, ast.Call):
            uses.names.update(_names_in_call(node, imported))
            if _is_computed_access(node, imported):
                uses.unknown.append(f"{ast.unparse(node)} in line {node.lineno}")
    return uses


@cache
def used_names() -> Mapping[str, frozenset[str]]:
    """Every name of MiniStack that the embedded AWS uses, and the files that do."""
    found: dict[str, set[str]] = {}
    for path in SOURCES:
        for name in uses_of(path.read_text(encoding="utf-8")).names:
            found.setdefault(name, set()).add(str(path.relative_to(ROOT)))
    return {name: frozenset(files) for name, files in found.items()}


def _imports(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """The local names of what is imported from MiniStack, anywhere in the file, and their full names."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.partition(".")[0] == PACKAGE:
                    yield alias.asname or PACKAGE, alias.name if alias.asname else PACKAGE
        elif isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == PACKAGE:
            for alias in node.names:
                yield alias.asname or alias.name, f"{node.module}.{alias.name}"


def _full_name(node: ast.expr, imported: Mapping[str, str]) -> str | None:
    if isinstance(node, ast.Name):
        return imported.get(node.id)
    if isinstance(node, ast.Attribute):
        owner = _full_name(node.value, imported)
        return owner and f"{owner}.{node.attr}"
    return None


def _name(full: str) -> str:
    """The name in the module: `services.iam._roles` of `ministack.services.iam._roles.get_scoped`."""
    module, _, rest = full, "", ""
    while not _is_module(module):
        module, _, last = module.rpartition(".")
        rest = f"{last}.{rest}"
    return f"{module.removeprefix(f'{PACKAGE}.')}.{rest.partition('.')[0]}"


@cache
def _is_module(full: str) -> bool:
    try:
        return importlib.util.find_spec(full) is not None
    except ModuleNotFoundError:
        return False


def _is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def _is_own(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id in OWN


def _names_in_call(node: ast.Call, imported: Mapping[str, str]) -> Iterator[str]:
    """The name of a call such as `check(eventbridge, "_put_rule")`."""
    for module, text in zip(node.args, node.args[1:], strict=False):
        full = _full_name(module, imported)
        if full and _is_module(full) and isinstance(text, ast.Constant) and isinstance(text.value, str):
            yield _name(f"{full}.{text.value}")


def _is_computed_access(node: ast.Call, imported: Mapping[str, str]) -> bool:
    """Whether a call reads or sets a name of MiniStack that only the running program knows."""
    if not (isinstance(node.func, ast.Name) and node.func.id in {"getattr", "setattr"}):
        return False
    full, name = _full_name(node.args[0], imported), node.args[1]
    # The name of a function that is used is known.
    known = isinstance(name, ast.Constant) or (isinstance(name, ast.Attribute) and name.attr == "__name__")
    return bool(full and _is_module(full)) and not known


@cache
def replaced_names() -> frozenset[str]:
    """The names of MiniStack that the embedded AWS binds to something else."""
    found: set[str] = set()
    for path in SOURCES:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        imported = dict(_imports(tree))
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign):
                targets = (_full_name(target, imported) for target in node.targets)
                found.update(_name(full) for full in targets if full and not _is_module(full))
            elif isinstance(node, ast.Call):
                found.update(_names_in_call(node, imported))
    return frozenset(found)
