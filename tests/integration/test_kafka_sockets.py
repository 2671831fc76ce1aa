"""Sockets left open are errors, but for those that kafka-python drops half-made."""

from __future__ import annotations

import gc
import socket
import warnings

import pytest
from kafka.net.compat import KafkaNetClient

from tests.fixtures.kafka_sockets import KafkaClientSocket


def test_a_kafka_client_closed_while_it_connects_is_nobodys_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = KafkaNetClient(bootstrap_servers=f"127.0.0.1:{server.getsockname()[1]}")
        client._manager.get_connection(client.cluster.bootstrap_brokers()[0].node_id)
        client.close()
        del client
        gc.collect()


@pytest.mark.parametrize(("kind", "warned"), [(socket.socket, 1), (KafkaClientSocket, 0)])
def test_whose_socket_was_left_open_is_told_apart(kind: type[socket.socket], warned: int) -> None:
    with warnings.catch_warnings(record=True) as caught:
        # As an error it would be raised where nobody could catch it.
        warnings.filterwarnings("always", "unclosed <socket", ResourceWarning)
        kind(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        gc.collect()
    assert len(caught) == warned
