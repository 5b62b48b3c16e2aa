"""Paths of values in findings, such as `Resources[0].Tags['team']`, checked against the format's model.

ASFF's model is that of boto3. OCSF's is a document without a model there. So its paths are those by which
Security Hub's own API filters findings, some more of OCSF's schema, and tags.
"""

from __future__ import annotations

import difflib
import functools
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from botocore.loaders import Loader

Segment = str | int | Mapping[str, str] | None
"""As lambda/functions/tickets/trackers/fields.py reads it: None stands for every item."""

EXAMPLES: Final = "'Severity.Label', 'Resources[0].Tags[\\'team\\']', or 'Types[*]'"
_FORM: Final = re.compile(
    r"(?P<dot>\.)?(?P<name>[A-Za-z_][A-Za-z0-9_-]*)"
    r"|\[(?P<index>[0-9]{1,4})\]|\[(?P<all>\*)\]|\[(?P<quote>['\"])(?P<key>[^'\"]{1,256})(?P=quote)\]"
)
_MOST_SHOWN: Final = 12
_SCALARS: Final = frozenset({"string", "integer", "long", "float", "double", "boolean", "timestamp"})
# Enumerations of the API with the paths of OCSF, and what the values there are.
# Source: https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_OcsfFindingFilters.html
_OCSF_ENUMERATIONS: Final = (
    "OcsfStringField",
    "OcsfNumberField",
    "OcsfDateField",
    "OcsfBooleanField",
    "OcsfIpField",
)
# Further fields that findings have, of which the API has no filter.
# Source: https://schema.ocsf.io/1.6.0/classes/compliance_finding
_OCSF_FURTHER: Final = frozenset(
    {
        "cloud.cloud_partition",
        "compliance.status_code",
        "finding_info.analytic.uid",
        "finding_info.created_time",
        "finding_info.modified_time",
        "metadata.version",
        "resources.uid_alt",
        "time",
        "time_dt",
        "vulnerabilities.affected_packages.fixed_in_version",
        "vulnerabilities.affected_packages.version",
        "vulnerabilities.severity",
        "vulnerabilities.title",
    }
)
# The arrays among them.
_OCSF_LISTS: Final = frozenset(
    {
        "compliance.assessments",
        "compliance.standards",
        "databucket.file.data_classifications",
        "evidences",
        "finding_info.related_events",
        "finding_info.related_events.traits",
        "finding_info.types",
        "malware",
        "remediation.references",
        "resources",
        "resources.cloud_function.layers",
        "vulnerabilities",
        "vulnerabilities.affected_code",
        "vulnerabilities.affected_packages",
        "vulnerabilities.cve.cvss",
        "vulnerabilities.related_vulnerabilities",
    }
)


def asff_path(written: str) -> list[Segment]:
    """Return the segments of a path in ASFF.

    Raises:
        ValueError: It isn't a path, or ASFF has no such field.
    """
    segments = _segments(written)
    model = _model()
    shape: Mapping[str, Any] = model["AwsSecurityFinding"]
    done = ""
    for segment in segments:
        kind = shape["type"]
        if kind == "structure":
            members: Mapping[str, Mapping[str, str]] = shape["members"]
            if not isinstance(segment, str) or segment not in members:
                raise ValueError(_no_field(done, segment, members, "ASFF"))
            shape = model[members[segment]["shape"]]
        elif kind == "list":
            if segment is not None and not isinstance(segment, int):
                raise ValueError(f"{done} is a list; specify {done}[0] for its first item, or {done}[*]")
            shape = model[shape["member"]["shape"]]
        elif kind == "map" and isinstance(segment, str):
            shape = model[shape["value"]["shape"]]
        else:
            raise ValueError(f"{done} is a {kind}, which has no fields")
        done = _joined(done, segment)
    if shape["type"] not in _SCALARS:
        raise ValueError(_unfinished(done, shape["type"]))
    return segments


def ocsf_path(written: str) -> list[Segment]:
    """Return the segments of a path in OCSF. Tags by their key become items of a list by their name.

    Raises:
        ValueError: It isn't a path, or Security Hub doesn't document such a field.
    """
    segments = _segments(written)
    scalars, maps = _ocsf_fields()
    known = {*scalars, *maps}
    done, name = "", ""
    found: list[Segment] = []
    for number, segment in enumerate(segments):
        if name in maps:
            if not isinstance(segment, str) or number < len(segments) - 1:
                raise ValueError(f"{done} is a list of tags; specify {done}['KEY'] for the value of one")
            return [*found, {"name": segment}, "value"]
        needs_item = name in _OCSF_LISTS and (not found or isinstance(found[-1], str))
        if needs_item != (segment is None or isinstance(segment, int)):
            raise ValueError(
                f"{done} is a list; specify {done}[0] for its first item, or {done}[*]"
                if needs_item
                else f"{done} is no list"
            )
        if isinstance(segment, str):
            name = f"{name}.{segment}".removeprefix(".")
            if not any(one == name or one.startswith(f"{name}.") for one in known):
                raise ValueError(_no_field(done, segment, _below(name.rpartition(".")[0], known), "OCSF"))
        found.append(segment)
        done = _joined(done, segment)
    if name not in scalars or (name in _OCSF_LISTS and isinstance(found[-1], str)):
        kind = "list" if name in _OCSF_LISTS else "map" if name in maps else "structure"
        raise ValueError(_unfinished(done, kind))
    return found


def has_several(segments: Sequence[Segment]) -> bool:
    """Return whether a path leads to several values."""
    return None in segments


def _segments(written: str) -> list[Segment]:
    position, found = 0, list[Segment]()
    for match in _FORM.finditer(written):
        is_first = match.start() == 0
        is_name = match["name"] is not None
        if (
            match.start() != position
            or (is_name and bool(match["dot"]) == is_first)
            or (is_first and not is_name)
        ):
            break
        position = match.end()
        if match["index"] is not None:
            found.append(int(match["index"]))
        else:
            found.append(None if match["all"] else match["name"] or match["key"])
    if position != len(written) or not found:
        raise ValueError(f"{written!r} is not a path; specify one such as {EXAMPLES}")
    return found


def _joined(done: str, segment: Segment) -> str:
    if segment is None:
        return f"{done}[*]"
    if isinstance(segment, int):
        return f"{done}[{segment}]"
    return f"{done}.{segment}".removeprefix(".")


def _no_field(done: str, segment: object, known: Mapping[str, object] | Sequence[str], name: str) -> str:
    where = done or f"a finding in {name}"
    close = difflib.get_close_matches(str(segment), [*known], n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(close)}?" if close else f"it has {_some_of(sorted(known))}"
    return f"{where} has no field {segment!r}; {hint}"


def _some_of(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_MOST_SHOWN])
    return shown if len(names) <= _MOST_SHOWN else f"{shown}, and {len(names) - _MOST_SHOWN} others"


def _unfinished(done: str, kind: str) -> str:
    ways = {
        "list": f"specify {done}[0] for its first item, or {done}[*]",
        "map": f"specify the value of a key, as in {done}['team']",
    }
    return f"{done} is a {kind}; {ways.get(kind, 'specify one of its fields')}"


def _below(parent: str, known: set[str]) -> list[str]:
    prefix = f"{parent}." if parent else ""
    return sorted({one.removeprefix(prefix).partition(".")[0] for one in known if one.startswith(prefix)})


@functools.cache
def _model() -> Mapping[str, Mapping[str, Any]]:
    """The shapes of Security Hub's API.

    Source: https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_AwsSecurityFinding.html
    """
    shapes: Mapping[str, Mapping[str, Any]] = Loader().load_service_model("securityhub", "service-2")[
        "shapes"
    ]
    return shapes


@functools.cache
def _ocsf_fields() -> tuple[frozenset[str], frozenset[str]]:
    """The fields of OCSF with texts, numbers, times, and Booleans, and those with tags."""
    model = _model()
    scalars = frozenset(path for name in _OCSF_ENUMERATIONS for path in model[name]["enum"])
    return scalars | _OCSF_FURTHER, frozenset(model["OcsfMapField"]["enum"])
