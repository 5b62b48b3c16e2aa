from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stacks.managed_policies import MOST_CHARACTERS, MOST_POLICIES, joined, length_of, pack
from stacks.remediation_catalog import Statement, read_catalog

BUCKETS, KEYS = ("arn:${Partition}:s3:::*",), ("arn:${Partition}:kms:${Region}:${Account}:key/*",)


def test_statements_on_equal_resources_are_joined_and_others_are_not():
    statements = [
        Statement(actions=("s3:GetBucketPolicy",), resources=BUCKETS),
        Statement(actions=("kms:EnableKeyRotation",), resources=KEYS),
        Statement(actions=("s3:GetBucketPolicy", "s3:DeleteBucketPolicy"), resources=BUCKETS),
    ]
    assert joined(statements) == [
        Statement(actions=("s3:DeleteBucketPolicy", "s3:GetBucketPolicy"), resources=BUCKETS),
        Statement(actions=("kms:EnableKeyRotation",), resources=KEYS),
    ]


def test_statements_under_other_conditions_are_not_joined():
    conditions = {"StringEquals": {"iam:PassedToService": "ssm.amazonaws.com"}}
    statements = [
        Statement(actions=("iam:PassRole",), resources=("*",), conditions=conditions),
        Statement(actions=("iam:GetRole",), resources=("*",)),
    ]
    assert joined(statements) == statements


def statement(number, characters):
    return Statement(actions=("a:Do",), resources=(f"arn:{number:04}:{'x' * characters}",))


@given(st.lists(st.lists(st.integers(0, 2000), min_size=1, max_size=8), min_size=1, max_size=12))
def test_every_statement_is_in_one_policy_each_of_which_is_short_enough(lengths):
    groups = {
        f"service {group}": [statement(100 * group + number, length) for number, length in enumerate(some)]
        for group, some in enumerate(lengths)
    }
    packed = pack(groups)
    assert [one for statements, _ in packed for one in statements] == [
        one for statements in groups.values() for one in statements
    ]
    assert all(length_of(statements) <= MOST_CHARACTERS for statements, _ in packed)
    for name, statements in groups.items():
        homes = [names for _, names in packed if name in names]
        assert len(homes) == 1 or length_of(statements) > MOST_CHARACTERS


def test_no_group_begins_a_policy_that_the_one_before_has_room_for():
    packed = pack({"a": [statement(1, 2500)], "b": [statement(2, 2500)], "c": [statement(3, 2500)]})
    assert [names for _, names in packed] == [["a", "b"], ["c"]]


@pytest.mark.parametrize("undo", [False, True])
def test_a_role_has_room_for_remediations_of_150_controls(undo):
    """As many more of today's kind, each on resources of its own, as make 150 controls."""
    entries = list(read_catalog().values())
    controls = sum(len(entry.controls) for entry in entries)
    copies = -(-150 // controls)
    groups = {
        f"{entry.service} {copy}": [
            Statement(actions=one.actions, resources=tuple(f"{name}{copy}" for name in one.resources))
            for entry in entries
            for one in (*entry.statements, *(entry.undo_statements if undo else ()), *entry.start_statements)
        ]
        for copy in range(copies)
        for entry in entries[:1]
    }
    assert copies * controls >= 150
    assert len(pack(groups)) <= MOST_POLICIES
