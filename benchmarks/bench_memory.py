"""Peak memory of the main job on a 20-minute and a 2-hour video, stage by stage, and what a minute
more costs.

Two strides of the sample clip are looped. The network sees every picture of the loop once; then its
answers are remembered by the picture, because two hours of detection are two hours of computing.
Everything else is done for every frame: decoding, cropping, tracking, repair, lifting, events,
metrics, tables, report. `--real` asks the network for every frame.
"""

import json
import re
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from copy import deepcopy
from pathlib import Path
from typing import NamedTuple

import numpy as np
import psutil
from clips import looped_video, machine, two_strides
from fastcore.script import call_parse

from runningpose.pipeline.analyze import analyze
from runningpose.pose2d import search
from runningpose.pose2d.blazepose import BlazePose, roi_matrix
from runningpose.video.frame import read_planes
from runningpose.video.reader import probe

FPS = 30
SAMPLED_S = 0.02  # time between two looks at the memory, s
SAME_CROP = 0.1  # distance of two crops of a picture that count as one, part of their side
STARTING = "start"  # the stage before the first one
BEGIN, END = "<!-- bench_memory.py -->", "<!-- end of bench_memory.py -->"


class RememberingBlazePose(BlazePose):
    "BlazePose that asks the networks once for every picture, and then gives the same answer"

    def __init__(self, *args):
        super().__init__(*args)
        self.points: dict = {}  # of a picture: crop and landmarks
        self.people: dict = {}

    def landmarks(self, frame, roi):
        picture = zlib.crc32(np.ascontiguousarray(read_planes(frame.picture)[0]))
        known_roi, points = self.points.get(picture, (None, None))
        if known_roi is None or not same_crop(roi, known_roi):
            points = super().landmarks(frame, roi)
            self.points[picture] = roi, points
        else:
            frame.warp(roi_matrix(roi), 256, 256)
        return deepcopy(points)

    def detect(self, rgb, corner=(0, 0), scale=1.0):
        picture = zlib.crc32(np.ascontiguousarray(rgb)), scale
        if picture not in self.people:
            self.people[picture] = super().detect(rgb, corner, scale)
        return deepcopy(self.people[picture])


def same_crop(a, b):
    "Whether two crops show about the same part of a picture"
    apart = np.hypot(a.x - b.x, a.y - b.y)
    return max(apart, abs(a.side - b.side)) < SAME_CROP * b.side and abs(a.angle - b.angle) < 0.2


def run_job(video, out, real):
    "The main job, in this process; prints the name of each stage as it begins, then what came out"
    if not real:
        search.BlazePose = RememberingBlazePose

    def announce(stage):
        print(stage, flush=True)

    result = analyze(video, out, False, announce, model="full", select="centre")
    facts = dict(gait=result.run["key_facts"]["gait"], contacts=len(result.steps))
    facts |= dict(frames=len(result.angles), metrics=int(result.metrics.value.count()))
    print(json.dumps(facts), flush=True)


class Stage(NamedTuple):
    seconds: float
    peak: float  # of the resident memory, MB


class Measured(NamedTuple):
    "One run of the main job"

    minutes: float  # length of the video
    stages: dict[str, Stage]
    peak: float  # of the whole process, as the kernel counts it, MB
    found: dict  # gait, contacts, frames, metrics


def measure(video, out, real):
    "Run the main job in a process of its own, and look at its memory from outside"
    cmd = [sys.executable, __file__, "--video", str(video), "--out", str(out), *["--real"] * real]
    process = subprocess.Popen(cmd, stdout=subprocess.PIPE, text=True)
    announced = [(STARTING, time.time())]

    def read():
        announced.extend((line.strip(), time.time()) for line in process.stdout)

    threading.Thread(target=read, daemon=True).start()
    peaks, child = {}, psutil.Process(process.pid)
    while process.poll() is None:
        stage = announced[-1][0]
        try:
            peaks[stage] = max(peaks.get(stage, 0), child.memory_info().rss / 1e6)
        except psutil.NoSuchProcess:
            break
        time.sleep(SAMPLED_S)
    if process.wait():
        sys.exit(f"the main job failed on {video}")
    *begins, (found, end) = announced
    ends = [begin for _, begin in begins[1:]] + [end]
    stages = {
        name: Stage(stop - begin, peaks.get(name, 0.0))
        for (name, begin), stop in zip(begins, ends, strict=True)
    }
    return Measured(probe(video).frames / FPS / 60, stages, max(peaks.values()), json.loads(found))


def table(short, long):
    "Time and memory of the stages of two runs, and the growth from one to the other"
    minutes = long.minutes - short.minutes

    def row(name, a, b):
        growth = (b.peak - a.peak) / minutes
        return (
            f"{name:13} {a.seconds:6.0f} s {a.peak:6.0f} MB {b.seconds:6.0f} s {b.peak:6.0f} MB"
            f" {growth:7.2f} MB/min"
        )

    rows = [row(name, stage, long.stages[name]) for name, stage in short.stages.items()]
    whole = [Stage(sum(s.seconds for s in run.stages.values()), run.peak) for run in (short, long)]
    head = f"{'':13} {short.minutes:8.0f} minutes {'':4}{long.minutes:8.0f} minutes"
    found = [f"{run.minutes:.0f} minutes: {run.found}" for run in (short, long)]
    return "\n".join([head, *rows, row("whole job", *whole), *found])


def save(text):
    "Put the output into README.md of this folder, between its marks"
    m = machine()
    head = f"{m['date']}, {m['cpu']}, {m['cores']} cores, Python {m['python']}."
    page = Path(__file__).resolve().parent / "README.md"
    body = f"{BEGIN}\n\n{head}\n\n{text}\n\n{END}"
    page.write_text(re.sub(f"{BEGIN}.*{END}", lambda _: body, page.read_text(), flags=re.S))


@call_parse
def main(
    short: float = 20,  # Length of the short video, minutes
    long: float = 120,  # Length of the long video, minutes
    real: bool = False,  # Ask the network for every frame
    folder: str = None,  # Where the videos are kept; a temporary folder when not given
    write: bool = False,  # Write the output into README.md
    video: str = None,  # Used inside: run the main job on this video
    out: str = None,  # Used inside: folder of its results
):
    "Peak memory of the main job on two lengths, and its growth by stage"
    if video:
        return run_job(video, out, real)
    runs = []
    with tempfile.TemporaryDirectory() as d:
        for minutes in (short, long):
            name = Path(folder or d) / f"walk_{minutes:g}_min.mp4"
            film = looped_video(name, round(minutes * 60 * FPS), two_strides)
            runs.append(measure(film, Path(d) / f"out_{minutes:g}", real))
            print(runs[-1], flush=True)
    asked = "every frame" if real else "every picture of the loop once; its answers are remembered"
    text = f"The network is asked for {asked}.\n\n```\n{table(*runs)}\n```"
    print(text)
    if write:
        save(text)
