import os

# Servers that run under another account are forked, and gRPC's fork handlers crash the child where other threads are inside gRPC. What is
# started here is exec'd at once and needs none of them.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")

pytest_plugins = [
    "tests.fixtures.postgres",
    "tests.fixtures.kafka",
    "tests.fixtures.hub",
    "tests.fixtures.forked",
    "tests.fixtures.badinput",
    "tests.fixtures.ledger",
]
