"""The comparison operators of EventBridge event patterns, one class for each.

A condition matches one leaf of an event: a string, a number, a Boolean value, or null. The module
:mod:`securityhub_actions.patterns.leaves` finds the leaves in an event, including those in arrays.

Source: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html
"""

from __future__ import annotations

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from ipaddress import IPv4Address, IPv6Address, ip_network
from itertools import pairwise
from typing import Final, TypeAlias

from securityhub_actions.argument_words import described
from securityhub_actions.tokens import is_number_token

Scalar: TypeAlias = str | int | float | bool | None
Json: TypeAlias = Scalar | Sequence["Json"] | Mapping[str, "Json"]

LARGEST_NUMBER: Final = 5_000_000_000
"""EventBridge compares numbers from minus to plus this value, with up to six decimal places."""
_MOST_DECIMALS: Final = 6


class Condition(ABC):
    """A condition in the list that an event pattern has for a field."""

    __slots__ = ()

    @abstractmethod
    def matches(self, value: Scalar) -> bool:
        """Whether a leaf with this value matches."""

    @abstractmethod
    def to_json(self) -> Json:
        """The condition in the syntax of event patterns."""


class InexactNumber(float):
    """A number in JSON text that Python would round. EventBridge compares it as text.

    Attributes:
        text: The number as written in the JSON text.
    """

    text: str

    def __new__(cls, text: str) -> InexactNumber:
        """Create the rounded number with its text."""
        number = super().__new__(cls, text)
        number.text = text
        return number

    def __repr__(self) -> str:
        return self.text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, InexactNumber) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)


def is_comparable(value: object) -> bool:
    """Whether EventBridge compares a value as a number. It compares numbers outside its range as text."""
    if isinstance(value, bool | InexactNumber) or not isinstance(value, int | float):
        return False
    if not -LARGEST_NUMBER <= value <= LARGEST_NUMBER:
        return False
    if isinstance(value, int):
        return True
    exponent = Decimal(repr(value)).as_tuple().exponent
    return isinstance(exponent, int) and -exponent <= _MOST_DECIMALS


def _same(left: Scalar, right: Scalar) -> bool:
    """JSON equality: ``true`` isn't ``1``, but ``5`` is ``5.0`` if EventBridge can compare them."""
    if type(left) is type(right):
        return left == right
    return is_comparable(left) and is_comparable(right) and left == right


def _require_text(value: object, operator: str) -> None:
    if not isinstance(value, str):
        raise ValueError(f"{operator} accepts a string, not {described(value, operator)}")  # noqa: TRY004 - as for all arguments


def _require_bool(value: object, name: str) -> None:
    if not isinstance(value, bool):
        raise ValueError(f"{name} is True or False, not {described(value, name)}")  # noqa: TRY004


def _require_number(value: object, operator: str) -> None:
    if not is_comparable(value) and not is_number_token(value):
        raise ValueError(
            f"{operator} accepts numbers from -5,000,000,000 to 5,000,000,000 with up to six decimal "
            f"places, not {described(value, operator)}"
        )


_IPV4: Final = re.compile(r"[0-9]+(?:\.[0-9]+){3}")
_IPV6: Final = re.compile(r"[0-9a-fA-F:]*:[0-9a-fA-F:]*")


def _parse_address(text: str) -> IPv4Address | IPv6Address | None:
    """Parse an IP address as EventBridge does: octets are decimal, even with leading zeros."""
    try:
        if _IPV4.fullmatch(text):
            return IPv4Address(".".join(str(int(octet)) for octet in text.split(".")))
        if _IPV6.fullmatch(text):
            address = IPv6Address(text)
            return address.ipv4_mapped or address
    except ValueError:
        return None
    return None


def _address_digits(value: Scalar) -> str:
    """The digits that EventBridge compares with those of addresses; empty if it doesn't compare the value.

    They are the hexadecimal digits of an address or, in this engine, the text of a number.
    """
    if isinstance(value, str):
        address = _parse_address(value)
        return address.packed.hex().upper() if address else ""
    return "" if value is None or isinstance(value, bool) else repr(value)


@dataclass(frozen=True, slots=True, eq=False)
class Exact(Condition):
    """Matches a value that equals a string, a number, a Boolean value, or null.

    An IP address also matches the same address in a different notation, such as ``::1`` and ``0:0::1``, and
    other values that begin with its hexadecimal digits: ``10.0.0.1`` matches ``a00:1::``.

    Args:
        value: The value.
        literal: Whether to compare only the characters of a string (the operator ``exactly``).
    """

    value: Scalar
    literal: bool = False
    _digits: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if (
            isinstance(self.value, float)
            and not isinstance(self.value, InexactNumber)
            and not math.isfinite(self.value)
        ):
            raise ValueError(f"{self.value!r} is not a JSON number")
        if self.value is not None and not isinstance(self.value, str | int | float | bool):
            raise ValueError(
                "a value must be a string, a number, true, false, or null, not "
                f"{described(self.value, 'value')}"
            )
        _require_bool(self.literal, "literal")
        if self.literal:
            _require_text(self.value, "exactly")
        is_text = isinstance(self.value, str) and not self.literal
        object.__setattr__(self, "_digits", _address_digits(self.value) if is_text else "")

    @property
    def address_digits(self) -> str:
        """The hexadecimal digits of the value if it is an IP address; otherwise empty."""
        return self._digits

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Exact) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def _key(self) -> tuple[Scalar, bool, bool]:
        return self.value, isinstance(self.value, bool), self.literal  # in Python, True equals 1

    def matches(self, value: Scalar) -> bool:
        """See :meth:`Condition.matches`."""
        if self._digits:
            return _address_digits(value).startswith(self._digits)
        return _same(self.value, value)

    def to_json(self) -> Json:
        """See :meth:`Condition.to_json`."""
        return {"exactly": self.value} if self.literal else self.value


def _ignoring_case(text: str) -> str:
    """A regular expression for the text in which each character can have either case.

    The result differs from ``lower()`` or ``casefold()`` on both sides. The engine replaces each UTF-16 unit
    with its two cases, so ``ß`` also matches ``SS``, and a character with two units (an emoji) never matches
    itself.
    """
    units = (character if ord(character) <= 0xFFFF else "??" for character in text)  # noqa: PLR2004
    return "".join(f"(?:{re.escape(unit.lower())}|{re.escape(unit.upper())})" for unit in units)


@dataclass(frozen=True, slots=True)
class _Affix(Condition):
    text: str
    ignore_case: bool = False
    _regex: re.Pattern[str] | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        _require_text(self.text, self._operator())
        _require_bool(self.ignore_case, f"ignore_case of {self._operator()}")
        regex = re.compile(self._expression()) if self.ignore_case else None
        object.__setattr__(self, "_regex", regex)

    @classmethod
    def _operator(cls) -> str:
        return cls.__name__.lower()

    @abstractmethod
    def _expression(self) -> str: ...

    def to_json(self) -> Json:
        """See :meth:`Condition.to_json`."""
        return {self._operator(): {"equals-ignore-case": self.text} if self.ignore_case else self.text}


@dataclass(frozen=True, slots=True)
class Prefix(_Affix):
    """Matches a string that begins with the text. Empty text matches any string.

    EventBridge compares strings with their quotation marks. Text that ends with a quotation mark therefore
    also matches the string that ends there.

    Args:
        text: The beginning of the string.
        ignore_case: Whether to ignore the case. Default: False.
    """

    def _expression(self) -> str:
        return _ignoring_case(self.text)

    def matches(self, value: Scalar) -> bool:
        """See :meth:`Condition.matches`."""
        if not isinstance(value, str):
            return False
        if self._regex:
            return self._regex.match(f'{value}"') is not None
        return value.startswith(self.text) or self.text == f'{value}"'


@dataclass(frozen=True, slots=True)
class Suffix(_Affix):
    """Matches a string that ends with the text. Empty text matches any string.

    Text that begins with a quotation mark also matches the string that begins there. See Prefix.

    Args:
        text: The end of the string.
        ignore_case: Whether to ignore the case. Default: False.
    """

    def _expression(self) -> str:
        return _ignoring_case(self.text) + r"\Z"

    def matches(self, value: Scalar) -> bool:
        """See :meth:`Condition.matches`."""
        if not isinstance(value, str):
            return False
        if self._regex:
            return self._regex.search(f'"{value}') is not None
        return value.endswith(self.text) or self.text == f'"{value}'


@dataclass(frozen=True, slots=True)
class EqualsIgnoreCase(Condition):
    """Matches a string that equals the text if the case is ignored."""

    text: str
    _regex: re.Pattern[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        _require_text(self.text, "equals-ignore-case")
        object.__setattr__(self, "_regex", re.compile(_ignoring_case(self.text)))

    def matches(self, value: Scalar) -> bool:
        """See :meth:`Condition.matches`."""
        return isinstance(value, str) and self._regex.fullmatch(value) is not None

    def to_json(self) -> Json:
        """See :meth:`Condition.to_json`."""
        return {"equals-ignore-case": self.text}


@dataclass(frozen=True, slots=True)
class Wildcard(Condition):
    r"""Matches a string with a pattern in which ``*`` matches zero or more characters.

    ``\*`` is an asterisk and ``\\`` a backslash. ``**`` and all other escape sequences are errors.
    """

    text: str
    _pieces: tuple[str, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        _require_text(self.text, "wildcard")
        object.__setattr__(self, "_pieces", tuple(_split_wildcard(self.text)))

    @property
    def pieces(self) -> tuple[str, ...]:
        """The literal text before, between, and after the asterisks."""
        return self._pieces

    def matches(self, value: Scalar) -> bool:
        """See :meth:`Condition.matches`."""
        if not isinstance(value, str):
            return False
        first, *middle = self._pieces
        if not middle:
            return value == first
        last = middle.pop()
        if not value.startswith(first):
            return False
        position = len(first)
        for piece in middle:
            found = value.find(piece, position)
            if found < 0:
                return False
            position = found + len(piece)
        return len(value) - len(last) >= position and value.endswith(last)

    def to_json(self) -> Json:
        """See :meth:`Condition.to_json`."""
        return {"wildcard": self.text}


def _split_wildcard(text: str) -> list[str]:
    parts = re.findall(r"\\.?|[^\\]", text, flags=re.DOTALL)
    if ("*", "*") in pairwise(parts):
        raise ValueError(f"wildcard {text!r} has consecutive asterisks, which EventBridge rejects; use one")
    pieces = [""]
    for part in parts:
        if part == "*":
            pieces.append("")
        elif part in {r"\*", r"\\"} or part[0] != "\\":
            pieces[-1] += part[-1]
        else:
            raise ValueError(rf"wildcard {text!r} has a backslash before something other than * or \ ")
    return pieces


_NUMERIC_OPERATORS: Final = ("=", "<", "<=", ">", ">=")


@dataclass(frozen=True, slots=True, init=False)
class Numeric(Condition):
    """Matches a number in a range: ``Numeric(">=", 70)``, or ``Numeric(">", 0, "<=", 5)``.

    Strings of digits aren't numbers. A number beyond five billion, or with more than six decimal places,
    matches no numeric condition.
    """

    expression: tuple[str | int | float, ...]
    _low: float = field(repr=False, compare=False)
    _low_open: bool = field(repr=False, compare=False)
    _high: float = field(repr=False, compare=False)
    _high_open: bool = field(repr=False, compare=False)

    def __init__(self, *expression: str | int | float) -> None:
        operators, numbers = expression[::2], expression[1::2]
        for number in numbers:
            _require_number(number, "numeric")
        if len(operators) != len(numbers) or not _is_numeric_grammar(operators):
            raise ValueError(
                f"numeric accepts one comparison ({', '.join(_NUMERIC_OPERATORS)} and a number) or a lower "
                f"bound followed by an upper bound, not {list(expression)!r}"
            )
        low, high = -math.inf, math.inf
        if any(map(is_number_token, numbers)):  # known only at deployment, so nothing is known to match
            low, high, operators, numbers = math.nan, math.nan, (), ()
        for operator, number in zip(operators, numbers, strict=True):
            low = float(number) if operator in {"=", ">", ">="} else low
            high = float(number) if operator in {"=", "<", "<="} else high
        if low >= high and operators != ("=",):
            raise ValueError(
                f"numeric {list(expression)!r} is an empty range: the lower bound must be less than the "
                "upper bound"
            )
        bounds = {"expression": expression, "_low": low, "_high": high}
        for name, value in bounds.items():
            object.__setattr__(self, name, value)
        object.__setattr__(self, "_low_open", ">" in operators)
        object.__setattr__(self, "_high_open", "<" in operators)

    def matches(self, value: Scalar) -> bool:
        """See :meth:`Condition.matches`."""
        if not isinstance(value, int | float) or not is_comparable(value):
            return False
        above = self._low < value if self._low_open else self._low <= value
        return above and (value < self._high if self._high_open else value <= self._high)

    @property
    def bounds(self) -> tuple[float, float]:
        """The lower and the upper bound; infinite if there is none, NaN if known only at deployment."""
        return self._low, self._high

    def contains(self, other: Numeric) -> bool:
        """Whether every number that matches the other condition matches this one."""
        return (other._low, other._low_open) >= (self._low, self._low_open) and (
            other._high,
            not other._high_open,
        ) <= (self._high, not self._high_open)

    def excludes(self, other: Numeric) -> bool:
        """Whether no number matches both conditions."""
        return self._is_below(other) or other._is_below(self)

    def _is_below(self, other: Numeric) -> bool:
        if self._high == other._low:
            return self._high_open or other._low_open
        return self._high < other._low

    def to_json(self) -> Json:
        """See :meth:`Condition.to_json`."""
        return {"numeric": list(self.expression)}


def _is_numeric_grammar(operators: Sequence[object]) -> bool:
    if len(operators) == 1:
        return operators[0] in _NUMERIC_OPERATORS
    return len(operators) == 2 and operators[0] in (">", ">=") and operators[1] in ("<", "<=")  # noqa: PLR2004 # a list is in no set


@dataclass(frozen=True, slots=True)
class Cidr(Condition):
    """Matches an IP address in a CIDR block, such as ``10.0.0.0/24`` or ``2001:db8::/32``.

    EventBridge compares hexadecimal digits from left to right and stops as soon as the result is clear.
    Addresses of the other IP version, and numbers, can therefore match too: ``0.0.0.0/0`` matches ``::1``.
    """

    block: str
    _low: str = field(init=False, repr=False, compare=False)
    _high: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        _require_text(self.block, "cidr")
        low, high = _parse_block(self.block)
        object.__setattr__(self, "_low", low)
        object.__setattr__(self, "_high", high)

    def matches(self, value: Scalar) -> bool:
        """See :meth:`Condition.matches`."""
        return self.holds_digits(_address_digits(value))

    def holds_digits(self, digits: str) -> bool:
        """Whether all addresses that begin with the digits are in the block."""
        at_low = at_high = True
        for index, (low, high) in enumerate(zip(self._low, self._high, strict=True)):
            digit = digits[index : index + 1]
            if (
                not digit
                or digit not in _HEXADECIMAL
                or (at_low and digit < low)
                or (at_high and digit > high)
            ):
                return False
            at_low, at_high = at_low and digit == low, at_high and digit == high
            if not at_low and not at_high:
                return True
        return True

    def contains(self, other: Cidr) -> bool:
        """Whether every address in the other block is in this block."""
        return len(self._low) == len(other._low) and self._low <= other._low <= other._high <= self._high

    def to_json(self) -> Json:
        """See :meth:`Condition.to_json`."""
        return {"cidr": self.block}


_HEXADECIMAL: Final = frozenset("0123456789ABCDEF")


def _parse_block(block: str) -> tuple[str, str]:
    """The hexadecimal digits of the first and the last address. Host bits are ignored."""
    text, _, bits = block.rstrip("/").partition("/")
    address = _parse_address(text)
    if address is None or not re.fullmatch(r"\+?\d+|-0+", bits) or int(bits) >= address.max_prefixlen:
        raise ValueError(
            f"cidr accepts an IP address and fewer than 32 (IPv4) or 128 (IPv6) mask bits, not {block!r}"
        )
    network = ip_network((str(address), int(bits)), strict=False)
    return network[0].packed.hex().upper(), network[-1].packed.hex().upper()


@dataclass(frozen=True, slots=True)
class Exists(Condition):
    """Matches the presence or the absence of a leaf. Objects and empty arrays aren't leaves."""

    present: bool

    def __post_init__(self) -> None:
        if not isinstance(self.present, bool):
            raise ValueError(f"exists accepts true or false, not {described(self.present, 'exists')}")  # noqa: TRY004

    def matches(self, value: Scalar) -> bool:  # noqa: ARG002 - a leaf with any value is present
        """See :meth:`Condition.matches`."""
        return self.present

    def to_json(self) -> Json:
        """See :meth:`Condition.to_json`."""
        return {"exists": self.present}


Excludable: TypeAlias = str | int | float | Prefix | Suffix | EqualsIgnoreCase | Wildcard


@dataclass(frozen=True, slots=True, init=False)
class AnythingBut(Condition):
    """Matches a leaf that is present and matches none of the exclusions.

    ``AnythingBut("a", "b")`` or ``AnythingBut(Prefix("us-"))``: the exclusions are all strings, all numbers,
    or all of the same operator, because EventBridge can't mix them. Values of other types match:
    ``AnythingBut("a")`` matches ``1`` and ``null``. An array matches as soon as one of its elements does.
    """

    excluded: tuple[Condition, ...]

    def __init__(self, *excluded: Excludable) -> None:
        conditions = tuple(_to_excluded(item) for item in excluded)
        if len({_kind(condition) for condition in conditions}) != 1:
            raise ValueError(
                f"anything-but accepts one or more strings, numbers, or operators of one kind, not mixed, "
                f"not {list(excluded)!r}"
            )
        object.__setattr__(self, "excluded", conditions)

    def matches(self, value: Scalar) -> bool:
        """See :meth:`Condition.matches`."""
        return not any(condition.matches(value) for condition in self.excluded)

    def to_json(self) -> Json:
        """See :meth:`Condition.to_json`."""
        first = self.excluded[0]
        if isinstance(first, Exact):
            return {
                "anything-but": _unwrap([item.value for item in self.excluded if isinstance(item, Exact)])
            }
        operator = _operator_of(first)
        texts = [item.text for item in self.excluded if isinstance(item, _TEXT_OPERATORS)]
        return {"anything-but": {operator: _unwrap(texts)}}


_TEXT_OPERATORS: Final = (Prefix, Suffix, EqualsIgnoreCase, Wildcard)


def _unwrap(items: Sequence[Scalar]) -> Json:
    return items[0] if len(items) == 1 else list(items)


def _operator_of(condition: Condition) -> str:
    spelled = condition.to_json()
    return next(iter(spelled)) if isinstance(spelled, Mapping) else ""


def _to_excluded(item: object) -> Condition:
    if isinstance(item, str):
        return Exact(item, literal=True)
    if isinstance(item, int | float) and not isinstance(item, bool):
        _require_number(item, "anything-but")
        return Exact(item)
    if isinstance(item, _Affix) and (item.ignore_case or not item.text):
        raise ValueError(
            f"anything-but accepts no prefix or suffix that is empty or ignores case, such as {item!r}"
        )
    if isinstance(item, _TEXT_OPERATORS):
        return item
    raise ValueError(
        f"anything-but accepts strings, numbers, prefix, suffix, equals-ignore-case, or wildcard, not "
        f"{described(item, 'anything-but')}"
    )


def _kind(condition: Condition) -> type[object]:
    if isinstance(condition, Exact):
        return str if isinstance(condition.value, str) else float
    return type(condition)
