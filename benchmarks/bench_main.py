"""Speed of the whole job at 1080p, overlay and report included: frames per second, and their ratio
to the goals and to the video's rate.
"""

import os
import statistics
import tempfile
import time
from pathlib import Path

import torch
from clips import BOX, looped_video
from fastcore.script import call_parse

from runningpose.pipeline.analyze import analyze
from runningpose.video.reader import probe

GOALS = dict(heavy=20, full=35)


@call_parse
def main(
    frames: int = 480,  # Length of the video
    rounds: int = 3,  # Interleaved rounds
    folder: str = None,  # Where the video is kept; a temporary folder when not given
):
    "Medians over interleaved rounds of both models"
    torch.set_num_threads(2)
    with tempfile.TemporaryDirectory() as d:
        video = looped_video(Path(folder or d) / f"walk_{frames}.mp4", frames)
        frames = probe(video).frames
        speed: dict = {m: [] for m in GOALS}
        analyze(video, Path(d) / "warm", model="full", box=BOX, end=1, progress=False)
        for r in range(rounds):
            for model in sorted(GOALS, reverse=bool(r % 2)):
                t = time.perf_counter()
                res = analyze(video, Path(d) / "out", model=model, box=BOX, progress=False)
                speed[model].append(frames / (time.perf_counter() - t))
                print(model, f"{speed[model][-1]:.1f} frames/s", res.run["timings"], flush=True)
    for model, goal in GOALS.items():
        v = statistics.median(speed[model])
        print(
            f"{model:6}{v:6.1f} frames/s = {v / goal:.2f} of the goal of {goal}, {v / 30:.2f} of"
            " the video's rate"
        )
    print(f"1080p, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
