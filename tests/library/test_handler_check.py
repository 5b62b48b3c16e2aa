from __future__ import annotations

import sys
import zipfile

import pytest
from aws_cdk import App, Aws, Duration, Stack
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3 as s3

from securityhub_actions import LoggedFunction, handler_check

HANDLER = "def handle(event, context): ...\n"


@pytest.fixture
def stack():
    return Stack(App(), "Stack")


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "functions" / "press").mkdir(parents=True)
    (tmp_path / "functions" / "press" / "handler.py").write_text(HANDLER)
    (tmp_path / "top.py").write_text(HANDLER)
    return tmp_path


def declare(stack, handler, code, construct_id="Function", **settings):
    return LoggedFunction(
        stack,
        construct_id,
        description="Does something",
        code=code,
        handler=handler,
        timeout=Duration.seconds(5),
        **settings,
    )


def layer(stack):
    arn = "arn:aws:lambda:us-east-1:111122223333:layer:wrapper:1"
    return lambda_.LayerVersion.from_layer_version_arn(stack, "Layer", arn)


@pytest.mark.parametrize(
    "handler", ["functions.press.handler.handle", "functions/press/handler.handle", "top.handle"]
)
@pytest.mark.parametrize("zipped", [False, True])
def test_a_handler_in_the_code_is_found(stack, folder, tmp_path_factory, handler, zipped):
    path = folder
    if zipped:
        path = tmp_path_factory.mktemp("zip") / "code.zip"
        with zipfile.ZipFile(path, "w") as archive:
            for file in folder.rglob("*.py"):
                archive.write(file, file.relative_to(folder))
    declare(stack, handler, lambda_.Code.from_asset(str(path)))
    stack.node.root.synth()


@pytest.mark.parametrize(
    ("handler", "reason"),
    [
        ("functions.pres.handler.handle", "the code has no folder functions/pres"),
        ("functions.press.handlers.handle", "the code has no file functions/press/handlers.py"),
        ("functions.press.handler.handel", "functions/press/handler.py has no function 'handel'"),
        ("handle", "'handle' names no function in a module"),
        ("top.", "'top.' names no function in a module"),
    ],
)
def test_a_handler_that_is_not_in_the_code_is_an_error_at_synthesis(stack, folder, handler, reason):
    declare(stack, handler, lambda_.Code.from_asset(str(folder)))
    with pytest.raises(
        RuntimeError, match=f"The handler '{handler}' of Stack/Function doesn't exist: {reason}"
    ):
        stack.node.root.synth()


def test_a_second_function_with_the_same_code_is_checked_as_well(stack, folder):
    code = lambda_.Code.from_asset(str(folder))
    declare(stack, "top.handle", code)
    declare(stack, "top.other", code, "Second")
    with pytest.raises(RuntimeError, match=r"of Stack/Second doesn't exist: top.py has no function 'other'"):
        stack.node.root.synth()


def test_a_handler_that_is_excluded_from_the_code_does_not_exist(stack, folder):
    declare(stack, "top.handle", lambda_.Code.from_asset(str(folder), exclude=["top.py"]))
    with pytest.raises(RuntimeError, match=r"the code has no file top.py"):
        stack.node.root.synth()


@pytest.mark.parametrize(
    "source",
    [
        "handle = make()",
        "from other import handle",
        "from other import act as handle",
        "from other import *",
        "import handle",
        "@decorated\ndef handle(event, context): ...",
        "class handle: ...",
        "if True:\n    def handle(event, context): ...",
        "try:\n    from a import handle\nexcept ImportError:\n    handle = None",
        "try:\n    pass\nexcept ImportError:\n    def handle(): ...",
        "match 1:\n    case 1:\n        def handle(): ...",
        "handle: object = None",
        "a, handle = 1, 2",
        "def __getattr__(name): ...",
    ],
)
def test_every_way_to_define_a_handler_is_known(stack, source):
    declare(stack, "index.handle", lambda_.Code.from_inline(source))
    stack.node.root.synth()


@pytest.mark.parametrize("runtime", [(3, 0), (99, 0)])
def test_invalid_syntax_is_an_error_unless_the_runtime_may_know_it(stack, monkeypatch, runtime):
    monkeypatch.setattr(handler_check, "_RUNTIME", runtime)
    declare(stack, "index.handle", lambda_.Code.from_inline("def handle(:"))
    if runtime > sys.version_info:
        stack.node.root.synth()
    else:
        with pytest.raises(RuntimeError, match=r"index\.py is not valid Python"):
            stack.node.root.synth()


@pytest.mark.parametrize(
    "source", [b"\xef\xbb\xbfdef handle(): ...", b"# coding: latin-1\n# \xe9\ndef handle(): ..."]
)
def test_the_encoding_of_a_module_is_the_one_that_it_declares(stack, tmp_path, source):
    (tmp_path / "index.py").write_bytes(source)
    declare(stack, "index.handle", lambda_.Code.from_asset(str(tmp_path)))
    stack.node.root.synth()


@pytest.mark.parametrize("source", ["def other():\n    def handle(): ...", "print(handle)"])
def test_inline_code_without_the_handler_is_an_error(stack, source):
    declare(stack, "index.handle", lambda_.Code.from_inline(source))
    with pytest.raises(RuntimeError, match=r"index\.py has no function 'handle'"):
        stack.node.root.synth()


def test_inline_code_has_one_module(stack):
    declare(stack, "main.handle", lambda_.Code.from_inline(HANDLER))
    with pytest.raises(RuntimeError, match="inline code is the module index"):
        stack.node.root.synth()


def test_a_module_that_the_code_lacks_may_be_in_a_layer(stack, folder):
    declare(stack, "wrapper.handler.handle", lambda_.Code.from_asset(str(folder)), layers=[layer(stack)])
    stack.node.root.synth()


def test_a_layer_does_not_replace_a_module_of_the_code(stack, folder):
    declare(
        stack, "functions.press.handler.other", lambda_.Code.from_asset(str(folder)), layers=[layer(stack)]
    )
    with pytest.raises(RuntimeError, match="has no function 'other'"):
        stack.node.root.synth()


def test_a_package_and_a_compiled_module_can_have_the_handler(stack, folder):
    (folder / "package").mkdir()
    (folder / "package" / "__init__.py").write_text(HANDLER)
    (folder / "fast.so").write_bytes(b"\x7fELF")
    code = lambda_.Code.from_asset(str(folder))
    declare(stack, "package.handle", code)
    declare(stack, "fast.handle", code, "Compiled")
    stack.node.root.synth()


def test_what_is_not_on_this_machine_is_not_checked(stack):
    bucket = s3.Bucket.from_bucket_name(stack, "Bucket", "code")
    declare(stack, "any.handle", lambda_.Code.from_bucket(bucket, "code.zip"))
    declare(stack, f"{Aws.REGION}.handle", lambda_.Code.from_inline(HANDLER), "Late")
    stack.node.root.synth()
