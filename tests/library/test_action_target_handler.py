from __future__ import annotations

import copy
import http.client
import http.server
import json
import logging
import threading
import urllib.error

import boto3
import pytest
from botocore.exceptions import ClientError, NoCredentialsError, ReadTimeoutError
from botocore.stub import Stubber
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from securityhub_actions.action_target_handler import answers, handler, hub
from securityhub_actions.action_target_handler.answers import (
    AnswerNotDeliveredError,
    UnanswerableRequestError,
)
from securityhub_actions.action_target_handler.handler import NOT_CREATED
from tests.hypothesis_profiles import examples
from tests.library.custom_resource import (
    ARN,
    PLACE,
    PROPERTIES,
    SIGNATURE,
    STACK_ID,
    TEXTS,
    URL,
    World,
    request,
)
from tests.library.fake_security_hub import STATUS, FakeSecurityHub, Fault


@pytest.fixture
def world():
    return World()


def failed(answer, *parts):
    assert answer["Status"] == "FAILED"
    for part in parts:
        assert part in answer["Reason"]


# Create


def test_a_create_makes_the_action_and_answers_with_its_arn_as_physical_id(world):
    assert world.send(request("Create")) == {
        "Status": "SUCCESS",
        "PhysicalResourceId": ARN,
        "StackId": STACK_ID,
        "RequestId": "2b1c9a9e-0000-0000-0000-000000000000",
        "LogicalResourceId": "SendToTicketing",
        "Data": {"ActionTargetArn": ARN},
    }
    assert world.hub.actions == {ARN: TEXTS}


def test_the_region_account_and_partition_are_those_of_the_stack():
    prefix = "arn:aws-cn:securityhub:cn-north-1:444455556666:action/custom/"
    world = World(hub=FakeSecurityHub(prefix=prefix))
    event = request("Create") | {
        "StackId": "arn:aws-cn:cloudformation:cn-north-1:444455556666:stack/Actions/1"
    }
    assert world.send(event)["PhysicalResourceId"] == prefix + "SendToTicketing"
    assert world.regions == ["cn-north-1"]


def test_an_existing_action_fails_the_create_and_the_reason_says_how_to_adopt(world):
    world.hub.actions[ARN] = ("Somebody's", "Somebody else's action")
    answer = world.send(request("Create"))
    failed(answer, "ResourceConflictException", ARN, "AdoptExisting", "adopt_existing=True")
    assert answer["PhysicalResourceId"] == NOT_CREATED
    assert world.hub.actions == {ARN: ("Somebody's", "Somebody else's action")}


def test_an_action_with_the_same_name_under_another_id_is_no_conflict(world):
    world.hub.actions[PLACE + "Other"] = TEXTS
    assert world.send(request("Create"))["PhysicalResourceId"] == ARN


def test_an_action_made_between_looking_and_creating_is_a_conflict(world):
    world.hub.faults = [Fault(error="ResourceConflictException", operation="CreateActionTarget")]
    failed(world.send(request("Create")), "ResourceConflictException", "AdoptExisting")


def test_an_adopted_action_gets_the_wanted_name_and_description(world):
    world.hub.actions[ARN] = ("Somebody's", "Somebody else's action")
    assert world.send(request("Create", AdoptExisting="true"))["PhysicalResourceId"] == ARN
    assert world.hub.actions == {ARN: TEXTS}


def test_adopting_creates_the_action_when_there_is_none(world):
    assert world.send(request("Create", AdoptExisting="true"))["Status"] == "SUCCESS"
    assert world.hub.actions == {ARN: TEXTS}


LOST = pytest.mark.parametrize(
    "error", ["InternalException", ReadTimeoutError(endpoint_url="https://hub")], ids=["error", "timeout"]
)


@LOST
def test_an_action_made_by_a_call_whose_answer_was_lost_is_recognized_as_ours(world, error):
    world.hub.faults = [Fault(error=error, operation="CreateActionTarget", takes_effect=True)]
    assert world.send(request("Create"))["PhysicalResourceId"] == ARN
    assert world.hub.actions == {ARN: TEXTS}
    assert world.hub.calls.count("CreateActionTarget") == 2


@LOST
@pytest.mark.parametrize("texts", [TEXTS, ("Somebody's", "Somebody else's action")])
def test_after_a_lost_answer_an_action_of_somebody_else_is_left_even_with_equal_texts(world, error, texts):
    def somebody_creates():
        if world.hub.calls[-1] == "CreateActionTarget":
            world.hub.actions[ARN] = texts

    world.hub.on_call = somebody_creates
    world.hub.faults = [Fault(error=error, operation="CreateActionTarget")]
    answer = world.send(request("Create"))
    failed(answer, "ResourceConflictException")
    world.send(request("Delete", physical_id=answer["PhysicalResourceId"]))
    assert world.hub.actions == {ARN: texts}


def test_equal_texts_alone_do_not_make_an_action_ours(world):
    def somebody_creates():
        if world.hub.calls[-1] == "CreateActionTarget":
            world.hub.actions[ARN] = TEXTS

    world.hub.on_call = somebody_creates
    failed(world.send(request("Create")), "ResourceConflictException")


def test_a_create_delivered_again_after_it_crashed_between_its_calls_is_completed(world):
    def stop_in_the_second_call():
        if world.hub.calls[-1] == "UpdateActionTarget":
            raise KeyboardInterrupt

    world.hub.on_call = stop_in_the_second_call
    with pytest.raises(KeyboardInterrupt):
        world.resource.respond(request("Create"), world)
    assert World(hub=world.hub).send(request("Create"))["PhysicalResourceId"] == ARN
    assert world.hub.actions == {ARN: TEXTS}


def test_another_request_does_not_claim_what_a_crashed_one_left(world):
    world.hub.actions[ARN] = ("Send to ticketing", "Being created by CloudFormation request 1")
    failed(world.send(request("Create")), "interrupted deployment")


def test_a_create_delivered_again_after_a_crash_does_not_claim_the_completed_action(world):
    world.send(request("Create"))
    answer = World(hub=world.hub).send(request("Create"))
    failed(answer, "interrupted deployment")
    assert answer["PhysicalResourceId"] == NOT_CREATED


def test_a_create_that_cannot_be_completed_leaves_nothing(world):
    world.hub.faults = [Fault(error="InvalidInputException", operation="UpdateActionTarget")]
    failed(world.send(request("Create")), "InvalidInputException", "Description can't be blank")
    assert world.hub.actions == {}


def test_a_create_whose_last_answers_were_lost_is_complete(world):
    world.hub.faults = [
        Fault(error="InternalException", operation="UpdateActionTarget", takes_effect=True)
    ] * 8
    assert world.send(request("Create"))["Status"] == "SUCCESS"
    assert world.hub.actions == {ARN: TEXTS}


def test_a_create_that_cannot_be_completed_deletes_nothing_that_somebody_made_of_the_action(world):
    world.hub.faults = [Fault(error="AccessDeniedException", operation="UpdateActionTarget")]

    def somebody_comes():
        world.spend(0.1)
        if world.hub.calls[-1] == "UpdateActionTarget":
            world.hub.actions[ARN] = ("Theirs", "Made in the console")

    world.hub.on_call = somebody_comes
    failed(world.send(request("Create")), "AccessDeniedException")
    assert world.hub.actions == {ARN: ("Theirs", "Made in the console")}


# Update


def test_a_new_name_and_description_are_updated_in_place(world):
    world.hub.actions[ARN] = TEXTS
    answer = world.send(request("Update", physical_id=ARN, old={}, Name="New", Description="New text"))
    assert (answer["PhysicalResourceId"], answer["Data"]) == (ARN, {"ActionTargetArn": ARN})
    assert world.hub.actions == {ARN: ("New", "New text")}


def test_a_new_id_creates_the_new_action_and_leaves_the_old_to_cloudformation(world):
    world.hub.actions[ARN] = TEXTS
    answer = world.send(request("Update", physical_id=ARN, old={}, Id="Escalate"))
    assert answer["PhysicalResourceId"] == PLACE + "Escalate"
    assert world.hub.actions == {ARN: TEXTS, PLACE + "Escalate": TEXTS}


def test_a_missing_action_is_recreated_on_update(world):
    answer = world.send(request("Update", physical_id=ARN, old={}, Name="New"))
    assert answer["PhysicalResourceId"] == ARN
    assert world.hub.actions == {ARN: ("New", "Open a ticket")}


def test_a_failed_update_keeps_the_physical_id(world):
    world.hub.actions[ARN] = TEXTS
    answer = world.send(request("Update", physical_id=ARN, old={}, Name="much longer than 20 characters"))
    failed(answer, "InvalidInputException", "Name 1 to 20 characters")
    assert answer["PhysicalResourceId"] == ARN


def test_a_new_id_that_is_taken_fails_and_keeps_the_old_action(world):
    world.hub.actions = {ARN: TEXTS, PLACE + "Escalate": ("Somebody's", "Other")}
    answer = world.send(request("Update", physical_id=ARN, old={}, Id="Escalate"))
    failed(answer, "ResourceConflictException")
    assert answer["PhysicalResourceId"] == ARN
    assert world.hub.actions == {ARN: TEXTS, PLACE + "Escalate": ("Somebody's", "Other")}


def test_rolling_back_a_failed_replacement_restores_the_old_action_in_place(world):
    world.hub.actions[ARN] = TEXTS
    answer = world.send(request("Update", physical_id=ARN, old={"Id": "Escalate"}))
    assert answer["PhysicalResourceId"] == ARN
    assert world.hub.actions == {ARN: TEXTS}


def test_rolling_back_a_finished_replacement_finds_the_old_action_again(world):
    world.hub.actions = {ARN: TEXTS, PLACE + "Escalate": TEXTS}
    world.stack_status = "UPDATE_ROLLBACK_IN_PROGRESS"
    answer = world.send(request("Update", physical_id=PLACE + "Escalate", old={"Id": "Escalate"}))
    assert (answer["Status"], answer["PhysicalResourceId"]) == ("SUCCESS", ARN)
    assert world.hub.actions == {ARN: TEXTS, PLACE + "Escalate": TEXTS}


def test_rolling_back_a_replacement_does_not_overwrite_what_somebody_made_of_the_old_action(world):
    theirs = {ARN: ("Somebody's", "Other"), PLACE + "Escalate": TEXTS}
    world.hub.actions = dict(theirs)
    world.stack_status = "UPDATE_ROLLBACK_IN_PROGRESS"
    answer = world.send(request("Update", physical_id=PLACE + "Escalate", old={"Id": "Escalate"}))
    assert (answer["Status"], answer["PhysicalResourceId"]) == ("SUCCESS", ARN)
    assert world.hub.actions == theirs


def test_rolling_back_a_replacement_creates_the_old_action_again_if_it_is_gone(world):
    world.hub.actions = {PLACE + "Escalate": TEXTS}
    world.stack_status = "UPDATE_ROLLBACK_IN_PROGRESS"
    world.send(request("Update", physical_id=PLACE + "Escalate", old={"Id": "Escalate"}))
    assert world.hub.actions == {ARN: TEXTS, PLACE + "Escalate": TEXTS}


DENIED = ClientError({"Error": {"Code": "AccessDenied", "Message": "not authorized"}}, "DescribeStacks")


@pytest.mark.parametrize("status", ["UPDATE_IN_PROGRESS", DENIED], ids=["update", "unknown"])
def test_an_update_to_the_id_of_an_equal_action_of_somebody_else_is_a_conflict(world, status):
    world.hub.actions = {ARN: TEXTS, PLACE + "Escalate": TEXTS}
    world.stack_status = status
    answer = world.send(request("Update", physical_id=ARN, old={}, Id="Escalate"))
    failed(answer, "ResourceConflictException", "adopt_existing=True")
    assert answer["PhysicalResourceId"] == ARN


def test_an_update_to_the_id_of_an_action_of_somebody_else_adopts_it_if_wanted(world):
    world.hub.actions = {ARN: TEXTS, PLACE + "Escalate": ("Somebody's", "Other")}
    update = request("Update", physical_id=ARN, old={}, Id="Escalate", AdoptExisting="true")
    assert world.send(update)["PhysicalResourceId"] == PLACE + "Escalate"
    assert world.hub.actions[PLACE + "Escalate"] == TEXTS


def test_an_update_in_place_does_not_overwrite_what_somebody_else_made_of_the_action(world):
    world.hub.actions[ARN] = ("Somebody's", "Other")
    answer = world.send(request("Update", physical_id=ARN, old={}, Name="New"))
    failed(answer, '"Somebody\'s"', "'Other'", "adopt_existing=True")
    assert answer["PhysicalResourceId"] == ARN
    world.stack_status = "UPDATE_ROLLBACK_IN_PROGRESS"
    assert world.send(request("Update", physical_id=ARN, old={"Name": "New"}))["Status"] == "SUCCESS"
    assert world.hub.actions == {ARN: ("Somebody's", "Other")}


def test_an_update_in_place_adopts_what_somebody_else_made_of_the_action_if_wanted(world):
    world.hub.actions[ARN] = ("Somebody's", "Other")
    world.send(request("Update", physical_id=ARN, old={}, AdoptExisting="true"))
    assert world.hub.actions == {ARN: TEXTS}


def test_rolling_back_an_update_in_place_that_took_effect_restores_the_texts(world):
    world.hub.actions[ARN] = ("New", "Open a ticket")
    world.stack_status = "UPDATE_ROLLBACK_IN_PROGRESS"
    assert world.send(request("Update", physical_id=ARN, old={"Name": "New"}))["Status"] == "SUCCESS"
    assert world.hub.actions == {ARN: TEXTS}


# Delete


@pytest.mark.parametrize(
    "texts", [("Somebody's", TEXTS[1]), (TEXTS[0], "Somebody else's action")], ids=["name", "description"]
)
def test_a_delete_leaves_an_action_with_texts_that_the_stack_did_not_give_it(world, texts, caplog):
    world.hub.actions[ARN] = texts
    answer = world.send(request("Delete", physical_id=ARN))
    assert (answer["Status"], answer["PhysicalResourceId"]) == ("SUCCESS", ARN)
    assert world.hub.actions == {ARN: texts}
    assert "Delete it if nothing uses it" in caplog.text


def test_a_delete_whose_properties_are_those_of_another_action_removes_neither(world):
    world.hub.actions = {ARN: TEXTS, PLACE + "Escalate": TEXTS}
    assert world.send(request("Delete", physical_id=ARN, Id="Escalate"))["Status"] == "SUCCESS"
    assert world.hub.actions == {ARN: TEXTS, PLACE + "Escalate": TEXTS}


def test_a_delete_removes_only_the_action_of_the_physical_id(world):
    world.hub.actions = {ARN: TEXTS, PLACE + "Escalate": TEXTS}
    assert world.send(request("Delete", physical_id=ARN))["Status"] == "SUCCESS"
    assert world.hub.actions == {PLACE + "Escalate": TEXTS}


@pytest.mark.parametrize(
    "physical_id",
    [
        NOT_CREATED,
        "2026/11/24/[$LATEST]0123456789abcdef",
        PLACE,
        "arn:aws:securityhub:eu-west-1:999999999999:action/custom/SendToTicketing",
        "arn:aws:securityhub:us-east-1:111122223333:action/custom/SendToTicketing",
        "arn:aws-cn:securityhub:eu-west-1:111122223333:action/custom/SendToTicketing",
        "arn:aws:securityhub:eu-west-1:111122223333:hub/default",
    ],
)
def test_a_delete_of_what_is_no_action_of_this_account_and_region_succeeds_without_a_call(world, physical_id):
    world.hub.actions[ARN] = TEXTS
    answer = world.send(request("Delete", physical_id=physical_id))
    assert (answer["Status"], answer["PhysicalResourceId"]) == ("SUCCESS", physical_id)
    assert world.hub.calls == []


def test_the_delete_that_rolls_back_a_create_with_bad_properties_succeeds(world):
    event = request("Create")
    del event["ResourceProperties"]
    marker = world.send(event)["PhysicalResourceId"]
    assert world.send(event | {"RequestType": "Delete", "PhysicalResourceId": marker})["Status"] == "SUCCESS"


def test_a_delete_of_an_action_that_is_gone_succeeds(world):
    assert world.send(request("Delete", physical_id=ARN))["Status"] == "SUCCESS"


def test_a_delete_in_an_account_no_longer_subscribed_succeeds():
    world = World(hub=FakeSecurityHub(subscribed=False))
    assert world.send(request("Delete", physical_id=ARN))["Status"] == "SUCCESS"


def test_a_delete_without_permission_fails(world):
    world.hub.actions[ARN] = TEXTS
    world.hub.faults = [
        Fault(
            error="InvalidAccessException",
            operation="DeleteActionTarget",
            message="No permission to perform this action",
        )
    ]
    failed(world.send(request("Delete", physical_id=ARN)), "allow securityhub:DeleteActionTarget")


def test_an_adopted_action_is_kept_on_delete(world):
    world.hub.actions[ARN] = TEXTS
    assert world.send(request("Delete", physical_id=ARN, AdoptExisting="true"))["Status"] == "SUCCESS"
    assert world.hub.actions == {ARN: TEXTS}


def test_a_delete_that_does_not_say_whether_the_action_was_adopted_deletes_nothing(world):
    world.hub.actions[ARN] = TEXTS
    event = request("Delete", physical_id=ARN)
    del event["ResourceProperties"]
    failed(world.send(event), "ResourceProperties")
    assert world.hub.actions == {ARN: TEXTS}


# Refusals


def test_a_missing_subscription_is_explained_with_account_region_and_cure():
    answer = World(hub=FakeSecurityHub(subscribed=False)).send(request("Create"))
    failed(answer, "InvalidAccessException", "enable Security Hub in account 111122223333, Region eu-west-1")
    assert "allow securityhub" not in answer["Reason"]


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("AccessDeniedException", "User: arn:aws:sts::1:x is not authorized to perform this"),
        ("InvalidAccessException", "The account doesn't have permission to perform this action."),
    ],
)
def test_a_missing_permission_is_explained_with_the_action_to_allow(world, code, message):
    world.hub.faults = [Fault(error=code, operation="CreateActionTarget", message=message)]
    answer = world.send(request("Create"))
    failed(answer, code, message, "allow securityhub:CreateActionTarget")
    assert "enable Security Hub" not in answer["Reason"]


def test_a_refusal_that_does_not_tell_its_cause_names_both(world):
    world.hub.faults = [Fault(error="InvalidAccessException", message="Refused")]
    failed(world.send(request("Create")), "enable Security Hub", "allow securityhub:DescribeActionTargets")


def test_a_reached_quota_is_reported_at_once_with_the_quota_and_the_count(world):
    world.hub.actions = {f"{PLACE}Action{number}": TEXTS for number in range(50)}
    failed(world.send(request("Create")), "LimitExceededException", "50 custom actions exist", "quota is 50")
    assert world.hub.calls.count("CreateActionTarget") == 1


def test_an_input_that_security_hub_refuses_is_reported_readably(world):
    failed(
        world.send(request("Create", Id="no spaces here")), "InvalidInputException", "Correct the property"
    )


def test_an_unexpected_error_is_answered_and_logged(world, caplog):
    world.hub.faults = [Fault(error=NoCredentialsError())]
    failed(world.send(request("Create")), "NoCredentialsError", "log of this Lambda function")
    assert "Traceback" in caplog.text


# Throttling


@pytest.mark.parametrize(
    "code", ["LimitExceededException", "ThrottlingException", "TooManyRequestsException", "InternalException"]
)
def test_a_throttled_or_failing_create_is_repeated_until_it_succeeds(world, code):
    world.hub.faults = [Fault(error=code, operation="CreateActionTarget")] * 3
    assert world.send(request("Create"))["Status"] == "SUCCESS"


@pytest.mark.parametrize("code", ["LimitExceededException", "ThrottlingException"])
def test_endless_throttling_ends_in_a_clear_failure_with_time_left_to_answer(world, code):
    world.hub.faults = [Fault(error=code, operation="CreateActionTarget")] * 100
    failed(world.send(request("Create")), code, "throttles this account's calls", "attempts")
    assert world.seconds_left >= hub.ANSWER_RESERVE_SECONDS - 1


def test_the_attempts_are_bounded_however_much_time_there_is():
    world = World(seconds_left=900.0, hub=FakeSecurityHub(actions={ARN: TEXTS}))
    world.hub.faults = [Fault(error="InternalException", operation="DeleteActionTarget")] * 100
    failed(world.send(request("Delete", physical_id=ARN)), "internal error", f"{hub.MAX_ATTEMPTS} attempts")
    assert world.hub.calls.count("DeleteActionTarget") == hub.MAX_ATTEMPTS


def test_a_function_whose_time_is_nearly_up_answers_instead_of_waiting():
    world = World(seconds_left=10.0)
    world.hub.faults = [Fault(error="ThrottlingException")]
    failed(world.send(request("Create")), "out of time")
    assert world.seconds_left > 9


# Malformed requests


@pytest.mark.parametrize(
    "event", [None, [], "text", {}, {"ResponseURL": 7}, {"ResponseURL": "file:///etc/passwd"}]
)
def test_a_request_without_a_usable_response_url_is_logged_and_raised(world, caplog, event):
    with pytest.raises(UnanswerableRequestError, match="no ResponseURL"):
        world.resource.respond(event, world)
    assert json.loads(caplog.messages[0])["outcome"] == "UNANSWERED"
    assert world.bodies == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"RequestType": "Read"}, "RequestType is 'Read'"),
        ({"RequestType": None}, "RequestType is missing"),
        ({"StackId": "Actions"}, "not the ARN of a stack"),
        ({"LogicalResourceId": 7}, "LogicalResourceId is 7"),
        ({"RequestId": ""}, "RequestId is ''"),
        ({"ResourceProperties": []}, "ResourceProperties is []"),
        ({"ResourceProperties": PROPERTIES | {"Description": " "}}, "Description is ' '"),
        ({"ResourceProperties": PROPERTIES | {"Id": ["a"]}}, "Id is ['a']"),
        ({"ResourceProperties": PROPERTIES | {"AdoptExisting": "yes"}}, "AdoptExisting is 'yes'"),
    ],
)
def test_a_malformed_request_is_answered_with_what_is_wrong_and_does_nothing(world, change, told):
    failed(world.send(request("Create") | change), told)
    assert world.hub.calls == []


def test_a_malformed_update_keeps_the_physical_id(world):
    event = request("Update", physical_id=ARN) | {"StackId": None}
    assert world.send(event)["PhysicalResourceId"] == ARN


def test_a_failed_create_never_answers_with_an_actions_arn_whatever_the_request_holds(world):
    event = request("Create", physical_id=ARN, AdoptExisting="yes")
    assert world.send(event)["PhysicalResourceId"] == NOT_CREATED


# Answering


def test_an_answer_is_sent_again_when_sending_failed(world):
    world.put_failures = [urllib.error.URLError("reset"), http.client.RemoteDisconnected()]
    assert world.send(request("Create"))["Status"] == "SUCCESS"


def test_an_answer_that_cannot_be_sent_raises_so_that_lambda_delivers_the_request_again(world):
    world.put_failures = [TimeoutError()] * answers.ANSWER_ATTEMPTS
    with pytest.raises(AnswerNotDeliveredError, match="TimeoutError"):
        world.resource.respond(request("Create"), world)


def test_the_same_request_delivered_again_gets_the_answer_that_could_not_be_sent(world):
    world.put_failures = [TimeoutError()] * answers.ANSWER_ATTEMPTS
    with pytest.raises(AnswerNotDeliveredError):
        world.resource.respond(request("Create"), world)
    assert world.send(request("Create"))["Status"] == "SUCCESS"
    assert world.hub.calls.count("CreateActionTarget") == 1


def test_a_huge_reason_leaves_the_answer_under_4096_bytes(world):
    world.hub.faults = [Fault(error="InvalidInputException", message="\N{SNOWMAN}" * 9000)]
    failed(world.send(request("Create")), "InvalidInputException")
    assert len(world.bodies[0]) < 4096


def test_neither_log_nor_exception_shows_the_response_url_or_its_signature(world, caplog):
    world.put_failures = [http.client.InvalidURL(f"URL can't contain control characters. {URL}")] * 3
    with pytest.raises(AnswerNotDeliveredError) as raised:
        world.resource.respond(request("Create"), world)
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__
    assert SIGNATURE not in caplog.text + str(raised.value)


def test_each_request_is_logged_as_one_json_line_with_its_outcome(world, caplog):
    world.send(request("Create"))
    (line,) = [json.loads(message) for message in caplog.messages]
    assert line == {
        "RequestType": "Create",
        "LogicalResourceId": "SendToTicketing",
        "StackId": STACK_ID,
        "PhysicalResourceId": "",
        "RequestId": "2b1c9a9e-0000-0000-0000-000000000000",
        "outcome": "SUCCESS",
        "answered_id": ARN,
        "reason": "",
    }
    assert caplog.records[0].levelno == logging.INFO


def test_the_answer_is_put_with_an_empty_content_type():
    seen = []

    class Receiver(http.server.BaseHTTPRequestHandler):
        def do_PUT(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            seen.append((self.headers["Content-Type"], body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args):
            """Keep the test's output clean."""

    server = http.server.HTTPServer(("127.0.0.1", 0), Receiver)
    thread = threading.Thread(target=server.handle_request)
    thread.start()
    handler.RESOURCE.put(f"http://127.0.0.1:{server.server_port}/answer", b"{}")
    thread.join()
    server.server_close()
    assert seen == [("", b"{}")]


def test_the_client_never_retries_by_itself():
    config = handler.RESOURCE.make_client("eu-west-1").meta.config
    assert config.retries["total_max_attempts"] == 1
    assert config.connect_timeout + config.read_timeout < hub.ANSWER_RESERVE_SECONDS


def test_the_status_of_the_stack_comes_from_cloudformation(monkeypatch):
    client = boto3.client("cloudformation", region_name="eu-west-1")
    monkeypatch.setattr(boto3, "client", lambda *_, **__: client)
    stack = {"StackName": "Actions", "StackStatus": "UPDATE_IN_PROGRESS", "CreationTime": 0}
    with Stubber(client) as stubber:
        stubber.add_response("describe_stacks", {"Stacks": [stack]}, {"StackName": STACK_ID})
        assert handler.RESOURCE.read_stack_status(STACK_ID, "eu-west-1") == "UPDATE_IN_PROGRESS"


# The fake


def test_the_fake_speaks_the_shapes_of_the_api():
    client = handler.RESOURCE.make_client("eu-west-1")
    hub = FakeSecurityHub()
    texts = {"Name": "Name", "Description": "Description"}
    calls = [
        ("create_action_target", {"Id": "SendToTicketing"} | texts),
        ("describe_action_targets", {"ActionTargetArns": [ARN]}),
        ("update_action_target", {"ActionTargetArn": ARN} | texts),
        ("delete_action_target", {"ActionTargetArn": ARN}),
    ]
    with Stubber(client) as stubber:
        for name, parameters in calls:
            answer = getattr(hub, name)(**parameters)
            stubber.add_response(name, copy.deepcopy(answer), parameters)
            assert getattr(client, name)(**parameters).items() >= answer.items()


def test_the_fake_lists_by_pages():
    hub = FakeSecurityHub(actions={f"{PLACE}{number}": TEXTS for number in range(45)})
    assert [len(page["ActionTargets"]) for page in hub.paginate()] == [20, 20, 5]


# Any request at all

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
IDS = st.sampled_from(["SendToTicketing", "Escalate", "Suppress"])


def fields(**usual):
    """Any of these fields present or missing, each with its usual values or with any JSON."""
    return st.fixed_dictionaries({}, optional={name: values | JSON for name, values in usual.items()})


EVENTS = fields(
    RequestType=st.sampled_from(["Create", "Update", "Delete"]),
    RequestId=st.uuids().map(str),
    StackId=st.just(STACK_ID),
    LogicalResourceId=st.just("SendToTicketing") | st.text(min_size=300),
    PhysicalResourceId=IDS.map(PLACE.__add__) | st.just(NOT_CREATED) | st.text(min_size=2000, max_size=2100),
    ResourceProperties=fields(
        Id=IDS,
        Name=st.text(min_size=1, max_size=25),
        Description=st.text(min_size=1),
        AdoptExisting=st.sampled_from(["true", "false"]),
    ),
)
FAULTS = st.builds(
    Fault,
    error=st.sampled_from([*STATUS, ReadTimeoutError(endpoint_url="https://hub"), NoCredentialsError()]),
    message=st.text(max_size=200),
    takes_effect=st.booleans(),
)


@examples(2)
@given(
    event=EVENTS,
    existing=st.lists(IDS),
    subscribed=st.booleans(),
    faults=st.lists(FAULTS, max_size=12),
    seconds_left=st.floats(0, 900),
)
def test_any_request_gets_exactly_one_valid_answer(event, existing, subscribed, faults, seconds_left):
    actions = {PLACE + name: TEXTS for name in existing}
    hub = FakeSecurityHub(actions=actions, subscribed=subscribed, faults=faults)
    world = World(hub=hub, seconds_left=seconds_left)
    answer = world.send(event | {"ResponseURL": URL})
    assert world.urls == [URL]
    assert len(world.bodies[0]) < 4096
    assert answer["Status"] in {"SUCCESS", "FAILED"}
    assert isinstance(answer["PhysicalResourceId"], str)
    assert answer["PhysicalResourceId"]
    assert bool(answer.get("Reason")) == (answer["Status"] == "FAILED")
    if answer["Status"] == "SUCCESS" and event["RequestType"] != "Delete":
        assert answer["Data"] == {"ActionTargetArn": answer["PhysicalResourceId"]}
        assert answer["PhysicalResourceId"].startswith(PLACE)


# Whole lives of a stack

LOGICAL_IDS = st.sampled_from(["First", "Second"])
# Few, so that people often choose what the stack has.
WORDS = st.sampled_from(["Ticket", "Page"])
WANTED = st.fixed_dictionaries(
    {"Id": IDS, "Name": WORDS, "Description": WORDS, "AdoptExisting": st.sampled_from(["true", "false"])}
)
PASSING_FAULTS = st.lists(
    st.builds(
        Fault,
        error=st.sampled_from(["InternalException", ReadTimeoutError(endpoint_url="https://hub")]),
        takes_effect=st.booleans(),
    )
    | st.just(Fault(error="ThrottlingException")),
    max_size=2,
)


def texts_of(wanted):
    return wanted["Name"], wanted["Description"]


class CloudFormation(RuleBasedStateMachine):
    """Plays CloudFormation with two resources, next to people who use the console.

    ``expected`` is what the hub should hold, ``resources`` what the stack has, and ``of_people`` what people
    made and the stack may neither change nor delete.
    """

    def __init__(self):
        super().__init__()
        self.world = World()
        self.expected = {}
        self.resources = {}
        self.of_people = {}

    def send(self, request_type, wanted, physical_id=None, old=None, *, status="UPDATE_IN_PROGRESS"):
        self.world.seconds_left = 300.0
        self.world.stack_status = status
        answer = self.world.send(request(request_type, physical_id=physical_id, old=old, **wanted))
        return answer["Status"] == "SUCCESS", answer["PhysicalResourceId"]

    def roll_back(self, old, physical_id, failed):
        """The Update back to the old properties, which never fails and changes nothing of people's."""
        arn = PLACE + old["Id"]
        status = "UPDATE_ROLLBACK_IN_PROGRESS"
        assert self.send("Update", old, physical_id, failed, status=status) == (True, arn)
        own = arn == physical_id and self.expected.get(arn) == texts_of(failed)
        if own or arn not in self.expected or old["AdoptExisting"] == "true":
            self.expect(old)

    def delete_action(self, wanted, physical_id=None):
        arn = PLACE + wanted["Id"]
        assert self.send("Delete", wanted, physical_id or arn) == (True, physical_id or arn)
        if wanted["AdoptExisting"] == "false" and self.expected.get(arn) == texts_of(wanted):
            del self.expected[arn]

    def expect(self, wanted):
        """The action is the stack's from now on."""
        arn = PLACE + wanted["Id"]
        self.expected[arn] = texts_of(wanted)
        self.of_people.pop(arn, None)

    def is_another_resources(self, logical_id, wanted):
        """Two resources with one id are refused by the construct, and only adoption lets them happen."""
        return any(
            other["Id"] == wanted["Id"] for name, other in self.resources.items() if name != logical_id
        )

    def may_claim(self, wanted):
        return PLACE + wanted["Id"] not in self.expected or wanted["AdoptExisting"] == "true"

    def may_update(self, old, wanted):
        found = self.expected.get(PLACE + wanted["Id"])
        return self.may_claim(wanted) or found in (texts_of(old), texts_of(wanted))

    @rule(action_id=IDS, name=WORDS, description=WORDS)
    def somebody_creates_or_renames(self, action_id, name, description):
        arn = PLACE + action_id
        self.expected[arn] = self.world.hub.actions[arn] = self.of_people[arn] = (name, description)

    @rule(action_id=IDS)
    def somebody_deletes(self, action_id):
        for actions in (self.expected, self.world.hub.actions, self.of_people):
            actions.pop(PLACE + action_id, None)

    @initialize(wanted=WANTED)
    def start_with_a_resource(self, wanted):
        self.create("First", wanted, rolls_back=False, faults=[])

    @rule(logical_id=LOGICAL_IDS, wanted=WANTED, rolls_back=st.booleans(), faults=PASSING_FAULTS)
    def create(self, logical_id, wanted, rolls_back, faults):
        if logical_id in self.resources or self.is_another_resources(logical_id, wanted):
            return
        allowed = self.may_claim(wanted)
        physical_id = PLACE + wanted["Id"] if allowed else NOT_CREATED
        self.world.hub.faults = list(faults)
        assert self.send("Create", wanted, status="CREATE_IN_PROGRESS") == (allowed, physical_id)
        if allowed:
            self.expect(wanted)
        if allowed and not rolls_back:
            self.resources[logical_id] = wanted
        elif allowed:
            self.delete_action(wanted)
        else:
            assert self.send("Delete", wanted, NOT_CREATED) == (True, NOT_CREATED)

    @precondition(lambda self: self.resources)
    @rule(
        data=st.data(),
        wanted=WANTED,
        replaces=st.booleans(),
        rolls_back=st.booleans(),
        faults=PASSING_FAULTS,
    )
    def update(self, data, wanted, replaces, rolls_back, faults):
        logical_id = data.draw(st.sampled_from(sorted(self.resources)))
        old = self.resources[logical_id]
        if not replaces:
            wanted = wanted | {"Id": old["Id"]}
        if self.is_another_resources(logical_id, wanted):
            return
        old_arn, arn = PLACE + old["Id"], PLACE + wanted["Id"]
        allowed = self.may_claim(wanted) if arn != old_arn else self.may_update(old, wanted)
        self.world.hub.faults = list(faults)
        assert self.send("Update", wanted, old_arn, old) == (allowed, arn if allowed else old_arn)
        if allowed:
            self.expect(wanted)
        if rolls_back or not allowed:
            self.roll_back(old, arn if allowed else old_arn, wanted)
        else:
            self.resources[logical_id] = wanted
        if allowed and arn != old_arn:
            # The cleanup phase: what the finished or the rolled back update no longer needs.
            self.delete_action(wanted if rolls_back else old)

    @precondition(lambda self: self.resources)
    @rule(data=st.data(), faults=PASSING_FAULTS)
    def delete(self, data, faults):
        wanted = self.resources.pop(data.draw(st.sampled_from(sorted(self.resources))))
        self.world.hub.faults = list(faults)
        self.delete_action(wanted)

    @invariant()
    def the_hub_holds_exactly_what_stack_and_people_made(self):
        assert self.world.hub.actions == self.expected

    @invariant()
    def what_people_made_is_unchanged_unless_it_equals_what_the_stack_has(self):
        """With equal texts under the stack's own ID, nobody could tell it from the stack's action."""
        has = {PLACE + wanted["Id"]: texts_of(wanted) for wanted in self.resources.values()}
        for arn, texts in list(self.of_people.items()):
            if has.get(arn) == texts:
                del self.of_people[arn]
            else:
                assert self.world.hub.actions[arn] == texts


CloudFormation.TestCase.settings = examples(1.5, stateful_step_count=25)
TestAStackOverItsWholeLife = CloudFormation.TestCase
