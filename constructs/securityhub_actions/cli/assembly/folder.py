"""Finds the templates of a synthesized app.

Source: https://docs.aws.amazon.com/cdk/api/v2/docs/cloud-assembly-schema-readme.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from securityhub_actions.quotas import RAISED_BY

_ENVIRONMENT: Final = re.compile(r"aws://(?P<account>[^/]+)/(?P<region>.+)")
_ASSET: Final = re.compile(r"/(?P<hash>[0-9a-f]{64})\.json")
_STACK: Final = "aws:cloudformation:stack"
_NESTED_ASSEMBLY: Final = "cdk:cloud-assembly"
_HOW_TO: Final = "Run `cdk synth`, and specify the folder that it writes (usually `cdk.out`)."


class AssemblyError(ValueError):
    """A synthesized app can't be read. The message says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceTemplate:
    """A template and where it's deployed; None stands for the environment of whoever deploys it.

    CloudFormation generates the names of nested stacks, so theirs are the logical IDs in their parents.

    Attributes:
        paths: Construct paths by logical ID, as far as the assembly has them outside the template.
        raised_quotas: The quotas that were increased for the account, by the names of their context values.
    """

    stack: str
    account: str | None
    region: str | None
    document: Mapping[str, Any]
    file: Path
    is_nested: bool = False
    paths: Mapping[str, str] = field(default_factory=dict)
    raised_quotas: Mapping[str, int] = field(default_factory=dict)


def read_templates(path: Path) -> list[SourceTemplate]:
    """Read the templates of a cloud assembly, of a folder with templates, or a single template.

    Args:
        path: The folder that `cdk synth` writes, another folder with templates in JSON, or one template.

    Returns:
        The templates in the order of the assembly, those of stages included.

    Raises:
        AssemblyError: There are no templates, or one of the files isn't what it should be.
    """
    try:
        is_file, is_there = path.is_file(), path.exists()
    except OSError as error:
        raise AssemblyError(f"{path} can't be read: {error.strerror}. {_HOW_TO}") from error
    if not is_there:
        raise AssemblyError(f"{path} does not exist. {_HOW_TO}")
    if is_file:
        return [_template(path, stack=path.name.removesuffix(".json").removesuffix(".template"))]
    if (path / "manifest.json").exists():
        templates = list(_of_assembly(path))
    else:
        files = sorted(path.glob("*.template.json")) or sorted(path.glob("*.json"))
        # They are read with their parents.
        files = [file for file in files if not file.name.endswith(".nested.template.json")]
        templates = [_template(file, stack=file.name.split(".")[0]) for file in files]
    if not templates:
        raise AssemblyError(f"{path} contains no templates in JSON. {_HOW_TO}")
    return templates


def _of_assembly(folder: Path, parents: Sequence[Path] = ()) -> Iterator[SourceTemplate]:
    file = folder / "manifest.json"
    if folder.resolve() in parents:
        raise AssemblyError(f"{file} contains itself. {_HOW_TO}")
    artifacts = _json(file).get("artifacts", {})
    for identifier, artifact in _objects(artifacts, f"{file}: artifacts").items():
        properties = artifact.get("properties") or {}
        where = f"{file}: artifacts.{identifier}.properties"
        if artifact.get("type") == _NESTED_ASSEMBLY:
            nested = _text_at(properties, "directoryName", where)
            yield from _of_assembly(folder / nested, [*parents, folder.resolve()])
        elif artifact.get("type") == _STACK:
            template = _template(
                folder / _text_at(properties, "templateFile", where),
                stack=str(properties.get("stackName") or artifact.get("displayName") or identifier),
                environment=str(artifact.get("environment", "")),
            )
            metadata = list(_metadata_of(artifact, folder))
            yield replace(template, paths=_paths(metadata), raised_quotas=_raised_quotas(metadata))


def _template(file: Path, *, stack: str, environment: str | None = None) -> SourceTemplate:
    document = _json(file)
    if environment is not None:
        # A stack without resources, of which the CDK CLI deploys nothing.
        document.setdefault("Resources", {})
    if not isinstance(document.get("Resources"), dict):
        raise AssemblyError(f"{file} is not a CloudFormation template: it has no `Resources`. {_HOW_TO}")
    _check_form(document, str(file))
    match = _ENVIRONMENT.fullmatch(environment or "")
    account, region = (match["account"], match["region"]) if match else (None, None)
    return SourceTemplate(
        stack=stack,
        account=None if account == "unknown-account" else account,
        region=None if region == "unknown-region" else region,
        document=document,
        file=file,
    )


def resources_of(document: Mapping[str, Any]) -> Mapping[str, Mapping[str, Any]]:
    """Return the resources of a template by logical ID, without the loops that a macro expands.

    Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-foreach.html
    """
    return {name: one for name, one in document["Resources"].items() if not name.startswith("Fn::")}


def nested_template(parent: SourceTemplate, logical_id: str) -> SourceTemplate | None:
    """Read the template of a nested stack, or return None if the app doesn't contain it."""
    asset = _asset_of(parent, resources_of(parent.document).get(logical_id, {}))
    file = parent.file.parent / str(asset)
    if asset is None or not file.is_file() or file.resolve() == parent.file.resolve():
        return None
    nested = _template(file, stack=f"{parent.stack}/{logical_id}")
    return replace(nested, account=parent.account, region=parent.region, is_nested=True)


def _asset_of(parent: SourceTemplate, resource: Mapping[str, Any]) -> object:
    """The file of a nested stack's template: from the metadata that the CDK CLI asks for, or by its hash."""
    named = (resource.get("Metadata") or {}).get("aws:asset:path")
    match = _ASSET.search(json.dumps((resource.get("Properties") or {}).get("TemplateURL")))
    if named is not None or match is None:
        return named
    for manifest in sorted(parent.file.parent.glob("*.assets.json")):
        asset = (_json(manifest).get("files") or {}).get(match["hash"])
        source = asset.get("source") if isinstance(asset, dict) else None
        if isinstance(source, dict):
            return source.get("path")
    return None


def _metadata_of(artifact: Mapping[str, Any], folder: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The metadata of the constructs of a stack, each with the path of its construct."""
    metadata = artifact.get("metadata")
    file = artifact.get("additionalMetadataFile")
    if not metadata and isinstance(file, str) and (folder / file).is_file():
        metadata = _json(folder / file)
    for path, entries in (metadata if isinstance(metadata, dict) else {}).items():
        for entry in entries if isinstance(entries, list) else ():
            if isinstance(entry, dict):
                yield path, entry


def _paths(metadata: Iterable[tuple[str, Mapping[str, Any]]]) -> Mapping[str, str]:
    return {
        str(entry.get("data")): path.removeprefix("/")
        for path, entry in metadata
        if entry.get("type") == "aws:cdk:logicalId"
    }


def _raised_quotas(metadata: Iterable[tuple[str, Mapping[str, Any]]]) -> Mapping[str, int]:
    return {
        str(entry["type"]): entry["data"]
        for _, entry in metadata
        if entry.get("type") in RAISED_BY and type(entry.get("data")) is int
    }


def _check_form(document: Mapping[str, Any], where: str) -> None:
    """Check that the sections of a template have the form that CloudFormation requires."""
    for section in ("Mappings", "Outputs", "Parameters"):
        _objects(document.get(section) or {}, f"{where}: {section}")
    if not isinstance(document.get("Conditions") or {}, dict):
        raise _not_an_object(f"{where}: Conditions")
    for logical_id, resource in _objects(resources_of(document), f"{where}: Resources").items():
        _text_at(resource, "Type", f"{where}: Resources.{logical_id}")
        for name in ("Metadata", "Properties"):
            if not isinstance(resource.get(name) or {}, dict):
                raise _not_an_object(f"{where}: Resources.{logical_id}.{name}")


def _objects(value: object, where: str) -> Mapping[str, dict[str, Any]]:
    if not isinstance(value, dict):
        raise _not_an_object(where)
    for name, item in value.items():
        if not isinstance(item, dict) and not name.startswith("Fn::"):
            raise _not_an_object(f"{where}.{name}")
    return {name: item for name, item in value.items() if isinstance(item, dict)}


def _text_at(parent: object, name: str, where: str) -> str:
    value = parent.get(name) if isinstance(parent, dict) else None
    if not isinstance(value, str):
        raise AssemblyError(f"{where}.{name} is not a text. {_HOW_TO}")
    return value


def _not_an_object(where: str) -> AssemblyError:
    return AssemblyError(f"{where} is not a JSON object. {_HOW_TO}")


def _json(file: Path) -> dict[str, Any]:
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise AssemblyError(f"{file} can't be read: {error.strerror}. {_HOW_TO}") from error
    except RecursionError as error:
        raise AssemblyError(f"{file} is nested too deeply. {_HOW_TO}") from error
    except ValueError as error:
        raise AssemblyError(f"{file} is not JSON: {error}. {_HOW_TO}") from error
    if not isinstance(document, dict):
        raise _not_an_object(str(file))
    return document
