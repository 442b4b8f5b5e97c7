"""Build the static site into docs/ with smalldocs, then check it: broken links, missing anchors
and orphan pages are errors.
"""

import json
import re
import shutil
import subprocess
import sys
import tempfile
import warnings
from html.parser import HTMLParser
from importlib import import_module
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urldefrag

import nbdev.doclinks
from execnb.nbio import read_nb, write_nb
from fastcore.script import call_parse
from nbdev.config import get_config
from nbdev.quarto import refresh_quarto_yml
from nbdev.serve import proc_nbs

# A theme fetches its font from another host; the site has to work offline, in the reader's own font
FOREIGN_IMPORT = re.compile(r"@import\s+url\(\s*['\"]?(?:https?:)?//[^)]*\)[^;]*;")
ASSETS = {".css", ".png", ".svg", ".jpg", ".gif", ".mp4"}


def page_name(nb, path):
    "The name nbdev's links use for a page: `00_angles.ipynb` is published as `angles.html`"
    first = nb.cells[0] if nb.cells else None
    m = (
        first
        and first.cell_type == "raw"
        and re.search(r"^output-file:\s*(\S+)", first.source, re.M)
    )
    return Path(m[1]).stem if m else path.stem


def plain_code(md):
    "Undo links that nbdev put inside a code fence, where they would show as raw Markdown"
    return re.sub(
        r"```python\n.*?```",
        lambda m: re.sub(r"\[`([^`\]]+)`\]\([^)]*\)", r"\1", m[0]),
        md,
        flags=re.S,
    )


def relink(md, names, base, depth):
    "Point links at the published page names, relative to a page `depth` folders down"
    md = re.sub(
        r"\]\(((?:[^)\s]*/)?)([^/)\s#]+\.ipynb)", lambda m: "](" + m[1] + names.get(m[2], m[2]), md
    )
    return re.sub(rf"\]\({re.escape(base)}/", "](" + "../" * depth, md)


def publishable(work, base):
    "Rename processed notebooks to their page names and rewrite every link between them"
    nbs = {p: read_nb(p) for p in sorted(work.rglob("*.ipynb"))}
    names = {p.name: page_name(nb, p) + ".ipynb" for p, nb in nbs.items()}
    for p, nb in nbs.items():
        depth = len(p.relative_to(work).parts) - 1
        for c in nb.cells:
            if c.cell_type == "raw":
                c.source = re.sub(
                    r"^output-file:.*\n", "", c.source, flags=re.M
                )  # the file name says it
            if c.cell_type == "markdown":
                c.source = relink(c.source, names, base, depth)
            for o in c.get("outputs", []):
                md = o.get("data", {}).get("text/markdown")
                if md:
                    o["data"]["text/markdown"] = relink(plain_code("".join(md)), names, base, depth)
        p.unlink()
        write_nb(nb, p.with_name(names[p.name]))
    side = work / "sidebar.yml"
    side.write_text(re.sub(r"[\w.-]+\.ipynb", lambda m: names.get(m[0], m[0]), side.read_text()))


class Page(HTMLParser):
    "The ids and the links of one HTML file"

    def __init__(self, path):
        super().__init__()
        self.ids, self.links, self.h1 = set(), [], False
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        a = dict(attrs)
        self.h1 |= tag == "h1"
        self.ids |= {a[k] for k in ("id", "name") if a.get(k)}
        self.links += [a[k] for k in ("href", "src") if a.get(k)]


def is_external(url):
    return re.match(r"[a-z][a-z0-9+.-]*:|//", url, re.I) is not None


def target_of(link, page, out, base):
    "Where an internal link leads: (path inside of the site or None, anchor)"
    url, anchor = urldefrag(link.removeprefix(base + "/"))
    relative = bool(url) and not link.startswith(base)  # to this page; else to the site
    folder = out / PurePosixPath(page).parent if relative else out
    path = (folder / unquote(url or page)).resolve() if relative else out / unquote(url or page)
    if path.is_dir():
        path = path / "index.html"
    inside = path.is_relative_to(out) and path.exists()
    return (path.relative_to(out).as_posix() if inside else None), unquote(anchor)


def link_errors(pages, out, base):
    "Broken links, missing anchors, pages without a heading or that nothing links to"
    errors, linked = [], set()
    for name, page in pages.items():
        if not page.h1:
            errors.append(f"{name}: no <h1>")
        for link in page.links:
            if is_external(link.removeprefix(base + "/")):
                continue
            target, anchor = target_of(link, name, out, base)
            if target != name:
                linked.add(target)
            if target is None:
                errors.append(f"{name}: broken link {link}")
            elif anchor and target in pages and anchor not in pages[target].ids:
                errors.append(f"{name}: no anchor for {link}")
    orphans = [p for p in pages if p != "index.html" and p not in linked]
    return errors + [f"{p}: no page links to it; add it to nbs/sidebar.yml" for p in orphans]


def symbol_errors(pages, symbols):
    "Exported functions and classes that are on no page"
    for module, names in symbols.items():
        public = set(getattr(import_module(module), "__all__", ()))  # helpers have no entry
        for symbol, (url, _) in names.items():
            page, anchor = urldefrag(url)
            there = page in pages and anchor in pages[page].ids
            if symbol[len(module) + 1 :] in public and not there:
                yield f"{symbol}: nothing at {url}"


def site_errors(out, base, symbols):
    "Everything wrong with the built site, one line each"
    out = out.resolve()
    pages = {p.relative_to(out).as_posix(): Page(p) for p in sorted(out.rglob("*.html"))}
    index = json.loads((out / "search.json").read_text(encoding="utf-8"))
    found = {urldefrag(entry["href"])[0] for entry in index}
    return [
        *link_errors(pages, out, base),
        *symbol_errors(pages, symbols),
        *(f"{p}: not in search.json" for p in pages if p not in found),
    ]


@call_parse
def main():
    "Build and check the site"
    cfg = get_config()
    root, base = cfg.config_path, cfg.doc_host + cfg.doc_baseurl
    sys.path.insert(0, str(root))  # document this checkout, not an older install
    warnings.filterwarnings("error", message="Found cells containing imports")
    refresh_quarto_yml()
    nbdev.doclinks._build_modidx()
    src = proc_nbs(cfg.nbs_path, n_workers=0, force=True)
    out = root / cfg.doc_path.name
    with tempfile.TemporaryDirectory() as tmp:
        work = Path(tmp) / "site"
        shutil.copytree(src, work)
        for f in cfg.nbs_path.rglob("*"):
            if f.suffix in ASSETS and not f.relative_to(cfg.nbs_path).parts[0].startswith(
                ("_", ".")
            ):
                to = work / f.relative_to(cfg.nbs_path)
                to.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(f, to)
        publishable(work, base)
        rc = subprocess.run(
            [sys.executable, "-m", "smalldocs.cli", "render", "--strict", "--quiet", str(work)]
        ).returncode
        if rc:
            sys.exit(f"smalldocs render failed ({rc})")
        site = work / out.name
        for sheet in site.rglob("*.css"):
            text = sheet.read_text(encoding="utf-8")
            sheet.write_text(FOREIGN_IMPORT.sub("", text), encoding="utf-8")
        sitemap = site / "sitemap.xml"
        sitemap.write_text(
            re.sub(r"\s*<lastmod>[^<]*</lastmod>", "", sitemap.read_text())
        )  # same input, same bytes
        shutil.rmtree(out, ignore_errors=True)
        shutil.move(site, out)
    ns = {}
    exec((cfg.lib_path / "_modidx.py").read_text(), ns)
    if errs := site_errors(out, base, ns["d"]["syms"]):
        sys.exit("\n".join(errs))
    print(f"{len(list(out.rglob('*.html')))} pages in {out.name}/, all internal links good")
