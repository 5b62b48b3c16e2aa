"""The count of matches is that of the explanations, found in another way."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from securityhub_actions.cli.explanation import Verdict
from securityhub_actions.cli.given_events import Given, events_of
from securityhub_actions.cli.options import Template
from securityhub_actions.cli.rules import Rules
from securityhub_actions.cli.tally import Tally
from tests.hypothesis_profiles import examples

EVENTS = Path(__file__).parents[1] / "events"
ACTION = "arn:aws:securityhub:eu-west-1:111122223333:action/custom/"
CONDITIONS = {
    "detail-type": [
        "Security Hub Findings - Imported",
        "Security Hub Findings - Custom Action",
        "Findings Imported V2",
    ],
    "resources": [f"{ACTION}A", f"{ACTION}B", "arn:product/finding"],
    "account": ["111122223333", "444455556666", {"exists": False}],
    "id": [{"exists": True}],
    "time": [{"prefix": "2"}, "never"],
    "detail.actionName": ["A", {"exists": False}],
    "detail.findings.Id": ["finding", "other"],
    "detail.findings.Resources.Id": ["a", "b"],
    "detail.findings.Resources.Type": ["a", "b"],
    "detail.findings": [{"exists": False}],
    "detail": [{"exists": False}],
}
BRANCHES = st.dictionaries(
    st.sampled_from(sorted(CONDITIONS)), st.integers(0, 2), min_size=1, max_size=4
).map(lambda chosen: {path: [CONDITIONS[path][at % len(CONDITIONS[path])]] for path, at in chosen.items()})
PATTERNS = BRANCHES | st.lists(BRANCHES, min_size=2, max_size=3).map(lambda several: {"$or": several})
RULES = st.lists(
    st.builds(
        lambda pattern, state, unknown: {
            "EventPattern": {**pattern, **({"region": [{"Ref": "Asked"}]} if unknown else {})},
            "State": state,
        },
        PATTERNS,
        st.sampled_from(["ENABLED", "ENABLED", "DISABLED"]),
        st.booleans(),
    ),
    min_size=1,
    max_size=4,
)
RESOURCES = st.lists(
    st.fixed_dictionaries({"Id": st.sampled_from("ab"), "Type": st.sampled_from("ab")}), max_size=2
)
FINDINGS = st.fixed_dictionaries(
    {
        "ProductArn": st.just("arn:product"),
        "Id": st.sampled_from(["finding", "another"]),
        "AwsAccountId": st.sampled_from(["111122223333", "444455556666"]),
        "Region": st.just("eu-west-1"),
        "Resources": RESOURCES,
    }
)
OCSF = st.fixed_dictionaries({"class_uid": st.just(2003), "metadata": st.just({"uid": "u"}), "Id": st.text()})
WHOLE = st.sampled_from([json.loads(file.read_text()) for file in sorted(EVENTS.glob("*_imported*.json"))])


def template_of(rules):
    resources = {
        f"Rule{at}": {"Type": "AWS::Events::Rule", "Properties": one} for at, one in enumerate(rules)
    }
    for name in "AB":
        properties = {"Id": name, "Name": name, "Description": name}
        resources[name] = {"Type": "Custom::SecurityHubActionTarget", "Properties": properties}
    return {"Parameters": {"Asked": {"Type": "String"}}, "Resources": resources}


@examples(3)
@given(RULES, st.lists(FINDINGS | OCSF | WHOLE, max_size=4))
def test_a_tally_counts_what_explanations_say(tmp_path_factory, rules, documents):
    file = tmp_path_factory.getbasetemp() / "tallied.json"
    file.write_text(json.dumps(template_of(rules)))
    compiled = Rules(Template(file))
    tally = Tally(compiled, account=None, region=None)
    expected, events = Counter(), 0
    for document in documents:
        given_one = Given(origin="given", document=document)
        tally.add(given_one)
        for one in events_of(given_one, actions_in=compiled.actions):
            place = {name: one.event[name] for name in ("account", "region")}
            explanations = [rule.explain(one.event) for rule in compiled.at(**place)]
            expected.update((found.rule.path, found.verdict) for found in explanations)
            events += 1
    assert tally.events == events
    for path in compiled.paths:
        assert tally.matched[path] == expected[path, Verdict.MATCH]
        assert tally.undecided[path] == expected[path, Verdict.UNDECIDED]
