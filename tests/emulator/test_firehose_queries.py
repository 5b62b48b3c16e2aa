from __future__ import annotations

import json

import pytest

from emulator.firehose_queries import QueryError, parse

ASFF = {"time": "2026-01-31T09:30:00Z", "findings": [{"AwsAccountId": "111122223333"}]}
OCSF = {"time": "2026-01-31T09:30:00Z", "findings": [{"cloud": {"account": {"uid": "444455556666"}}}]}


def keys(query, document):
    return {key: evaluate(document) for key, evaluate in parse(query)}


@pytest.mark.parametrize(("document", "account"), [(ASFF, "111122223333"), (OCSF, "444455556666")])
def test_an_alternative_stands_for_what_is_missing(document, account):
    query = '{"account":(.findings[0] | .AwsAccountId // .cloud.account.uid),"date":.time[0:10]}'
    assert keys(query, document) == {"account": account, "date": "2026-01-31"}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ('{"a": 1, "b": 2}', 1),
        ('{"a": 0, "b": 2}', 0),
        ('{"a": "", "b": 2}', ""),
        ('{"a": null, "b": 2}', 2),
        ('{"a": false, "b": 2}', 2),
        ('{"b": 2}', 2),
        ('{"a": null, "b": null, "c": 3}', 3),
        ("{}", None),
    ],
)
def test_null_and_false_have_alternatives_and_nothing_else(value, expected):
    assert keys("{k:(.a // .b // .c)}", json.loads(value)) == {"k": expected}


def test_an_error_has_an_alternative():
    assert keys("{k:(.a.b // .c)}", {"a": "text", "c": 1}) == {"k": 1}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("{a}", "x"),
        ("{a:.a}", "x"),
        ('{a:."a"}', "x"),
        ('{a:.["a"]}', "x"),
        ("{a:.list[1]}", 2),
        ("{a:.list[-1]}", 3),
        ("{a:.list[9]}", None),
        ("{a:.list[1:]|.[0]}", 2),
        ('{a:.seconds| strftime("%Y/%m")}', "1970/01"),
        ("{a:.none.at.all}", None),
    ],
)
def test_paths_are_followed(query, expected):
    document = {"a": "x", "list": [1, 2, 3], "seconds": 60, "none": None}
    assert keys(query, document) == {"a": expected}


@pytest.mark.parametrize(
    ("query", "document"), [("{a:.a.b}", {"a": 1}), ("{a:.a[0]}", {"a": {}}), ("{a:.a[0:1]}", {"a": 1})]
)
def test_what_cannot_be_indexed_is_an_error(query, document):
    with pytest.raises(QueryError, match="Cannot index"):
        keys(query, document)


@pytest.mark.parametrize(
    "query", ["", "{", "{a:}", "{a:.b", "{a:.b} x", "{a:.b // .c}", "{a:map(.b)}", "{a:.[]}", "{a:1+1}"]
)
def test_what_is_not_understood_is_an_error(query):
    with pytest.raises(QueryError, match="unsupported jq expression"):
        parse(query)
