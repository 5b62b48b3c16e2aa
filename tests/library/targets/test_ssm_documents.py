from __future__ import annotations

import string

import pytest
from aws_cdk import Aws
from aws_cdk import aws_events as events
from hypothesis import given
from hypothesis import strategies as st

from securityhub_actions.targets.ssm_documents import SsmDocument, parameters_input, take_from_event

FIELD = events.EventField.from_path("$.detail.findings[0].Id")
NAME_CHARACTERS = string.ascii_letters + string.digits + "_.-"


@given(st.text(NAME_CHARACTERS, min_size=3, max_size=128))
def test_every_name_that_aws_allows_is_a_document(name):
    assert SsmDocument(name).name == name


@given(st.text(min_size=1).filter(lambda name: set(name) - set(NAME_CHARACTERS)))
def test_a_name_with_any_other_character_is_an_error(name):
    with pytest.raises(ValueError, match="is not the name of a Systems Manager document"):
        SsmDocument(name)


@pytest.mark.parametrize("name", ["AWS-StopEC2Instance", "AWSSupport-ExecuteEC2Rescue", "AmazonCloudWatch-x"])
def test_names_that_only_aws_may_use_tell_a_document_of_aws(name):
    assert SsmDocument(name).belongs_to_aws


@pytest.mark.parametrize(
    "name", ["Isolate", "my-AWS-document", pytest.param(Aws.STACK_NAME, id="known-on-deployment")]
)
def test_any_other_name_is_somebody_elses(name):
    assert not SsmDocument(name).belongs_to_aws


def test_a_shared_document_keeps_its_owner(stack):
    document = SsmDocument("arn:aws:ssm:us-east-1:444455556666:document/Isolate")
    assert document.name == "Isolate"
    assert ":ssm:us-east-1:444455556666:document/Isolate" in str(stack.resolve(document.arn(stack)))


@pytest.mark.parametrize("token", ["", Aws.ACCOUNT_ID * 9], ids=["", "with what a deployment determines"])
def test_parameters_have_at_most_8192_characters_as_json(token):
    around = len('{"Text":[""]}')
    parameters_input({"Text": token + "x" * (8_192 - around)})
    with pytest.raises(ValueError, match=r"parameters Text have at least 8,193 characters.* allows 8,192"):
        parameters_input({"Text": token + "x" * (8_193 - around)})


@pytest.mark.parametrize(
    ("parameters", "takes"),
    [
        ({}, False),
        ({"A": "fixed"}, False),
        ({"A": Aws.ACCOUNT_ID}, False),
        ({"A": "fixed", "B": ["fixed", FIELD]}, True),
    ],
)
def test_it_is_known_whether_parameters_take_anything_from_the_event(parameters, takes):
    assert take_from_event(parameters) is takes


def test_what_is_only_known_on_deployment_may_be_inside_a_longer_text(stack):
    given_input = parameters_input({"Bucket": f"findings-{Aws.ACCOUNT_ID}"})
    rule = events.Rule(stack, "Rule", event_pattern=events.EventPattern(source=["aws.securityhub"]))
    assert "findings-" in str(stack.resolve(given_input.bind(rule).input))
