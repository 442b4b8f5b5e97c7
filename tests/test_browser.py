"""The report, the site and the app in a browser, driven by Playwright in the machine's Chromium;
skipped where one of them is missing.
"""

import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from runningpose.camera import look_at, phone_camera, project
from runningpose.gait.catalogue import step_measures
from runningpose.gait.cycles import cycle_table
from runningpose.gait.metrics import gait_metrics
from runningpose.poses import pose_arrays, poses_dataset
from runningpose.show.compare import write_comparison
from runningpose.show.report import write_report
from runningpose.skeleton import convert
from runningpose.synthetic import synthetic_runner
from runningpose.video.writer import VideoWriter

api = pytest.importorskip(
    "playwright.sync_api", reason="Playwright is not installed (pip install playwright)"
)
CHROMIUM = (
    shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
)
pytestmark = pytest.mark.skipif(not CHROMIUM, reason="there is no Chromium on this machine")


DOCS = Path(__file__).resolve().parent.parent / "docs"


@pytest.fixture(scope="module")
def browser():
    with api.sync_playwright() as p:
        b = p.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield b
        b.close()


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    "A report of the synthetic runner, with a video beside it"
    d = tmp_path_factory.mktemp("report")
    run = synthetic_runner(3.0, seconds=4, treadmill=True, fps=30)
    t = run.pose.time.values
    cam = look_at(phone_camera(640, 360), [0, -4.5, 1.1], [0, 0, 1.0])
    uv = project(convert(pose_arrays(run.pose)[0].astype(float), "runningpose_22", "halpe_26"), cam)
    kp = poses_dataset(uv, time=t, image_width=640, image_height=360)
    with VideoWriter(d / "overlay.mp4", 640, 360, 30) as w:
        for _ in t:
            w.write(np.full((360, 640, 3), 200, np.uint8))
    shots = [
        (s, "foot strike", 1.0, np.full((90, 72, 3), 180, np.uint8)) for s in ("right", "left")
    ]
    return write_report(
        d / "report.html",
        dict(warnings=["A warning."]),
        kp,
        run.pose,
        run.angles,
        run.events,
        gait_metrics(run.pose, run.events),
        steps=step_measures(run.pose, run.events),
        frames=shots,
    )


def opened(browser, page, **kw):
    "A page, the errors and warnings of its console, and its requests to other places"
    pg = browser.new_page(**kw)
    console, requests = [], []
    pg.on("console", lambda m: console.append(m.text) if m.type in ("error", "warning") else None)
    pg.on("pageerror", lambda e: console.append(str(e)))
    pg.on("request", lambda r: requests.append(r.url))
    pg.goto(Path(page).as_uri())
    pg.wait_for_timeout(800)
    return (
        pg,
        console,
        [u for u in requests if not u.startswith(("data:", "blob:", Path(page).parent.as_uri()))],
    )


CUT_CODE = """[...document.querySelectorAll("main pre")].filter(
    e => e.scrollWidth > e.clientWidth + 1 && !e.closest(".cell-output")).length"""


@pytest.mark.parametrize("name", ("index", "pipeline/analyze", "gait/catalogue", "video/colour"))
def test_page_of_the_site(browser, name):
    "Source is whole at 1440 px, a phone scrolls only inside boxes, nothing comes from elsewhere"
    page = DOCS / f"{name}.html"
    wide, _, requests = opened(browser, page, viewport=dict(width=1440, height=900))
    assert [u for u in requests if not u.startswith(DOCS.as_uri())] == []
    assert wide.evaluate(CUT_CODE) == 0
    narrow, _, _ = opened(browser, page, viewport=dict(width=390, height=900))
    assert narrow.evaluate("document.documentElement.scrollWidth") <= 390
    assert wide.inner_text("h1")
    wide.close()
    narrow.close()


def picture(pg):
    return pg.evaluate("document.getElementById('body').toDataURL()")


def wait_for_change(pg, before):
    "Wait until another picture is drawn"
    is_new = "before => document.getElementById('body').toDataURL() != before"
    pg.wait_for_function(is_new, arg=before, timeout=20_000)


@pytest.mark.parametrize("width", (390, 820, 1440))
@pytest.mark.parametrize("scheme", ("light", "dark"))
def test_report(browser, report, width, scheme):
    pg, console, outside = opened(
        browser, report, viewport=dict(width=width, height=900), color_scheme=scheme
    )
    assert console == [] and outside == []
    assert pg.evaluate("document.documentElement.scrollWidth") <= width
    before = picture(pg)
    pg.evaluate(
        "f => {f.value = 40; f.dispatchEvent(new Event('input'))}", pg.query_selector("#frame")
    )
    wait_for_change(pg, before)
    assert "frame 41" in pg.inner_text("#clock")
    before = pg.inner_text("#clock")
    pg.click("#play")
    moved = "before => document.getElementById('clock').innerText != before"
    pg.wait_for_function(moved, arg=before, timeout=20_000)
    pg.click("#play")
    before = picture(pg)
    pg.select_option("#view", "90,8")
    wait_for_change(pg, before)
    pg.select_option("#span", "stride")
    pg.wait_for_selector("#norm", state="visible", timeout=20_000)
    pg.close()


def test_print(browser, report, tmp_path):
    pg, console, _ = opened(browser, report)
    pdf = pg.pdf(format="A4")
    assert pdf[:4] == b"%PDF" and len(pdf) > 20_000 and console == []
    pg.close()


@pytest.mark.parametrize("width", (390, 1440))
def test_long_names(browser, tmp_path, width):
    "A name without a blank, and one with markup, neither widen a page nor run in it"
    run = synthetic_runner(3.0, seconds=4, treadmill=True, fps=30)
    names = "without_any_blank" * 15, "<img src=x onerror=alert(1)>" * 8
    tables = dict(
        metrics=gait_metrics(run.pose, run.events), cycles=cycle_table(run.angles, run.events)
    )
    results = [dict(name=name, run=dict(warnings=[name]), **tables) for name in names]
    page = write_comparison(tmp_path / "compared.html", *results)
    pg, said, outside = opened(browser, page, viewport=dict(width=width, height=900))
    assert (said, outside) == ([], [])
    assert pg.evaluate("document.documentElement.scrollWidth") <= width
    assert all(pg.inner_text("h1").count(name) for name in names)
    pg.close()


def test_app(browser, tmp_path):
    pytest.importorskip("gradio", reason="Gradio is not installed (runningpose[app])")
    from runningpose.files.weights import fetch, find

    if find("heavy") is None or find("sample") is None:
        pytest.skip("weights and sample clip are not here (runningpose_fetch)")
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    bad = tmp_path / "bad.mp4"
    bad.write_text("not a video")
    code = f"from runningpose.cli.app import runningpose_app as a; a(port={port}, no_browser=True)"
    app = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        for _ in range(120):
            with socket.socket() as s:
                if s.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.5)
        pg = browser.new_page()
        pg.goto(f"http://127.0.0.1:{port}")
        pg.set_input_files("#video input[type=file]", str(bad))
        pg.wait_for_selector(".toast-wrap", timeout=20_000)
        message = pg.inner_text(".toast-wrap")
        assert "bad.mp4" in message and "cannot be read" in message
        two = [browser.new_page() for _ in range(2)]
        video = tmp_path / "walk.mp4"
        shutil.copy(fetch("sample", progress=False), video)
        for p in two:
            p.goto(f"http://127.0.0.1:{port}")
            p.set_input_files("#video input[type=file]", str(video))
            p.wait_for_selector("img", timeout=20_000)
        for p in two:
            p.click("#go")
        for p in two:
            p.wait_for_selector("#report iframe", timeout=300_000)
            assert "report" in p.inner_text("#files")
        films = []
        for p in two:
            player = p.frame_locator("#report iframe").locator("video")
            player.evaluate("v => v.readyState || new Promise(r => v.onloadedmetadata = r)")
            films.append(player.evaluate("v => v.currentSrc"))
        served = [[p.request.get(film).status for film in films] for p in two]
        assert served == [[200, 403], [403, 200]]
    finally:
        app.terminate()
        app.wait(20)
