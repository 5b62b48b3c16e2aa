"""Finds the handler of a Python function in its code at synthesis, without running the code.

Otherwise, a misspelled handler would be noticed when the first event arrives: Lambda answers with
Runtime.ImportModuleError or Runtime.HandlerNotFound.

Source: https://docs.aws.amazon.com/lambda/latest/dg/python-handler.html
"""

from __future__ import annotations

import ast
import sys
import zipfile
from collections.abc import Iterable, Iterator
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import Final
from weakref import WeakKeyDictionary

from aws_cdk import Stack, Stage
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3_assets as s3_assets

from securityhub_actions.tokens import is_token

_Place = Path | zipfile.Path
"""A file or folder of the code, which is a folder or a .zip file."""
_COMPILED: Final = (".pyc", *EXTENSION_SUFFIXES)
_EVERYTHING: Final = "*"
_RUNTIME: Final[tuple[int, int]] = (3, 13)
"""The version of Python that runs the functions."""
_INLINE: Final = "inline code is the module index"

# Functions that share a code object share the asset, which only the first of them has as its child.
_asset_of_code: WeakKeyDictionary[lambda_.Code, s3_assets.Asset] = WeakKeyDictionary()


def handler_errors(
    function: lambda_.Function, *, code: lambda_.Code, handler: str, has_layers: bool
) -> list[str]:
    """Return an error if the handler of a function isn't in its code.

    Code that isn't on this machine, such as an object in S3, isn't checked.

    Args:
        function: The function.
        code: The code of the function.
        handler: The handler.
        has_layers: Whether the function has layers. They can contain the module of the handler.
    """
    if is_token(handler) or not Stack.of(function).bundling_required:
        return []
    reason = _reason(function, code, handler, has_layers=has_layers)
    if reason is None:
        return []
    return [
        f"The handler {handler!r} of {function.node.path} doesn't exist: {reason}. Specify "
        "'package.module.function', starting at the folder that is the code of the function."
    ]


def _reason(function: lambda_.Function, code: lambda_.Code, handler: str, *, has_layers: bool) -> str | None:
    module, _, name = handler.rpartition(".")
    if not module or not name:
        return f"{handler!r} names no function in a module"
    source = _inline_code(function)
    if source is not None:
        return _missing_in(source, name, "index.py") if module == "index" else _INLINE
    root = _root_of(function, code)
    if root is None:
        return None
    return _missing_below(root, module.replace("/", ".").split("."), name, has_layers=has_layers)


def _inline_code(function: lambda_.Function) -> str | None:
    resource = function.node.default_child
    code = Stack.of(function).resolve(resource.code) if isinstance(resource, lambda_.CfnFunction) else {}
    text = code.get("zipFile")
    return text if isinstance(text, str) else None


def _root_of(function: lambda_.Function, code: lambda_.Code) -> _Place | None:
    """The code as it is uploaded: without what is excluded, and after bundling."""
    asset = function.node.try_find_child("Code")
    if isinstance(asset, s3_assets.Asset):
        _asset_of_code[code] = asset
    shared = _asset_of_code.get(code)
    stage = Stage.of(function)
    if shared is None or stage is None:
        return None
    path = Path(stage.outdir, shared.asset_path)
    if path.is_dir():
        return path
    return zipfile.Path(str(path)) if zipfile.is_zipfile(path) else None


def _missing_below(root: _Place, names: list[str], function: str, *, has_layers: bool) -> str | None:
    """Why a module below a folder has no such function, or None if it has or may have."""
    *folders, module = names
    place = root
    for depth, folder in enumerate(folders):
        place = place / folder
        if not place.is_dir():
            return (
                None if has_layers and not depth else f"the code has no folder {'/'.join(names[: depth + 1])}"
            )
    file = "/".join(names)
    for candidate in (place / module / "__init__.py", place / f"{module}.py"):
        if candidate.is_file():
            return _missing_in(candidate.read_bytes(), function, f"{file}.py")
    is_compiled = any((place / f"{module}{suffix}").is_file() for suffix in _COMPILED)
    may_be_in_layer = has_layers and not folders
    return None if is_compiled or may_be_in_layer else f"the code has no file {file}.py"


def _missing_in(source: str | bytes, function: str, file: str) -> str | None:
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError) as error:
        if sys.version_info < _RUNTIME:
            return None  # it may be syntax that only the runtime knows
        return f"{file} is not valid Python ({error})"
    names = set(_names_of(tree.body))
    if names & {function, _EVERYTHING, "__getattr__"}:
        return None
    return f"{file} has no function {function!r}"


def _names_of(statements: Iterable[ast.stmt]) -> Iterator[str]:
    """The names that a module has after its statements, wherever they are nested; `*` for what is unknown."""
    for statement in statements:
        match statement:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                yield statement.name
            case ast.Import() | ast.ImportFrom():
                for alias in statement.names:
                    yield alias.asname or alias.name.partition(".")[0]
            case _:
                yield from _assigned_in(statement)
                for block in ("body", "orelse", "finalbody", "handlers", "cases"):
                    yield from _names_of_block(getattr(statement, block, ()))


def _assigned_in(statement: ast.stmt) -> Iterator[str]:
    for node in ast.walk(statement):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id


def _names_of_block(parts: Iterable[ast.AST]) -> Iterator[str]:
    for part in parts:
        if isinstance(part, ast.stmt):
            yield from _names_of([part])
        else:  # an except clause or a case
            yield from _names_of(getattr(part, "body", ()))
