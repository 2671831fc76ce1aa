import os

import pytest
from hypothesis import settings

from hub import engine

# Before anything of the engine is loaded: what is tested is what is read.
if (_problem := engine.problem()) is not None:
    raise pytest.UsageError(_problem)

# Servers that run under another account are forked, and gRPC's fork handlers crash the child where other threads are inside gRPC. What is
# started here is exec'd at once and needs none of them.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")

# How long an example takes is the machine's affair: beside other work a slow one proves nothing.
settings.register_profile("tests", deadline=None, print_blob=True)
settings.load_profile("tests")

pytest_plugins = [
    "tests.fixtures.postgres",
    "tests.fixtures.kafka",
    "tests.fixtures.kafka_sockets",
    "tests.fixtures.hub",
    "tests.fixtures.forked",
    "tests.fixtures.desks",
    "tests.fixtures.badinput",
    "tests.fixtures.ledger",
    "tests.fixtures.dice",
    "tests.fixtures.notproven",
    "tests.fixtures.dropping",
    "tests.fixtures.sftp",
]


def pytest_report_header() -> str:
    return f"engine: {engine.form()}"
