"""The servers and the broken network that other tests stand on do what they promise."""

import shutil
import socket
import threading
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
import redis
from kombu.connection import Connection
from redis.backoff import NoBackoff
from redis.retry import Retry
from sqlalchemy import create_engine, make_url, text

from tests.support import postgres as postgres_server
from tests.support import redis_server as redis_binaries
from tests.support.flaky_proxy import FlakyProxy
from tests.support.missing import Missing, skip_or_fail, skipping_when_missing
from tests.support.ports import (
    LOOPBACK,
    ServerProcess,
    free_port,
    port_answers,
    server_directory,
    wait_for_port,
)
from tests.support.postgres import Postgres
from tests.support.rabbitmq import RabbitMQ
from tests.support.redis_server import RedisServer
from tests.support.waiting import eventually

pytest_plugins = ["pytester", "tests.support.fixtures"]


def processes_in(directory):
    """The ids of the running processes whose working directory is this one or below."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            at = str((process / "cwd").readlink())
        except OSError:  # ended meanwhile, or somebody else's
            continue
        if at.startswith(str(directory)):
            found.append(int(process.name))
    return found


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


def libpq(url, **changes):
    return make_url(url).set(drivername="postgresql", **changes).render_as_string(False)


def clock_error(server):
    """How far the server's clock is from ours, to the second."""
    [(at,)] = server.execute("select clock_timestamp()")
    return round((at - datetime.now(UTC)).total_seconds())


@pytest.fixture
def directory():
    made = server_directory("test")
    yield made
    shutil.rmtree(made)


@pytest.fixture(scope="module")
def clock_file(tmp_path_factory):
    return tmp_path_factory.mktemp("clock") / "offset"


@pytest.fixture(scope="module")
def clocked(clock_file):
    with Postgres(clock_file=clock_file) as server:
        yield server


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


class TestWaiting:
    def test_the_first_true_value_is_returned(self):
        answers = iter([0, "", "here", "too late"])

        assert eventually(lambda: next(answers), every=0.001) == "here"

    def test_an_exception_counts_as_not_yet(self):
        answers = iter([0, 4])

        assert eventually(lambda: 8 // next(answers), every=0.001) == 2

    def test_the_last_value_is_named_when_time_is_up(self):
        with pytest.raises(AssertionError, match=r"still \[\] after 0.02 s"):
            eventually(list, within=0.02, every=0.005)

    def test_the_last_exception_is_the_cause_when_time_is_up(self):
        with pytest.raises(AssertionError, match="ZeroDivisionError") as caught:
            eventually(lambda: 1 // 0, within=0.02, every=0.005)

        assert isinstance(caught.value.__cause__, ZeroDivisionError)


class TestMissing:
    def test_a_test_without_its_server_is_skipped_locally(self, monkeypatch):
        monkeypatch.delenv("CI", raising=False)

        with pytest.raises(pytest.skip.Exception, match="install it"):
            skip_or_fail("install it")

    def test_a_test_without_its_server_fails_in_ci(self, monkeypatch):
        monkeypatch.setenv("CI", "true")

        with pytest.raises(pytest.fail.Exception, match="install it"):
            skip_or_fail("install it")

    def test_missing_is_turned_into_a_skip(self, monkeypatch):
        monkeypatch.delenv("CI", raising=False)

        with pytest.raises(pytest.skip.Exception, match="install it"), skipping_when_missing():
            raise Missing("install it")

    @pytest.mark.parametrize(
        ("ci", "outcome"), [("", {"skipped": 2}), ("true", {"errors": 1, "failed": 1})]
    )
    def test_it_does_not_matter_who_started_the_server(self, pytester, monkeypatch, ci, outcome):
        monkeypatch.setenv("CI", ci)
        monkeypatch.setenv("KEYTURN_TEST_REDIS_URL", f"redis://{LOOPBACK}:{free_port()}/0")
        pytester.makepyfile("""
            from tests.support.redis_server import RedisServer

            def test_with_the_shared_one(redis_server):
                raise AssertionError("no server was there")

            def test_with_one_it_starts():
                RedisServer().start()
        """)

        result = pytester.runpytest_inprocess("-p", "tests.support.fixtures")

        result.assert_outcomes(**outcome)

    @pytest.mark.parametrize(
        ("variable", "url", "server"),
        [
            ("KEYTURN_TEST_POSTGRES_URL", "postgresql://nobody@127.0.0.1:{}/none", Postgres),
            ("KEYTURN_TEST_REDIS_URL", "redis://127.0.0.1:{}/0", RedisServer),
            ("KEYTURN_TEST_AMQP_URL", "amqp://guest:guest@127.0.0.1:{}//", RabbitMQ),
        ],
    )
    def test_an_external_server_that_does_not_answer_is_missing(
        self, monkeypatch, variable, url, server
    ):
        monkeypatch.setenv(variable, url.format(free_port()))

        with pytest.raises(Missing, match=variable):
            server().start()


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


class TestPostgres:
    @pytest.mark.parametrize(
        "find",
        [
            postgres_server.debian_binaries,
            postgres_server.path_binaries,
            postgres_server.wheel_binaries,
        ],
    )
    def test_every_kind_of_server_keeps_data_and_port_over_restart_and_crash(self, find):
        with Postgres(binaries=find() or pytest.skip("not installed")) as server:
            port = server.port
            server.execute("create table paint (colour text)")
            server.execute("insert into paint values ('red')")

            server.restart()
            assert server.execute("select colour from paint") == [("red",)]

            server.execute("insert into paint values ('blue')")
            server.kill()
            server.start()
            assert server.execute("select colour from paint") == [("red",), ("blue",)]
            assert server.port == port

    def test_sqlalchemy_connects_to_its_url(self, postgres):
        engine = create_engine(postgres.url)

        with engine.connect() as connection:
            assert connection.scalar(text("select 41 + 1")) == 42

        engine.dispose()

    def test_a_database_is_made_from_a_template(self, postgres):
        postgres.create_database("model")
        postgres.execute("create table paint (colour text)", "model")

        url = postgres.create_database("copy", template="model")

        assert make_url(url).database == "copy"
        assert postgres.execute("select * from paint", "copy") == []
        postgres.drop_database("copy")
        postgres.drop_database("model")

    def test_a_database_in_use_is_dropped(self, postgres):
        url = postgres.create_database("busy")
        with psycopg.connect(libpq(url)):
            postgres.drop_database("busy")
            postgres.drop_database("busy")

        assert postgres.execute("select 1 from pg_database where datname = 'busy'") == []

    def test_nothing_is_left_behind(self):
        with Postgres(own=True) as server, psycopg.connect(libpq(server.url)):
            directory = server.directory
            assert len(processes_in(directory)) > 3

        assert processes_in(directory) == []
        assert not directory.exists()

    def test_an_external_server_is_used_and_never_stopped(self, monkeypatch):
        with Postgres(own=True) as outside:
            monkeypatch.setenv("KEYTURN_TEST_POSTGRES_URL", libpq(outside.url))

            with Postgres() as server:
                assert server.url == outside.url
                with pytest.raises(Missing, match="own=True"):
                    server.kill()

            assert outside.execute("select 1") == [(1,)]


class TestClockOfPostgres:
    def test_it_runs_true_until_it_is_stepped(self, clocked):
        assert clock_error(clocked) == 0

    @pytest.mark.parametrize("step", ["+300s", "-300s", "+86400s", "+0s"])
    def test_writing_the_file_steps_it(self, clocked, clock_file, step):
        clock_file.write_text(step)

        assert clock_error(clocked) == int(step.rstrip("s"))

    def test_open_sessions_see_a_step_forth_and_back(self, clocked):
        query = "select extract(epoch from clock_timestamp())"
        with psycopg.connect(libpq(clocked.url), autocommit=True) as session:
            errors = []
            for minutes in (5, -5, 60, 0):
                clocked.set_clock(timedelta(minutes=minutes))
                [at] = session.execute(query).fetchone()
                errors.append(round(float(at) - time.time()))

        assert errors == [300, -300, 3600, 0]

    @pytest.mark.parametrize("offset", [timedelta(days=1), timedelta(days=-1)])
    def test_sleeping_in_the_server_takes_true_time(self, clocked, offset):
        clocked.set_clock(offset)
        began = time.monotonic()

        clocked.execute("select pg_sleep(0.3)")

        assert 0.3 <= time.monotonic() - began < 2.0

    def test_the_step_survives_a_restart(self, clocked):
        clocked.set_clock(timedelta(hours=-2))

        clocked.restart()

        assert clock_error(clocked) == -7200


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
        assert proxy.bytes_from_server > 1_000_000
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
