"""Benches of plugins that are not Keyturn's own, named by the environment."""

import os
from importlib.metadata import EntryPoint

from tests.conformance.sink_bench import Bench

BENCHES_OF_PLUGINS = "KEYTURN_TEST_BENCHES"


def benches_of_plugins() -> list[type[Bench]]:
    """Those of `KEYTURN_TEST_BENCHES`: `module:Class`, separated by commas."""
    named = os.environ.get(BENCHES_OF_PLUGINS, "").split(",")
    return [EntryPoint("bench", it.strip(), "").load() for it in named if it.strip()]
