"""Findings in OCSF with anything anywhere, as nobody documents them."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.both_formats import ocsf_finding

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@st.composite
def forged(draw):
    """A finding in OCSF in which somebody has put anything anywhere, or left things out."""
    finding = ocsf_finding(draw(st.integers(1, 3)))
    for _ in range(draw(st.integers(0, 4))):
        node, path = finding, []
        while isinstance(node, dict) and node:
            key = draw(st.sampled_from(sorted(node)))
            path.append((node, key))
            node = node[key][0] if isinstance(node[key], list) and node[key] else node[key]
        parent, key = draw(st.sampled_from(path))
        if draw(st.booleans()):
            parent[key] = draw(JSON)
        else:
            del parent[key]
    return finding
