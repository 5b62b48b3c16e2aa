"""The diagram is valid Mermaid, and shows what is added and removed."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from securityhub_actions.cli.assembly import read_app
from securityhub_actions.cli.review.diagram import diagram
from tests.cli.review import changes
from tests.hypothesis_profiles import examples
from tools.cdk import NODE, ROOT

PARSER = Path(__file__).with_name("parse_mermaid.js")
MERMAID = ROOT / "node_modules" / "@mermaid-js" / "tiny" / "dist" / "mermaid.tiny.js"


def assert_mermaid_parses(chart):
    command = [str(NODE), str(PARSER), str(MERMAID)]
    done = subprocess.run(command, input=chart, capture_output=True, text=True, check=False)  # noqa: S603
    assert (done.returncode, done.stderr) == (0, "")


def test_a_target_that_is_removed_is_marked(synthesized, version):
    changes.target_removed(version)
    chart = diagram(read_app(synthesized), read_app(version.folder))
    assert '("Lambda function Analysts/MarkAsNotifiedFunction"):::removed' in chart
    assert_mermaid_parses(chart)


def test_a_rule_that_is_disabled_says_so(synthesized, version):
    changes.rule_disabled(version)
    assert '["Routing/High (disabled)"]' in diagram(read_app(synthesized), read_app(version.folder))


@examples(0.2)
@given(st.lists(st.text(min_size=1, max_size=80), min_size=1, max_size=5, unique=True))
def test_any_name_can_be_in_a_diagram(tmp_path_factory, names):
    folder = tmp_path_factory.mktemp("app")
    arns = [{"Arn": f"arn:aws:sqs:us-east-1:111122223333:{name}"} for name in names]
    rule = {"Type": "AWS::Events::Rule", "Properties": {"ScheduleExpression": names[0], "Targets": arns}}
    (folder / "S.template.json").write_text(json.dumps({"Resources": {"Rule": rule}}))
    assert_mermaid_parses(diagram(None, read_app(folder)))


def test_a_large_diagram_is_cut(tmp_path):
    arns = [{"Arn": f"arn:aws:sqs:us-east-1:111122223333:{number}"} for number in range(300)]
    rule = {"Type": "AWS::Events::Rule", "Properties": {"ScheduleExpression": "rate(1 day)", "Targets": arns}}
    (tmp_path / "S.template.json").write_text(json.dumps({"Resources": {"Rule": rule}}))
    chart = diagram(None, read_app(tmp_path))
    assert 'more["and 201 more arrows"]' in chart
    assert_mermaid_parses(chart)
