"""The server process of the embedded AWS: MiniStack and this project's plug-ins behind one loopback port.

Started by `emulator.server.EmbeddedAws` as ``python -m emulator.process FOLDER``. It binds a free port of
127.0.0.1 itself and writes ``{"port": N}`` to standard output when it answers requests. It ends, together
with every Lambda worker it started and its folder, when its standard input reaches the end of file, which
the operating system causes even if the parent is killed.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from emulator.asgi import AsgiApp, Message, Receive, Send
from emulator.delivery.http import log_app

HOST: Final = "127.0.0.1"


def plugged_app() -> AsgiApp:
    """MiniStack's ASGI application with the plug-ins registered."""
    # MiniStack's modules, and the plug-ins with them, read the port from the environment at import.
    from ministack.app import app  # noqa: PLC0415

    from emulator import (  # noqa: PLC0415
        account_settings,
        api_destinations,
        codepipeline,
        delivery,
        firehose,
        function_files,
        http_apis,
        object_encryption,
        organizations,
        quotas,
        rds,
        redshift_data,
        scheduler,
        secret_rotation,
        security_ir,
        securityhub,
    )
    from emulator.cloudformation import (  # noqa: PLC0415
        automation_rules,
        event_buses,
        graphql_apis,
        keys,
        named_queries,
        names,
        security_hub,
        stack_resources,
        stack_sets,
        types,
        waits,
    )
    from emulator.ec2 import interfaces, metadata, security_groups, snapshots, tags  # noqa: PLC0415
    from emulator.iam import assume_role, requests_of_roles  # noqa: PLC0415

    log = delivery.DeliveryLog()
    delivery.register(log)
    # In this order, since each wraps what it finds.
    for plug_in in (
        securityhub,
        security_hub,
        automation_rules,
        types,
        api_destinations,
        firehose,
        keys,
        object_encryption,
        function_files,
        graphql_apis,
        named_queries,
        names,
        stack_resources,
        codepipeline,
        redshift_data,
        assume_role,
        requests_of_roles,
        account_settings,
        http_apis,
        metadata,
        snapshots,
        rds,
        interfaces,
        security_groups,
        tags,
        organizations,
        security_ir,
        secret_rotation,
        scheduler,
        stack_sets,
        waits,
        quotas,
        event_buses,
    ):
        plug_in.register()
    app_with_paths = scheduler.schedules_app(securityhub.press_app(app))
    return log_app(api_destinations.hosts_app(app_with_paths), log)


def announcing(app: AsgiApp, announce: Callable[[], None]) -> AsgiApp:
    """Wrap an application so that `announce` is called once it has started."""

    async def wrapped(scope: Message, receive: Receive, send: Send) -> None:
        async def send_and_announce(message: Message) -> None:
            await send(message)
            if message["type"] == "lifespan.startup.complete":
                announce()

        await app(scope, receive, send_and_announce if scope["type"] == "lifespan" else send)

    return wrapped


def announce_port(port: int) -> None:
    """Tell the parent which port answers, and redirect later output to the log."""
    print(json.dumps({"port": port}), flush=True)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())


def end(folder: Path, ending: threading.Event) -> None:
    """End this process group at once: Lambda workers, folder, and this process last."""
    if ending.is_set():
        return
    ending.set()
    os.killpg(0, signal.SIGTERM)
    shutil.rmtree(folder, ignore_errors=True)
    os.killpg(0, signal.SIGKILL)


def end_with_parent(folder: Path, ending: threading.Event) -> None:
    """Wait for the end of standard input, which is the end of the parent, and end."""
    with contextlib.suppress(OSError):
        while os.read(0, 4096):
            pass
    end(folder, ending)


async def never() -> None:
    """Hypercorn's shutdown trigger: this process is ended, not shut down, and handles its signals itself."""
    await asyncio.Event().wait()


def main() -> None:
    """Serve until the parent ends."""
    folder = Path(sys.argv[1])
    # Lambda functions inherit this environment, and on AWS they don't have this project's source.
    os.environ.pop("PYTHONPATH", None)
    ending = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: end(folder, ending))
    threading.Thread(target=end_with_parent, args=(folder, ending), daemon=True).start()
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.bind((HOST, 0))
    port = listener.getsockname()[1]
    # MiniStack's modules read the port when they are imported.
    os.environ["GATEWAY_PORT"] = str(port)

    from hypercorn.asyncio import serve  # noqa: PLC0415 - after the environment is complete
    from hypercorn.config import Config  # noqa: PLC0415
    from ministack.core.hypercorn_compat import install  # noqa: PLC0415

    install()
    config = Config()
    config.bind = [f"fd://{listener.detach()}"]
    config.keep_alive_timeout = 75
    config.loglevel = "WARNING"
    config.accesslog = None
    # Hypercorn types the messages one by one; to pass them on, a mapping says enough.
    app: Any = announcing(plugged_app(), lambda: announce_port(port))
    asyncio.run(serve(app, config, shutdown_trigger=never))


if __name__ == "__main__":
    main()
