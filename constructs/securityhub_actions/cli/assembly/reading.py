"""Reads the stacks of a synthesized app from its templates."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from securityhub_actions.cli.assembly.attributes import CUSTOM_ACTION_TYPES, arn_of
from securityhub_actions.cli.assembly.folder import (
    AssemblyError,
    SourceTemplate,
    nested_template,
    read_templates,
    resources_of,
)
from securityhub_actions.cli.assembly.kinds import kind_of
from securityhub_actions.cli.assembly.model import DEFAULT_BUS, Action, App, Rule, Stack, Target
from securityhub_actions.cli.assembly.values import Values, is_known, unknown, unknown_names

_RULE: Final = "AWS::Events::Rule"
_NESTED_STACK: Final = "AWS::CloudFormation::Stack"


def read_app(path: Path, *, account: str | None = None, region: str | None = None) -> App:
    """Read a synthesized app.

    Args:
        path: The folder that `cdk synth` writes, another folder with templates in JSON, or one template.
        account: The account of environment-agnostic stacks. Default: unknown.
        region: The Region of environment-agnostic stacks. Default: unknown.

    Raises:
        AssemblyError: There are no templates, or one of the files isn't what it should be.
    """
    return app_of(read_templates(path), account=account, region=region)


def app_of(
    templates: Sequence[SourceTemplate], *, account: str | None = None, region: str | None = None
) -> App:
    """Return the app of templates, which :func:`read_app` describes."""
    try:
        return App(stacks=_Reader(templates, account=account, region=region).stacks())
    except RecursionError as error:
        raise AssemblyError("A template is nested too deeply.") from error


class _Reader:
    """Reads the templates of one app, which can import values from each other."""

    def __init__(
        self, templates: Sequence[SourceTemplate], *, account: str | None, region: str | None
    ) -> None:
        self._templates = templates
        self._account = account
        self._region = region
        self._importing: set[str] = set()
        self._nested: set[Path] = set()

    def stacks(self) -> list[Stack]:
        return [stack for template in self._templates for stack in self._with_nested(template)]

    def _with_nested(
        self, template: SourceTemplate, parameters: Mapping[str, Any] | None = None
    ) -> list[Stack]:
        values = self._values(template, parameters)
        stacks = [_stack(template, values, self._environment(template))]
        for logical_id, resource in resources_of(template.document).items():
            nested = nested_template(template, logical_id) if resource["Type"] == _NESTED_STACK else None
            if nested is None or nested.file in self._nested:
                continue
            # A file that is the template of a stack inside its own stack would never end.
            self._nested.add(nested.file)
            stacks += self._with_nested(nested, _parameters(resource, values))
            self._nested.remove(nested.file)
        return stacks

    def _environment(self, template: SourceTemplate) -> tuple[str | None, str | None]:
        return template.account or self._account, template.region or self._region

    def _values(self, template: SourceTemplate, parameters: Mapping[str, Any] | None) -> Values:
        account, region = self._environment(template)

        def nested_output(logical_id: str, name: str) -> Any:  # noqa: ANN401 - any JSON value
            nested = nested_template(template, logical_id)
            output = (nested.document.get("Outputs") or {}).get(name) if nested else None
            if nested is None or output is None:
                return None
            given = _parameters(resources_of(template.document)[logical_id], values)
            return self._values(nested, given).resolve(output.get("Value"))

        values = Values(
            template.document,
            stack=None if template.is_nested else template.stack,
            account=account,
            region=region,
            parameters=parameters,
            exports=lambda name: self._export(name, self._environment(template)),
            nested_output=nested_output,
            stack_output=self._stack_output,
        )
        return values

    def _stack_output(self, stack: str, region: str, name: str) -> Any:  # noqa: ANN401 - any JSON value
        """The value of an output of another stack."""
        key = f"{stack} {region} {name}"
        if key in self._importing:
            return None
        self._importing.add(key)
        try:
            for template in self._templates:
                values = self._values(template, None)
                output = template.document.get("Outputs", {}).get(name)
                if template.stack == stack and output and values.environment["region"] == region:
                    return values.resolve(output["Value"])
            return None
        finally:
            self._importing.remove(key)

    def _export(self, name: str, environment: tuple[str | None, str | None]) -> Any:  # noqa: ANN401
        """The value of an export; exports are of one account and Region."""
        if name in self._importing:
            return None
        self._importing.add(name)
        try:
            for template in self._templates:
                if self._environment(template) != environment:
                    continue
                values = self._values(template, None)
                for output in (template.document.get("Outputs") or {}).values():
                    export = output.get("Export") if isinstance(output, dict) else None
                    if isinstance(export, dict) and values.resolve(export.get("Name")) == name:
                        return values.resolve(output.get("Value"))
            return None
        finally:
            self._importing.remove(name)


def _stack(template: SourceTemplate, values: Values, environment: tuple[str | None, str | None]) -> Stack:
    created = {
        logical_id: resource
        for logical_id, resource in resources_of(template.document).items()
        if values.has_condition(resource)
    }
    resolved = {
        logical_id: _resolved_properties(resource, values) for logical_id, resource in created.items()
    }
    contents = _Contents(template, created, resolved, values, environment)
    account, region = environment
    return Stack(
        name=template.stack,
        account=account,
        region=region,
        template=template.document,
        resources=resolved,
        actions=[contents.action(one) for one in created if created[one]["Type"] in CUSTOM_ACTION_TYPES],
        rules=[contents.rule(one) for one in created if created[one]["Type"] == _RULE],
        template_bytes=template.file.stat().st_size,
        raised_quotas=template.raised_quotas,
    )


class _Contents:
    """The resources of a stack."""

    def __init__(
        self,
        template: SourceTemplate,
        resources: Mapping[str, Mapping[str, Any]],
        resolved: Mapping[str, Mapping[str, Any]],
        values: Values,
        environment: tuple[str | None, str | None],
    ) -> None:
        self._stack = template.stack
        self._paths = template.paths
        self._resources = resources
        self._resolved = resolved
        self._values = values
        self._environment = environment
        self._owners = {self._arn(logical_id): logical_id for logical_id in resources}

    def action(self, logical_id: str) -> Action:
        properties = self._resolved[logical_id]
        return Action(
            stack=self._stack,
            logical_id=logical_id,
            path=self._path(logical_id),
            id=str(properties.get("Id", "")),
            name=str(properties.get("Name", "")),
            description=str(properties.get("Description", "")),
            arn=str(self._arn(logical_id)),
        )

    def rule(self, logical_id: str) -> Rule:
        properties = self._resolved[logical_id]
        account, region = self._environment
        schedule = properties.get("ScheduleExpression")
        return Rule(
            stack=self._stack,
            logical_id=logical_id,
            path=self._path(logical_id),
            name=str(properties.get("Name") or unknown(logical_id)),
            description=str(properties.get("Description", "")),
            enabled=not str(properties.get("State", "ENABLED")).startswith("DISABLED"),
            bus=str(properties.get("EventBusName") or DEFAULT_BUS),
            pattern=_pattern(properties.get("EventPattern"), f"{self._stack}/{logical_id}"),
            schedule=None if schedule is None else str(schedule),
            targets=[self._target(target) for target in _list(properties.get("Targets"))],
            account=account,
            region=region,
        )

    def _target(self, value: object) -> Target:
        # Only a deployment determines the entire target.
        properties = value if isinstance(value, Mapping) else {"Arn": value}
        arn = str(properties.get("Arn", ""))
        owner = self._owners.get(arn) or self._named_in(arn)
        return Target(
            id=str(properties.get("Id", "")),
            arn=arn,
            kind=kind_of(properties),
            path=None if owner is None else self._path(owner),
            properties=properties,
        )

    def _named_in(self, arn: str) -> str | None:
        """The resource whose `Ref` or attribute is the entire ARN, of a type whose ARNs are unknown."""
        names = [name.partition(".")[0] for name in unknown_names(arn)]
        is_entire = len(names) == 1 and not arn.startswith("arn:")
        return names[0] if is_entire and names[0] in self._resources else None

    def _arn(self, logical_id: str) -> str | None:
        return arn_of(
            self._resources[logical_id]["Type"],
            self._resolved[logical_id],
            unknown(logical_id),
            self._values.environment,
        )

    def _path(self, logical_id: str) -> str:
        metadata = self._resources[logical_id].get("Metadata") or {}
        path = str(metadata.get("aws:cdk:path") or self._paths.get(logical_id) or logical_id)
        return path.removesuffix("/Resource").removesuffix("/Default")


def _pattern(value: object, where: str) -> Mapping[str, Any] | None:
    """A pattern, which templates have as an object or as its JSON text."""
    if isinstance(value, str) and not is_known(value) and not value.lstrip().startswith("{"):
        return {value: []}
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError) as error:
            raise AssemblyError(f"The event pattern of {where} is not JSON: {error}.") from error
    return value if isinstance(value, Mapping) else None


def _list(value: object) -> Sequence[Any]:
    if value is None:
        return ()
    return value if isinstance(value, list) else [value]


def _parameters(resource: Mapping[str, Any], values: Values) -> Mapping[str, Any]:
    given = values.resolve((resource.get("Properties") or {}).get("Parameters") or {})
    return given if isinstance(given, Mapping) else {}


def _resolved_properties(resource: Mapping[str, Any], values: Values) -> Mapping[str, Any]:
    properties = values.resolve(resource.get("Properties") or {})
    return properties if isinstance(properties, Mapping) else {}
