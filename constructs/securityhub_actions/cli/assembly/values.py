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
from collections.abc import Callable, Mapping
from typing import Any, Final

from securityhub_actions.cli.assembly.attributes import attribute_of, identifier_of

_UNKNOWN: Final = re.compile("\ue000(?P<name>[^\ue001]*)\ue001")
_PLACEHOLDER: Final = re.compile(r"\$\{(?P<literal>!)?(?P<name>[^}]*)\}")
_NO_VALUE: Final = object()
_PARTITIONS: Final = (
    # Source: https://github.com/boto/botocore/blob/develop/botocore/data/partitions.json
    ("cn-", "aws-cn"),
    ("us-gov-", "aws-us-gov"),
    ("us-isob-", "aws-iso-b"),
    ("us-isof-", "aws-iso-f"),
    ("us-iso-", "aws-iso"),
    ("eu-isoe-", "aws-iso-e"),
    ("eusc-", "aws-eusc"),
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
    return next((partition for prefix, partition in _PARTITIONS if region.startswith(prefix)), "aws")


class Values:
    """The values in one template.

    Args:
        template: The template.
        stack: The name of the stack.
        account: The account, or None if it's unknown.
        region: The Region, or None if it's unknown.
        parameters: The values of parameters, which take precedence over their defaults.
        exports: Returns the value of an export, or None if no template of the app has it.
        nested_output: Returns the value of an output of a nested stack, or None.
    """

    def __init__(
        self,
        template: Mapping[str, Any],
        *,
        stack: str,
        account: str | None,
        region: str | None,
        parameters: Mapping[str, Any] | None = None,
        exports: Callable[[str], Any] = lambda _: None,
        nested_output: Callable[[str, str], Any] = lambda _id, _name: None,
    ) -> None:
        self._template = template
        self._exports = exports
        self._nested_output = nested_output
        self._resolving: set[str] = set()
        self._pseudo_parameters: dict[str, Any] = {
            "AWS::AccountId": account or unknown("AWS::AccountId"),
            "AWS::Region": region or unknown("AWS::Region"),
            "AWS::Partition": partition_of(region),
            "AWS::StackName": stack,
            "AWS::NoValue": _NO_VALUE,
            "AWS::URLSuffix": "amazonaws.com.cn" if (region or "").startswith("cn-") else "amazonaws.com",
        }
        self._parameters = parameters or {}

    @property
    def environment(self) -> Mapping[str, str]:
        """The partition, the account, and the Region, for ARNs."""
        names = {"partition": "AWS::Partition", "account": "AWS::AccountId", "region": "AWS::Region"}
        return {name: self._pseudo_parameters[pseudo] for name, pseudo in names.items()}

    def resolve(self, value: Any) -> Any:  # noqa: ANN401 - any JSON value
        """Return a value without intrinsic functions."""
        resolved = self._resolve(value)
        return None if resolved is _NO_VALUE else resolved

    def _resolve(self, value: Any) -> Any:  # noqa: ANN401
        if isinstance(value, list):
            items = map(self._resolve, value)
            return [item for item in items if item is not _NO_VALUE]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            ((name, argument),) = value.items()
            if name == "Ref" and isinstance(argument, str):
                return self._ref(argument)
            if name in _FUNCTIONS:
                return _FUNCTIONS[name](self, argument)
            if name.startswith("Fn::"):
                return unknown(name)
        resolved = ((key, self._resolve(item)) for key, item in value.items())
        return {key: item for key, item in resolved if item is not _NO_VALUE}

    def _ref(self, name: str) -> Any:  # noqa: ANN401
        if name in self._pseudo_parameters:
            return self._pseudo_parameters[name]
        if name in self._parameters:
            return self._parameters[name]
        if name in self._template.get("Parameters", {}):
            parameter = self._template["Parameters"][name]
            # The value of a parameter of Systems Manager is not its default, which is a name.
            is_stored = str(parameter.get("Type", "")).startswith("AWS::SSM::Parameter::Value")
            return unknown(name) if is_stored else parameter.get("Default", unknown(name))
        return self._of_resource(name, identifier_of, name)

    def _get_att(self, argument: Any) -> Any:  # noqa: ANN401
        logical_id, _, attribute = argument.partition(".") if isinstance(argument, str) else ("", "", "")
        if isinstance(argument, list):
            logical_id, attribute = str(argument[0]), str(self._resolve(argument[1]))
        if attribute.startswith("Outputs."):
            found = self._nested_output(logical_id, attribute.removeprefix("Outputs."))
            return unknown(f"{logical_id}.{attribute}") if found is None else found
        name = f"{logical_id}.{attribute}"
        return self._of_resource(logical_id, lambda *given: attribute_of(attribute, *given), name)

    def _of_resource(self, logical_id: str, choose: Callable[..., str | None], name: str) -> str:
        resource = self._template.get("Resources", {}).get(logical_id)
        # A property that refers to its own resource, by way of others, has no value before a deployment.
        if resource is None or name in self._resolving:
            return unknown(name)
        self._resolving.add(name)
        try:
            properties = self._resolve(resource.get("Properties") or {})
        finally:
            self._resolving.remove(name)
        found = choose(resource["Type"], properties, unknown(logical_id), self.environment)
        return unknown(name) if found is None else found

    def _join(self, argument: Any) -> str:  # noqa: ANN401
        separator, parts = argument
        resolved = self._resolve(parts)
        if isinstance(resolved, str):
            return resolved
        return str(separator).join(_text(part) for part in resolved)

    def _sub(self, argument: Any) -> str:  # noqa: ANN401
        template, variables = (argument, {}) if isinstance(argument, str) else argument
        known = {name: self._resolve(value) for name, value in variables.items()}

        def value_of(match: re.Match[str]) -> str:
            name = match["name"]
            if match["literal"]:
                return f"${{{name}}}"
            if name in known:
                return _text(known[name])
            return _text(self._get_att(name) if "." in name else self._ref(name))

        return _PLACEHOLDER.sub(value_of, template)

    def _select(self, argument: Any) -> Any:  # noqa: ANN401
        index, items = self._resolve(argument[0]), self._resolve(argument[1])
        if isinstance(items, list) and str(index).isdigit() and int(index) < len(items):
            return items[int(index)]
        return unknown(f"Fn::Select {index}")

    def _split(self, argument: Any) -> Any:  # noqa: ANN401
        separator, text = argument[0], _text(self._resolve(argument[1]))
        if _UNKNOWN.fullmatch(text):
            return text
        return text.split(separator)

    def _find_in_map(self, argument: Any) -> Any:  # noqa: ANN401
        name, first, second = (self._resolve(part) for part in argument[:3])
        found = self._template.get("Mappings", {}).get(name, {}).get(first, {}).get(second)
        return unknown(f"Fn::FindInMap {name}") if found is None else found

    def _if(self, argument: Any) -> Any:  # noqa: ANN401
        name, yes, no = argument
        verdict = self._condition({"Condition": name})
        return unknown(f"Fn::If {name}") if verdict is None else self._resolve(yes if verdict else no)

    def has_condition(self, resource: Mapping[str, Any]) -> bool:
        """Whether a resource is created, as far as that's known."""
        name = resource.get("Condition")
        return name is None or self._condition({"Condition": name}) is not False

    def _condition(self, value: Any) -> bool | None:  # noqa: ANN401
        """Whether a condition is met; None if only a deployment determines that."""
        if not isinstance(value, dict) or len(value) != 1:
            return None
        ((name, argument),) = value.items()
        if name == "Condition":
            return self._condition(self._template.get("Conditions", {}).get(argument))
        if name == "Fn::Equals":
            left, right = (self._resolve(one) for one in argument)
            return str(left) == str(right) if is_known([left, right]) else None
        verdicts = [self._condition(one) for one in argument]
        if name == "Fn::Not":
            return None if verdicts[0] is None else not verdicts[0]
        decisive = name == "Fn::Or"
        if decisive in verdicts or None not in verdicts:
            return decisive if decisive in verdicts else not decisive
        return None

    def _import(self, argument: Any) -> Any:  # noqa: ANN401
        name = self._resolve(argument)
        found = self._exports(name) if isinstance(name, str) else None
        return unknown(f"Fn::ImportValue {shown(name)}") if found is None else found

    def _base64(self, argument: Any) -> str:  # noqa: ANN401
        text = _text(self._resolve(argument))
        return base64.b64encode(text.encode()).decode() if is_known(text) else unknown("Fn::Base64")

    def _to_json(self, argument: Any) -> str:  # noqa: ANN401
        return json.dumps(self._resolve(argument), separators=(",", ":"), ensure_ascii=False)


_FUNCTIONS: Final[Mapping[str, Callable[[Values, Any], Any]]] = {
    "Fn::Base64": Values._base64,  # noqa: SLF001 - a table of this module's own methods
    "Fn::FindInMap": Values._find_in_map,  # noqa: SLF001
    "Fn::GetAtt": Values._get_att,  # noqa: SLF001
    "Fn::If": Values._if,  # noqa: SLF001
    "Fn::ImportValue": Values._import,  # noqa: SLF001
    "Fn::Join": Values._join,  # noqa: SLF001
    "Fn::Select": Values._select,  # noqa: SLF001
    "Fn::Split": Values._split,  # noqa: SLF001
    "Fn::Sub": Values._sub,  # noqa: SLF001
    "Fn::ToJsonString": Values._to_json,  # noqa: SLF001
}


def _text(value: Any) -> str:  # noqa: ANN401
    return value if isinstance(value, str) else json.dumps(value)
