"""Random patterns and events: the matcher against a naive reading of the rules, and against the emulator."""

from __future__ import annotations

import json
from functools import cache
from itertools import chain, combinations, product

import pytest
from hypothesis import assume, event, given
from hypothesis import strategies as st
from ministack.services import eventbridge

from securityhub_actions.patterns import EventPattern, InvalidPatternError, RuleIndex
from securityhub_actions.patterns.analysis import may_overlap, subsumes, unreachable_reason
from tests.hypothesis_profiles import examples

# The random patterns are to be matched as documented, also where EventBridge's engine misreads them.
pytestmark = pytest.mark.filterwarnings("ignore::securityhub_actions.patterns.EngineFaultWarning")

# A busy machine draws slowly, which says nothing about the matcher.
NAMES = ["a", "b", "c"]
TEXTS = st.sampled_from(["x", "xy", "yx", "X", "", "é", "É", "ß", "SS", "値", "*", "\\", "x\nx", "5"])
NUMBERS = st.sampled_from([0, 1, 5, 5.0, -1, 2.5, 0.000001])
SCALARS = st.one_of(TEXTS, NUMBERS, st.none(), st.booleans())


@cache
def events(*, with_arrays):
    """Events whose fields a, b and c hold scalars, and o and p objects, as deep as three levels."""
    leaves = st.one_of(SCALARS, st.lists(SCALARS, max_size=3)) if with_arrays else SCALARS
    level = st.dictionaries(st.sampled_from(NAMES), leaves, min_size=1, max_size=3)
    for _ in range(2):
        items = st.one_of(level, level, st.lists(level, max_size=2))
        inner = st.one_of(level, st.lists(items, min_size=1, max_size=3))
        nested = st.dictionaries(
            st.sampled_from(["o", "p"]), inner if with_arrays else level, min_size=1, max_size=2
        )
        level = st.builds(dict.__or__, st.dictionaries(st.sampled_from(NAMES), leaves, max_size=2), nested)
    return level


@cache
def conditions(*, with_absence):
    affix = st.sampled_from(["prefix", "suffix"])
    ignoring = st.builds(lambda text: {"equals-ignore-case": text}, TEXTS)
    words = TEXTS.filter(lambda text: text and "\\" not in text)
    wildcards = st.sampled_from(["*", "x*", "*x", "x*x", "\\*", "é*", "*y*", "x"])
    negatable = st.one_of(
        st.lists(TEXTS, min_size=1, max_size=2),
        st.lists(NUMBERS, min_size=1, max_size=2),
        NUMBERS,
        st.builds(lambda name, text: {name: text}, st.sampled_from(["prefix", "suffix", "wildcard"]), words),
        ignoring,
    )
    return st.one_of(
        SCALARS,
        st.builds(lambda name, operand: {name: operand}, affix, st.one_of(TEXTS, ignoring)),
        ignoring,
        st.builds(lambda text: {"wildcard": text}, wildcards),
        st.builds(lambda op, n: {"numeric": [op, n]}, st.sampled_from([">", ">=", "<", "<=", "="]), NUMBERS),
        st.builds(lambda operand: {"anything-but": operand}, negatable),
        st.builds(lambda there: {"exists": there}, st.booleans() if with_absence else st.just(True)),
    )


@cache
def patterns(*, with_absence):
    values = st.lists(conditions(with_absence=with_absence), min_size=1, max_size=3)
    fields = st.dictionaries(st.sampled_from(NAMES), values, min_size=1, max_size=2)
    level = fields
    for _ in range(2):
        nested = st.dictionaries(st.sampled_from(["o", "p"]), level, min_size=1, max_size=2)
        branches = st.builds(lambda members: {"$or": members}, st.lists(fields, min_size=2, max_size=2))
        both = st.builds(dict.__or__, fields, nested)
        level = st.one_of(fields, nested, both, both, st.builds(dict.__or__, nested, branches))
    return level


def field_values(value, *, with_absence):
    """A list of conditions that one scalar of a value meets, or nearly so."""
    scalars = [leaf for _, leaf, _ in flatten(value)] or ["x"]
    near = st.sampled_from(scalars)
    texts = st.sampled_from([scalar for scalar in scalars if isinstance(scalar, str)] or ["x"])
    fitting = st.one_of(
        near,
        st.just({"exists": True}),
        st.builds(lambda text: {"prefix": text[:1]}, texts),
        st.builds(lambda text: {"suffix": {"equals-ignore-case": text.swapcase()}}, texts),
        st.just({"anything-but": ["other"]}),
    )
    return st.lists(
        st.one_of(fitting, fitting, conditions(with_absence=with_absence)), min_size=1, max_size=2
    )


@st.composite
def fitting_patterns(draw, happening, *, with_absence):
    """A pattern that follows the structure of an event, so that matches are frequent."""
    document = {}
    for key in draw(st.lists(st.sampled_from([*happening] or ["a"]), min_size=1, max_size=2, unique=True)):
        value = happening.get(key)
        objects = (
            [item for item in value if isinstance(item, dict) and item] if isinstance(value, list) else []
        )
        if isinstance(value, dict) and value:
            document[key] = draw(fitting_patterns(value, with_absence=with_absence))
        elif objects and key in "op":
            document[key] = draw(fitting_patterns(draw(st.sampled_from(objects)), with_absence=with_absence))
        else:
            document[key] = draw(field_values(value, with_absence=with_absence))
    if draw(st.integers(0, 5)) == 5:
        document["c"] = draw(st.lists(conditions(with_absence=with_absence), min_size=1, max_size=2))
    return document


@st.composite
def pairs(draw, *, with_absence, with_arrays):
    """A pattern and an event, most of the time made for each other."""
    happening = draw(events(with_arrays=with_arrays))
    if draw(st.integers(0, 5)):
        return draw(fitting_patterns(happening, with_absence=with_absence)), happening
    return draw(patterns(with_absence=with_absence)), happening


def parse(document):
    try:
        return EventPattern.parse(document)
    except InvalidPatternError:
        assume(False)


def flatten(value, path=(), where=()):
    """The leaves of an event: path, value, and the array elements on the way by their location."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from flatten(item, (*path, key), (*where, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            inside = isinstance(item, dict | list)
            yield from flatten(item, path, (*where, index) if inside else where)
    else:
        yield (
            ".".join(path),
            value,
            {where[:n]: where[n] for n in range(len(where)) if isinstance(where[n], int)},
        )


def agree(one, other):
    return all(other.get(array, index) == index for array, index in one.items())


def ways(branch, leaves):
    return product(*([*[leaf for leaf in leaves if leaf[0] == path], None] for path in sorted(branch)))


def fits(branch, way, leaves):
    chosen = {}
    for path, leaf in zip(sorted(branch), way, strict=True):
        wanted = [condition.to_json() for condition in branch[path]]
        if leaf is None:
            here = [elements for name, _, elements in leaves if name == path]
            if {"exists": False} not in wanted or any(agree(elements, chosen) for elements in here):
                return False
        else:
            _, value, elements = leaf
            if not agree(elements, chosen) or not any(condition.matches(value) for condition in branch[path]):
                return False
            chosen |= elements
    return True


@examples(1.5)
@given(pairs(with_absence=True, with_arrays=True))
def test_the_matcher_agrees_with_trying_everything(pair):
    document, happening = pair
    pattern = parse(document)
    leaves = list(flatten(happening))
    expected = any(fits(branch, way, leaves) for branch in pattern.branches for way in ways(branch, leaves))
    event(f"matches: {expected}")
    assert pattern.matches(happening) is expected
    assert bool(pattern.explain(happening)) is expected


@st.composite
def respelled(draw, value):
    """An event with the same leaves, some of whose names are joined to keys such as "o.a"."""
    if isinstance(value, list):
        return [draw(respelled(item)) for item in value]
    if not isinstance(value, dict):
        return value
    written = {}
    for key, item in value.items():
        inner = draw(respelled(item))
        joined = isinstance(inner, dict) and draw(st.lists(st.sampled_from([*inner] or ["a"]), unique=True))
        for name in joined or ():
            if name in inner:
                written[f"{key}.{name}"] = inner.pop(name)
        if inner != {} or not joined:
            written[key] = inner
    return written


@examples(1.5)
@given(pairs(with_absence=True, with_arrays=True), st.data())
def test_the_matcher_agrees_with_trying_everything_where_keys_contain_dots(pair, data):
    document, happening = pair
    pattern, happening = parse(document), data.draw(respelled(happening))
    leaves = list(flatten(happening))
    expected = any(fits(branch, way, leaves) for branch in pattern.branches for way in ways(branch, leaves))
    event(f"matches: {expected}")
    assert pattern.matches(happening) is expected


@examples(1.5)
@given(st.data(), pairs(with_absence=True, with_arrays=True))
def test_an_index_finds_the_patterns_that_match_by_themselves(data, pair):
    document, happening = pair
    fitting = fitting_patterns(happening, with_absence=True)
    others = st.one_of(fitting, fitting, patterns(with_absence=True))
    documents = [document, *data.draw(st.lists(others, max_size=8))]
    rules = {f"rule {at}": parse(one) for at, one in enumerate(documents)}
    expected = tuple(name for name, pattern in rules.items() if pattern.matches(happening))
    event(f"matches: {len(expected)}")
    assert RuleIndex(rules).matches(happening) == expected


def subsets(branch, paths):
    """The branch with the given paths and each selection of the others."""
    others = [path for path in branch if path not in paths]
    chosen = chain.from_iterable(combinations(others, size) for size in range(len(others) + 1))
    return ({path: branch[path] for path in branch if path in paths or path in more} for more in chosen)


def can_match(branches, leaves):
    return any(fits(branch, way, leaves) for branch in branches for way in ways(branch, leaves))


@examples(1.5)
@given(pairs(with_absence=True, with_arrays=True))
def test_a_mismatch_names_the_paths_without_which_the_rest_could_match_and_no_other(pair):
    document, happening = pair
    pattern = parse(document)
    mismatch = pattern.explain(happening)
    assume(not mismatch and len(pattern.branches) == 1)
    [branch], leaves = pattern.branches, list(flatten(happening))
    event(f"paths: {len(mismatch.paths)}")
    assert not can_match(subsets(branch, mismatch.paths), leaves)
    for path in mismatch.paths:
        without = {other: conditions for other, conditions in branch.items() if other != path}
        assert can_match(subsets(without, [other for other in mismatch.paths if other != path]), leaves)


def emulator_matches(document, happening):
    alternatives, reason = eventbridge._parse_pattern_text(json.dumps(document))
    assert reason is None
    return any(eventbridge._matches_detail(happening, alternative) for alternative in alternatives)


@examples(1.5)
@given(pairs(with_absence=False, with_arrays=True))
def test_the_matcher_agrees_with_the_emulator_on_arrays(pair):
    document, happening = pair
    pattern = parse(document)
    expected = emulator_matches(document, happening)
    event(f"matches: {expected}")
    assert pattern.matches(happening) is expected


@examples(1.5)
@given(pairs(with_absence=True, with_arrays=False))
def test_the_matcher_agrees_with_the_emulator_on_absence(pair):
    document, happening = pair
    pattern = parse(document)
    expected = emulator_matches(document, happening)
    event(f"matches: {expected}")
    assert pattern.matches(happening) is expected


JSON = st.recursive(
    st.one_of(SCALARS, st.sampled_from(["10.0.0.0/8", "**", ">", "=", "10.0.0.1/33"])),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(
            st.sampled_from(["a", "$or", *eventbridge._MATCH_OPERATORS]), inner, min_size=0, max_size=2
        ),
    ),
    max_leaves=8,
)


@examples(1.5)
@given(st.dictionaries(st.sampled_from(["a", "b", "$or"]), JSON, max_size=2))
def test_the_same_patterns_are_valid_as_for_the_emulator(document):
    accepted = eventbridge._parse_pattern_text(json.dumps(document))[1] is None
    event(f"accepted: {accepted}")
    try:
        EventPattern.parse(document)
    except InvalidPatternError as error:
        assert not accepted, error  # noqa: PT017 # the error says what the emulator overlooked
    else:
        assert accepted


@examples(1.5)
@given(patterns(with_absence=True), pairs(with_absence=True, with_arrays=True))
def test_what_is_subsumed_matches_only_what_the_general_pattern_matches(right, pair):
    left, happening = pair
    general, special = parse(left), parse({**right, **left})
    for one, other in [(general, special), (special, general)]:
        if subsumes(one, other):
            event("subsumed")
            assert one.matches(happening) or not other.matches(happening)


@examples(1.5)
@given(st.data(), pairs(with_absence=True, with_arrays=False))
def test_patterns_without_overlap_never_match_the_same_event(data, pair):
    left, happening = pair
    right = data.draw(fitting_patterns(happening, with_absence=True))
    one, other = parse(left), parse(right)
    every_path = {path for pattern in (one, other) for branch in pattern.branches for path in branch}
    if not may_overlap(one, other, single_valued=every_path):
        event("disjoint")
        assert not (one.matches(happening) and other.matches(happening))


@examples(1.5)
@given(conditions(with_absence=True), TEXTS)
def test_an_unreachable_pattern_matches_no_event(condition, text):
    pattern = parse({"source": [condition]})
    if unreachable_reason(pattern):
        event("unreachable")
        assert not pattern.matches({"source": text})
