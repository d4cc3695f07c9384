"""Teams by the public SDK, as several tests make them."""

from collections.abc import Callable

import pytest
from truefoundry_sdk import (
    Team,
    TeamManifest,
    TrueFoundry,
)
from truefoundry_sdk.core.api_error import ApiError

from tests.api.calls import ONCE
from tests.support.persons import Person

Login = Callable[[Person], TrueFoundry]


def put(client: TrueFoundry, name: str = "payments", **fields: object) -> Team:
    manifest = TeamManifest(name=name, **{"members": [], **fields})
    return client.teams.create_or_update(manifest=manifest, request_options=ONCE).data


def names(teams_of: object) -> list[str]:
    return [team.manifest.name for team in teams_of]


def slugs(people: object) -> list[str]:
    return [one.subject_slug for one in people]


def refused(status: int, call: Callable[[], object]) -> ApiError:
    with pytest.raises(ApiError) as caught:
        call()
    assert caught.value.status_code == status
    return caught.value
