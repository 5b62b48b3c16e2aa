"""Grants are compared by what they allow, not by how they are written."""

from __future__ import annotations

import json

import pytest

from securityhub_actions.cli.assembly import read_app
from securityhub_actions.cli.review.difference import review
from securityhub_actions.cli.review.notes import Topic

QUEUE = "arn:aws:sqs:us-east-1:111122223333:queue"


def statement(**changes):
    return {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage",
            "Resource": QUEUE, **changes}  # fmt: skip


@pytest.fixture
def titles(tmp_path):
    """A function that returns the titles of what changed between the statements of a queue policy."""

    def titles_of(before, after):
        apps = []
        for name, statements in (("before", before), ("after", after)):
            policy = {"PolicyDocument": {"Statement": statements}, "Queues": []}
            resources = {"Policy": {"Type": "AWS::SQS::QueuePolicy", "Properties": policy}}
            (tmp_path / name).mkdir()
            (tmp_path / name / "S.template.json").write_text(json.dumps({"Resources": resources}))
            apps.append(read_app(tmp_path / name))
        notes = review(*apps).notes
        assert {note.topic for note in notes} <= {Topic.PERMISSION}
        return [(note.attention.name, note.title) for note in notes]

    return titles_of


ACCOUNT = {"StringEquals": {"aws:SourceAccount": "111122223333"}}
BOTH = {"StringEquals": {"aws:SourceAccount": ["111122223333", "444455556666"]}}
NOT_BOTH = {"StringNotEquals": {"aws:SourceAccount": ["111122223333", "444455556666"]}}
NOT_ONE = {"StringNotEquals": {"aws:SourceAccount": ["111122223333"]}}


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({"Action": ["sqs:a", "sqs:b"]}, {"Action": ["sqs:b", "sqs:a"]}, []),
        ({"Action": "sqs:a"}, {"Action": ["sqs:a"]}, []),
        ({"Action": "sqs:*"}, {"Action": "sqs:a"}, [("MEDIUM", "Permission removed")]),
        ({"Action": "sqs:a"}, {"Action": "sqs:*"}, [("HIGH", "Wildcard granted")]),
        ({"Resource": f"{QUEUE}*"}, {"Resource": QUEUE}, [("MEDIUM", "Permission removed")]),
        ({"Action": "sqs:a"}, {"NotAction": "sqs:a", "Action": None}, None),
        ({}, {"Condition": ACCOUNT}, [("LOW", "Condition added")]),
        ({"Condition": ACCOUNT}, {}, [("HIGH", "Condition removed")]),
        ({"Condition": ACCOUNT}, {"Condition": BOTH}, [("HIGH", "Condition widened")]),
        ({"Condition": BOTH}, {"Condition": ACCOUNT}, [("LOW", "Condition narrowed")]),
        ({"Condition": NOT_ONE}, {"Condition": NOT_BOTH}, [("LOW", "Condition narrowed")]),
        ({"Condition": NOT_BOTH}, {"Condition": NOT_ONE}, [("HIGH", "Condition widened")]),
        ({"Condition": ACCOUNT}, {"Condition": NOT_ONE}, [("HIGH", "Condition changed")]),
        ({"Effect": "Deny", "Condition": ACCOUNT}, {"Effect": "Deny"},
         [("LOW", "Condition of a denial removed")]),
        ({"Effect": "Deny"}, {"Effect": "Deny", "Condition": ACCOUNT},
         [("HIGH", "Condition of a denial added")]),
        ({"Effect": "Deny", "Condition": ACCOUNT}, {"Effect": "Deny", "Condition": BOTH},
         [("LOW", "Condition of a denial widened")]),
    ],
)  # fmt: skip
def test_a_statement_that_changes_is_named_by_what_it_allows(titles, before, after, expected):
    named = titles([statement(**before)], [statement(**after)])
    if expected is None:
        assert ("HIGH", "Permission granted") in named
    else:
        assert named == expected


def test_statements_that_are_merged_are_not_named(titles):
    apart = [statement(Action="sqs:a"), statement(Action="sqs:b")]
    assert titles(apart, [statement(Action=["sqs:a", "sqs:b"])]) == []


def test_another_account_that_is_let_in_is_urgent(titles):
    arn = "arn:aws:iam::444455556666:role/other"
    assert titles([statement()], [statement(), statement(Principal={"AWS": arn})]) == [
        ("HIGH", "Permission granted")
    ]
