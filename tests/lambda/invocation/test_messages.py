from __future__ import annotations

import json

from invocation.messages import work_on_messages


def batch(*bodies):
    return {
        "Records": [
            {"messageId": f"message-{number}", "body": body, "eventSource": "aws:sqs", "attributes": {}}
            for number, body in enumerate(bodies)
        ]
    }


def test_each_message_is_worked_on_and_only_those_that_failed_come_back(lambda_context):
    seen = []

    def work(body, record):
        seen.append((body, record.message_id))
        if body == {"number": 1}:
            raise RuntimeError("It went wrong")

    messages = batch(*(json.dumps({"number": number}) for number in range(3)))
    assert work_on_messages(messages, lambda_context, work) == {
        "batchItemFailures": [{"itemIdentifier": "message-1"}]
    }
    assert seen == [({"number": number}, f"message-{number}") for number in range(3)]


def test_a_body_that_is_no_json_fails_alone(lambda_context):
    answer = work_on_messages(batch("no json", "{}"), lambda_context, lambda *_: None)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "message-0"}]}


def test_a_batch_of_which_all_fail_raises_nothing(lambda_context):
    answer = work_on_messages(batch("no json"), lambda_context, lambda *_: None)
    assert answer == {"batchItemFailures": [{"itemIdentifier": "message-0"}]}
