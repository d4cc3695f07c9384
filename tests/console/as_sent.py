"""What a browser sends of a form that nobody has touched."""

from html.parser import HTMLParser


class _Reader(HTMLParser):
    """Collects the fields of the one form with this action."""

    def __init__(self, action: str) -> None:
        super().__init__()
        self.action, self.inside, self.found = action, False, False
        self.fields: dict[str, list[str]] = {}
        self.area = self.select = ""
        self.options: list[tuple[str, bool]] = []

    def handle_starttag(self, tag: str, given: list[tuple[str, str | None]]) -> None:
        at = {name: value or "" for name, value in given}
        if tag == "form":
            self.inside = at.get("action") == self.action and at.get("method") == "post"
            self.found |= self.inside
        if not self.inside:
            return
        if tag == "input":
            self._input(at, dict(given))
        elif tag == "textarea":
            self.area = at["name"]
            self.fields.setdefault(self.area, []).append("")
        elif tag == "select":
            self.select, self.options = at["name"], []
        elif tag == "option" and self.select:
            self.options.append((at.get("value", ""), "selected" in at))

    def _input(self, at: dict[str, str], given: dict[str, str | None]) -> None:
        is_off = at.get("type") in {"checkbox", "radio"} and "checked" not in given
        if "name" in at and not is_off:
            self.fields.setdefault(at["name"], []).append(at.get("value", ""))

    def handle_data(self, data: str) -> None:
        if self.area:
            self.fields[self.area][-1] += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self.inside = False
        elif tag == "textarea":
            self.area = ""
        elif tag == "select" and self.select:
            chosen = [value for value, is_chosen in self.options if is_chosen]
            first = [value for value, _ in self.options][:1]
            self.fields.setdefault(self.select, []).extend(chosen or first)
            self.select = ""


def as_sent(page: str, action: str) -> dict[str, list[str]]:
    """The fields of the page's form that posts there, as they stand."""
    reader = _Reader(action)
    reader.feed(page)
    assert reader.found, action
    return reader.fields
