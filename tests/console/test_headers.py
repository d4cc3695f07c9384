import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from console.app import PAGES
from console.assets import FOLDER as FILES
from console.rendering import FOLDER as TEMPLATES
from tests.console.served import composed
from tests.console.test_forgery import filled
from tests.console.visits import Visitors
from tests.support.persons import person
from tests.support.serving import serving
from tests.support.world import World

LOOKS = sorted(route.path for router in PAGES for route in router.routes if "GET" in route.methods)
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
FIRST_LOAD = 150_000
OPEN = {
    "/sign-in",
    "/sign-in/at/{provider_id}",
    "/sign-in/back",
    "/welcome",
    "/{path:path}",
}


@contextmanager
def under_https(world: World) -> Iterator[httpx.Client]:
    """Somebody who comes through a proxy that speaks TLS."""
    public = "https://keys.example.com"
    settings = world.runtime.settings.model_copy(update={"public_url": public})
    app, _ = composed(replace(world.runtime, settings=settings))
    with serving(app) as address:
        headers = {"Origin": public, "Host": "keys.example.com"}
        with httpx.Client(base_url=address, headers=headers) as made:
            yield made


def check(answer: httpx.Response) -> None:
    said = answer.headers
    assert said["content-security-policy"] == POLICY
    assert said["x-frame-options"] == "DENY"
    assert said["x-content-type-options"] == "nosniff"
    assert said["referrer-policy"] == "same-origin"
    assert said["cross-origin-opener-policy"] == "same-origin"
    assert said["cache-control"] == "no-store"


def test_no_page_is_kept_framed_or_lets_anything_in(visitors: Visitors):
    ann = visitors.by_http(visitors.admin())

    for path in LOOKS:
        check(ann.get(filled(path)))


def test_nor_does_one_that_nobody_is_signed_in_for(anybody: httpx.Client):
    for path in LOOKS:
        check(anybody.get(filled(path)))


def test_whoever_is_not_signed_in_sees_nothing_but_the_way_in(anybody: httpx.Client):
    answers = {path: anybody.get(filled(path)) for path in LOOKS if path not in OPEN}

    assert {one.headers.get("location", "").partition("?")[0] for one in answers.values()} == {
        "/sign-in"
    }


def test_under_https_browsers_are_told_to_stay_there(world: World, anybody: httpx.Client):
    ann = person(world)

    with under_https(world) as http:
        answer = http.post("/sign-in", data={"token": ann.token})

    assert answer.headers["strict-transport-security"] == "max-age=31536000"
    assert answer.headers["set-cookie"].startswith("__Host-keyturn=tfy_ses_")
    assert answer.headers["set-cookie"].endswith("; Path=/; SameSite=lax; Secure")
    assert "strict-transport-security" not in anybody.get("/sign-in").headers


@pytest.mark.parametrize("template", sorted(TEMPLATES.rglob("*.html")), ids=lambda path: path.name)
def test_no_template_holds_a_script_a_style_or_a_handler(template: Path):
    text = template.read_text()

    assert re.findall(r"<script(?![^>]*src=)", text) == []
    assert re.findall(r"<style|\sstyle=|\son\w+=|javascript:", text) == []
    assert re.findall(r"hx-on|hx-vals=.js|\|\s*safe\b|autoescape", text) == []


def test_files_are_kept_for_ever_under_names_that_change_with_them(anybody: httpx.Client):
    page = anybody.get("/sign-in").text
    found = re.findall(r'(?:href|src)="(/assets/[^"]+)"', page)
    assert len(found) == 4

    for path in found:
        answer = anybody.get(path)
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert answer.headers["content-encoding"] == "gzip"
        assert answer.headers["x-content-type-options"] == "nosniff"
    assert anybody.get("/assets/style.000000000000.css").status_code == 404
    assert anybody.get("/assets/..%2fapp.py").status_code == 404


def test_a_first_load_is_small(visitors: Visitors):
    ann = visitors.by_http(visitors.admin())
    page = ann.get("/")
    paths = re.findall(r'(?:href|src)="(/assets/[^"]+)"', page.text)

    sent = sum(ann.get(path).num_bytes_downloaded for path in [*paths, "/"])

    assert sent < FIRST_LOAD


def test_htmx_is_told_to_evaluate_nothing(anybody: httpx.Client):
    page = anybody.get("/sign-in").text

    assert '"allowEval":false' in page
    assert '"includeIndicatorStyles":false' in page
    assert '"selfRequestsOnly":true' in page
    assert '"historyCacheSize":0' in page


def test_the_vendored_script_says_where_it_is_from():
    notes = (FILES.parent / "static.md").read_text()

    assert "htmx.org 2.0.11" in notes
    assert "Zero-Clause BSD" in notes
