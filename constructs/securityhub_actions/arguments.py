"""Rejects arguments of the wrong kind with one line: the argument, what is allowed, and what was given.

Every public constructor and function of this library is decorated with :func:`checked` (a dataclass with
:func:`checked_fields`), which compares the arguments with the annotations. docs/adr/0011 explains why the
library has its own check. Nothing here needs the AWS CDK.
"""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from functools import cache, wraps
from typing import Annotated, Any, Final, ParamSpec, TypeVar, Union, get_args, get_origin, get_type_hints

from securityhub_actions.argument_words import described, named
from securityhub_actions.tokens import is_number_token

_P = ParamSpec("_P")
_R = TypeVar("_R")
_C = TypeVar("_C")
_Wrong = tuple[str, object, object]
"""What doesn't fit: the name of the argument or of its part, the annotation, and the value."""
_BASES: Final = frozenset({"typing", "typing_extensions"})


def checked(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Check the kinds of a function's arguments, as annotated, before it runs.

    Tokens of the AWS CDK fit where the values that they represent do.

    Raises:
        ValueError: When the function is called: an argument is of the wrong kind.
    """
    return _checked(function, function)


def checked_fields(dataclass: type[_C]) -> type[_C]:
    """Check the kinds of a dataclass's fields, as annotated, before it is initialized.

    Raises:
        ValueError: When an instance is created: a field is of the wrong kind.
    """
    dataclass.__init__ = _checked(dataclass.__init__, dataclass)  # type: ignore[method-assign]
    return dataclass


def _checked(function: Callable[_P, _R], annotated: object) -> Callable[_P, _R]:
    signature = inspect.signature(function)

    @wraps(function)
    def check_and_call(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        try:
            arguments = signature.bind(*args, **kwargs).arguments
        except TypeError:
            return function(*args, **kwargs)  # raises the error that names the function
        hints = _hints_of(annotated)
        for name, value in arguments.items():
            if name in hints:
                require(name, value, _hint_of(signature.parameters[name], hints[name]))
        return function(*args, **kwargs)

    return check_and_call


@cache
def _hints_of(annotated: object) -> Mapping[str, Any]:
    return get_type_hints(annotated, include_extras=True)


def _hint_of(parameter: inspect.Parameter, hint: object) -> object:
    return tuple[hint, ...] if parameter.kind is parameter.VAR_POSITIONAL else hint  # type: ignore[valid-type]


def require(name: str, value: object, hint: object) -> None:
    """Check the kind of one value.

    Args:
        name: The argument's name, for the error.
        value: The value.
        hint: The annotation: a class, a protocol, or an enumeration; or `Sequence`, `Mapping`, `tuple`,
            `Callable`, or a union of them; or `Annotated[object, check]`, where the function `check(name,
            value)` raises the error.

    Raises:
        ValueError: The value, or a part of it, is of the wrong kind.
    """
    for wrong in _wrong(name, value, hint):
        part, wanted, given = wrong
        raise ValueError(f"{part} must be {named(wanted)}, not {described(given, part)}.{_advice(*wrong)}")


def _advice(name: str, hint: object, value: object) -> str:
    """What to do about a mistake that is easily made, with a leading space."""
    lists = [one for one in (hint, *get_args(hint)) if get_origin(one) is Sequence]
    if lists and isinstance(value, Iterable) and not isinstance(value, str | bytes | bytearray | Mapping):
        return f" Convert it to a list: {name}=list(...)."
    if isinstance(value, type):
        return f" Create an instance: {value.__name__}(...)."
    if hasattr(type(value), "resolve") and hasattr(type(value), "creation_stack"):
        return " Encode the token with Token.as_string, Token.as_number, or Token.as_list."
    if any(next(_wrong(name, value, get_args(one)[0]), None) is None for one in lists):
        return f" Put it in a list: {name}=[...]."
    return ""


def _wrong(name: str, value: object, hint: object) -> Iterator[_Wrong]:
    """The first part of a value that doesn't fit its annotation, if there is one."""
    origin = get_origin(hint)
    if origin is Annotated:
        _, check = get_args(hint)
        check(name, value)
    elif origin in {Union, types.UnionType}:
        yield from _wrong_in_union(name, value, hint)
    elif origin is not None and not _fits_container(value, origin):
        yield name, hint, value
    elif origin in {Sequence, tuple, Collection}:
        item: object
        for index, item in enumerate(value):  # type: ignore[arg-type] # checked above
            yield from _wrong(f"{name}[{index}]", item, get_args(hint)[0])
    elif origin is Mapping:
        key_hint, value_hint = get_args(hint)
        for key, item in value.items():  # type: ignore[attr-defined] # checked above
            yield from _wrong(f"a key of {name}", key, key_hint)
            yield from _wrong(f"{name}[{described(key, name)}]", item, value_hint)
    elif origin is None and not _fits(value, hint):
        yield name, hint, value


def _wrong_in_union(name: str, value: object, union: object) -> Iterator[_Wrong]:
    closest: list[_Wrong] = []
    for hint in get_args(union):
        wrong = next(_wrong(name, value, hint), None)
        if wrong is None:
            return
        if wrong[0] != name:  # a container of the right kind with a wrong item
            closest.append(wrong)
    yield closest[0] if closest else (name, union, value)


def _fits_container(value: object, origin: object) -> bool:
    if origin is Callable:
        return callable(value)
    if origin is Mapping:
        return isinstance(value, Mapping)
    kind = Collection if origin is Collection else Sequence
    return isinstance(value, kind) and not isinstance(value, str | bytes | bytearray | Mapping)


def _fits(value: object, hint: Any) -> bool:  # noqa: ANN401 - an annotation
    if hint in {object, Any} or isinstance(hint, TypeVar):
        return True  # what a type variable stands for, its class knows and checks
    if hint in {None, type(None)}:
        return value is None
    if hint in {int, float}:
        is_number = isinstance(value, int | hint) and not isinstance(value, bool)
        return is_number or is_number_token(value)
    if getattr(hint, "_is_protocol", False):
        return _implements(value, hint)
    if isinstance(value, str) and issubclass(hint, StrEnum):
        return value in set(hint)  # the members are strings themselves, so their values are as good
    return isinstance(value, hint)


def _implements(value: object, protocol: type) -> bool:
    """Whether a value has the members of a protocol.

    Every interface of the AWS CDK is one. What a class of the CDK implements is declared, so that a target of
    a rule isn't confused with other classes that have a `bind`.
    """
    kind = type(value)
    if isinstance(value, type):
        return False
    if vars(kind).get("__jsii_type__"):
        declared = getattr(kind, "__jsii_ifaces__", ())
        return any(protocol in interface.__mro__ for interface in declared)
    return all(
        hasattr(kind, member) or member in getattr(value, "__dict__", ()) or _answers(value, member)
        for member in _members_of(protocol)
    )


def _answers(value: object, member: str) -> bool:
    """Whether an object that delegates to others, as the CDK's proxies do, has a member."""
    if not hasattr(type(value), "__getattr__"):
        return False
    try:
        return hasattr(value, member)
    except RuntimeError:
        # It has the member, but no value for it, such as the security groups of a function outside of a VPC.
        return True


@cache
def _members_of(protocol: type) -> frozenset[str]:
    return frozenset(
        name
        for base in protocol.__mro__
        if getattr(base, "_is_protocol", False) and base.__module__ not in _BASES
        for name in (*vars(base), *getattr(base, "__annotations__", ()))
        if not name.startswith("_")
    )
