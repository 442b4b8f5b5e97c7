"""Peak memory, which must hardly grow with the length of a clip: of the main job on a short and on
a long video, or (`--stages`) of what follows the detector, on keypoints made here.
"""

import json
import resource
import subprocess
import sys
import tempfile
import threading
import time
import tracemalloc
from pathlib import Path

import numpy as np
import psutil
from clips import BOX, walking_video
from fastcore.script import call_parse

from runningpose.camera import look_at, phone_camera, project
from runningpose.pipeline.estimate import estimate
from runningpose.pipeline.results import Analysis, write_tables
from runningpose.pose2d.clean import clean
from runningpose.poses import pose_arrays, poses_dataset
from runningpose.show.report import write_report
from runningpose.skeleton import convert
from runningpose.synthetic import synthetic_runner
from runningpose.video.reader import probe

FPS = 30.0  # frames per second of the keypoints made here


def peak(video, out, model):
    "Peak resident memory of the command and its children, MB"
    cmd = [
        Path(sys.executable).parent / "runningpose",
        video,
        "--out",
        out,
        "--box",
        ",".join(map(str, BOX)),
        "--model",
        model,
        "--quiet",
    ]
    p = subprocess.Popen(cmd, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    top = 0
    err: list = []
    reader = threading.Thread(target=lambda: err.append(p.stderr.read()), daemon=True)
    reader.start()
    while p.poll() is None:
        try:
            me = psutil.Process(p.pid)
            top = max(top, sum(q.memory_info().rss for q in [me, *me.children(recursive=True)]))
        except psutil.NoSuchProcess:
            pass
        time.sleep(0.1)
    if p.returncode:
        sys.exit(f"the command failed: {err}")
    return top / 1e6


def long_run(frames):
    "Keypoints of a run on a treadmill as a detector gives them: with jitter, holes and outliers"
    rng = np.random.default_rng(0)
    minute = pose_arrays(synthetic_runner(3.0, 60, FPS, treadmill=True).pose).position
    camera = look_at(phone_camera(640, 360), (0, -4, 1.0), (0, 0, 1.0))
    body = convert(project(minute.astype(float), camera), "runningpose_22", "halpe_26")
    pixels = np.tile(body.astype(np.float32), (-(-frames // len(body)), 1, 1))[:frames]
    pixels += rng.normal(0, 0.7, pixels.shape).astype(np.float32)
    pixels[rng.random(pixels.shape[:2]) < 0.004] = np.nan
    pixels[rng.random(pixels.shape[:2]) < 0.002] += 60
    confidence = np.full(pixels.shape[:2], 0.9, np.float32)
    facts = dict(image_width=640, image_height=360, backend="rtmpose")
    return poses_dataset(pixels, confidence, "halpe_26", fps=FPS, frame="image", **facts)


def after_detector(frames, trace):
    "Run what follows the detector; print its stages with s, and MB of the process or of arrays"
    raw = long_run(frames)
    if trace:
        tracemalloc.start()

    def done(stage, start):
        top = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
        if trace:
            top = tracemalloc.get_traced_memory()[1] / 1e6
            tracemalloc.reset_peak()
        print(json.dumps([stage, time.time() - start, top]), flush=True)
        return time.time()

    start = time.time()
    kp2d = clean(raw)
    start = done("clean", start)
    got = estimate(kp2d, height=1.75)
    start = done("estimate", start)
    tables = got.pose3d, got.angles, got.events, got.steps, got.metrics
    result = Analysis(Path("run.mp4"), raw, kp2d, *tables, dict(warnings=got.messages, timings={}))
    with tempfile.TemporaryDirectory() as folder:
        write_tables(result, Path(folder))
        start = done("tables", start)
        path = Path(folder) / "report.html"
        write_report(path, result.run, kp2d, *tables[:3], got.metrics, steps=got.steps)
        done("report", start)


def growth(lengths, trace):
    "How the stages after the detector grow from one length to another"
    runs = []
    for frames in lengths:
        cmd = [sys.executable, __file__, "--frames", str(frames), *["--trace"] * trace]
        out = subprocess.run(cmd, stdout=subprocess.PIPE, check=True, text=True).stdout
        runs.append([json.loads(line) for line in out.splitlines()])
    (a, b), scale = lengths, 1e-3 * (lengths[1] - lengths[0])
    what = "arrays" if trace else "peak so far"
    print(f"{'stage':10}{a:>8} frames{b:>15} frames       {what}, MB per 1000 frames")
    for (stage, s0, m0), (_, s1, m1) in zip(*runs, strict=True):
        print(
            f"{stage:10}{s0:5.0f} s {m0:5.0f} MB{s1:9.0f} s {m1:5.0f} MB{(m1 - m0) / scale:12.2f}"
        )
    m0, m1 = (max(m for _, _, m in run) for run in runs)
    slope = (m1 - m0) / scale
    if not trace:
        for name, n in (("20 minutes", 36_000), ("2 hours", 216_000)):
            print(f"{name}: {m1 + (n - b) * 1e-3 * slope:.0f} MB at {slope:.2f} MB per 1000 frames")


@call_parse
def main(
    minutes: float = 20,  # Length of the long video
    model: str = "full",  # Model of the detector
    folder: str = None,  # Where the videos are kept; a temporary folder when not given
    stages: bool = False,  # What follows the detector instead, without a video
    trace: bool = False,  # With --stages: arrays alone, stage by stage (slower)
    frames: int = None,  # Used inside: one run of --stages with as many frames
):
    "Peak memory at 1/20 of the length and at full length"
    if frames:
        return after_detector(frames, trace)
    if stages:
        return growth((9_000, 36_000), trace)
    with tempfile.TemporaryDirectory() as d:
        res = {}
        for m in (minutes / 20, minutes):
            video = walking_video(Path(folder or d) / f"walk_{m:g}_min.mp4", round(m * 60 * 30))
            n = probe(video).frames
            t = time.time()
            res[m] = peak(video, Path(d) / "out", model)
            print(
                f"{n / 1800:.1f} min, {n} frames: peak {res[m]:.0f} MB, {n / (time.time() - t):.1f}"
                " frames/s",
                flush=True,
            )
        a, b = res.values()
        print(f"long to short: {b / a:.2f}")
