"""Finds the templates of a synthesized app.

Source: https://docs.aws.amazon.com/cdk/api/v2/docs/cloud-assembly-schema-readme.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

_ENVIRONMENT: Final = re.compile(r"aws://(?P<account>[^/]+)/(?P<region>.+)")
_STACK: Final = "aws:cloudformation:stack"
_NESTED_ASSEMBLY: Final = "cdk:cloud-assembly"
_HOW_TO: Final = "Run `cdk synth`, and specify the folder that it writes (usually `cdk.out`)."


class AssemblyError(ValueError):
    """A synthesized app can't be read. The message says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceTemplate:
    """A template and where it's deployed; None stands for the environment of whoever deploys it."""

    stack: str
    account: str | None
    region: str | None
    document: Mapping[str, Any]
    folder: Path


def read_templates(path: Path) -> list[SourceTemplate]:
    """Read the templates of a cloud assembly, of a folder with templates, or a single template.

    Args:
        path: The folder that `cdk synth` writes, another folder with templates in JSON, or one template.

    Returns:
        The templates in the order of the assembly, those of stages included.

    Raises:
        AssemblyError: There are no templates, or one of the files isn't what it should be.
    """
    if not path.exists():
        raise AssemblyError(f"{path} does not exist. {_HOW_TO}")
    if path.is_file():
        return [_template(path, stack=path.name.removesuffix(".json").removesuffix(".template"))]
    if (path / "manifest.json").exists():
        templates = list(_of_assembly(path))
    else:
        files = sorted(path.glob("*.template.json")) or sorted(path.glob("*.json"))
        templates = [_template(file, stack=file.name.split(".")[0]) for file in files]
    if not templates:
        raise AssemblyError(f"{path} contains no templates in JSON. {_HOW_TO}")
    return templates


def _of_assembly(folder: Path) -> Iterator[SourceTemplate]:
    artifacts = _json(folder / "manifest.json").get("artifacts", {})
    for identifier, artifact in artifacts.items():
        properties = artifact.get("properties", {})
        if artifact["type"] == _NESTED_ASSEMBLY:
            yield from _of_assembly(folder / properties["directoryName"])
        elif artifact["type"] == _STACK:
            yield _template(
                folder / properties["templateFile"],
                stack=properties.get("stackName") or artifact.get("displayName") or identifier,
                environment=artifact.get("environment", ""),
            )


def _template(file: Path, *, stack: str, environment: str = "") -> SourceTemplate:
    document = _json(file)
    if not isinstance(document.get("Resources"), dict):
        raise AssemblyError(f"{file} is not a CloudFormation template: it has no `Resources`. {_HOW_TO}")
    match = _ENVIRONMENT.fullmatch(environment)
    account, region = (match["account"], match["region"]) if match else (None, None)
    return SourceTemplate(
        stack=stack,
        account=None if account == "unknown-account" else account,
        region=None if region == "unknown-region" else region,
        document=document,
        folder=file.parent,
    )


def nested_template(parent: SourceTemplate, logical_id: str) -> SourceTemplate | None:
    """Read the template of a nested stack, or return None if the app doesn't contain it."""
    resource = parent.document["Resources"].get(logical_id, {})
    asset = (resource.get("Metadata") or {}).get("aws:asset:path")
    if asset is None or not (parent.folder / asset).is_file():
        return None
    nested = _template(parent.folder / asset, stack=f"{parent.stack}/{logical_id}")
    return replace(nested, account=parent.account, region=parent.region)


def _json(file: Path) -> dict[str, Any]:
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise AssemblyError(f"{file} can't be read: {error.strerror}. {_HOW_TO}") from error
    except ValueError as error:
        raise AssemblyError(f"{file} is not JSON: {error}. {_HOW_TO}") from error
    if not isinstance(document, dict):
        raise AssemblyError(f"{file} is not a JSON object. {_HOW_TO}")
    return document
