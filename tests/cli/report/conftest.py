"""A small app whose names a test chooses, and the structure of the page about it."""

from __future__ import annotations

import json
from html.parser import HTMLParser

import pytest

from securityhub_actions.cli.assembly import read_app
from securityhub_actions.cli.report.page import page_of

VOID = {"br", "meta"}


class Structure(HTMLParser):
    """The tags of a page in their order, and its texts."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.texts, self.attributes, self._open = [], [], [], []
        self.feed(page)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(name, value) for name, value in attrs]
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


def small_app(folder, text="Ticket", *, input_template=None):
    """An app with an action, whose rule has two targets, and a rule for imported findings."""
    arn = {"Fn::GetAtt": ["Action", "ActionTargetArn"]}
    target = {"Id": "1", "Arn": {"Fn::GetAtt": ["Function", "Arn"]}}
    if input_template:
        target["InputTransformer"] = {"InputPathsMap": {"a": "$.account"}, "InputTemplate": input_template}
    topic = {"Id": "2", "Arn": f"arn:aws:sns:us-east-1:111122223333:{text}"}
    pressed = {"detail-type": ["Security Hub Findings - Custom Action"], "resources": [arn]}
    imported = {
        "detail-type": ["Security Hub Findings - Imported"],
        "detail": {"findings": {"Severity": {"Label": ["CRITICAL"]}, "Workflow": {"Status": ["NOTIFIED"]}}},
    }
    policy = {
        "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{text}"}]
    }
    resources = {
        "Action": {
            "Type": "AWS::SecurityHub::ActionTarget",
            "Properties": {"Id": "Ticket", "Name": text, "Description": text},
        },
        "Role": {"Type": "AWS::IAM::Role", "Properties": {"Policies": [{"PolicyDocument": policy}]}},
        "Function": {
            "Type": "AWS::Lambda::Function",
            "Properties": {"Role": {"Fn::GetAtt": ["Role", "Arn"]}},
            "Metadata": {"aws:cdk:path": f"App/{text}"},
        },
        "Pressed": _rule({"source": ["aws.securityhub"], **pressed}, [target, topic], text),
        "Imported": _rule({"source": ["aws.securityhub"], **imported}, [target], text),
    }
    template = folder / "App.template.json"
    template.write_text(json.dumps({"Resources": resources}))
    return read_app(template, account="111122223333", region="us-east-1")


def _rule(pattern, targets, text):
    return {
        "Type": "AWS::Events::Rule",
        "Properties": {"EventPattern": pattern, "Targets": targets, "Description": text},
        "Metadata": {"aws:cdk:path": f"App/{text}/Rule/Resource"},
    }


@pytest.fixture
def page(tmp_path):
    """The page about the small app."""
    return page_of(small_app(tmp_path))
