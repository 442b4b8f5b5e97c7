"""Live: frames per second of 2D, streaming 3D, drawing and recording on 1080p video, unpaced and in
real time.
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


def at_1080(video, out, frames):
    "The sample clip, scaled to 1080p and repeated up to a number of frames"
    with VideoWriter(out, 1920, 1080, 30) as w:
        n = 0
        while n < frames:
            for f in read_frames(video, start=2.53, end=6.6):
                w.write(np.ascontiguousarray(cv2.resize(f.rgb(), (1920, 1080))))
                n += 1
                if n >= frames:
                    break
    return out


@call_parse
def main(
    frames: int = 600,  # Length of the video
    model: str = "full",  # Model of BlazePose
    goal: float = 25,  # Frames per second
):
    "Print the rate as a ratio to the goal, and the frames dropped in real time"
    with tempfile.TemporaryDirectory() as d:
        video = at_1080(fetch("sample"), Path(d) / "video.mp4", frames)
        print(f"{probe(video).frames} frames of 1080p")
        for real in (False, True):
            r = run_live(
                video, Path(d) / f"live{real}", model=model, real_time=real, announce=lambda s: None
            )
            rate = r["frames_per_second"]
            print(
                f"{'real time' if real else 'unpaced'}: {model}, {r['frames']} frames,"
                f" {r['dropped']} dropped, {rate:.1f} frames/s = {rate / goal:.2f} of the goal of"
                f" {goal:g}, 3D {r['delay']:.2f} s late"
            )
