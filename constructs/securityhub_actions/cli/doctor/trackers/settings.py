"""The trackers' settings in the layer of a function, deployed or synthesized."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.request import urlopen

from securityhub_actions.cli.doctor.patient import Function, Patient

_MAX_BYTES: Final = 10_000_000
_LAYER: Final = "AWS::Lambda::LayerVersion"


def read_settings(patient: Patient, function: Function) -> Mapping[str, Mapping[str, Any]]:
    """Return the settings by tracker. None if the function has no file with settings.

    Source: https://docs.aws.amazon.com/lambda/latest/api/API_GetLayerVersionByArn.html

    Raises:
        ClientError: A layer can't be read.
    """
    name = function.environment.get("TRACKER_SETTINGS")
    if not name:
        return {}
    files = _deployed(patient, function) if function.role_arn else _synthesized(patient, function)
    for folder in files:
        if (text := folder.get(f"python/{name}")) is not None:
            settings: Mapping[str, Mapping[str, Any]] = json.loads(text)
            return settings
    return {}


def _deployed(patient: Patient, function: Function) -> Iterator[Mapping[str, str]]:
    client = patient.aws.client("lambda")
    for arn in reversed(function.layers):
        content = client.get_layer_version_by_arn(Arn=arn)["Content"]
        if content["CodeSize"] <= _MAX_BYTES:
            with urlopen(content["Location"], timeout=30) as response:  # noqa: S310 - from Lambda
                yield _files(response.read())


def _files(archive: bytes) -> dict[str, str]:
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        names = [name for name in opened.namelist() if name.endswith(".json")]
        return {name: opened.read(name).decode() for name in names}


def _synthesized(patient: Patient, function: Function) -> Iterator[Mapping[str, str]]:
    for stack in patient.stacks:
        if stack.name != function.stack or patient.path is None:
            continue
        for _, properties in stack.of_type(_LAYER):
            key = str((properties.get("Content") or {}).get("S3Key", ""))
            folder = patient.path / f"asset.{key.removesuffix('.zip')}"
            yield {_relative(file, folder): file.read_text() for file in folder.rglob("settings.json")}


def _relative(file: Path, folder: Path) -> str:
    return file.relative_to(folder).as_posix()
