"""The functions of MiniStack: an upgrade that changes one fails here, and says who relies on it."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import inspect
import re
from functools import cache
from pathlib import Path

import pytest

from tests.emulator.contract.functions import PARAMETERS
from tests.emulator.contract.lookup import found
from tests.emulator.contract.names import replaced_names, used_names

MINISTACK = Path(importlib.util.find_spec("ministack").origin).parent


def relied_on_by(name):
    return f"ministack.{name}, which {', '.join(sorted(used_names()[name]))} relies on"


def test_ministack_is_the_version_that_this_was_written_for():
    assert importlib.metadata.version("ministack") == "1.5.33"


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_function_takes_the_same_parameters(name):
    function = found(name)
    assert callable(function), f"{relied_on_by(name)}, is gone"
    assert " ".join(inspect.signature(function).parameters) == PARAMETERS[name], relied_on_by(name)


@cache
def sources():
    """The source of each module of MiniStack, by its name without the package."""
    return {
        ".".join(path.relative_to(MINISTACK).with_suffix("").parts): path.read_text(encoding="utf-8")
        for path in MINISTACK.rglob("*.py")
    }


@pytest.mark.parametrize("name", sorted(replaced_names()))
def test_what_is_replaced_is_looked_up_by_its_name_for_each_call(name):
    """A function of its module names it, or any module as an attribute; a name at the top is bound once."""
    module, _, attribute = name.rpartition(".")
    in_a_function = re.compile(rf"^[ \t]+(?!def ).*(?<![.\w]){attribute}\b", re.MULTILINE)
    as_attribute = re.compile(rf"\.{attribute}\b")
    assert in_a_function.search(sources()[module]) or any(map(as_attribute.search, sources().values())), (
        relied_on_by(name)
    )
