"""A server's process: how it comes up, and how it ends."""

import shutil

import pytest

from tests.support.server_process import ServerProcess, processes_in, server_directory


@pytest.fixture
def directory():
    made = server_directory("test")
    yield made
    shutil.rmtree(made)


class TestServerProcess:
    def test_a_process_that_dies_at_start_is_reported_with_its_last_words(self, directory):
        process = ServerProcess(["sh", "-c", "echo no such luck; exit 3"], directory)
        process.start()

        with pytest.raises(RuntimeError, match="no such luck"):
            process.wait_until(lambda: False)

        assert process.pid is None

    def test_a_process_that_will_not_end_is_ended_by_force(self, directory):
        process = ServerProcess(
            ["sh", "-c", "trap '' TERM; echo up; while :; do read x; done"], directory
        )
        process.start()
        process.wait_until(lambda: "up" in process.log.read_text())

        process.end(within=0.1)

        assert processes_in(directory) == []
