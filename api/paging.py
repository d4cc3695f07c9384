"""The query parameters of lists."""

from typing import Annotated

from fastapi import Query
from pydantic import StringConstraints

Limit = Annotated[int, Query(ge=1, le=1_000)]
Offset = Annotated[int, Query(ge=0, le=10_000_000)]
# PostgreSQL's text holds no NUL.
Text = Annotated[str, StringConstraints(max_length=320, pattern=r"^[^\x00]*$")]
