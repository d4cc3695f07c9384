"""Paths of stores whose parts are separated by slashes."""


def tidied(path: str) -> str:
    """The one way to write a path; ValueError says what is allowed."""
    parts = [part for part in path.split("/") if part]
    if any(part in {".", ".."} or not part.isprintable() for part in parts):
        raise ValueError("a path has no '.' or '..' and no control characters")
    return "/".join(parts)
