"""A real RabbitMQ for tests: an external one, or Debian's."""

import os
import shutil
import signal
from pathlib import Path
from typing import Self

from amqp.exceptions import AMQPError
from kombu.connection import Connection

from tests.support.missing import Missing
from tests.support.ports import LOOPBACK, free_port, port_answers
from tests.support.server_process import ServerProcess, server_directory

EXTERNAL = "KEYTURN_TEST_AMQP_URL"
# Not /usr/sbin/rabbitmq-server: that wrapper wants to become the system's own rabbitmq user.
BINARY = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")


class RabbitMQ:
    """One RabbitMQ node with an Erlang port mapper of its own, at `url`, guest's as by default.

    With `KEYTURN_TEST_AMQP_URL` set it is that server, which is never stopped: a test that breaks
    its server asks for its `own`. `stop`, `kill` and `restart` keep the port, durable queues and
    (in a kill: confirmed) persistent messages. Starting takes some seven seconds.
    Missing is raised where there is no server, or not one that may be stopped.
    """

    def __init__(self, *, own: bool = False) -> None:
        self._broker: ServerProcess | None = None
        external = os.environ.get(EXTERNAL)
        if external and not own:
            self.url = external
            return
        epmd = shutil.which("epmd")
        if not BINARY.exists() or epmd is None:
            raise Missing(f"install rabbitmq-server (apt), or name a server in {EXTERNAL}")
        self.port, self._mapper_port, self._node_port = free_port(), free_port(), free_port()
        self.url = f"amqp://guest:guest@{LOOPBACK}:{self.port}//"
        directory = server_directory("rabbitmq")
        self._mapper = ServerProcess([epmd], directory)
        self._broker = ServerProcess([str(BINARY)], directory)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def directory(self) -> Path:
        """Where a server of our own keeps everything, until `close`."""
        return self._own.directory

    def start(self) -> None:
        """Returns when the broker lets guest in."""
        if self._broker is None:
            if not self._lets_us_in():
                raise Missing(f"start the RabbitMQ of {EXTERNAL}, or unset it")
            return
        self._mapper.start(self._mapper_environment())
        self._mapper.wait_until(lambda: port_answers(self._mapper_port))
        try:
            self._broker.start(self._mapper_environment() | self._broker_environment())
            self._broker.wait_until(
                lambda: port_answers(self.port) and self._lets_us_in(), within=90.0
            )
        except BaseException:
            self._end(signal.SIGKILL)
            raise

    def stop(self) -> None:
        """Ends the broker in good order, then its port mapper; a second call does nothing."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Ends the broker at once, then its port mapper."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Breaks every open connection; the port and what is durable stay."""
        self.stop()
        self.start()

    def close(self) -> None:
        """Ends a server of our own and removes its files; leaves an external one alone."""
        if self._broker is not None:
            self.kill()
            shutil.rmtree(self.directory, ignore_errors=True)

    @property
    def _own(self) -> ServerProcess:
        if self._broker is None:
            raise Missing(f"the server of {EXTERNAL} is not ours: use RabbitMQ(own=True)")
        return self._broker

    def _end(self, how: signal.Signals) -> None:
        self._own.end(how)
        self._mapper.end()

    def _lets_us_in(self) -> bool:
        with Connection(self.url, connect_timeout=5) as connection:
            try:
                connection.connect()
            except (OSError, AMQPError):
                return False
            return True

    def _mapper_environment(self) -> dict[str, str]:
        return {"ERL_EPMD_PORT": str(self._mapper_port), "ERL_EPMD_ADDRESS": LOOPBACK}

    def _broker_environment(self) -> dict[str, str]:
        """Everything under our directory and on loopback, nothing from /etc/rabbitmq."""
        return {
            "RABBITMQ_NODENAME": f"keyturn-{self.port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": LOOPBACK,
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(self._node_port),
            "RABBITMQ_MNESIA_BASE": str(self.directory / "mnesia"),
            "RABBITMQ_LOG_BASE": str(self.directory),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.directory / "enabled_plugins"),
            "RABBITMQ_CONFIG_FILE": str(self.directory / "rabbitmq.conf"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(self.directory / "advanced.config"),
            "RABBITMQ_CONF_ENV_FILE": str(self.directory / "rabbitmq-env.conf"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": (
                "-kernel inet_dist_use_interface {127,0,0,1} -start_epmd false"
            ),
            "ERL_CRASH_DUMP_SECONDS": "0",
            # Runs the Erlang machine itself in place of a shell that waits for it, so that our
            # child's id is the broker's. (Nothing else hangs on it without NOTIFY_SOCKET.)
            "RUNNING_UNDER_SYSTEMD": "true",
        }
