"""Every example in the documents works."""

from __future__ import annotations

import ast
import io
import json
import shutil
from contextlib import redirect_stdout

import aws_cdk
import pytest
from aws_cdk import App, Environment
from aws_cdk.assertions import Template

from stacks import app_function
from tests.docs.documents import DOCS, DOCUMENTS, ROOT, blocks, code_in, name_of

ANALYST_ACTIONS = ROOT / "stacks" / "analyst_actions.py"
PYTHON = {
    f"{name_of(document)}-{number}": (document, code)
    for document in DOCUMENTS
    for number, code in enumerate(blocks(document, "python"))
}
APPS = {name: example for name, example in PYTHON.items() if "app.synth()" in example[1]}


def run(document, code, **names):
    """Run an example, and return its names."""
    exec(compile(code, document, "exec"), names)  # noqa: S102 - the project's own document
    return names


@pytest.mark.parametrize("name", PYTHON)
def test_every_python_example_is_valid_python(name):
    ast.parse(PYTHON[name][1])


@pytest.mark.parametrize("name", APPS)
def test_every_app_synthesizes_a_rule(name, tmp_path, monkeypatch, feature_flags):
    app = App(context=feature_flags, analytics_reporting=False, outdir=str(tmp_path))
    monkeypatch.setattr(aws_cdk, "App", lambda: app)
    run(*APPS[name])
    (template,) = (json.loads(path.read_text()) for path in tmp_path.glob("*.template.json"))
    rules = {"AWS::Events::Rule", "AWS::SecurityHub::AutomationRule"}
    assert rules & {resource["Type"] for resource in template["Resources"].values()}


def test_the_example_of_a_pattern_prints_what_the_document_says():
    document = DOCS / "events-and-filters.md"
    (code,) = [code for code in blocks(document, "python") if "explain" in code]
    with redirect_stdout(io.StringIO()) as printed:
        run(document, code)
    assert printed.getvalue().strip() in code_in(document.read_text().replace("```", ""))


@pytest.mark.parametrize("number", range(len(blocks(DOCS / "testing.md", "python"))))
def test_every_example_of_a_test_passes(number):
    document = DOCS / "testing.md"
    names = run(document, blocks(document, "python")[number])
    tests = [value for name, value in names.items() if name.startswith("test_")]
    assert tests
    for test in tests:
        test()


def test_the_embedded_aws_example_shows_the_events_of_findings_and_press(monkeypatch):
    monkeypatch.chdir(ROOT)
    document = DOCS / "emulator.md"
    (code,) = blocks(document, "python")
    with redirect_stdout(io.StringIO()) as printed:
        run(document, code)
    imported, pressed = "Security Hub Findings - Imported", "Security Hub Findings - Custom Action"
    assert printed.getvalue().splitlines() == [imported] * 3 + [pressed]


@pytest.fixture
def with_open_ticket(tmp_path, monkeypatch):
    """The Lambda code with the handler that the document adds, because synthesis looks for it."""
    code = shutil.copytree(ROOT / "lambda", tmp_path / "lambda", ignore=shutil.ignore_patterns("__pycache__"))
    (code / "functions" / "open_ticket").mkdir()
    (code / "functions" / "open_ticket" / "handler.py").write_text("def handle(event, context): ...")
    monkeypatch.setattr(app_function, "_CODE", code)


@pytest.mark.usefixtures("with_open_ticket")
def test_the_diff_of_a_new_action_applies_and_adds_one_action_with_its_rule(feature_flags):
    (diff,) = blocks(DOCS / "custom-actions.md", "diff")
    before = "".join(line[1:] for line in diff.splitlines(keepends=True) if not line.startswith("+"))
    after = "".join(line[1:] for line in diff.splitlines(keepends=True))
    source = ANALYST_ACTIONS.read_text()
    assert source.count(before) == 1

    def resources(source):
        module = run(ANALYST_ACTIONS, source, __file__=str(ANALYST_ACTIONS), __name__="patched")
        app = App(context=feature_flags, analytics_reporting=False)
        stack = module["AnalystActionsStack"](app, "Stack", env=Environment(region="eu-west-1"))
        return Template.from_stack(stack)

    for resource_type in ("Custom::SecurityHubActionTarget", "AWS::Events::Rule", "AWS::Lambda::Function"):
        count = len(resources(source).find_resources(resource_type))
        resources(source.replace(before, after)).resource_count_is(resource_type, count + 1)
