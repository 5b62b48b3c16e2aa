"""A review fits a comment on a pull request, and nothing in it is taken for markup."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from securityhub_actions.cli.assembly import read_app
from securityhub_actions.cli.review.difference import review
from securityhub_actions.cli.review.markdown import MARKER, MOST_CHARACTERS, markdown
from tests.cli.review import changes
from tests.hypothesis_profiles import examples

LARGE = st.builds(
    lambda count, text, severities: {
        f"Rule{number}": {
            "Type": "AWS::Events::Rule",
            "Properties": {
                "Description": text,
                "EventPattern": {"source": ["aws.securityhub"], "detail": {text or "x": severities}},
                "Targets": [{"Id": text, "Arn": f"arn:aws:sqs:us-east-1:111122223333:{text}{number}"}],
            },
        }
        for number in range(count)
    },
    st.integers(0, 450),
    st.text(max_size=60),
    st.lists(st.text(max_size=80), min_size=1, max_size=12),
)


def app_of(folder, resources):
    folder.mkdir(exist_ok=True)
    (folder / "Stack.template.json").write_text(json.dumps({"Resources": resources}))
    return read_app(folder)


@examples(0.15)
@given(old=LARGE, new=LARGE)
def test_a_comment_is_never_too_long_and_always_complete_markup(tmp_path_factory, old, new):
    folder = tmp_path_factory.mktemp("apps")
    before, after = app_of(folder / "before", old), app_of(folder / "after", new)
    for base in (before, None):
        text = markdown(review(base, after), title="title")
        assert len(text) <= MOST_CHARACTERS
        assert text.count("<details>") == text.count("</details>")


@pytest.fixture
def large(tmp_path):
    table = {"Type": "AWS::DynamoDB::Table", "Properties": {"TableName": "a" * 255}}
    resources = {f"Table{number}": table for number in range(450)}
    stacks = {f"Stack{number}.template.json": {"Resources": resources} for number in range(9)}
    for name, template in stacks.items():
        (tmp_path / name).write_text(json.dumps(template))
    return tmp_path


def test_a_shortened_comment_says_so_and_how_to_see_the_rest(cli, large, tmp_path_factory):
    empty = tmp_path_factory.mktemp("empty")
    for path in large.iterdir():
        (empty / path.name).write_text('{"Resources": {}}')
    text = cli("review", large, "--template", empty, "--markdown").out
    assert len(text) <= MOST_CHARACTERS
    assert "**This is not everything:**" in text
    assert "`securityhub-actions review` with the same arguments and without `--markdown`" in text


def test_what_is_printed_is_the_comment_and_nothing_after_it(cli, synthesized):
    app = read_app(synthesized)
    printed = cli("review", "--template", synthesized, "--markdown").out
    assert printed == markdown(review(None, app), title=f"Review of {synthesized}")


def test_the_comment_begins_with_what_a_workflow_finds_it_by(cli, synthesized):
    assert cli("review", "--template", synthesized, "--markdown").out.startswith(f"{MARKER}\n")


def test_the_comment_has_the_changes_with_marks_and_a_diagram(cli, synthesized, version):
    changes.filter_widened(version)
    printed = cli("review", synthesized, "--template", version.folder, "--markdown")
    assert '- :red_circle: **Filter widened** `Routing/Critical`: `severity: + "HIGH"`\n' in printed.out
    assert "```mermaid\nflowchart LR\n" in printed.out


def test_a_name_is_no_mention_and_no_markup(tmp_path):
    queue = {"Type": "AWS::SQS::Queue", "Metadata": {"aws:cdk:path": "S/`@team`</details><b>|"}}
    before, after = app_of(tmp_path / "before", {"Queue": queue}), app_of(tmp_path / "after", {})
    text = markdown(review(before, after), title="title")
    assert "`` S/`@team`</details><b>| ``" in text
