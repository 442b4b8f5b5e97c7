"""The committed site: every page exists with its title, is in the search index, and loads nothing
from another host.
"""

import json
import re
from configparser import ConfigParser
from html import unescape
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
DOCS, NBS = ROOT / "docs", ROOT / "nbs"
ini = ConfigParser(delimiters=["="], interpolation=None)
ini.read(ROOT / "settings.ini", encoding="utf-8")
PAGES = sorted(DOCS.rglob("*.html"))
NOTEBOOKS = sorted(
    p
    for p in NBS.rglob("*.ipynb")
    if not any(o.startswith(("_", ".")) for o in p.relative_to(NBS).parts)
)
LOCAL = re.compile(
    r'(?:href|src)="(?:file:|/(?:home|Users|work|tmp|root)/|https?://(?:localhost|127\.0\.0\.1))'
)
LOADED = re.compile(
    r'<(?:script|img|iframe|video|source)\b[^>]*\bsrc="([^"]+)"|<link\b(?=[^>]*rel="stylesheet")[^>]*\bhref="([^"]+)"'
)


def html(page):
    return page.read_text(encoding="utf-8")


def title(nb):
    "The first heading of a notebook"
    cells = json.loads(nb.read_text(encoding="utf-8"))["cells"]
    text = "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")
    return re.search(r"^# (.+)$", text, re.M)[1].strip()


def page_of(nb):
    return DOCS / nb.relative_to(NBS).parent / (re.sub(r"^\d+[a-z]?_", "", nb.stem) + ".html")


@pytest.mark.parametrize("nb", NOTEBOOKS, ids=lambda p: p.stem)
def test_notebook_has_its_page(nb):
    h1 = re.search(r"<h1[^>]*>(.*?)</h1>", html(page_of(nb)), re.S)
    plain = unescape(re.sub(r"<[^>]+>", "", h1[1])).strip()
    assert plain == title(nb).replace("`", "")


def test_every_page_is_searchable():
    found = {
        o["href"].split("#")[0]
        for o in json.loads((DOCS / "search.json").read_text(encoding="utf-8"))
    }
    assert found == {p.relative_to(DOCS).as_posix() for p in PAGES}


def test_every_module_has_an_api_page():
    described = "\n".join(map(html, PAGES))
    for module in (ROOT / "runningpose").rglob("*.py"):
        text = module.read_text(encoding="utf-8")
        public = re.search(r"^__all__ = (\[.*?\])", text, re.M | re.S)
        names = re.findall(r"^(?:def|class) (\w+)", text, re.M)
        for name in [n for n in names if public and f"'{n}'" in public[1]]:
            assert f'id="{name.lower()}"' in described, f"{module.name}: {name} is on no page"


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.relative_to(DOCS).as_posix())
def test_page_stands_alone(page):
    assert not LOCAL.findall(html(page))
    outside = [a or b for a, b in LOADED.findall(html(page)) if re.match("(?:https?:)?//", a or b)]
    assert not [o for o in outside if not o.startswith(ini["DEFAULT"]["doc_host"])]


def test_style_sheets_load_nothing_from_another_host():
    for sheet in DOCS.rglob("*.css"):
        text = sheet.read_text(encoding="utf-8")
        assert not re.search(r"(?:@import\s+|url\()\s*['\"]?(?:https?:)?//", text), sheet
