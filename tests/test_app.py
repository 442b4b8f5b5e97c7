"""What the app has to refuse, asked over HTTP of the app as its command starts it; no browser."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import numpy as np
import pandas as pd
import pytest

from runningpose.camera import look_at, phone_camera, project
from runningpose.cli.app import LIMITS, Handlers
from runningpose.cli.app_files import SessionFiles
from runningpose.pose2d.backend import BACKENDS
from runningpose.poses import pose_arrays, poses_dataset
from runningpose.skeleton import convert
from runningpose.synthetic import synthetic_runner
from runningpose.video.writer import VideoWriter

pytest.importorskip("gradio", reason="Gradio is not installed (runningpose[app])")

CODE = """
import sys, types
def no_detector(video, out, progress, **options):  # the rest of the way is the app's own
    out.mkdir(parents=True)
    (out / "report.html").write_text(f'<video src="overlay.mp4"></video>{{options}}')
    return types.SimpleNamespace(events=[])
sys.modules["runningpose.pipeline.analyze"] = types.SimpleNamespace(analyze=no_detector)
from runningpose.cli.app import runningpose_app
runningpose_app(port={port}, no_browser=True, max_mb=1, max_minutes=0.1)
"""


class App:
    "The app, running, with a temporary folder of its own"

    def __init__(self, temporary):
        self.temporary = temporary
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.process = subprocess.Popen(
            [sys.executable, "-c", CODE.format(port=self.port)],
            env=os.environ | dict(TMPDIR=str(temporary), PYTHONUNBUFFERED="1"),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for line in self.process.stdout:
            if "the page is at" in line:
                return
        raise RuntimeError("the app did not start")

    def browser(self):
        "Somebody with cookies of their own"
        client = httpx.Client(base_url=self.url, timeout=60)
        assert client.get("/").status_code == 200
        return client

    @property
    def root(self):
        return next(self.temporary.glob("runningpose_app_*"))


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    running = App(tmp_path_factory.mktemp("temporary"))
    yield running
    running.process.kill()
    running.process.wait()


def film(path, seconds=1.0):
    with VideoWriter(path, 64, 48, 30) as writer:
        for i in range(round(30 * seconds)):
            writer.write(np.full((48, 64, 3), 90 + i % 30, np.uint8))
    return path


def upload(client, file, name=None):
    "The path under which the app keeps a file"
    answer = client.post(
        "/gradio_api/upload", files={"files": (name or file.name, file.read_bytes())}
    )
    assert answer.status_code == 200, answer.text
    return answer.json()[0]


def status(client, path):
    return client.get(f"/gradio_api/file={path}").status_code


def analyse(client, video, height=0, rotate=None, incline=0, camera_level=False, mass=0):
    "What the page gets when the button is pressed: the outputs, or the sentence of a refusal"
    page = client.get("/config").json()
    (number,) = [d["id"] for d in page["dependencies"] if d["api_name"] == "analyse"]
    session = os.urandom(6).hex()
    file = dict(path=video, meta={"_type": "gradio.FileData"})
    given = [height, None, "heavy", False, 0, rotate, incline, camera_level, mass]
    data = [file, *given]
    call = dict(data=data, fn_index=number, session_hash=session)
    assert client.post("/gradio_api/queue/join", json=call).status_code == 200
    with client.stream("GET", f"/gradio_api/queue/data?session_hash={session}") as lines:
        for line in lines.iter_lines():
            if "process_completed" in line:
                return httpx.Response(200, text=line.removeprefix("data: ")).json()["output"]
    raise AssertionError("no answer")


def test_files_of_the_machine(app, tmp_path):
    "No temporary file, no file of the system, nothing from elsewhere: 403"
    secret = app.temporary / "secret.txt"
    secret.write_text("secret")
    client = app.browser()
    beside = f"{app.root}/../secret.txt"
    for path in (secret, beside, "/etc/passwd", app.root, "http://example.org/a.png", "", "a%00b"):
        assert status(client, path) == 403, path
    assert client.get(f"/gradio_api/file/{secret}").status_code == 403
    assert client.get("/gradio_api/proxy=http://example.org").status_code == 404


def test_one_does_not_reach_the_other(app, tmp_path):
    "Not a video, not a result, not by analysing the other's video"
    anna, ben = app.browser(), app.browser()
    video = upload(anna, film(tmp_path / "run.mp4"))
    assert [status(c, video) for c in (anna, ben, httpx.Client(base_url=app.url))] == [
        200,
        403,
        403,
    ]
    assert "no longer here" in analyse(ben, video)["error"]
    outputs = analyse(anna, video)["data"]
    report, archive = (f["path"] for f in outputs[2]["value"])
    assert "/gradio_api/file=" in outputs[0] and Path(report).name == "report.html"
    for file in (report, archive):
        assert [status(c, file) for c in (anna, ben)] == [200, 403]


def test_choices_of_the_page(app, tmp_path):
    "What is chosen on the page reaches the analysis; what is left alone is not given"
    client = app.browser()
    video = upload(client, film(tmp_path / "run.mp4"))
    choices = dict(height=1.7, rotate=90, incline=3, camera_level=True, mass=68)
    chosen = analyse(client, video, **choices)["data"][0]
    for option, value in choices.items():
        assert f"&#x27;{option}&#x27;: {value}" in chosen
    alone = analyse(client, video)["data"][0]
    for option in ("height", "rotate", "incline", "mass", "speed"):
        assert f"&#x27;{option}&#x27;: None" in alone
    assert "&#x27;camera_level&#x27;: False" in alone


class Page:
    "What the handlers need of Gradio"

    class Error(Exception):
        def __init__(self, message, **_):
            super().__init__(message)

    @staticmethod
    def update(**values):
        return values


@pytest.fixture
def turned_video(tmp_path, monkeypatch):
    "A runner whose video lies on its side, and a detector that knows where"
    truth = synthetic_runner(3.0, seconds=3, fps=30, treadmill=True)
    camera = look_at(phone_camera(320, 180), [0, -4.5, 1.1], [0, 0, 1.0])
    px = convert(project(pose_arrays(truth.pose)[0], camera), "runningpose_22", "halpe_26")
    lying = np.stack([px[..., 1], 320 - px[..., 0]], -1)  # a quarter turn to the left

    def planted(clip, model=None, **options):
        upright = (clip.info.width, clip.info.height) == (320, 180)
        points = px if upright else lying
        size = dict(image_width=clip.info.width, image_height=clip.info.height)
        facts = dict(backend="planted", frames_lost=0, video=clip.path.name)
        times, index = clip.times, [frame.index for frame in clip.frames()]
        return poses_dataset(points[index], time=times, fps=clip.fps, **facts, **size)

    monkeypatch.setitem(BACKENDS, "blazepose", planted)
    path = tmp_path / "lying.mp4"
    with VideoWriter(path, 180, 320, 30) as writer:
        for i in range(len(px)):
            writer.write(np.full((320, 180, 3), 90 + i % 60, np.uint8))
    return path


def test_a_turned_picture_is_analysed_as_chosen(turned_video):
    "Left alone it is refused with the choice to make; turned it has its metrics"
    with SessionFiles() as files:
        session = files.new_session()
        video = files.folder(session) / turned_video.name
        turned_video.replace(video)
        handlers = Handlers(Page, files, LIMITS)

        def press(rotate):
            given = (1.75, None, "heavy", False, 0, rotate, 0, False, 0)
            return handlers.analyse(str(video), *given, lambda *a, **k: None, session)

        with pytest.raises(Page.Error, match="lies on its side.*Turn the picture.*More"):
            press(None)
        assert handlers.show_video(str(video), 90, session)[1].shape == (180, 320, 3)
        report = Path(press(90)[2]["value"][0])
        metrics = pd.read_csv(report.with_name("metrics.csv")).set_index(["metric", "side"])
        assert abs(metrics.value["speed", "both"] / 3 - 1) < 0.1


def test_modes(app):
    "Nobody else on the machine can enter"
    inside = [app.root, *(app.root / "sessions").glob("*")]
    assert {f.stat().st_mode & 0o777 for f in inside} == {0o700}


@pytest.mark.parametrize("path", ("/", "/config", "/gradio_api/info", "/gradio_api/upload"))
def test_foreign_hosts_and_origins(app, path):
    "A name that was rebound to this machine, and pages of other sites"
    here = f"127.0.0.1:{app.port}"
    for headers in (
        {"Host": "evil.example"},
        {"Host": f"evil.example:{app.port}", "Origin": f"http://evil.example:{app.port}"},
        {"Host": here, "Origin": "http://evil.example"},
        {"Host": here, "Origin": "null"},
        {"Host": here, "Origin": "http://127.0.0.1:1"},
    ):
        assert httpx.get(app.url + path, headers=headers).status_code == 403, headers
    assert app.browser().get("/config", headers={"Origin": app.url}).status_code == 200


def test_too_large_and_too_long(app, tmp_path):
    "Both are refused with a sentence, and the size before it is taken in"
    client = app.browser()
    large = client.post("/gradio_api/upload", files={"files": ("run.mp4", bytes(3_000_000))})
    assert large.status_code == 413 and "larger than 1 MB" in large.text
    without_length = client.post(
        "/gradio_api/upload",
        content=iter(
            [
                b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.mp4"\r\n\r\n',
                *[bytes(100_000)] * 15,
                b"\r\n--x--\r\n",
            ]
        ),
        headers={"Content-Type": "multipart/form-data; boundary=x"},
    )
    assert without_length.status_code == 413
    assert not [f for f in app.root.rglob("*") if f.is_file() and f.stat().st_size >= 1_000_000]
    video = upload(client, film(tmp_path / "long.mp4", 7))
    assert "minutes long, more than the 0.1 allowed" in analyse(client, video)["error"]


def test_names(app, tmp_path):
    "Markup, quotes and a way out in a name: kept as text, and inside the session's folder"
    client = app.browser()
    file = film(tmp_path / "run.mp4")
    for name in (
        "<img src=x onerror=alert(1)>.mp4",
        '"><script>.mp4',
        "..%2F..%2Fx.mp4",
        "=1+1.mp4",
    ):
        outputs = analyse(client, upload(client, file, name))["data"]
        report = Path(outputs[2]["value"][0]["path"])
        assert report.is_relative_to(app.root) and "<" not in str(report)
    bad = tmp_path / "bad.mp4"
    bad.write_text("no film")
    error = analyse(client, upload(client, bad, "<b>bad.mp4"))["error"]
    assert "cannot be read" in error and "<" not in error


def test_no_such_port():
    "One sentence, before anything large is loaded"
    code = """
import sys
from runningpose.cli.app import runningpose_app
try:
    runningpose_app()
finally:
    print({"gradio", "torch", "cv2", "av"} & set(sys.modules))
"""
    words = [sys.executable, "-c", code, "--no-browser", "--port=99999"]
    answer = subprocess.run(words, capture_output=True, text=True)
    assert (answer.returncode, answer.stdout) == (2, "set()\n")
    sentence = "runningpose_app: --port is 99999; a port is a number from 1 to 65535\n"
    assert answer.stderr == sentence


def test_removed_at_exit(app, tmp_path):
    "A process that is told to end leaves nothing of its users behind"
    upload(app.browser(), film(tmp_path / "run.mp4"))
    root = app.root
    app.process.send_signal(signal.SIGTERM)
    assert app.process.wait(30) == 128 + signal.SIGTERM
    assert not root.exists()
