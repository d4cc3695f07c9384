"""Ports that nobody else has, and waiting for somebody to listen."""

import socket
import threading

import pytest

from tests.support.ports import LOOPBACK, free_port, wait_for_port


class TestPorts:
    def test_a_free_port_is_handed_out_once(self):
        ports = [free_port() for _ in range(50)]

        assert len(set(ports)) == 50

    def test_waiting_for_a_port_ends_when_somebody_listens(self):
        port = free_port()
        with socket.socket() as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((LOOPBACK, port))
            opening = threading.Timer(0.1, listener.listen)
            opening.start()

            wait_for_port(port, within=5.0)

            opening.join()

    def test_waiting_for_a_port_ends_at_its_deadline(self):
        with pytest.raises(TimeoutError):
            wait_for_port(free_port(), within=0.05)
