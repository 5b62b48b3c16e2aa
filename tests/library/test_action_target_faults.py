"""The custom resource under random faults: it crashes, is invoked twice, even at once, and can't answer.

`test_action_target_handler.py` plays whole lives of a stack with exact results. Here, only what must hold
whatever happens is checked.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import sys
from dataclasses import dataclass, field

from botocore.exceptions import NoCredentialsError, ReadTimeoutError
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from securityhub_actions.action_target_handler.answers import AnswerNotDeliveredError
from securityhub_actions.action_target_handler.handler import NOT_CREATED, ActionTargetResource
from tests.hypothesis_profiles import examples
from tests.library.custom_resource import PLACE, World, request
from tests.library.fake_security_hub import FakeSecurityHub, Fault

# Lambda invokes a function three times for an event that it fails to handle.
# https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
ATTEMPTS = 3
THEIRS = ("Theirs", "Made in the console")
IDS = st.sampled_from(["Ticket", "Page"])
# The stack's texts, which people never choose: an action with equal texts can't be told from the stack's.
WORDS = st.sampled_from(["One", "Two"])
WANTED = st.fixed_dictionaries(
    {
        "Id": IDS,
        "Name": WORDS,
        "Description": WORDS,
        "AdoptExisting": st.sampled_from(["false", "false", "true"]),
    }
)
OPERATIONS = st.sampled_from([None, "CreateActionTarget", "UpdateActionTarget", "DeleteActionTarget"])
# Only errors that don't lie: what Security Hub says of an action is true.
API_FAULTS = st.builds(
    Fault,
    error=st.sampled_from(["InternalException", ReadTimeoutError(endpoint_url="https://hub")]),
    operation=OPERATIONS,
    takes_effect=st.booleans(),
) | st.builds(
    Fault,
    error=st.sampled_from(
        ["ThrottlingException", "AccessDeniedException", "InvalidAccessException", NoCredentialsError()]
    ),
    operation=OPERATIONS,
)
CALLS = st.integers(1, 12)


class Crash(BaseException):
    """The process ends. Not even `except Exception` sees it."""


@dataclass(frozen=True, kw_only=True)
class LostAnswer:
    """An attempt to deliver the response fails, before or after CloudFormation has got it."""

    arrives: bool


@dataclass(kw_only=True)
class Disturbance:
    """What happens while a request is fulfilled. Calls of the API are counted over all attempts."""

    faults: list[Fault]
    crashes: set[int]
    answers_lost: list[LostAnswer]
    invoked_again_at: int | None
    invoked_again_afterwards: bool
    people_come_at: int | None
    calls: int = field(default=0, init=False)


DISTURBANCES = st.builds(
    Disturbance,
    faults=st.lists(API_FAULTS, max_size=8),
    crashes=st.sets(CALLS, max_size=2),
    answers_lost=st.lists(st.builds(LostAnswer, arrives=st.booleans()), max_size=10),
    invoked_again_at=st.none() | CALLS,
    invoked_again_afterwards=st.booleans(),
    people_come_at=st.none() | CALLS,
)


class FaultyLives(RuleBasedStateMachine):
    """Plays CloudFormation, Lambda, and people who use the console.

    ``resources`` is what the stack has, with its physical IDs, and ``theirs`` the actions of people.
    """

    def __init__(self):
        super().__init__()
        self.hub = FakeSecurityHub()
        self.world = World(hub=self.hub)
        self.hub.on_call = self.on_call
        self.resources = {}
        self.theirs = set()
        self.bodies = []
        self.sent = []
        self.running = 0
        self.numbers = itertools.count()
        self.resource = self.new_container()

    def new_container(self):
        return ActionTargetResource(
            make_client=self.world.client,
            read_stack_status=self.world.status_of,
            put=self.put,
            sleep=self.world.spend,
        )

    # What happens around the handler

    def on_call(self):
        self.world.spend(0.1)
        now = self.disturbance
        now.calls += 1
        # People don't come between the last look at an action and its change or deletion: Security Hub has no
        # conditional ones, so nobody could tell.
        is_looking = self.hub.calls[-1] in {"DescribeActionTargets", "CreateActionTarget"}
        if now.calls >= (now.people_come_at or sys.maxsize) and is_looking and self.running == 1:
            now.people_come_at = None
            self.make_theirs(self.event["ResourceProperties"]["Id"])
        if now.calls == now.invoked_again_at:
            with contextlib.suppress(Crash, AnswerNotDeliveredError):
                self.invoke(self.new_container())
        if now.calls in now.crashes:
            raise Crash

    def put(self, _url, body):
        lost = self.disturbance.answers_lost.pop() if self.disturbance.answers_lost else None
        if lost is None or lost.arrives:
            self.bodies.append(body)
            self.sent.append(body)
        if lost is not None:
            raise TimeoutError

    def invoke(self, resource):
        """Invoke the function once, and check that it answers once, unless it can't."""
        before, self.sent = self.sent, []
        self.running += 1
        self.world.seconds_left = 300.0
        try:
            resource.respond(self.event, self.world)
            assert self.sent, "the function ended without an answer"
        finally:
            assert len(set(self.sent)) <= 1, "one invocation gave two answers"
            self.sent = before
            self.running -= 1

    def deliver(self, event, disturbance):
        """Deliver a request as Lambda does, and return CloudFormation's view: status and physical ID."""
        self.event, self.disturbance, self.bodies = event, disturbance, []
        self.hub.faults = disturbance.faults
        for _ in range(ATTEMPTS):
            try:
                self.invoke(self.resource)
            except Crash:
                self.resource = self.new_container()
            except AnswerNotDeliveredError:
                pass
            else:
                break
        if disturbance.invoked_again_afterwards:
            with contextlib.suppress(Crash, AnswerNotDeliveredError):
                self.invoke(self.new_container())
        self.hub.faults = []
        if not self.bodies:
            return "TIMED OUT", event.get("PhysicalResourceId", "Stack-Resource-1ABCDEF")
        # CloudFormation takes the first, and nobody reads the others.
        answer = json.loads(self.bodies[0])
        return answer["Status"], answer["PhysicalResourceId"]

    def send(self, request_type, wanted, disturbance, *, status, **more):
        self.world.stack_status = status
        event = request(request_type, **wanted, **more) | {"RequestId": f"request-{next(self.numbers)}"}
        answer = self.deliver(event, disturbance)
        if wanted["AdoptExisting"] == "true" and request_type != "Delete":
            # The template claims it.
            self.theirs.discard(PLACE + wanted["Id"])
        return answer

    def has(self, wanted):
        """Whether the action is as the stack wants it, as far as people have left it alone."""
        arn = PLACE + wanted["Id"]
        return self.hub.actions.get(arn) == THEIRS or self.hub.actions.get(arn) == (
            wanted["Name"],
            wanted["Description"],
        )

    def make_theirs(self, action_id):
        self.hub.actions[PLACE + action_id] = THEIRS
        self.theirs.add(PLACE + action_id)

    # What happens

    @rule(action_id=IDS)
    def somebody_creates_or_renames(self, action_id):
        self.make_theirs(action_id)

    @rule(action_id=IDS)
    def somebody_deletes(self, action_id):
        self.hub.actions.pop(PLACE + action_id, None)
        self.theirs.discard(PLACE + action_id)

    @rule(wanted=WANTED, disturbance=DISTURBANCES)
    def create(self, wanted, disturbance):
        if wanted["Id"] in self.resources:
            return
        status, physical_id = self.send("Create", wanted, disturbance, status="CREATE_IN_PROGRESS")
        if status == "SUCCESS":
            assert physical_id == PLACE + wanted["Id"]
            assert self.has(wanted), "the stack has an action that doesn't exist"
            self.resources[wanted["Id"]] = wanted
        else:
            assert physical_id == NOT_CREATED or status == "TIMED OUT"
            before = dict(self.hub.actions)
            calm = quiet()
            self.send("Delete", wanted, calm, status="ROLLBACK_IN_PROGRESS", physical_id=physical_id)
            assert self.hub.actions == before, "rolling back a create that failed deleted an action"

    @precondition(lambda self: self.resources)
    @rule(data=st.data(), name=WORDS, description=WORDS, disturbance=DISTURBANCES, back=DISTURBANCES)
    def update(self, data, name, description, disturbance, back):
        action_id = data.draw(st.sampled_from(sorted(self.resources)))
        old = self.resources[action_id]
        wanted = old | {"Name": name, "Description": description}
        arn = PLACE + action_id
        status, physical_id = self.send(
            "Update", wanted, disturbance, status="UPDATE_IN_PROGRESS", physical_id=arn, old=old
        )
        assert physical_id == arn, "CloudFormation would take the action for replaced, and delete it"
        if status == "SUCCESS":
            assert self.has(wanted)
            self.resources[action_id] = wanted
        else:
            status, physical_id = self.send(
                "Update", old, back, status="UPDATE_ROLLBACK_IN_PROGRESS", physical_id=arn, old=wanted
            )
            assert physical_id == arn

    @precondition(lambda self: self.resources)
    @rule(data=st.data(), disturbance=DISTURBANCES)
    def delete(self, data, disturbance):
        action_id = data.draw(st.sampled_from(sorted(self.resources)))
        wanted, arn = self.resources[action_id], PLACE + action_id
        before = dict(self.hub.actions)
        status, physical_id = self.send(
            "Delete", wanted, disturbance, status="DELETE_IN_PROGRESS", physical_id=arn
        )
        assert physical_id == arn
        if wanted["AdoptExisting"] == "true":
            assert before.keys() <= self.hub.actions.keys(), "an adopted action was deleted"
        elif status == "SUCCESS":
            assert self.hub.actions.get(arn) in (None, THEIRS) or not self.has(wanted)
        if status == "SUCCESS":
            del self.resources[action_id]

    @invariant()
    def what_people_made_is_as_they_made_it(self):
        assert {arn: self.hub.actions.get(arn) for arn in self.theirs} == dict.fromkeys(self.theirs, THEIRS)


def quiet():
    return Disturbance(
        faults=[],
        crashes=set(),
        answers_lost=[],
        invoked_again_at=None,
        invoked_again_afterwards=False,
        people_come_at=None,
    )


FaultyLives.TestCase.settings = examples(0.6, stateful_step_count=15)
TestTheCustomResourceUnderFaults = FaultyLives.TestCase
