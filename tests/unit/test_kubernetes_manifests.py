"""The manifests for Kubernetes are what its API takes, and say what Keyturn understands."""

from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from core.settings import Settings
from tests.support.command import commands

FILE = Path(__file__).parents[2] / "deploy" / "kubernetes" / "keyturn.yaml"
OBJECTS = list(yaml.safe_load_all(FILE.read_text()))
PODS = {
    one["metadata"]["name"]: one["spec"]["template"]["spec"]
    for one in OBJECTS
    if "template" in one.get("spec", {})
}
CONTAINERS = {name: pod["containers"][0] for name, pod in PODS.items()}
COMMON = next(one for one in OBJECTS if one["kind"] == "ConfigMap")["data"]


def named(kind: str) -> list[Any]:
    return [one for one in OBJECTS if one["kind"] == kind]


@pytest.mark.parametrize(
    "given", OBJECTS, ids=lambda one: f"{one['kind']}-{one['metadata']['name']}"
)
def test_every_object_is_one_that_the_api_takes(given: dict[str, Any]):
    kubernetes_validate.validate(given, "1.34", strict=True)


@pytest.mark.parametrize("name", PODS)
def test_every_process_is_locked_down(name: str):
    locked = CONTAINERS[name]["securityContext"]

    assert PODS[name]["securityContext"]["runAsNonRoot"]
    assert locked["readOnlyRootFilesystem"]
    assert not locked["allowPrivilegeEscalation"]
    assert locked["capabilities"] == {"drop": ["ALL"]}


@pytest.mark.parametrize("name", PODS)
def test_every_process_runs_a_command_that_there_is(name: str):
    command, *options = CONTAINERS[name]["args"]

    assert {option for option in options if option.startswith("--")} <= commands()[command]


def test_every_variable_is_a_setting_and_no_secret_is_written_out():
    named_here = set(COMMON) | {
        variable["name"] for one in CONTAINERS.values() for variable in one.get("env", ())
    }
    secret = {"KEYTURN_DATABASE_URL", "KEYTURN_MASTER_KEYS", "KEYTURN_METRICS_TOKEN"}

    assert {name.removeprefix("KEYTURN_").lower() for name in named_here} <= set(
        Settings.model_fields
    )
    assert not secret & set(COMMON)
    assert not named("Secret")


def test_beat_knows_neither_database_nor_key():
    variables = {variable["name"] for variable in CONTAINERS["keyturn-beat"]["env"]}

    assert "envFrom" not in CONTAINERS["keyturn-beat"]
    assert variables == {"KEYTURN_BROKER_URL", "KEYTURN_TICK", "KEYTURN_LOG_JSON"}


def test_the_service_and_the_probes_lead_to_the_api():
    (service,) = named("Service")
    ports = {port["name"]: port["containerPort"] for port in CONTAINERS["keyturn-api"]["ports"]}
    probes = [
        CONTAINERS["keyturn-api"][kind]["httpGet"]
        for kind in ("readinessProbe", "livenessProbe", "startupProbe")
    ]

    assert ports == {"http": 8400}
    assert service["spec"]["ports"][0]["targetPort"] == "http"
    assert [probe["path"] for probe in probes] == ["/readyz", "/healthz", "/healthz"]
    assert {probe["port"] for probe in probes} == {"http"}


def test_a_worker_is_asked_at_the_port_where_it_serves_its_metrics():
    (port,) = CONTAINERS["keyturn-worker"]["ports"]

    assert str(port["containerPort"]) == COMMON["KEYTURN_METRICS_PORT"]
