"""The operator's own texts of notices: every one is tried before anybody is told by it."""

from pathlib import Path

from notifiers.samples import check_texts


def check_notice_texts(folder: Path | None) -> str:
    """Renders each with a sample of every event, and says how many there are.

    Misconfigured names the file, the line and what is wrong there.
    """
    if folder is None:
        return "are Keyturn's own"
    return f"{check_texts(folder)} of your own in {folder} go with every event"
