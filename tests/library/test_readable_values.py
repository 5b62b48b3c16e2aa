from __future__ import annotations

import pytest

from securityhub_actions.readable_values import readable


@pytest.mark.parametrize(
    ("resolved", "text"),
    [
        ("plain", "plain"),
        ({"Ref": "AWS::Region"}, "${AWS::Region}"),
        ({"Fn::GetAtt": ["Rule", "Arn"]}, "${Rule.Arn}"),
        ({"Fn::Join": ["", ["arn:", {"Ref": "AWS::Partition"}, ":sqs"]]}, "arn:${AWS::Partition}:sqs"),
        ({"Resource": [{"Ref": "Queue"}]}, {"Resource": ["${Queue}"]}),
    ],
)
def test_references_are_written_as_fn_sub_does(resolved, text):
    assert readable(resolved) == text


def test_references_can_be_written_in_another_way():
    assert readable({"Ref": "AWS::Region"}, variable="<{}>") == "<AWS::Region>"
