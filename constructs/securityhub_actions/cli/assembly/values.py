"""Resolves the intrinsic functions of a template, as far as that's possible without deploying it.

What only a deployment determines, such as a generated name, becomes an unknown part of a text. Unknown parts
are delimited with characters that no template contains (of Unicode's private use area), so that they survive
`Fn::Join` and `Fn::Sub`.

Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference.html
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from securityhub_actions.cli.assembly.attributes import (
    attribute_of,
    identifier_of,
    identifying_properties,
)

_UNKNOWN: Final = re.compile("\ue000(?P<name>[^\ue001]*)\ue001")
_PLACEHOLDER: Final = re.compile(r"\$\{(?P<literal>!)?(?P<name>[^}]*)\}")
# Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/dynamic-references.html
_DYNAMIC_REFERENCE: Final = re.compile(r"\{\{(?P<name>resolve:[^{}]*)\}\}")
_NO_VALUE: Final = object()
_PARTITIONS: Final = (
    # Source: https://github.com/boto/botocore/blob/develop/botocore/data/partitions.json
    ("cn-", "aws-cn", "amazonaws.com.cn"),
    ("us-gov-", "aws-us-gov", "amazonaws.com"),
    ("us-isob-", "aws-iso-b", "sc2s.sgov.gov"),
    ("us-isof-", "aws-iso-f", "csp.hci.ic.gov"),
    ("us-iso-", "aws-iso", "c2s.ic.gov"),
    ("eu-isoe-", "aws-iso-e", "cloud.adc-e.uk"),
    ("eusc-", "aws-eusc", "amazonaws.eu"),
    ("", "aws", "amazonaws.com"),
)


def unknown(name: str) -> str:
    """Return a text that only a deployment determines."""
    return f"\ue000{name}\ue001"


def is_known(value: object) -> bool:
    """Whether a value has no unknown parts."""
    return not unknown_names(value)


def unknown_names(value: object) -> list[str]:
    """Return the names of the unknown parts of a value, in their order, each once."""
    if isinstance(value, str):
        found = [match["name"] for match in _UNKNOWN.finditer(value)]
    elif isinstance(value, Mapping):
        found = [name for key, item in value.items() for name in (*unknown_names(key), *unknown_names(item))]
    elif isinstance(value, list | tuple):
        found = [name for item in value for name in unknown_names(item)]
    else:
        found = []
    return list(dict.fromkeys(found))


def shown(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Return a value whose unknown parts are readable: `${LogicalId.Arn}`."""
    if isinstance(value, str):
        return _UNKNOWN.sub(lambda match: f"${{{match['name']}}}", value)
    if isinstance(value, Mapping):
        return {shown(key): shown(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [shown(item) for item in value]
    return value


def partition_of(region: str | None) -> str:
    """Return the partition of a Region."""
    if region is None or not is_known(region):
        return unknown("AWS::Partition")
    return next(partition for prefix, partition, _ in _PARTITIONS if region.startswith(prefix))


def domain_of(region: str | None) -> str:
    """Return the domain of a Region's endpoints."""
    if region is None or not is_known(region):
        return unknown("AWS::URLSuffix")
    return next(domain for prefix, _, domain in _PARTITIONS if region.startswith(prefix))


def split(text: str, separator: str) -> list[str]:
    """Split a text, but none of its unknown parts."""
    names: list[str] = []

    def hidden(match: re.Match[str]) -> str:
        names.append(match["name"])
        return unknown(str(len(names) - 1))

    parts = _UNKNOWN.sub(hidden, text).split(separator)
    return [_UNKNOWN.sub(lambda match: unknown(names[int(match["name"])]), part) for part in parts]


class Values:
    """The values in one template.

    Args:
        template: The template.
        stack: The name of the stack, or None if CloudFormation generates it.
        account: The account, or None if it's unknown.
        region: The Region, or None if it's unknown.
        parameters: The values of parameters, which take precedence over their defaults.
        exports: Returns the value of an export, or None if no template of the app has it.
        nested_output: Returns the value of an output of a nested stack, or None.
        stack_output: Returns the value of an output of another stack in a Region, or None.
    """

    def __init__(
        self,
        template: Mapping[str, Any],
        *,
        stack: str | None,
        account: str | None,
        region: str | None,
        parameters: Mapping[str, Any] | None = None,
        exports: Callable[[str], Any] = lambda _: None,
        nested_output: Callable[[str, str], Any] = lambda _id, _name: None,
        stack_output: Callable[[str, str, str], Any] = lambda _stack, _region, _name: None,
    ) -> None:
        self._template = template
        self._exports = exports
        self._nested_output = nested_output
        self._stack_output = stack_output
        self._resolving: set[str] = set()
        self._pseudo_parameters: dict[str, Any] = {
            "AWS::AccountId": account or unknown("AWS::AccountId"),
            "AWS::Region": region or unknown("AWS::Region"),
            "AWS::Partition": partition_of(region),
            "AWS::StackName": stack or unknown("AWS::StackName"),
            "AWS::NoValue": _NO_VALUE,
            "AWS::URLSuffix": domain_of(region),
        }
        self._parameters = parameters or {}

    @property
    def environment(self) -> Mapping[str, str]:
        """The partition, the account, and the Region, for ARNs, and the domain, for URLs."""
        names = {
            "partition": "AWS::Partition",
            "account": "AWS::AccountId",
            "region": "AWS::Region",
            "suffix": "AWS::URLSuffix",
        }
        return {name: self._pseudo_parameters[pseudo] for name, pseudo in names.items()}

    def resolve(self, value: Any) -> Any:  # noqa: ANN401 - any JSON value
        """Return a value without intrinsic functions.

        A function whose arguments aren't as documented has an unknown value.
        """
        resolved = self._resolve(value)
        return None if resolved is _NO_VALUE else resolved

    def _resolve(self, value: Any) -> Any:  # noqa: ANN401
        if isinstance(value, str):
            return _DYNAMIC_REFERENCE.sub(lambda match: unknown(match["name"]), value)
        if isinstance(value, list):
            items = map(self._resolve, value)
            return [item for item in items if item is not _NO_VALUE]
        return self._of_object(value) if isinstance(value, dict) else value

    def _of_object(self, value: dict[str, Any]) -> Any:  # noqa: ANN401
        if len(value) == 1:
            ((name, argument),) = value.items()
            if name == "Ref" and isinstance(argument, str):
                return self._ref(argument)
            if name in _FUNCTIONS:
                return _FUNCTIONS[name](self, argument)
            if name.startswith("Fn::"):
                return self._unknown_function(name, argument)
        resolved = ((key, self._resolve(item)) for key, item in value.items())
        return {key: item for key, item in resolved if item is not _NO_VALUE}

    def _section(self, name: str) -> Mapping[str, Any]:
        section: Mapping[str, Any] = self._template.get(name) or {}
        return section

    def _unknown_function(self, name: str, argument: Any) -> str:  # noqa: ANN401
        """The result of a function that only a deployment can call, which differs with its arguments."""
        return unknown(f"{name} {_text(shown(self._resolve(argument)))}".rstrip())

    def _ref(self, name: str) -> Any:  # noqa: ANN401
        if name in self._pseudo_parameters:
            return self._pseudo_parameters[name]
        if name not in self._section("Parameters"):
            return self._of_resource(name, identifier_of, name)
        parameter = self._section("Parameters")[name]
        kind = str(parameter.get("Type", ""))
        # The value of a parameter of Systems Manager is not its default, which is a name.
        default = unknown(name) if kind.startswith("AWS::SSM::Parameter::Value") else parameter.get("Default")
        value = self._parameters.get(name, default)
        if value is None:
            return unknown(name)
        is_list = kind == "CommaDelimitedList" or kind.startswith("List<")
        return [part.strip() for part in split(value, ",")] if is_list and isinstance(value, str) else value

    def _get_att(self, argument: Any) -> Any:  # noqa: ANN401
        match argument:
            case str():
                logical_id, _, attribute = argument.partition(".")
            case [str(logical_id), given]:
                attribute = str(self.resolve(given))
            case _:
                return unknown("Fn::GetAtt")
        if attribute.startswith("Outputs."):
            return self._of_nested_stack(logical_id, attribute)
        name = f"{logical_id}.{attribute}"
        return self._of_resource(logical_id, lambda *given: attribute_of(attribute, *given), name)

    def _of_nested_stack(self, logical_id: str, attribute: str) -> Any:  # noqa: ANN401
        name = f"{logical_id}.{attribute}"
        if name in self._resolving:
            return unknown(name)
        with self._while_resolving(name):
            found = self._nested_output(logical_id, attribute.removeprefix("Outputs."))
        return unknown(name) if found is None else found

    def _of_resource(self, logical_id: str, choose: Callable[..., str | None], name: str) -> str:
        resource = self._section("Resources").get(logical_id)
        # A property that refers to its own resource, by way of others, has no value before a deployment.
        if not isinstance(resource, dict) or name in self._resolving:
            return unknown(name)
        properties = resource.get("Properties") or {}
        needed = {
            one: properties[one] for one in identifying_properties(resource["Type"]) if one in properties
        }
        with self._while_resolving(name):
            resolved = self._resolve(needed)
        found = choose(resource["Type"], resolved, unknown(logical_id), self.environment)
        return unknown(name) if found is None else found

    @contextmanager
    def _while_resolving(self, name: str) -> Iterator[None]:
        self._resolving.add(name)
        try:
            yield
        finally:
            self._resolving.remove(name)

    def _join(self, argument: Any) -> str:  # noqa: ANN401
        match argument:
            case [str(separator), parts]:
                resolved = self._resolve(parts)
                if isinstance(resolved, list):
                    return separator.join(map(_text, resolved))
                if isinstance(resolved, str) and not is_known(resolved):
                    return resolved
        return unknown("Fn::Join")

    def _sub(self, argument: Any) -> str:  # noqa: ANN401
        match [argument, {}] if isinstance(argument, str) else argument:
            case [str(template), dict(variables)]:
                pass
            case _:
                return unknown("Fn::Sub")
        known = {name: self._resolve(value) for name, value in variables.items()}

        def value_of(match: re.Match[str]) -> str:
            name = match["name"]
            if match["literal"]:
                return f"${{{name}}}"
            if name in known:
                return _text(known[name])
            return _text(self._get_att(name) if "." in name else self._ref(name))

        return _PLACEHOLDER.sub(value_of, str(self._resolve(template)))

    def _select(self, argument: Any) -> Any:  # noqa: ANN401
        match self._resolve(argument):
            case [int() | str() as index, list(items)] if str(index).isdecimal() and int(index) < len(items):
                return items[int(index)]
            case [str() | int() as index, *_]:
                return unknown(f"Fn::Select {shown(str(index))}")
        return unknown("Fn::Select")

    def _split(self, argument: Any) -> Any:  # noqa: ANN401
        match self._resolve(argument):
            case [str(separator), str(text)] if separator:
                return text if _UNKNOWN.fullmatch(text) else split(text, separator)
        return unknown("Fn::Split")

    def _find_in_map(self, argument: Any) -> Any:  # noqa: ANN401
        match self._resolve(argument):
            case [str(name), str(first), str(second), *more]:
                found = self._section("Mappings").get(name)
                for key in (first, second):
                    found = found.get(key) if isinstance(found, dict) else None
                if found is None and is_known([name, first, second]) and more:
                    found = more[0].get("DefaultValue") if isinstance(more[0], dict) else None
                return unknown(f"Fn::FindInMap {shown(name)}") if found is None else found
        return unknown("Fn::FindInMap")

    def _if(self, argument: Any) -> Any:  # noqa: ANN401
        match argument:
            case [str(name), yes, no]:
                verdict = self._named_condition(name)
                return unknown(f"Fn::If {name}") if verdict is None else self._resolve(yes if verdict else no)
        return unknown("Fn::If")

    def has_condition(self, resource: Mapping[str, Any]) -> bool:
        """Whether a resource is created, as far as that's known."""
        name = resource.get("Condition")
        return name is None or self._named_condition(name) is not False

    def _named_condition(self, name: Any) -> bool | None:  # noqa: ANN401
        key = f"Condition {name}"
        if not isinstance(name, str) or key in self._resolving:
            return None
        with self._while_resolving(key):
            return self._condition(self._section("Conditions").get(name))

    def _condition(self, value: Any) -> bool | None:  # noqa: ANN401
        """Whether a condition is met; None if only a deployment determines that."""
        match value:
            case {"Condition": name}:
                return self._named_condition(name)
            case {"Fn::Equals": [left, right]}:
                texts = [_text(self._resolve(one)) for one in (left, right)]
                return texts[0] == texts[1] if is_known(texts) else None
            case {"Fn::Not": [one]}:
                verdict = self._condition(one)
                return None if verdict is None else not verdict
            case {"Fn::And": list(several)}:
                return _combined([self._condition(one) for one in several], decisive=False)
            case {"Fn::Or": list(several)}:
                return _combined([self._condition(one) for one in several], decisive=True)
        return None

    def _import(self, argument: Any) -> Any:  # noqa: ANN401
        name = self._resolve(argument)
        found = self._exports(name) if isinstance(name, str) else None
        return unknown(f"Fn::ImportValue {_text(shown(name))}") if found is None else found

    def _get_stack_output(self, argument: Any) -> Any:  # noqa: ANN401
        given = self._resolve(argument)
        stack, name = str(given.get("StackName")), str(given.get("OutputName"))
        region = given.get("Region") or self._pseudo_parameters["AWS::Region"]
        found = self._stack_output(stack, str(region), name)
        return unknown(f"{stack}.{name}") if found is None else found

    def _base64(self, argument: Any) -> str:  # noqa: ANN401
        text = _text(self._resolve(argument))
        encoded = base64.b64encode(text.encode(errors="replace")).decode()
        return encoded if is_known(text) else unknown("Fn::Base64")

    def _to_json(self, argument: Any) -> str:  # noqa: ANN401
        return json.dumps(self.resolve(argument), separators=(",", ":"), ensure_ascii=False)


_FUNCTIONS: Final[Mapping[str, Callable[[Values, Any], Any]]] = {
    "Fn::Base64": Values._base64,  # noqa: SLF001 - a table of this module's own methods
    "Fn::FindInMap": Values._find_in_map,  # noqa: SLF001
    "Fn::GetAtt": Values._get_att,  # noqa: SLF001
    "Fn::If": Values._if,  # noqa: SLF001
    "Fn::GetStackOutput": Values._get_stack_output,  # noqa: SLF001
    "Fn::ImportValue": Values._import,  # noqa: SLF001
    "Fn::Join": Values._join,  # noqa: SLF001
    "Fn::Select": Values._select,  # noqa: SLF001
    "Fn::Split": Values._split,  # noqa: SLF001
    "Fn::Sub": Values._sub,  # noqa: SLF001
    "Fn::ToJsonString": Values._to_json,  # noqa: SLF001
}


def _combined(verdicts: Sequence[bool | None], *, decisive: bool) -> bool | None:
    """Return what conditions are together, of which one with the decisive verdict is enough."""
    if decisive in verdicts:
        return decisive
    return None if None in verdicts else not decisive


def _text(value: Any) -> str:  # noqa: ANN401
    if value is _NO_VALUE:
        return ""
    return value if isinstance(value, str) else json.dumps(value)
