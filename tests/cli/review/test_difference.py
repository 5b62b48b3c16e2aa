"""A review names each change in its first screen, and nothing where only code changed."""

from __future__ import annotations

import pytest

from tests.cli.review import changes

SCREEN = 24


def first_screen(printed):
    return printed.out.splitlines()[:SCREEN]


@pytest.mark.parametrize("change", changes.NAMED, ids=lambda change: change.__name__)
def test_a_change_is_named_in_the_first_screen(cli, synthesized, version, change):
    change(version)
    printed = cli("review", synthesized, "--template", version.folder, columns=80)
    attention, words = changes.NAMED[change]
    assert any(line.startswith(f"{attention.ljust(7)}{words}") for line in first_screen(printed)), printed.out
    assert printed.code == 1


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_no_line_is_wider_than_the_page(cli, synthesized, version, columns):
    for change in changes.AT_ONCE:
        change(version)
    printed = cli("review", synthesized, "--template", version.folder, columns=columns)
    assert max(map(len, printed.out.splitlines())) <= columns


def test_nothing_is_named_where_only_hashes_of_assets_changed(cli, synthesized, version):
    changes.asset_hashes(version)
    printed = cli("review", synthesized, "--template", version.folder)
    assert (printed.code, printed.out.splitlines()[1:]) == (
        0,
        ["Nothing to name. What differs, if anything, is the code or another asset."],
    )


def test_twenty_changes_at_once_are_named_in_the_first_screen(cli, synthesized, version):
    for change in changes.AT_ONCE:
        change(version)
    printed = cli("review", synthesized, "--template", version.folder, columns=80)
    expected = {
        f"{attention.ljust(7)}{words}" for attention, words in map(changes.NAMED.get, changes.AT_ONCE)
    }
    assert len(expected) >= 20
    lines = first_screen(printed)
    missing = {words for words in expected if not any(line.startswith(words) for line in lines)}
    assert missing == set(), "\n".join(printed.out.splitlines()[:50])
