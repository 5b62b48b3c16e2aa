from __future__ import annotations

import io
import json
import zipfile

import pytest

from tests.emulator.functions import zipped

CODE = """
import os, shared
def handle(event, context):
    return [shared.VALUE, os.path.realpath(shared.__file__), os.path.realpath(shared.__cached__)]
"""


@pytest.fixture
def answer(embedded_aws):
    """A function that returns what a new function answers that uses a layer with some value in it."""
    client = embedded_aws.client("lambda", account="510000000041")
    made = []

    def ask(value):
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as layer:
            layer.writestr(zipfile.ZipInfo("python/shared.py"), f"VALUE = {value}")
        layer = client.publish_layer_version(LayerName="shared", Content={"ZipFile": archive.getvalue()})
        name = f"with-layer-{len(made)}"
        made.append(name)
        client.create_function(
            FunctionName=name,
            Runtime="python3.13",
            Handler="index.handle",
            Role="arn:aws:iam::510000000041:role/any",
            Code={"ZipFile": zipped(CODE)},
            Layers=[layer["LayerVersionArn"]],
        )
        return json.loads(client.invoke(FunctionName=name)["Payload"].read())

    yield ask
    for name in made:
        client.delete_function(FunctionName=name)


def test_functions_with_the_same_layer_use_the_same_files_which_are_compiled_once(answer):
    assert answer(1) == answer(1)


def test_another_layer_has_files_of_its_own(answer):
    first, second = answer(1), answer(2)
    assert (first[0], second[0]) == (1, 2)
    assert not {*first} & {*second}
