from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from tools.security import npm_audit, supply_chain

VULNERABLE = {
    "auditReportVersion": 2,
    "vulnerabilities": {
        "minimist": {
            "name": "minimist",
            "severity": "critical",
            "via": [{"title": "Prototype Pollution", "url": "https://github.com/advisories/example"}],
            "range": "<0.2.4",
        },
        "mkdirp": {"name": "mkdirp", "severity": "critical", "via": ["minimist"], "range": "0.4.1 - 0.5.1"},
    },
}
REFUSED = {"message": "405 Method Not Allowed - POST https://example.com/bulk", "statusCode": 405}


@pytest.fixture
def answer(monkeypatch):
    """A function that sets what npm prints."""
    given = []

    def run(command, **_):
        given.append(command)
        return SimpleNamespace(stdout=run.stdout)

    monkeypatch.setattr(npm_audit.subprocess, "run", run)
    monkeypatch.setattr(npm_audit, "npm", lambda: ("node", "npm"))
    return lambda stdout: setattr(run, "stdout", stdout) or given


def test_each_vulnerable_package_is_a_line(answer, capsys):
    given = answer(json.dumps(VULNERABLE))
    assert npm_audit.audit() == 1
    assert given == [["node", "npm", "audit", "--package-lock-only", "--json"]]
    first, second, last = capsys.readouterr().out.splitlines()
    assert first == (
        "package-lock.json: minimist <0.2.4: critical: Prototype Pollution "
        "(https://github.com/advisories/example)"
    )
    assert second == "package-lock.json: mkdirp 0.4.1 - 0.5.1: critical: minimist"
    assert last.startswith("audit: upgrade what is vulnerable")


def test_without_vulnerabilities_it_says_so(answer, capsys):
    answer('{"auditReportVersion": 2, "vulnerabilities": {}}')
    assert npm_audit.audit() == 0
    assert capsys.readouterr().out == "No known vulnerabilities found in package-lock.json\n"


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (json.dumps(REFUSED), "offers no audit (405 Method Not Allowed"),
        (
            '{"message": "request failed, reason: connect ECONNREFUSED"}',
            "can't be reached, or refuses: request",
        ),
        ('{"error": {"summary": "a lock file is needed"}}', "refuses: a lock file is needed"),
        ("{}", "no reason was given"),
        ("npm ERR!", "did not answer in JSON"),
        ("", "did not answer in JSON"),
    ],
)
def test_where_the_registry_does_not_answer_nothing_is_known_which_is_an_error(answer, capsys, given, why):
    answer(given)
    assert npm_audit.audit() == 1
    said = capsys.readouterr().out
    assert said.startswith("audit: package-lock.json was not audited: ")
    assert why in said


@pytest.mark.parametrize(("pypi", "npm"), [(0, 0), (1, 0), (0, 1), (1, 1)])
def test_an_audit_asks_both_registries(monkeypatch, pypi, npm):
    asked = []
    monkeypatch.setattr(supply_chain, "environment", lambda name: supply_chain.ROOT / name)
    monkeypatch.setattr(supply_chain.subprocess, "run", lambda *_, **__: SimpleNamespace(returncode=pypi))
    monkeypatch.setattr(npm_audit, "audit", lambda: asked.append("npm") or npm)
    assert supply_chain.audit() == (pypi or npm)
    assert asked == ["npm"]
