"""The resource types of Security Hub in CloudFormation, and their import.

`AWS::SecurityHub::ActionTarget` exists only in the Regions where AWS has it; a template with it is refused
elsewhere, in CloudFormation's own words. `AWS::SecurityHub::Hub` exists everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final
from xml.sax.saxutils import escape

from ministack.core.responses import get_region
from ministack.services.cloudformation import changesets, engine, handlers, provisioners
from ministack.services.cloudformation.helpers import _sdk_error

from emulator.securityhub import api, state
from emulator.securityhub.model import Document, SecurityHubError, partition_of

ACTION_TARGET: Final = "AWS::SecurityHub::ActionTarget"
HUB: Final = "AWS::SecurityHub::Hub"

_COMMERCIAL_REGIONS: Final = frozenset({"us-east-1", "us-west-2", "eu-central-1", "ap-south-1"})
# These partitions have the type in all of their Regions.
_WHOLE_PARTITIONS: Final = frozenset({"aws-eusc", "aws-iso", "aws-iso-b", "aws-iso-e", "aws-iso-f"})
_SUMMARY_END: Final = b"</GetTemplateSummaryResult>"

Properties = Mapping[str, Any]
Provisioned = tuple[str, Document]
"""A resource's physical ID and the attributes that Fn::GetAtt returns."""


def register() -> None:
    """Add the resource types to MiniStack's CloudFormation, for this process.

    Calling it again changes nothing.
    """
    if ACTION_TARGET in provisioners._RESOURCE_HANDLERS:  # noqa: SLF001 - MiniStack has no public way to add a type
        return
    provisioners._RESOURCE_HANDLERS[ACTION_TARGET] = {  # noqa: SLF001
        "create": _create_action_target,
        "update": _update_action_target,
        "delete": _delete_action_target,
        "import": _import_action_target,
    }
    provisioners._REPLACING_PROPERTIES[ACTION_TARGET] = ("Id",)  # noqa: SLF001
    provisioners._RESOURCE_HANDLERS[HUB] = {  # noqa: SLF001
        "create": _create_hub,
        "update": _update_hub,
        "delete": _delete_hub,
    }
    provisioners._REPLACING_PROPERTIES[HUB] = ()  # noqa: SLF001
    changesets._IMPORT_LOOKUPS[ACTION_TARGET] = (("ActionTargetArn",), _import_problem)  # noqa: SLF001
    # Both modules hold the function under their own name.
    checked = _with_regional_types(engine.validate_template_support)
    changesets.validate_template_support = checked
    handlers.validate_template_support = checked
    actions = handlers._ACTION_HANDLERS  # noqa: SLF001
    actions["GetTemplateSummary"] = _with_identifiers(actions["GetTemplateSummary"])


def has_action_target(region: str) -> bool:
    """Whether CloudFormation has `AWS::SecurityHub::ActionTarget` in a Region."""
    return region in _COMMERCIAL_REGIONS or partition_of(region) in _WHOLE_PARTITIONS


def _create_action_target(_logical_id: str, properties: Properties, _stack_name: str) -> Provisioned:
    _refuse_where_unknown()
    request = {name: properties.get(name) for name in ("Id", "Name", "Description")}
    try:
        arn = str(call_security_hub("CreateActionTarget", request)["ActionTargetArn"])
    except _ServiceError as error:
        if error.code != "ResourceConflictException":
            raise
        arn = state.arn_of(f"action/custom/{properties['Id']}")
        message = f"Resource of type '{ACTION_TARGET}' with identifier '{arn}' already exists."
        raise ValueError(message) from error
    return arn, {"ActionTargetArn": arn}


def _update_action_target(arn: str, _old: Properties, new: Properties, _stack_name: str) -> Provisioned:
    call_security_hub(
        "UpdateActionTarget",
        {"ActionTargetArn": arn, "Name": new.get("Name"), "Description": new.get("Description")},
    )
    return arn, {"ActionTargetArn": arn}


def _delete_action_target(arn: str, _properties: Properties) -> None:
    call_security_hub("DeleteActionTarget", {"ActionTargetArn": arn}, is_deletion=True)


def _import_action_target(identifier: Mapping[str, str]) -> Provisioned:
    arn = identifier["ActionTargetArn"]
    return arn, {"ActionTargetArn": arn}


def _import_problem(arn: str) -> str | None:
    """Why an action target can't be imported, or None."""
    if arn in state.action_targets:
        return None
    return f"Resource of type '{ACTION_TARGET}' with identifier '{arn}' was not found."


def _create_hub(_logical_id: str, properties: Properties, _stack_name: str) -> Provisioned:
    settings = _hub_settings(properties)
    call_security_hub("EnableSecurityHub", {"ControlFindingGenerator": settings["ControlFindingGenerator"]})
    call_security_hub("UpdateSecurityHubConfiguration", settings)
    return _described_hub()


def _update_hub(_arn: str, _old: Properties, new: Properties, _stack_name: str) -> Provisioned:
    call_security_hub("UpdateSecurityHubConfiguration", _hub_settings(new))
    return _described_hub()


def _delete_hub(_arn: str, _properties: Properties) -> None:
    call_security_hub("DisableSecurityHub", {}, is_deletion=True)


def _hub_settings(properties: Properties) -> Document:
    return {
        # A template's boolean may arrive as the text "false".
        "AutoEnableControls": str(properties.get("AutoEnableControls", True)).lower() == "true",
        "ControlFindingGenerator": properties.get("ControlFindingGenerator", "SECURITY_CONTROL"),
    }


def _described_hub() -> Provisioned:
    hub = call_security_hub("DescribeHub", {})
    return str(hub["HubArn"]), {"ARN": hub["HubArn"], "SubscribedAt": hub["SubscribedAt"]}


class _ServiceError(ValueError):
    """An error of Security Hub, worded as CloudFormation reports it."""

    def __init__(self, error: SecurityHubError) -> None:
        super().__init__(_sdk_error(error.message, "SecurityHub", error.status))
        self.code = error.code


def call_security_hub(operation: str, request: Document, *, is_deletion: bool = False) -> Document:
    """Call an operation of Security Hub for CloudFormation.

    Args:
        operation: The name of the operation.
        request: Its parameters.
        is_deletion: Whether a resource that doesn't exist is no error, since CloudFormation treats it as
            deleted.

    Raises:
        ValueError: Security Hub answered with an error, worded as CloudFormation reports it.
    """
    try:
        return api.call(operation, request)
    except SecurityHubError as error:
        if is_deletion and error.code == "ResourceNotFoundException":
            return {}
        raise _ServiceError(error) from error


def _refuse_where_unknown() -> None:
    if not has_action_target(get_region()):
        raise ValueError(f"Template format error: Unrecognized resource types: [{ACTION_TARGET}]")


Validate = Callable[..., None]


def _with_regional_types(validate: Validate) -> Validate:
    """CloudFormation's check of a template, that also knows which Regions have the action target."""

    def validate_template_support(
        template: Document, conditions: Mapping[str, bool], params: Document | None = None
    ) -> None:
        validate(template, conditions, params)
        for resource in _resources(template).values():
            if resource.get("Type") == ACTION_TARGET and conditions.get(resource.get("Condition", ""), True):
                _refuse_where_unknown()

    return validate_template_support


Answer = tuple[int, dict[str, str], bytes]


def _with_identifiers(summarize: Callable[[Document], Answer]) -> Callable[[Document], Answer]:
    """GetTemplateSummary with ResourceIdentifierSummaries, which `cdk import` reads."""

    def get_template_summary(params: Document) -> Answer:
        status, headers, body = summarize(params)
        if status != 200:  # noqa: PLR2004 - HTTP OK
            return status, headers, body
        summaries = _identifier_summaries(params)
        return status, headers, body.replace(_SUMMARY_END, summaries.encode() + _SUMMARY_END)

    return get_template_summary


def _identifier_summaries(params: Document) -> str:
    body, _error = handlers._resolve_template(params)  # noqa: SLF001
    resources = _resources(engine._parse_template(body)) if body else {}  # noqa: SLF001
    members = []
    for resource_type, (keys, _problem) in changesets._IMPORT_LOOKUPS.items():  # noqa: SLF001
        logical_ids = [name for name, resource in resources.items() if resource.get("Type") == resource_type]
        if logical_ids:
            members.append(
                f"<member><ResourceType>{escape(resource_type)}</ResourceType>"
                f"<LogicalResourceIds>{_members(logical_ids)}</LogicalResourceIds>"
                f"<ResourceIdentifiers>{_members(keys)}</ResourceIdentifiers></member>"
            )
    return f"<ResourceIdentifierSummaries>{''.join(members)}</ResourceIdentifierSummaries>"


def _resources(template: Document) -> dict[str, Document]:
    """A template's resources, without other entries such as the list of an `Fn::ForEach`."""
    declared = (template.get("Resources") or {}).items()
    return {name: resource for name, resource in declared if isinstance(resource, dict)}


def _members(values: list[str] | tuple[str, ...]) -> str:
    return "".join(f"<member>{escape(value)}</member>" for value in values)
