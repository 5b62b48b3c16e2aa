"""How errors name what an argument accepts, and what was given instead. Always on one line."""

from __future__ import annotations

import reprlib
import types
from collections.abc import Callable, Collection, Mapping, Sequence
from enum import Enum
from typing import Any, Final, Union, get_args, get_origin

_PLAIN: Final[Mapping[object, str]] = {
    str: "a string",
    int: "a whole number",
    float: "a number",
    bool: "True or False",
    None: "None",
    type(None): "None",
    Mapping: "a dict",
    Callable: "a function",
}
_EXAMPLES: Final[Mapping[str, str]] = {
    "Duration": "such as Duration.hours(1)",
    "IRuleTarget": "such as targets.SqsQueue(queue)",
    "Authorization": "such as Authorization.api_key(...)",
    "Code": "such as Code.from_asset(...)",
    "Instances": "such as Instances.with_tag(...)",
    "RuleTargetInput": "such as RuleTargetInput.from_object(...)",
}
_MOST_MEMBERS: Final = 8
_REPR: Final = reprlib.Repr()
_REPR.maxstring = 100
_CONFIDENTIAL: Final = ("secret", "password", "token", "authorization")


def named(hint: Any) -> str:  # noqa: ANN401 - an annotation
    """What an annotation accepts, such as `a list of which each item is a string`."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in {Union, types.UnionType}:
        return " or ".join(dict.fromkeys(named(argument) for argument in arguments))
    if origin in {Sequence, tuple, Collection}:
        return f"a list of which each item is {named(arguments[0])}"
    if (plain := origin or hint) in _PLAIN:
        return _PLAIN[plain]
    if issubclass(hint, Enum):
        return _named_enumeration(hint)
    example = _EXAMPLES.get(hint.__name__)
    return f"{_with_article(_name_of(hint))}{f', {example}' if example else ''}"


def _named_enumeration(enumeration: type[Enum]) -> str:
    names = [f"{enumeration.__name__}.{member.name}" for member in enumeration]
    if len(names) > _MOST_MEMBERS:
        return f"a member of {enumeration.__name__}, such as {names[0]}"
    return f"{', '.join(names[:-1])} or {names[-1]}"


def described(value: object, name: str) -> str:
    """What was given for an argument. A string that may be a secret isn't repeated."""
    if isinstance(value, type):
        return f"the class {_name_of(value)} itself"
    return _text_of(value, hide=any(word in name.lower() for word in _CONFIDENTIAL))


def _text_of(value: object, *, hide: bool) -> str:
    if value is None or isinstance(value, bool | int | float):
        return repr(value)
    if isinstance(value, Enum):
        return f"{_name_of(type(value))}.{value.name}"
    if isinstance(value, str | bytes | list | tuple | dict | set | frozenset) and not hide:
        text = _REPR.repr(value)
        if "\n" not in text and " object at 0x" not in text:
            return text
    return f"{_with_article(_name_of(type(value)))}{_place_of(value)}"


def _place_of(value: object) -> str:
    """The path of a construct, if the value is one."""
    if not hasattr(type(value), "__jsii_type__"):
        return ""
    path = getattr(getattr(value, "node", None), "path", None)
    return f" ({path})" if isinstance(path, str) else ""


def _name_of(kind: type) -> str:
    """The name of a class; of those of the AWS CDK, with its module, as in `aws_sqs.IQueue`."""
    jsii_type = vars(kind).get("__jsii_type__")
    if isinstance(jsii_type, str):
        return jsii_type.removeprefix("aws-cdk-lib.").removeprefix("constructs.")
    return kind.__name__


def _with_article(name: str) -> str:
    vowel = name.rpartition(".")[0][:1] or name[:1]
    return f"{'an' if vowel in 'aeiouAEIOU' else 'a'} {name}"
