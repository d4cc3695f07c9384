"""The PostgreSQL that other tests stand on, and its clock."""

import time
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from sqlalchemy import create_engine, make_url, text

from tests.support import postgres_binaries
from tests.support.missing import Missing
from tests.support.postgres import Postgres, libpq
from tests.support.server_process import processes_in


def clock_error(server):
    """How far the server's clock is from ours, to the second."""
    [(at,)] = server.execute("select clock_timestamp()")
    return round((at - datetime.now(UTC)).total_seconds())


@pytest.fixture(scope="module")
def clock_file(tmp_path_factory):
    return tmp_path_factory.mktemp("clock") / "offset"


@pytest.fixture(scope="module")
def clocked(clock_file):
    with Postgres(clock_file=clock_file) as server:
        yield server


class TestPostgres:
    @pytest.mark.parametrize(
        "find",
        [
            postgres_binaries.debian_binaries,
            postgres_binaries.path_binaries,
            postgres_binaries.wheel_binaries,
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
