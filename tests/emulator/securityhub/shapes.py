"""Values that a shape of the service's model allows, or nearly so."""

from __future__ import annotations

from hypothesis import strategies as st

ACCOUNT, REGION = "500000000001", "eu-west-1"
TEXTS = (
    "2026-01-01T00:00:00Z",
    "2018-10-08",
    ACCOUNT,
    f"arn:aws:securityhub:{REGION}:{ACCOUNT}:product/{ACCOUNT}/default",
    "ResourceId",
    "10.0.0.0/8",
    "",
)
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(max_size=8), values, max_size=3),
    max_leaves=5,
)
DEEPEST = 4


def values_of(shape, depth=0):
    """Requests that look right, so that they get past the first check."""
    if depth > DEEPEST:
        return JSON_VALUES
    kinds = {
        "structure": lambda: structures_of(shape, depth),
        "list": lambda: st.lists(values_of(shape.member, depth + 1), max_size=2),
        "map": lambda: st.dictionaries(st.text(max_size=8), values_of(shape.value, depth + 1), max_size=2),
        "string": lambda: st.sampled_from([*shape.enum, *TEXTS]),
        "boolean": st.booleans,
    }
    return kinds.get(shape.type_name, st.integers)()


def structures_of(shape, depth):
    members = {name: values_of(member, depth + 1) for name, member in shape.members.items()}
    required = {name: members[name] for name in shape.required_members}
    optional = {name: values | JSON_VALUES for name, values in members.items() if name not in required}
    return st.fixed_dictionaries(required, optional=optional)
