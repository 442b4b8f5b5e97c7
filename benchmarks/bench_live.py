"""Live: frames a second of 2D, streaming 3D, drawing and recording on 1080p film, as fast as it
goes and in real time.
"""

import tempfile
from pathlib import Path

import cv2
import numpy as np
from fastcore.script import call_parse

from runningpose.files.weights import fetch
from runningpose.pipeline.live import run_live
from runningpose.video.reader import probe, read_frames
from runningpose.video.writer import VideoWriter


def at_1080(film, out, frames):
    "The sample clip, scaled to 1080p, as often as it takes"
    with VideoWriter(out, 1920, 1080, 30) as w:
        n = 0
        while n < frames:
            for f in read_frames(film, start=2.53, end=6.6):
                w.write(np.ascontiguousarray(cv2.resize(f.rgb(), (1920, 1080))))
                n += 1
                if n >= frames:
                    break
    return out


@call_parse
def main(
    frames: int = 600,  # Length of the film
    model: str = "full",  # Model of BlazePose
    goal: float = 25,  # Frames a second
):
    "Print the rate as a ratio to the goal, and what is dropped in real time"
    with tempfile.TemporaryDirectory() as d:
        film = at_1080(fetch("sample"), Path(d) / "film.mp4", frames)
        print(f"{probe(film).frames} frames of 1080p")
        for real in (False, True):
            r = run_live(
                film, Path(d) / f"live{real}", model=model, real_time=real, say=lambda s: None
            )
            print(
                "real time" if real else "as fast as it goes",
                r,
                f"= {r['frames_per_second'] / goal:.2f} of the goal",
            )
