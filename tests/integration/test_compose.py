"""docker-compose.yml, read as Compose reads it, and every command in it really run."""

import os
import re
import signal
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis
from ruamel.yaml import YAML
from sqlalchemy import make_url

from core.durations import parse_duration
from core.sealing import MasterKey
from core.settings import Settings
from tests.support.missing import Missing
from tests.support.ports import free_port
from tests.support.postgres_binaries import debian_binaries, path_binaries
from tests.support.waiting import eventually

ROOT = Path(__file__).parents[2]
FILE = YAML(typ="safe").load(ROOT / "docker-compose.yml")
SERVICES = FILE["services"]
PRODUCTION = {name: made for name, made in SERVICES.items() if "profiles" not in made}
KEYTURN = {name: made for name, made in SERVICES.items() if "build" in made}
LONG_RUNNING = [name for name, made in SERVICES.items() if made["restart"] != "no"]

# What the images themselves read, by their own documentation.
IMAGES = {
    "postgres": {"POSTGRES_USER", "POSTGRES_DB", "POSTGRES_PASSWORD"},
    "vault": {"SKIP_CHOWN", "SKIP_SETCAP", "VAULT_ADDR", "VAULT_DEV_ROOT_TOKEN_ID"},
}
REQUIRED = {"POSTGRES_PASSWORD": "c0ffee", "KEYTURN_MASTER_KEYS": MasterKey.generate()}
VARIABLE = re.compile(r"\$\{(?P<name>\w+)(?P<rule>:[-?])?(?P<rest>[^}]*)\}")


def filled(text, **given):
    """The text as Compose fills it in; ValueError is what it refuses a missing variable with."""

    def value(found):
        if given.get(found["name"]):
            return given[found["name"]]
        if found["rule"] == ":?":
            raise ValueError(f"{found['name']}: {found['rest']}")
        return found["rest"]

    return VARIABLE.sub(value, str(text))


def environment(service, **given):
    found = SERVICES[service].get("environment", {})
    return {name: filled(value, **REQUIRED | given) for name, value in found.items()}


def texts(node):
    """Every text in the file."""
    if isinstance(node, dict):
        return [text for value in node.values() for text in texts(value)]
    if isinstance(node, list):
        return [text for value in node for text in texts(value)]
    return [str(node)]


@dataclass
class Stack:
    """The file's services on this machine, with real servers behind their addresses."""

    database: str
    broker: str
    folder: Path
    port: int

    def environment(self, service):
        made = environment(service)
        addresses = {"KEYTURN_DATABASE_URL": self.database, "KEYTURN_BROKER_URL": self.broker}
        made |= {name: value for name, value in addresses.items() if name in made}
        return made | {"PATH": os.environ["PATH"], "HOME": str(self.folder)}

    def words(self, words):
        return [str(word).replace("8400", str(self.port)) for word in words]

    def command(self, service):
        keyturn = Path(sys.executable).with_name("keyturn")
        return [str(keyturn), *self.words(SERVICES[service]["command"])]

    def run(self, service):
        """Runs a command that ends by itself; answers its exit code and what it said."""
        ended = subprocess.run(
            self.command(service),
            env=self.environment(service),
            capture_output=True,
            text=True,
            check=False,
        )
        return ended.returncode, ended.stdout + ended.stderr

    def healthy(self, service):
        how, program, *words = self.words(SERVICES[service]["healthcheck"]["test"])
        assert (how, program) == ("CMD", "python")
        limit = parse_duration(SERVICES[service]["healthcheck"]["timeout"])
        check = subprocess.run(
            [sys.executable, *words],
            env=self.environment(service),
            capture_output=True,
            timeout=limit.total_seconds(),
            check=False,
        )
        return check.returncode == 0

    @contextmanager
    def running(self, service):
        log = self.folder / f"{service}.log"
        with (
            log.open("wb") as output,
            subprocess.Popen(
                self.command(service),
                env=self.environment(service),
                stdout=output,
                stderr=subprocess.STDOUT,
            ) as process,
        ):
            try:
                yield process
            finally:
                process.kill()

    def stopped(self, service, process):
        """The exit code after the signal and within the time that Compose gives."""
        process.send_signal(signal.SIGTERM)
        grace = parse_duration(SERVICES[service]["stop_grace_period"])
        return process.wait(grace.total_seconds())


@pytest.fixture
def stack(empty_postgres_url, redis_server, tmp_path):
    client = redis.Redis.from_url(redis_server.url)
    client.flushall()
    client.close()
    return Stack(empty_postgres_url, redis_server.url, tmp_path, free_port())


@pytest.fixture
def migrated(stack):
    assert stack.run("migrate")[0] == 0
    return stack


def test_the_file_is_what_the_compose_specification_allows():
    schema = ["--builtin-schema", "vendor.compose-spec"]
    checked = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", *schema, str(ROOT / "docker-compose.yml")],
        capture_output=True,
        text=True,
        check=False,
    )

    assert checked.returncode == 0, checked.stdout


def test_production_is_database_broker_migration_api_worker_and_beat():
    assert set(PRODUCTION) == {"postgres", "redis", "migrate", "api", "worker", "beat"}
    assert [SERVICES[name]["profiles"] for name in SERVICES if name not in PRODUCTION] == [
        ["dev"],
        ["dev"],
    ]


@pytest.mark.parametrize("service", PRODUCTION)
def test_no_production_service_has_a_secret_written_out(service):
    for name, value in PRODUCTION[service].get("environment", {}).items():
        if re.search("PASSWORD|SECRET|TOKEN|KEY(S|_FILE)?$", name):
            assert re.fullmatch(r"\$\{\w+:(\?[^}]+|-)\}", value), name  # demanded, or none at all
        if "@" in value:
            assert re.match(r"[\w+]+://\w+:\$\{\w+:\?[^}]+\}@", value), name


@pytest.mark.parametrize("missing", REQUIRED)
def test_a_secret_that_is_missing_stops_compose_and_says_how_to_make_one(missing):
    given = {name: value for name, value in REQUIRED.items() if name != missing}

    with pytest.raises(ValueError, match=rf"{missing}: make one with `openssl rand .+ \.env"):
        [filled(text, **given) for text in texts(SERVICES)]


def test_the_example_environment_names_every_variable_and_no_value():
    lines = (ROOT / ".env.example").read_text().splitlines()
    example = [line for line in lines if line and not line.startswith("#")]
    read = {found["name"] for text in texts(FILE) for found in VARIABLE.finditer(text)}

    assert {line.removesuffix("=") for line in example} == read
    assert all(line.endswith("=") for line in example)


@pytest.mark.parametrize("service", SERVICES)
def test_no_service_runs_as_root(service):
    image = (ROOT / "Dockerfile").read_text()
    own = re.findall(r"^USER (.+)$", image, re.MULTILINE)[-1] if service in KEYTURN else ""

    user = SERVICES[service].get("user", own)

    assert user.split(":")[0] not in {"", "root", "0"}
    assert SERVICES[service]["cap_drop"] == ["ALL"]
    assert SERVICES[service]["read_only"] is True


@pytest.mark.parametrize("service", LONG_RUNNING)
def test_every_long_running_service_is_restarted_and_has_a_health_check(service):
    made = SERVICES[service]

    assert made["restart"] == "unless-stopped"
    assert made["healthcheck"]["test"][0] == "CMD"
    assert {"interval", "timeout", "retries"} <= set(made["healthcheck"])


def test_only_the_api_is_published_and_only_on_loopback():
    ports = {name: made["ports"] for name, made in SERVICES.items() if "ports" in made}

    assert ports == {"api": ["127.0.0.1:8400:8400"]}


def test_database_and_broker_are_on_a_network_that_leads_nowhere_else():
    assert FILE["networks"]["inside"] == {"internal": True}
    assert SERVICES["postgres"]["networks"] == ["inside"]
    assert SERVICES["redis"]["networks"] == ["inside"]


def test_the_worker_can_be_scaled():
    assert {"container_name", "hostname", "ports"}.isdisjoint(SERVICES["worker"])


def test_everything_that_needs_the_schema_waits_for_the_migration():
    waiting = {
        name: made["depends_on"]["migrate"]["condition"]
        for name, made in KEYTURN.items()
        if name != "migrate" and "KEYTURN_DATABASE_URL" in made["environment"]
    }

    assert waiting == dict.fromkeys(["api", "worker"], "service_completed_successfully")


@pytest.mark.parametrize("service", SERVICES)
def test_every_environment_variable_is_a_setting_or_known_to_the_image(service):
    settings = {f"KEYTURN_{name.upper()}" for name in Settings.model_fields}
    known = settings if service in KEYTURN else IMAGES.get(service, set())

    assert set(SERVICES[service].get("environment", {})) <= known


@pytest.mark.parametrize("service", KEYTURN)
def test_what_is_left_empty_is_what_keyturn_takes_by_itself(service):
    own = Settings()
    given = Settings(
        **{
            name.removeprefix("KEYTURN_").lower(): filled(value, **REQUIRED)
            for name, value in SERVICES[service]["environment"].items()
        }
    )
    decided = {"database_url", "broker_url", "master_keys", "log_json"}

    assert given.model_dump(exclude=decided) == own.model_dump(exclude=decided)


def test_the_database_url_leads_to_the_database_that_the_service_makes():
    url = make_url(environment("worker")["KEYTURN_DATABASE_URL"])
    made = environment("postgres")

    assert (url.host, url.port) == ("postgres", 5432)
    assert (url.username, url.password, url.database) == (
        made["POSTGRES_USER"],
        made["POSTGRES_PASSWORD"],
        made["POSTGRES_DB"],
    )


def test_the_image_gets_every_package_and_nothing_else():
    text = (ROOT / ".dockerignore").read_text()
    let_in = set(re.findall(r"^!(\w+)$", text, re.MULTILINE))
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")}

    assert let_in - {"LICENSE", "client", "requirements"} == packages
    assert text.splitlines()[1] == "*"


def test_the_databases_health_check_answers(postgres, tmp_path):
    program, *words = SERVICES["postgres"]["healthcheck"]["test"][1:]
    folders = [debian_binaries(), path_binaries()]
    found = [folder / program for folder in folders if folder and (folder / program).exists()]
    if not found:
        raise Missing("install postgresql (apt)")
    port = str(make_url(postgres.url).port)

    up = subprocess.run([found[0], *words], env={"PGPORT": port}, check=False)
    down = subprocess.run([found[0], *words], env={"PGPORT": str(free_port())}, check=False)

    assert up.returncode == 0
    assert down.returncode != 0


def test_the_brokers_health_check_answers(redis_server):
    program, *words = SERVICES["redis"]["healthcheck"]["test"][1:]
    port = str(make_url(redis_server.url).port)

    try:
        up = subprocess.run([program, "-p", port, *words], check=False)
        down = subprocess.run([program, "-p", str(free_port()), *words], check=False)
    except FileNotFoundError:
        raise Missing("install redis-tools (apt)") from None

    assert up.returncode == 0
    assert down.returncode != 0


def test_migrating_twice_is_as_good_as_once(stack):
    first, second = stack.run("migrate"), stack.run("migrate")

    assert (first[0], second[0]) == (0, 0)
    assert "Migrated the schema from nothing" in first[1]
    assert "up to date" in second[1]


def test_the_api_gets_ready_and_ends_when_told(migrated):
    before = migrated.healthy("api")

    with migrated.running("api") as process:
        eventually(lambda: migrated.healthy("api"), within=30)

        assert migrated.stopped("api", process) == 0
    assert before is False


def test_a_worker_is_healthy_by_its_heartbeat_and_ends_when_told(migrated):
    before = migrated.healthy("worker")

    with migrated.running("beat"), migrated.running("worker") as process:
        eventually(lambda: migrated.healthy("worker"), within=30)

        assert migrated.stopped("worker", process) == 0
    assert before is False
    assert migrated.healthy("worker") is False
    assert "Traceback" not in (migrated.folder / "worker.log").read_text()


def test_beat_needs_only_the_broker_and_ends_when_told(stack):
    with redis.Redis.from_url(stack.broker) as client, stack.running("beat") as process:
        eventually(lambda: client.llen("rotate"), within=30)

        assert stack.healthy("beat")
        assert stack.stopped("beat", process) == 0


def test_beat_is_not_healthy_while_the_broker_is_away(stack):
    stack.broker = f"redis://127.0.0.1:{free_port()}/0"

    assert stack.healthy("beat") is False
