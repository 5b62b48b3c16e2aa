"""The site builds without a warning, and its pages need nothing from another host."""

from __future__ import annotations

import re
import subprocess
import sys
from html.parser import HTMLParser
from urllib.parse import urljoin

import pytest

from tests.docs.documents import DOCS, ROOT, blocks

pytestmark = pytest.mark.long
# Attributes whose addresses a browser loads by itself; it follows the href of an <a> only for its reader.
LOADED = {
    "script": "src",
    "img": "src",
    "iframe": "src",
    "source": "src",
    "video": "src",
    "object": "data",
    "link": "href",
}


class LoadedAddresses(HTMLParser):
    """Collects what a browser loads to show a page."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        address = dict(attrs).get(LOADED.get(tag, ""))
        if address and dict(attrs).get("rel") not in {"next", "prev", "canonical", "author"}:
            self.found.append(address)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    strict = ("--quiet", "--fail-on-warning", "--keep-going", "--fresh-env")
    command = [sys.executable, "-m", "sphinx", *strict, "--doctree-dir", str(folder / "doctrees")]
    done = subprocess.run(  # noqa: S603 - this test's own
        [*command, str(DOCS), str(folder / "html")], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    return folder / "html"


@pytest.fixture(scope="module")
def pages(site):
    names = [path.relative_to(site) for path in site.rglob("*.html")]
    # The theme's files in _static/ are no pages.
    return {str(name): (site / name).read_text() for name in names if name.parts[0] != "_static"}


def loaded_by(page):
    parser = LoadedAddresses()
    parser.feed(page)
    return parser.found


def test_every_document_is_a_page(pages):
    documents = {str(path.relative_to(DOCS).with_suffix(".html")) for path in DOCS.rglob("*.md")}
    assert documents - {"README.html"} <= set(pages)


def test_no_page_loads_anything_from_another_host(pages):
    loaded = {address for page in pages.values() for address in loaded_by(page)}
    assert loaded
    assert [address for address in loaded if re.match(r"(\w+:)?//", address)] == []


def test_whatever_a_page_loads_is_part_of_the_site(site, pages):
    for name, page in pages.items():
        for address in loaded_by(page):
            path = urljoin(name, address).partition("?")[0]
            assert (site / path).is_file(), f"{name}: {address}"


def test_no_style_loads_anything_from_another_host(site):
    for path in site.rglob("*.css"):
        assert not re.search(r"(?:url\(|@import)\s*['\"]?(?:https?:)?//", path.read_text()), path


def test_every_page_with_a_diagram_can_draw_it(pages):
    with_diagram = {
        str(path.relative_to(DOCS).with_suffix(".html"))
        for path in DOCS.rglob("*.md")
        if blocks(path, "mermaid")
    }
    assert with_diagram
    assert {name for name, page in pages.items() if 'class="mermaid"' in page} == with_diagram
    for name in with_diagram:
        scripts = [address.partition("?")[0].rpartition("/")[2] for address in loaded_by(pages[name])]
        assert scripts.index("mermaid.tiny.js") < scripts.index("diagrams.js")


def test_every_construct_shows_its_own_arguments(pages):
    text = re.sub(r"<[^>]+>", "", pages["api/constructs.html"] + pages["api/targets.html"])
    assert "action_id:" in text
    assert "kwargs" not in text


def test_links_that_leave_the_documents_lead_to_the_repository(pages):
    assert "/blob/main/CONTRIBUTING.md#add-a-custom-action" in pages["custom-actions.html"]
    assert not re.search(r'href="(?:\.\./)+[^"]*\.md', "".join(pages.values()))
