"""Speed of 2D keypoints against MediaPipe's own, on the same 1080p file.

    python benchmarks/bench_2d.py /path/to/venv/bin/python [--rounds 5] [--threads 2]

The venv holds mediapipe==0.10.21 with pose_landmark_heavy.tflite in its modules/pose_landmark (see
compare_mediapipe.py). Frames 76 to 195 of the sample clip are written as 1920x1080 H.264, four
times forward and backward, 480 frames. Every round times RunningPose and MediaPipe
(model_complexity 2 and 1, frames from OpenCV) one after the other, with heavy and with full. On our
side it times all of `infer_blazepose`: decoding, detection, tracking, detection passes and
selection; loading the networks does not count. The result is the median of the ratios within a
round, because other programs on the machine slow both sides of a ratio. The goal is 1.4 x MediaPipe
for both.
"""

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

WOMAN = (1270, 430, 360, 600)  # box of the woman in the first frame: x, y, width, height, px
NAMES = ("heavy", "mediapipe heavy", "full", "mediapipe full")
MEDIAPIPE_SIDE = """
import sys, time, cv2, numpy as np, mediapipe as mp
pose = mp.solutions.pose.Pose(model_complexity=int(sys.argv[2])); pose.process(np.zeros((1080, 1920, 3), np.uint8))
cap, n, seen, t, c = cv2.VideoCapture(sys.argv[1]), 0, 0, time.perf_counter(), time.process_time()
while True:
    ok, im = cap.read()
    if not ok: break
    n += 1; seen += pose.process(cv2.cvtColor(im, cv2.COLOR_BGR2RGB)).pose_landmarks is not None
print(n/(time.perf_counter()-t), seen, (time.process_time()-c)/n*1e3)
"""


def hd_clip(path, times=4):
    "Frames 76 to 195 of the sample clip, 1920x1080, forward and backward"
    from runningpose.files.weights import fetch
    from runningpose.video.reader import Clip
    from runningpose.video.writer import VideoWriter

    walk = [f.rgb() for f in Clip(fetch("sample"), 76 / 30 - 0.01, 196 / 30 - 0.01).frames()]
    with VideoWriter(path, 1920, 1080, 30, crf=20, preset="medium") as out:
        for k in range(times):
            for im in walk[:: -1 if k % 2 else 1]:
                out.write(cv2.resize(im, (1920, 1080), interpolation=cv2.INTER_CUBIC))


def ours(clip, model, threads):
    "Frames a second, frames with a person, CPU ms a frame"
    from runningpose.pose2d import search
    from runningpose.video.reader import Clip

    net, clip = search.BlazePose(model, threads), Clip(clip)
    make, search.BlazePose = search.BlazePose, lambda *_: net
    t, c, n = time.perf_counter(), time.process_time(), len(clip)
    try:
        ds = search.infer_blazepose(clip, WOMAN, model=model, threads=threads)
    finally:
        search.BlazePose = make
    return (
        n / (time.perf_counter() - t),
        n - ds.attrs["frames_lost"],
        (time.process_time() - c) / n * 1e3,
    )


def theirs(clip, code, python, level):
    "The same of MediaPipe"
    fps, seen, cpu = subprocess.run(
        [python, code, clip, level], check=True, capture_output=True, text=True
    ).stdout.split()
    return float(fps), int(seen), float(cpu)


def parts(clip):
    "CPU ms a frame of reading alone, and of reading with the crop"
    from runningpose.pose2d.blazepose import Roi, roi_matrix
    from runningpose.video.reader import Clip

    m = roi_matrix(Roi(900, 700, 560, 0.1))
    out = []
    for work in (lambda f: None, lambda f: f.warp(m, 256, 256), lambda f: f.rgb()):
        c = time.process_time()
        n = sum(1 for f in Clip(clip).frames() if [work(f)])
        out.append((time.process_time() - c) / n * 1e3)
    return out


def main():
    a = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    a.add_argument("python", help="python of the venv with mediapipe")
    a.add_argument("--rounds", type=int, default=5)
    a.add_argument("--threads", type=int, default=2)
    a = a.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as tmp:
        clip, code = Path(tmp) / "hd.mp4", Path(tmp) / "side.py"
        hd_clip(clip)
        code.write_text(MEDIAPIPE_SIDE)
        for i in range(a.rounds):
            got = [
                f(m)
                for m, level in (("heavy", "2"), ("full", "1"))
                for f in (
                    lambda m: ours(clip, m, a.threads),
                    lambda _, level=level: theirs(clip, code, a.python, level),
                )
            ]
            rows.append(got)
            print(
                f"round {i + 1}: "
                + "; ".join(
                    f"{n} {v[0]:.1f} frames/s (person in {v[1]}, {v[2]:.0f} CPU ms a frame)"
                    for n, v in zip(NAMES, got, strict=True)
                )
                + f"; load {os.getloadavg()[0]:.1f}",
                flush=True,
            )
        read, warp, rgb = parts(clip)
    r = np.array(rows)
    ratio = [float(np.median(r[:, k, 0] / r[:, k + 1, 0])) for k in (0, 2)]
    cpu = [float(np.median(r[:, k + 1, 2] / r[:, k, 2])) for k in (0, 2)]
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, {a.threads} threads, 1920x1080 H.264,"
        " decoding included"
    )
    for n, v in zip(NAMES, np.median(r, axis=0), strict=True):
        print(f"{n:18} {v[0]:6.1f} frames/s, {v[2]:6.1f} CPU ms a frame (medians)")
    print(
        f"CPU ms a frame: decoding {read:.1f}, crop from the planes {warp - read:.1f}"
        f" (converting all of the frame: {rgb - read:.1f})"
    )
    print(
        f"RunningPose / MediaPipe: heavy {ratio[0]:.2f}, full {ratio[1]:.2f} (goal 1.4); by CPU"
        f" time {cpu[0]:.2f} and {cpu[1]:.2f}"
    )
    sys.exit(int(min(ratio) < 1.4))


if __name__ == "__main__":
    main()
