"""Icons as inline SVG, drawn with one stroke on a grid of 24; never the only way to say a thing."""

from markupsafe import Markup

_PATHS = {
    "account": "M4 8h16v11H4zM9 8V5h6v3M8 13h2M14 13h2M9 16.5h6",
    "alert": "M12 4 2.8 20h18.4zM12 10v4.5M12 17.2v.3",
    "activity": "M3 12h4l2.5-7 5 14 2.5-7h4",
    "add": "M12 5v14M5 12h14",
    "arrow-left": "M19 12H5M11 6l-6 6 6 6",
    "arrow-right": "M5 12h14M13 6l6 6-6 6",
    "binding": "M9 15 15 9M11 6l1.5-1.5a4.2 4.2 0 0 1 6 6L17 12M13 18l-1.5 1.5a4.2 4.2 0 0 1-6-6L7 12",
    "calendar": "M4 6h16v14H4zM4 10h16M8 3v4M16 3v4",
    "check": "M5 12.5l4.5 4.5L19 7.5",
    "chevron-down": "M6 9l6 6 6-6",
    "chevron-up": "M6 15l6-6 6 6",
    "clock": "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18M12 7v5l3.5 2",
    "copy": "M9 9h11v11H9zM5 15H4V4h11v1",
    "cross": "M6 6l12 12M18 6 6 18",
    "delete": "M4 7h16M9 7V4h6v3M6 7l1 13h10l1-13M10 11v6M14 11v6",
    "download": "M12 4v11M7 11l5 5 5-5M5 20h14",
    "edit": "M4 20l1-4L16.5 4.5l3 3L8 19zM14 7l3 3",
    "eye": "M2 12c3-5 6.5-7 10-7s7 2 10 7c-3 5-6.5 7-10 7s-7-2-10-7M12 9a3 3 0 1 0 0 6 3 3 0 0 0 0-6",
    "filter": "M4 5h16l-6 8v6l-4-2v-4z",
    "help": "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18M9.5 9.5a2.5 2.5 0 1 1 3.4 2.3c-.6.3-.9.7-.9 1.7M12 16.8v.2",
    "identity": "M5 4h14v16H5zM9 4v2h6V4M12 9a2 2 0 1 0 0 4 2 2 0 0 0 0-4M8.5 17c.5-2 1.8-3 3.5-3s3 1 3.5 3",
    "integration": "M7 8V3M17 8V3M5 8h14v4a7 7 0 0 1-14 0zM12 19v3",
    "key": "M8 11a4 4 0 1 0 0 8 4 4 0 0 0 0-8M11 12 20 3M16 7l3 3",
    "menu": "M4 7h16M4 12h16M4 17h16",
    "moon": "M20 14.5A8.5 8.5 0 0 1 9.5 4 8.5 8.5 0 1 0 20 14.5",
    "overview": "M4 4h7v9H4zM13 4h7v5h-7zM13 11h7v9h-7zM4 15h7v5H4z",
    "pause": "M8 5v14M16 5v14",
    "people": "M9 5a3.5 3.5 0 1 0 0 7 3.5 3.5 0 0 0 0-7M2.5 20c.4-3.5 3-5.5 6.5-5.5s6.1 2 6.5 5.5M16 5.3a3.5 3.5 0 0 1 0 6.4M18 15c2 .7 3.2 2.5 3.5 5",
    "play": "M7 5l12 7-12 7z",
    "refresh": "M20 11a8 8 0 1 0-.7 4.5M20 4v7h-7",
    "role": "M12 3l8 3v6c0 5-3.5 8-8 9-4.5-1-8-4-8-9V6zM9 12l2 2 4-4",
    "search": "M11 4a7 7 0 1 0 0 14 7 7 0 0 0 0-14M16 16l5 5",
    "settings": "M4 7h9M17 7h3M4 17h3M11 17h9M15 4.5a2.5 2.5 0 1 0 0 5 2.5 2.5 0 0 0 0-5M9 14.5a2.5 2.5 0 1 0 0 5 2.5 2.5 0 0 0 0-5",
    "sign-out": "M14 4H5v16h9M10 12h11M17 8l4 4-4 4",
    "store": "M4 6c0-1.7 3.6-3 8-3s8 1.3 8 3-3.6 3-8 3-8-1.3-8-3M4 6v12c0 1.7 3.6 3 8 3s8-1.3 8-3V6M4 12c0 1.7 3.6 3 8 3s8-1.3 8-3",
    "sun": "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8M12 2.5v2M12 19.5v2M2.5 12h2M19.5 12h2M5.3 5.3l1.4 1.4M17.3 17.3l1.4 1.4M5.3 18.7l1.4-1.4M17.3 6.7l1.4-1.4",
    "system": "M3 4h18v12H3zM8 20h8M12 16v4",
    "team": "M12 4a3 3 0 1 0 0 6 3 3 0 0 0 0-6M6 20c.4-4 2.8-6 6-6s5.6 2 6 6M4.5 7.5a2 2 0 0 0 0 4M19.5 7.5a2 2 0 0 1 0 4",
    "terminal": "M3 5h18v14H3zM7 9l3 3-3 3M12 15h5",
    "user": "M12 4a4 4 0 1 0 0 8 4 4 0 0 0 0-8M4 21c.5-4.5 3.5-7 8-7s7.5 2.5 8 7",
}


def icon(name: str) -> Markup:
    """The icon of this name, which readers of the page's text do not hear of."""
    return Markup(
        '<svg class="icon" viewBox="0 0 24 24" width="18" height="18" aria-hidden="true" '
        'focusable="false"><path d="{}"/></svg>'
    ).format(_PATHS[name])
