"""Documents of Systems Manager, which MiniStack lacks, as far as runbooks need them; also in CloudFormation.

Sources:
    https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_CreateDocument.html
    https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_UpdateDocument.html
    https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-ssm-document.html
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from typing import Any, Final
from uuid import uuid4

from ministack.core.responses import AccountRegionScopedDict, json_response
from ministack.services.cloudformation import provisioners

from emulator import services
from emulator.services import RefusedError

Document = dict[str, Any]
RESOURCE_TYPE: Final = "AWS::SSM::Document"
_documents = AccountRegionScopedDict()
_NAME: Final = re.compile(r"[a-zA-Z0-9_.-]{3,128}")
_SCHEMA: Final = "0.3"
_OF_AWS: Final = re.compile(r"aws|amazon|amzn", re.IGNORECASE)
"""What the names of AWS's own documents begin with, and no others."""


def register() -> None:
    """Add the operations and the resource type."""
    services.add_operations("ssm", {name: _answering(function) for name, function in _OPERATIONS.items()})
    provisioners._RESOURCE_HANDLERS[RESOURCE_TYPE] = {  # noqa: SLF001 - see tests/emulator/contract
        "create": _create_resource,
        "update": _update_resource,
        "delete": _delete_resource,
    }
    provisioners._REPLACING_PROPERTIES[RESOURCE_TYPE] = ("DocumentType", "Name")  # noqa: SLF001


def clear() -> None:
    """Delete all documents."""
    _documents.clear()


def content_of(name: str, version: str = "$DEFAULT") -> Document | None:
    """Return the content of a version of a runbook, or None if there is no such document."""
    document = _documents.get(name)
    if document is None:
        return None
    number = document["DefaultVersion"] if version == "$DEFAULT" else version
    if version == "$LATEST":
        number = str(len(document["Versions"]))
    if not number.isdecimal() or not 0 < int(number) <= len(document["Versions"]):
        raise RefusedError("InvalidDocumentVersion", f"{name} has no version {version}.")
    content: Document = document["Versions"][int(number) - 1]
    return content


def started_resources(name: str, *, region: str, account: str) -> tuple[str, str]:
    """Return what StartAutomationExecution needs a permission for: the document, and the execution.

    The ARN of AWS's own documents has no account.

    Source: https://docs.aws.amazon.com/service-authorization/latest/reference/list_awssystemsmanager.html
    Source: https://docs.aws.amazon.com/systems-manager/latest/userguide/automation-setup-identity-based-policies.html
    """
    owner = "" if _OF_AWS.match(name) else account
    return (
        f"arn:aws:ssm:{region}:{owner}:document/{name}",
        # Systems Manager chooses its ID.
        f"arn:aws:ssm:{region}:{account}:automation-execution/{uuid4()}",
    )


def _answering(function: Any) -> Any:  # noqa: ANN401 - MiniStack is untyped
    return lambda request: json_response(function(request))


def _create(request: Mapping[str, Any]) -> Document:
    name = request["Name"]
    if not _NAME.fullmatch(name):
        raise RefusedError("ValidationException", f"{name!r} is not a name of a document.")
    if name in _documents:
        raise RefusedError("DocumentAlreadyExists", f"Document with same name {name} already exists")
    if request.get("DocumentType") != "Automation":
        raise RefusedError("InvalidDocumentContent", "The embedded AWS has documents of type Automation.")
    _documents[name] = {
        "Name": name,
        "DefaultVersion": "1",
        "Versions": [_checked(request["Content"])],
        "CreatedDate": time.time(),
    }
    return _described(name)


def _update(request: Mapping[str, Any]) -> Document:
    document = _existing(request)
    content = _checked(request["Content"])
    if content in document["Versions"]:
        message = "The content of the document is that of another version."
        raise RefusedError("DuplicateDocumentContent", message)
    document["Versions"].append(content)
    return _described(document["Name"])


def _update_default_version(request: Mapping[str, Any]) -> Document:
    document = _existing(request)
    content_of(document["Name"], request["DocumentVersion"])
    document["DefaultVersion"] = request["DocumentVersion"]
    return {"Description": {"Name": document["Name"], "DefaultVersion": document["DefaultVersion"]}}


def _get(request: Mapping[str, Any]) -> Document:
    document = _existing(request)
    content = content_of(document["Name"], request.get("DocumentVersion", "$DEFAULT"))
    return {
        "Name": document["Name"],
        "DocumentVersion": request.get("DocumentVersion", document["DefaultVersion"]),
        "Content": json.dumps(content),
        "DocumentType": "Automation",
        "DocumentFormat": "JSON",
        "Status": "Active",
    }


def _delete(request: Mapping[str, Any]) -> Document:
    del _documents[_existing(request)["Name"]]
    return {}


def _existing(request: Mapping[str, Any]) -> Document:
    document: Document | None = _documents.get(request["Name"])
    if document is None:
        message = f"Document with name {request['Name']} does not exist."
        raise RefusedError("InvalidDocument", message)
    return document


def _described(name: str) -> Document:
    document = _documents[name]
    return {
        "DocumentDescription": {
            "Name": name,
            "DocumentType": "Automation",
            "DocumentFormat": "JSON",
            "Status": "Active",
            "SchemaVersion": _SCHEMA,
            "DefaultVersion": document["DefaultVersion"],
            "LatestVersion": str(len(document["Versions"])),
            "DocumentVersion": str(len(document["Versions"])),
            "CreatedDate": document["CreatedDate"],
        }
    }


def _checked(text: str) -> Document:
    """Return the content of a runbook, or refuse it."""
    try:
        content = json.loads(text)
        steps = [(step["name"], step["action"]) for step in content["mainSteps"]]
    except (KeyError, TypeError, ValueError) as error:
        message = f"The content must be JSON with mainSteps, each with a name and an action: {error!r}"
        raise RefusedError("InvalidDocumentContent", message) from None
    if content.get("schemaVersion") != _SCHEMA:
        raise RefusedError("InvalidDocumentSchemaVersion", f"An Automation needs the schema {_SCHEMA}.")
    if not steps or len(dict(steps)) < len(steps):
        raise RefusedError("InvalidDocumentContent", "There must be steps, and their names must differ.")
    checked: Document = content
    return checked


def _create_resource(logical_id: str, properties: Document, stack_name: str) -> tuple[str, Document]:
    name = properties.get("Name") or provisioners._physical_name(stack_name, logical_id)  # noqa: SLF001
    kind = properties.get("DocumentType", "Command")
    _create({"Name": name, "Content": _text_of(properties), "DocumentType": kind})
    return name, {}


def _update_resource(
    name: str, _old: Document, properties: Document, _stack_name: str
) -> tuple[str, Document]:
    """Make another version the default. With the method `Replace`, AWS would replace the document."""
    if properties.get("UpdateMethod") != "NewVersion":
        raise ValueError("The embedded AWS updates documents with the UpdateMethod NewVersion only.")
    latest = _update({"Name": name, "Content": _text_of(properties)})["DocumentDescription"]["LatestVersion"]
    _update_default_version({"Name": name, "DocumentVersion": latest})
    return name, {}


def _delete_resource(name: str, _properties: Document) -> None:
    _documents.pop(name, None)


def _text_of(properties: Document) -> str:
    content = properties["Content"]
    return content if isinstance(content, str) else json.dumps(content)


_OPERATIONS: Final = {
    "CreateDocument": _create,
    "UpdateDocument": _update,
    "UpdateDocumentDefaultVersion": _update_default_version,
    "GetDocument": _get,
    "DescribeDocument": lambda request: {
        "Document": _described(_existing(request)["Name"])["DocumentDescription"]
    },
    "DeleteDocument": _delete,
}
