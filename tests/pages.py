"""The pages of reports, as a browser reads them."""

import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser


class Page(HTMLParser):
    """What a browser would make of a page: elements with their attributes, and the text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.shown: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.shown.append(data)


def svgs(page: str) -> list[ET.Element]:
    return [ET.fromstring(one) for one in re.findall(r"(?s)<svg.*?</svg>", page)]


def check_page(page: str) -> Page:
    """Nothing is loaded, nothing runs, and every picture could be drawn."""
    read = Page(page)
    names = {name for name, _ in read.elements}
    assert not names & {"script", "img", "image", "iframe", "link", "object", "a", "base", "form"}
    policy = [own.get("content") for name, own in read.elements if "http-equiv" in own]
    assert policy == ["default-src 'none'; style-src 'unsafe-inline'"]
    for _, own in read.elements:
        assert not [name for name in own if name.startswith("on") or name in ("src", "href")]
        assert (own.get("xlink:href") or "#")[0] == "#"
    outside = re.sub(r' xmlns(:\w+)?="[^"]*"', "", page)
    assert not re.search(r"https?:|url\((?!#)|@import", outside)
    assert "could not be drawn" not in page
    for picture in svgs(page):
        assert picture.tag == "{http://www.w3.org/2000/svg}svg"
        assert not [one for one in picture.iter() if one.tag.endswith(("date", "metadata"))]
        # Letters are text and not outlines.
        assert any(one.tag.endswith("}text") for one in picture.iter())
    assert len(page.encode()) < 1_000_000
    return read
