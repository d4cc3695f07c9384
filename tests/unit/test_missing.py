"""A server that is not there: skipped at a desk, failed in CI."""

import pytest

from tests.support.missing import Missing, skip_or_fail, skipping_when_missing
from tests.support.ports import LOOPBACK, free_port
from tests.support.postgres import Postgres
from tests.support.rabbitmq import RabbitMQ
from tests.support.redis_server import RedisServer

pytest_plugins = ["pytester"]


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
