"""How GitLab is called, and the one place where its answers are understood."""

from collections.abc import Mapping
from typing import Any

from core.errors import DestinationRefused, PlaceRefused, SendFailed, Transient
from sinks.deadline import Deadline, asked_to_wait
from sinks.rest_wire import Answer, RestWire

MASKING = (
    "GitLab masks only a value of 8 characters or more without spaces and line breaks: a document "
    "cannot be masked. Leave the place's form out, or set `masked: false` on the integration."
)
_BAD_REQUEST, _FORBIDDEN, _NOT_FOUND, _TOO_MANY = 400, 403, 404, 429
_LATER = {
    408: "GitLab does not answer in time.",
    409: "The variable was changed at the same moment.",
    429: "GitLab's rate limit is used up.",
}
_PLACE = {
    403: "This token may not write the variables of this project or group.",
    413: "GitLab does not take a value of this size.",
}


class GitLabWire(RestWire):
    """GitLab for one token; every send of an integration shares it."""

    def call(
        self,
        deadline: Deadline,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        document: Mapping[str, Any] | None = None,
    ) -> dict[str, Any] | None:
        """What GitLab answers; None if nothing is there, or nothing that this token may see."""
        answer = self.ask(deadline, method, f"api/v4/{path}", params=params, document=document)
        if answer.is_good:
            return answer.body
        if answer.status == _NOT_FOUND:
            return None
        if answer.is_elsewhere and answer.headers["Location"].startswith(f"{self.base_url}/api/"):
            raise PlaceRefused("The project or group was moved: write its path of today.")
        raise _refused(answer, is_masked=bool((document or {}).get("masked")))


def _refused(answer: Answer, *, is_masked: bool) -> SendFailed:
    status = answer.status
    if status in _LATER or status >= 500:  # noqa: PLR2004 - GitLab's own errors
        return Transient(
            _LATER.get(status, f"GitLab answers {status}."),
            retry_after=asked_to_wait(answer.headers),
            throttled=status == _TOO_MANY,
        )
    if status == _FORBIDDEN and answer.body.get("error") == "insufficient_scope":
        return DestinationRefused("The token needs the scope `api`.")
    if status == 401:  # noqa: PLR2004 - nobody's token
        return DestinationRefused("GitLab does not take this token.")
    if status == _BAD_REQUEST:
        return _invalid(answer.body.get("message"), is_masked=is_masked)
    if status >= 400:  # noqa: PLR2004 - what is wrong with the request
        return PlaceRefused(_PLACE.get(status, f"GitLab refuses this variable ({status})."))
    return not_gitlab()


def _invalid(said: Any, *, is_masked: bool) -> SendFailed:
    """What GitLab finds wrong, by the field that it names."""
    fields: dict[str, Any] = said if isinstance(said, dict) else {}
    if "has already been taken" in str(fields.get("key")):
        return Transient("The variable was made at the same moment.")
    if "value" not in fields:
        return PlaceRefused("GitLab refuses this variable (400).")
    if is_masked and "too long" not in str(fields["value"]):
        return PlaceRefused(MASKING)
    return PlaceRefused("GitLab refuses this value: it takes 10,000 characters at most.")


def not_gitlab() -> DestinationRefused:
    return DestinationRefused("base_url does not answer as GitLab's API would.")
