"""Mistakes on the command line: each gives one sentence and exit code 2, and leaves nothing
behind.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import av
import numpy as np
import pytest

from runningpose.files.weights import find
from runningpose.video.reader import Clip
from runningpose.video.writer import VideoWriter

BIN = Path(sys.executable).parent / ("runningpose.exe" if os.name == "nt" else "runningpose")
needs_weights = pytest.mark.skipif(
    not (find("detector") and find("heavy")),
    reason="the weights of BlazePose are not on this machine",
)
needs_sample = pytest.mark.skipif(
    not find("sample"), reason="the sample clip is not on this machine"
)


def run(*args, command="runningpose", cwd=None, **env):
    return subprocess.run(
        [BIN.with_stem(command), *map(str, args)],
        cwd=cwd,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        env=os.environ | env,
        timeout=120,
    )


def complains(folder, *args, about, command="runningpose", **env):
    "The command fails with one sentence that names the problem, and leaves no new files"
    before = sorted(folder.rglob("*"))
    r = run(*args, command=command, **env)
    assert r.returncode == 2, r.stderr
    messages = [s for s in r.stderr.splitlines() if s.startswith(f"{command}: ")]
    assert len(messages) == 1 and about in messages[0] and "Traceback" not in r.stderr, r.stderr
    assert sorted(folder.rglob("*")) == before
    return messages[0]


def video(path, frames=30, size=(640, 360), seed=0):
    "A video with noise and nobody in it"
    rng = np.random.default_rng(seed)
    with VideoWriter(path, *size, 30) as w:
        for _ in range(frames):
            w.write(rng.integers(0, 60, (size[1], size[0], 3), dtype=np.uint8))
    return path


def test_no_such_file(tmp_path):
    complains(tmp_path, tmp_path / "run.mp4", "--out", tmp_path / "o", about="run.mp4")


def test_text_file(tmp_path):
    f = tmp_path / "notes.mp4"
    f.write_text("Monday: 10 km easy\n" * 100)
    complains(tmp_path, f, "--out", tmp_path / "o", about="notes.mp4")


def test_audio_only(tmp_path):
    f = tmp_path / "sound.m4a"
    with av.open(str(f), "w") as box:
        s = box.add_stream("aac", rate=44100)
        a = av.AudioFrame.from_ndarray(
            np.zeros((1, 1024), np.float32), format="fltp", layout="mono"
        )
        a.rate = 44100
        for p in (*s.encode(a), *s.encode(None)):
            box.mux(p)
    complains(tmp_path, f, "--out", tmp_path / "o", about="sound.m4a")


def test_one_frame(tmp_path):
    complains(tmp_path, video(tmp_path / "still.mp4", 1), "--out", tmp_path / "o", about="frame")


def test_truncated(tmp_path):
    f = video(tmp_path / "whole.mp4", 60)
    data = f.read_bytes()
    f.unlink()
    g = tmp_path / "cut.mp4"
    g.write_bytes(data[: len(data) // 2])
    if find("detector") and find("heavy"):
        complains(tmp_path, g, "--out", tmp_path / "o", about="cut.mp4")
    g.write_bytes(data[:600])
    complains(tmp_path, g, "--out", tmp_path / "o", about="cut.mp4")


def test_unwritable_folder(tmp_path):
    f = video(tmp_path / "a.mp4")
    (tmp_path / "file").write_text("")
    complains(tmp_path, f, "--out", tmp_path / "file", about="is a file")
    complains(tmp_path, f, "--out", tmp_path / "file" / "below", about="below")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.doc").write_text("")
    complains(tmp_path, f, "--out", tmp_path / "full", about="other files")


def test_box_is_checked(tmp_path):
    complains(
        tmp_path,
        video(tmp_path / "a.mp4"),
        "--out",
        tmp_path / "o",
        "--box",
        "1,2,3",
        about="x,y,width,height",
    )


def test_no_network_and_no_weights(tmp_path, tmp_path_factory):
    nowhere, home, own = (
        "http://127.0.0.1:9",
        str(tmp_path_factory.mktemp("home")),
        str(tmp_path_factory.mktemp("weights")),
    )
    message = complains(
        tmp_path,
        video(tmp_path / "a.mp4"),
        "--out",
        tmp_path / "o",
        about="RUNNINGPOSE_WEIGHTS",
        RUNNINGPOSE_WEIGHTS=own,
        XDG_CACHE_HOME=home,
        LOCALAPPDATA=home,
        HOME=home,
        http_proxy=nowhere,
        https_proxy=nowhere,
        HTTPS_PROXY=nowhere,
        npm_config_https_proxy=nowhere,
        npm_config_fetch_retries="0",
        npm_config_cache=home,
        PIP_RETRIES="0",
        PIP_NO_INDEX="1",
        PATH="",
    )
    for way in ("RUNNINGPOSE_WEIGHTS", "cache", "https://", "mediapipe"):
        assert way in message


def test_no_camera_is_so_fast(tmp_path):
    complains(
        tmp_path,
        video(tmp_path / "a.mp4"),
        "--out",
        tmp_path / "o",
        "--real-fps",
        "1e9",
        about="real_fps is 1e+09",
    )


def test_a_playlist_is_no_video(tmp_path):
    clip = video(tmp_path / "a.mp4")
    (tmp_path / "list.mp4").write_text(f"ffconcat version 1.0\nfile {clip}\n")
    said = complains(
        tmp_path, tmp_path / "list.mp4", "--out", tmp_path / "o", about="a list of other files"
    )
    assert "--camera" in said


@needs_weights
def test_nobody_in_the_video(tmp_path):
    complains(tmp_path, video(tmp_path / "empty.mp4"), "--out", tmp_path / "o", about="no person")


@needs_weights
@needs_sample
@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_interrupted(tmp_path, how):
    "An interrupted run leaves no folder that looks complete"
    p = subprocess.Popen(
        [
            BIN,
            str(find("sample")),
            "--out",
            str(tmp_path / "o"),
            "--box",
            "1168,400,594,594",
            "--start",
            "2.53",
            "--end",
            "4.5",
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # a job in the background ignores Ctrl-C otherwise
    t = time.time()
    while (
        not list(tmp_path.glob(".o.*.part/overlay.mp4*"))
        and p.poll() is None
        and time.time() - t < 100
    ):
        time.sleep(0.02)
    assert p.poll() is None, p.stderr.read().decode()
    p.send_signal(how)
    p.wait(30)
    assert not (tmp_path / "o").exists()
    if how == signal.SIGINT:
        assert p.returncode == 130 and not list(tmp_path.iterdir())


def test_infer_video_mistakes(tmp_path):
    "An empty folder, other endings, no videos, an unknown backend"

    def wrong(*args, about):
        return complains(
            tmp_path,
            *args,
            "--output-dir",
            tmp_path / "o",
            about=about,
            command="runningpose_infer_video",
        )

    (tmp_path / "empty").mkdir()
    (tmp_path / "clips").mkdir()
    video(tmp_path / "clips" / "a.mov", 3)
    (tmp_path / "bad").mkdir()
    for n in ("x.mp4", "y.mp4"):
        (tmp_path / "bad" / n).write_text("no video")
    wrong(tmp_path / "empty", about="it is empty")
    wrong(tmp_path / "clips", about="1 .mov")
    wrong(tmp_path / "bad", about="none of 2 videos")
    wrong(tmp_path / "clips", "--image-ext", "mov", "--backend", "yolo", about="blazepose")


def test_prepare_data_2d_mistakes(tmp_path):
    "Missing flags, an empty folder, an archive that was cut off, one that holds more than arrays"

    def wrong(*args, about):
        return complains(tmp_path, *args, about=about, command="runningpose_prepare_data_2d_custom")

    class Evil:
        def __reduce__(self):
            return os.system, (f"touch {tmp_path / 'trap'}",)

    for n in ("empty", "cut", "evil", "other"):
        (tmp_path / n).mkdir()
    evil = np.empty(3, object)
    evil[:] = [Evil()] * 3
    np.savez(tmp_path / "evil" / "a.mp4.npz", boxes=evil, keypoints=evil, metadata=evil)
    np.savez(tmp_path / "other" / "a.mp4.npz", x=np.eye(3))
    whole = (tmp_path / "other" / "a.mp4.npz").read_bytes()
    (tmp_path / "cut" / "a.mp4.npz").write_bytes(whole[: len(whole) // 2])
    wrong(about="-i is missing")
    wrong("-i", tmp_path / "empty", about="-o is")
    for n, about in (
        ("empty", "no .npz"),
        ("cut", "cut off"),
        ("evil", "nothing of it was run"),
        ("other", "no boxes"),
    ):
        wrong("-i", tmp_path / n, "-o", "x", about=about)


@needs_weights
@needs_sample
def test_the_two_commands_of_the_thesis_code(tmp_path):
    "A folder with a good video and a bad one, then the data set, read as VideoPose3D reads it"
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "bad.mp4").write_text("no video")
    with VideoWriter(tmp_path / "in" / "walk.mp4", 884, 496, 30) as w:
        for f in Clip(find("sample"), 2.53, 2.9).frames():
            w.write(f.rgb(884, 496))
    r = run(
        "--cfg",
        "COCO-Keypoints/keypoint_rcnn_R_101_FPN_3x.yaml",
        "--output-dir",
        "out",
        "--image-ext",
        "mp4",
        "--backend",
        "blazepose",
        "--select",
        "584,200,297,297",
        "in",
        command="runningpose_infer_video",
        cwd=tmp_path,
    )
    assert r.returncode == 1 and "1 of 2 videos done; failed: bad.mp4" in r.stderr, r.stderr
    assert sorted(f.name for f in (tmp_path / "out").iterdir()) == ["walk.mp4.nc", "walk.mp4.npz"]
    r = run("-i", "out", "-o", "mine", command="runningpose_prepare_data_2d_custom", cwd=tmp_path)
    assert r.returncode == 0, r.stderr
    data = np.load(tmp_path / "data_2d_custom_mine.npz", allow_pickle=True)
    meta = data["metadata"].item()
    track = data["positions_2d"].item()["walk.mp4"]["custom"][0]
    assert (
        track.shape[1:] == (17, 2)
        and track.dtype == np.float32
        and np.isfinite(track).all()
        and 584 < track[0, 11, 0] < 750
    )
    assert (meta["layout_name"], meta["num_joints"], meta["video_metadata"]) == (
        "coco",
        17,
        {"walk.mp4": {"w": 884, "h": 496}},
    )
