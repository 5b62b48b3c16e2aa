"""Where constructs are: their node, path, stack, and app, and the account and Region of their stack.

None of this changes, and each question to the AWS CDK is a message to its Node.js process and back. So each
is asked once for each construct.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Final, TypeVar
from weakref import WeakKeyDictionary

from aws_cdk import Stack
from constructs import IConstruct, Node

from securityhub_actions.tokens import is_token

_Asked = TypeVar("_Asked", bound=IConstruct)
_Answer = TypeVar("_Answer")


def asked_once(ask: Callable[[_Asked], _Answer]) -> Callable[[_Asked], _Answer]:
    """Remember the answer of a function about a construct for as long as the construct exists.

    Use it only for what can't change after the construct is created.
    """
    known: WeakKeyDictionary[_Asked, _Answer] = WeakKeyDictionary()

    @wraps(ask)
    def answer(construct: _Asked) -> _Answer:
        if construct in known:
            return known[construct]
        found = ask(construct)
        if found is not construct:  # or it would keep itself
            known[construct] = found
        return found

    return answer


@asked_once
def node_of(construct: IConstruct) -> Node:
    """Return the node of a construct."""
    return construct.node


@asked_once
def path_of(construct: IConstruct) -> str:
    """Return the path of a construct in its app."""
    return node_of(construct).path


_stacks: Final[WeakKeyDictionary[IConstruct, Stack]] = WeakKeyDictionary()


def stack_of(construct: IConstruct) -> Stack:
    """Return the stack of a construct, which can be a nested one."""
    if isinstance(construct, Stack):
        return construct
    if construct not in _stacks:
        _stacks[construct] = Stack.of(construct)
    return _stacks[construct]


def place_in(construct: IConstruct, scope: IConstruct) -> None:
    """Remember that a new construct is in its scope's stack, without asking."""
    _stacks[construct] = stack_of(scope)


@asked_once
def _root_of(stack: Stack) -> IConstruct:
    return node_of(stack).root


def root_of(construct: IConstruct) -> IConstruct:
    """Return the app of a construct, or whatever else is at the top."""
    return _root_of(stack_of(construct))


@asked_once
def account_of(stack: Stack) -> str:
    """Return the account of a stack, which can be a token."""
    return stack.account


@asked_once
def region_of(stack: Stack) -> str:
    """Return the Region of a stack, which can be a token."""
    return stack.region


@asked_once
def outermost_of(stack: Stack) -> Stack:
    """Return the stack that a nested stack is finally in, or the stack itself."""
    while stack.nested_stack_parent is not None:
        stack = stack.nested_stack_parent
    return stack


@asked_once
def environment_of_resource(resource: IConstruct) -> tuple[str, str] | None:
    """Return the account and Region of a resource, which can be tokens; None if it doesn't know them."""
    environment = getattr(resource, "env", None)
    return None if environment is None else (environment.account, environment.region)


@dataclass(frozen=True, slots=True)
class Location:
    """Where a construct is: its outermost stack, its path in that stack, its account, and its Region."""

    stack: str
    path: str
    account: str
    region: str

    @classmethod
    def of(cls, construct: IConstruct) -> Location:
        """Determine the location of a construct."""
        stack = stack_of(construct)
        outermost = path_of(outermost_of(stack))
        path = path_of(construct).removeprefix(outermost)
        return cls(stack=outermost, path=path, account=account_of(stack), region=region_of(stack))

    def shares_environment(self, other: Location) -> bool | None:
        """Whether both are deployed to the same account and Region; None if that isn't known."""
        if self.stack == other.stack:
            return True
        pairs = ((self.account, other.account), (self.region, other.region))
        known = [pair for pair in pairs if not is_token(list(pair))]
        if any(here != there for here, there in known):
            return False
        return True if len(known) == len(pairs) else None


def environment_of(construct: IConstruct) -> str:
    """Name the account and Region of a construct. Equal names always mean the same account and Region.

    If either is unknown, the name is that of the stack. A nested stack has the name of its outermost parent.
    """
    stack = stack_of(construct)
    account, region = account_of(stack), region_of(stack)
    if not is_token([account, region]):
        return f"account {account} and Region {region}"
    return f"the account and Region of stack {path_of(outermost_of(stack))}"
