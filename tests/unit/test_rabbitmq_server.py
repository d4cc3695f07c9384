"""The RabbitMQ that other tests stand on."""

from kombu.connection import Connection

from tests.support.rabbitmq import RabbitMQ
from tests.support.server_process import processes_in
from tests.support.waiting import eventually


class TestRabbitMQ:
    def test_it_keeps_durable_messages_over_a_restart_and_leaves_nothing_behind(self):
        with RabbitMQ(own=True) as server:
            directory = server.directory
            with Connection(server.url) as connection, connection.SimpleQueue("paint") as queue:
                queue.put("red")

            server.restart()

            with Connection(server.url) as connection, connection.SimpleQueue("paint") as queue:
                message = queue.get(timeout=5)
                assert message.payload == "red"
                message.ack()
            assert len(processes_in(directory)) > 1

        eventually(lambda: processes_in(directory) == [], within=2.0)
        assert not directory.exists()

    def test_the_shared_one_lets_guest_in(self, rabbitmq):
        with Connection(rabbitmq.url) as connection:
            assert connection.connect()
