"""The Redis that other tests stand on."""

import pytest
import redis

from tests.support import redis_server as redis_binaries
from tests.support.missing import Missing
from tests.support.ports import port_answers
from tests.support.redis_server import RedisServer
from tests.support.server_process import processes_in


class TestRedisServer:
    @pytest.mark.parametrize("find", [redis_binaries.installed_binary, redis_binaries.wheel_binary])
    def test_every_kind_of_server_keeps_data_over_a_restart_and_loses_it_in_a_crash(self, find):
        with RedisServer(binary=find() or pytest.skip("not installed")) as server:
            with redis.Redis.from_url(server.url) as client:
                client.set("colour", "red")
            port = server.port

            server.restart()

            assert server.port == port
            with redis.Redis.from_url(server.url) as client:
                assert client.get("colour") == b"red"

            server.kill()
            server.start()

            with redis.Redis.from_url(server.url) as client:
                assert client.get("colour") is None

    def test_flush_empties_it(self, redis_server):
        with redis.Redis.from_url(redis_server.url) as client:
            client.set("colour", "red")

            redis_server.flush()

            assert client.dbsize() == 0

    def test_a_stopped_server_refuses_and_comes_back(self):
        with RedisServer(own=True) as server:
            server.stop()
            server.stop()
            assert not port_answers(server.port)

            server.start()

            assert port_answers(server.port)

    def test_nothing_is_left_behind(self):
        with RedisServer(own=True) as server:
            directory = server.directory
            assert len(processes_in(directory)) == 1

        assert processes_in(directory) == []
        assert not directory.exists()

    def test_an_external_server_is_used_and_never_stopped(self, monkeypatch):
        with RedisServer(own=True) as outside:
            monkeypatch.setenv("KEYTURN_TEST_REDIS_URL", outside.url)

            with RedisServer() as server:
                assert server.url == outside.url
                with pytest.raises(Missing, match="own=True"):
                    server.restart()

            assert port_answers(outside.port)
