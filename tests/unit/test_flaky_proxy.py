"""The broken network that other tests stand on."""

import socket
import time
from contextlib import closing

import psycopg
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from sqlalchemy import make_url

from tests.support.flaky_proxy import FlakyProxy
from tests.support.ports import LOOPBACK, free_port, port_answers
from tests.support.postgres import libpq
from tests.support.waiting import eventually


def redis_client(port, *, timeout=5.0):
    """One connection which tries everything once."""
    return redis.Redis(
        host=LOOPBACK,
        port=port,
        socket_timeout=timeout,
        single_connection_client=True,
        retry=Retry(NoBackoff(), 0),
        decode_responses=True,
    )


class TestFlakyProxy:
    @pytest.fixture
    def server(self, redis_server):
        redis_server.flush()
        return redis_server

    @pytest.fixture
    def direct(self, server):
        with redis.Redis.from_url(server.url, decode_responses=True) as client:
            yield client

    @pytest.fixture
    def proxy(self, server):
        at = make_url(server.url)
        with FlakyProxy(at.host, at.port) as proxy:
            yield proxy

    def test_it_passes_everything_and_counts(self, proxy):
        with redis_client(proxy.port) as client:
            client.set("colour", "r" * 1_000_000)

            assert len(client.get("colour")) == 1_000_000
            assert proxy.open_connections == 1

        assert proxy.connections == 1
        assert proxy.bytes_to_server > 1_000_000
        eventually(lambda: proxy.bytes_from_server > 1_000_000)  # counted once forwarded
        eventually(lambda: proxy.open_connections == 0)

    def test_refusing_leaves_open_connections_alone(self, proxy):
        with redis_client(proxy.port) as client:
            proxy.refuse()

            assert client.ping()
            with pytest.raises(redis.ConnectionError, match="refused"):
                redis_client(proxy.port)

            proxy.pass_through()
            with redis_client(proxy.port) as another:
                assert another.ping()

    def test_what_a_blackhole_holds_arrives_when_it_is_over(self, proxy, direct):
        with redis_client(proxy.port, timeout=0.2) as client:
            proxy.blackhole()
            with pytest.raises(redis.TimeoutError):
                client.set("colour", "red")
            assert direct.get("colour") is None

            proxy.pass_through()

            assert eventually(lambda: direct.get("colour")) == "red"

    def test_connecting_into_a_blackhole_works_and_nothing_is_answered(self, proxy):
        proxy.blackhole()

        assert port_answers(proxy.port)
        with pytest.raises(redis.TimeoutError):
            redis_client(proxy.port, timeout=0.1)

    def test_killing_ends_what_a_blackhole_holds(self, proxy, direct):
        with redis_client(proxy.port, timeout=0.2) as client:
            proxy.blackhole()
            with pytest.raises(redis.TimeoutError):
                client.set("colour", "red")

            proxy.kill_all()
            proxy.pass_through()

            assert client.ping()
            assert direct.get("colour") is None

    def test_latency_is_added_to_every_round_trip(self, proxy):
        with redis_client(proxy.port) as client:
            proxy.latency(0.2)
            began = time.monotonic()
            client.ping()

            assert 0.2 <= time.monotonic() - began < 1.0

    def test_a_lost_answer_belongs_to_a_request_that_was_done(self, proxy, direct):
        with redis_client(proxy.port) as client:
            proxy.lose_answer()

            with pytest.raises(redis.ConnectionError):
                client.incr("count")

            assert direct.get("count") == "1"
            assert proxy.answers_lost == 1
            assert client.incr("count") == 2

    def test_only_the_answers_asked_for_are_lost(self, proxy):
        with redis_client(proxy.port) as client:
            proxy.lose_answer(2, to=b"INCR")

            client.set("count", 5)
            with pytest.raises(redis.ConnectionError):
                client.incr("count")
            with pytest.raises(redis.ConnectionError):
                client.incr("count")

            assert client.incr("count") == 8
        assert proxy.answers_lost == 2

    def test_killing_resets_open_connections_and_lets_new_ones_in(self, proxy):
        with socket.create_connection((proxy.host, proxy.port)) as client:
            eventually(lambda: proxy.open_connections)

            proxy.kill_all()

            with pytest.raises(ConnectionResetError):
                client.recv(1)
        with redis_client(proxy.port) as another:
            assert another.ping()

    def test_stopped_it_refuses_and_started_again_it_has_the_same_port(self, proxy):
        with redis_client(proxy.port) as client:
            proxy.stop()
            with pytest.raises(redis.ConnectionError):
                client.ping()

            proxy.start()

            assert client.ping()

    def test_a_dead_target_resets_the_client(self):
        with (
            FlakyProxy(LOOPBACK, free_port()) as proxy,
            socket.create_connection((proxy.host, proxy.port)) as client,
            pytest.raises(ConnectionResetError),
        ):
            client.recv(1)

    def test_a_commit_whose_answer_is_lost_is_in_the_database(self, postgres):
        url = postgres.create_database("lost_commit")
        postgres.execute("create table paint (colour text)", "lost_commit")
        at = make_url(url)
        with (
            FlakyProxy(at.host, at.port) as proxy,
            closing(psycopg.connect(libpq(url, host=proxy.host, port=proxy.port))) as connection,
        ):
            proxy.lose_answer(to=b"COMMIT")
            connection.execute("insert into paint values ('red')")
            with pytest.raises(psycopg.OperationalError):
                connection.commit()

        assert postgres.execute("select colour from paint", "lost_commit") == [("red",)]
        postgres.drop_database("lost_commit")
