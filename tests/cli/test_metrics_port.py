"""A worker's metrics, on the port that its operator names."""

from pathlib import Path

import httpx
import pytest

from cli.run import _measured
from core.errors import Misconfigured
from core.events import EventType
from tests.support.ports import free_port
from tests.support.world import new_world


def test_a_worker_serves_what_it_counted_while_it_runs(tmp_path: Path):
    port = free_port()
    url = f"sqlite:///{tmp_path / 'keyturn.db'}"
    with new_world(url, tmp_path, metrics_port=port) as world:
        world.runtime.metrics.told([EventType.TOKEN_ROTATED])

        with _measured(world.runtime):
            told = httpx.get(f"http://127.0.0.1:{port}/metrics").text

        assert 'keyturn_events_total{type="token.rotated"} 1.0' in told
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"http://127.0.0.1:{port}/metrics")


def test_a_taken_port_is_a_clear_error(tmp_path: Path):
    port = free_port()
    url = f"sqlite:///{tmp_path / 'keyturn.db'}"
    with (
        new_world(url, tmp_path, metrics_port=port) as world,
        _measured(world.runtime),
        pytest.raises(Misconfigured, match=f"KEYTURN_METRICS_PORT {port}"),
        _measured(world.runtime),
    ):
        pytest.fail("two listen on one port")
