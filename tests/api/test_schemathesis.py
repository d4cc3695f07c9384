"""Every call, with what the OpenAPI document allows and what it forbids, keeps to the document.

The calls are made up by schemathesis, the same ones every time. About half of them are about
things that exist, the others about names that were made up too.
"""

import logging
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from zlib import crc32

import pytest
import schemathesis
import structlog
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.config import (
    CoveragePhaseConfig,
    GenerationConfig,
    PhasesConfig,
    ProjectConfig,
    ProjectsConfig,
    SchemathesisConfig,
)
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from api.app import create_app
from tests.api.routes import described
from tests.api.things import MAKERS, Things, bearers
from tests.support.serving import Stage
from tests.support.world import new_world

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
EXAMPLES = 10
STAGE = Stage()

config = SchemathesisConfig(
    seed=1,
    projects=ProjectsConfig(
        default=ProjectConfig(
            generation=GenerationConfig(
                deterministic=True, no_shrink=True, with_security_parameters=False
            ),
            phases=PhasesConfig(coverage=CoveragePhaseConfig(unexpected_methods=set())),
        )
    ),
)
schema = schemathesis.openapi.from_dict(described(), config=config)
schema.app = STAGE


class Sandbox:
    """For every route a world of its own, with the things that it is about."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._route = ""
        self._opened = ExitStack()
        self.names: dict[str, str] = {}
        self.token = ""

    def enter(self, route: str) -> None:
        """The world of this route; an admin's token, and the names of what is there."""
        if route == self._route:
            return
        self.close()
        self._route = route
        folder = self._folder / str(crc32(route.encode()))
        folder.mkdir()
        url = f"sqlite:///{folder / 'keyturn.db'}"
        world = self._opened.enter_context(
            # It may not lock itself out.
            new_world(url, folder / "files", failed_logins=1_000_000)
        )
        STAGE.app = create_app(world.runtime)
        things = Things(world, world.tenant_id)
        self.names = things.named({name for name in MAKERS if f"{{{name}}}" in route})
        self.token = bearers(things)["admin"]

    def close(self) -> None:
        self._opened.close()


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    made = Sandbox(tmp_path_factory.mktemp("schemathesis"))
    yield made
    made.close()
    structlog.reset_defaults()


@schema.parametrize()
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
def test_a_call_is_answered_as_the_document_says(case: schemathesis.Case, sandbox: Sandbox):
    sandbox.enter(case.operation.label)
    for name, value in case.path_parameters.items():
        if name in sandbox.names and crc32(str(value).encode(errors="replace")) % 2:
            case.path_parameters[name] = sandbox.names[name]

    case.call_and_validate(headers={"Authorization": f"Bearer {sandbox.token}"}, checks=CHECKS)
