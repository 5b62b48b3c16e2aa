"""The diagram of an action."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from securityhub_actions.cli.report.diagram import Node, diagram

LEAVES = st.builds(Node, kind=st.text(max_size=40), label=st.text(max_size=80), style=st.just("target"))
TREES = st.builds(
    Node,
    kind=st.just("Custom action"),
    label=st.text(max_size=80),
    style=st.just("action"),
    children=st.lists(
        st.builds(
            Node,
            kind=st.just("Rule"),
            label=st.text(max_size=80),
            style=st.just("rule"),
            children=st.lists(LEAVES, max_size=5).map(tuple),
        ),
        max_size=5,
    ).map(tuple),
)


def forms(root):
    return str(diagram(root)).split('<svg class="diagram')[1:]


def boxes(svg):
    form = r'<rect x="([\d.]+)" y="([\d.]+)" width="([\d.]+)" height="([\d.]+)"'
    return [tuple(map(float, found)) for found in re.findall(form, svg)]


@given(TREES)
def test_no_box_covers_another_or_leaves_the_picture(root):
    for svg in forms(root):
        width, height = map(float, re.search(r'viewBox="-1 -1 ([\d.]+) ([\d.]+)"', svg).groups())
        found = boxes(svg)
        assert all(x + wide <= width and y + high <= height for x, y, wide, high in found)
        for number, (x, y, wide, high) in enumerate(found):
            for x2, y2, wide2, high2 in found[:number]:
                assert x + wide <= x2 or x2 + wide2 <= x or y + high <= y2 or y2 + high2 <= y


def test_two_rules_with_one_target_have_one_box_for_it_side_by_side():
    target = Node(kind="SQS queue", label="Q", style="target")
    rules = tuple(Node(kind="Rule", label=name, style="rule", children=(target,)) for name in "AB")
    wide, narrow = forms(Node(kind="Action", label="X", style="action", children=rules))
    assert (len(boxes(wide)), len(boxes(narrow))) == (4, 5)


def test_a_long_name_is_shortened_and_there_in_full():
    name = "Stack/" + "x" * 90
    svg = str(diagram(Node(kind="Rule", label=name, style="rule")))
    assert f"<title>Rule: {name}</title>" in svg
    assert f">{name}</text>" not in svg
