"""keyturn channels: what there is, and whether it works."""

from pathlib import Path

import pytest

from core.errors import Transient
from tests.support.command import Keyturn
from tests.support.world import World


def test_channels_are_listed_without_the_stores(keyturn: Keyturn, world: World):
    world.store()
    fqn, _ = world.channel()

    listed = keyturn.json("channels", "list")

    assert [(one["channel"], one["type"]) for one in listed] == [(fqn, "scripted")]
    assert fqn in keyturn.said("channels", "list")


@pytest.mark.parametrize("by", ["name", "fqn"])
def test_a_channel_is_tested_by_its_name_or_fqn(keyturn: Keyturn, world: World, by: str):
    fqn, chat = world.channel()

    said = keyturn.said("channels", "test", "chat" if by == "name" else fqn, "--to", "ops")

    assert said == f"{fqn}: it is taken over\n"
    assert [address for _, address in chat.notices] == ["ops"]


def test_what_is_wrong_is_said_and_the_exit_code_tells(keyturn: Keyturn, world: World):
    fqn, chat = world.channel()
    chat.fail(Transient("It does not answer."))

    said = keyturn.refused("channels", "test", "chat", code=1)

    assert said == f"error {fqn}: It does not answer.\n"


def test_a_channel_that_is_not_there_is_not_found(keyturn: Keyturn, world: World):
    assert "'nobody'" in keyturn.refused("channels", "test", "nobody", code=3)


def test_texts_that_are_wrong_are_found_by_the_doctor_and_end_the_start(
    keyturn: Keyturn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    text = tmp_path / "texts" / "notice.txt.j2"
    text.parent.mkdir()
    text.write_text("Hello\n{{ nobody }}")
    monkeypatch.setenv("KEYTURN_TEMPLATES", str(text.parent))
    monkeypatch.setenv("KEYTURN_BROKER_URL", "memory://localhost/")

    finding = next(
        line for line in keyturn("doctor").out.splitlines() if line.startswith("failed   notice")
    )
    refused = keyturn.refused("worker", code=4)

    assert finding.startswith(f"failed   notice texts: {text}:2: there is no nobody")
    assert f"{text}:2: there is no nobody; there are account, " in refused
