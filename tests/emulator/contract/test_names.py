"""The contract covers each name of MiniStack that the embedded AWS uses, and no other."""

from __future__ import annotations

import pytest

from tests.emulator.contract.data import CLASSES, MODULES, STORES, TABLES
from tests.emulator.contract.functions import PARAMETERS
from tests.emulator.contract.names import ROOT, SOURCES, used_names, uses_of

COVERED = [*PARAMETERS, *MODULES, *TABLES, *STORES, *CLASSES]


def test_each_name_that_is_used_is_in_the_contract():
    missing = {name: sorted(files) for name, files in used_names().items() if name not in COVERED}
    assert missing == {}, "add them to functions.py or data.py, with a test of what is relied on"


def test_each_name_in_the_contract_is_used():
    # What serves the application is MiniStack's own, and only passed on.
    assert sorted(set(COVERED) - used_names().keys()) == []
    assert len(COVERED) == len(set(COVERED))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_each_private_name_is_one_that_can_be_read_from_the_source(path):
    assert uses_of(path.read_text(encoding="utf-8")).unknown == []


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("from ministack.services import iam\niam._roles.get_scoped('1')", {"services.iam._roles"}),
        ("from ministack.services import iam as i\ni._roles = 1", {"services.iam._roles"}),
        ("import ministack.app\nministack.app.HANDLERS['x']", {"app.HANDLERS"}),
        ("from ministack.core.arn import parse_arn", {"core.arn.parse_arn"}),
        ("def f():\n    from ministack.services import iam\n    iam._p()", {"services.iam._p"}),
        ("from ministack.services import iam\ncheck(iam, '_p', 1)", {"services.iam._p"}),
        ("from ministack.services import iam", set()),
        ("from botocore import model\nmodel._private", set()),
    ],
)
def test_a_name_is_found_however_it_is_used(source, names):
    assert uses_of(source).names == names


@pytest.mark.parametrize(
    "source",
    [
        "def f(service):\n    return service._clusters",
        "from ministack.services import iam\ngetattr(iam, name)",
        "from ministack.services import iam\nsetattr(iam, name, 1)",
    ],
)
def test_a_name_that_only_the_running_program_knows_is_found(source):
    assert len(uses_of(source).unknown) == 1


def test_what_belongs_to_the_object_itself_is_none_of_ministacks():
    source = "class A:\n    def f(self):\n        return self._log, type(self).__name__"
    assert uses_of(source).unknown == []
