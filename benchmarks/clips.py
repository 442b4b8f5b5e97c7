"""Videos and facts that several benchmarks share: the rendered clips that the published figures
belong to, videos of any length made from the sample clip, and the machine's name.
"""

import os
import platform
from collections.abc import Callable
from datetime import date
from itertools import islice
from pathlib import Path

import av
import cv2
import numpy as np

from runningpose.files.weights import fetch
from runningpose.video.reader import read_frames
from runningpose.video.writer import VideoWriter

SIZE, BOX = (1920, 1080), (1268, 434, 645, 645)  # Where she is in the first frame, px at 1080p


def machine():
    "The machine, the version of Python and the date, as every saved figure names them"
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    cpu = names[0] if names else platform.processor()
    return dict(
        date=str(date.today()),
        cpu=cpu,
        cores=os.cpu_count(),
        python=platform.python_version(),
    )


def published_clips(folder):
    "The 13 rendered clips of the published figures, in the order of their names"
    return sorted(f for pattern in ("run*.mp4", "welk*.mp4") for f in Path(folder).glob(pattern))


def one_turn(
    path,  # File to write
) -> int:  # Its length, frames
    """Frames 76 to 195 of the sample clip, forward and then backward in time so that the woman
    never jumps, at 30 frames/s
    """
    seg = [f.rgb(*SIZE) for f in islice(read_frames(fetch("sample")), 76, 196)]
    turn = [*seg, *seg[-2:0:-1]]
    with VideoWriter(path, *SIZE, 30, crf=20, preset="veryfast") as w:
        for im in turn:
            w.write(im)
    return len(turn)


SMALL_SIZE = (640, 360)  # px
FIRST_STRIDE, STRIDES_END = 80, 153  # frames of the sample clip: two strides, 2.4 s


def two_strides(
    path,  # File to write
) -> int:  # Its length, frames
    "Two strides of the sample clip in a 640x360 window that goes with the woman, at 30 frames/s"
    w, h = SMALL_SIZE
    clip = islice(read_frames(fetch("sample")), FIRST_STRIDE, STRIDES_END)
    with VideoWriter(path, w, h, 30, crf=20, preset="veryfast") as writer:
        for i, frame in enumerate(clip):
            left = round(1220 - 10.0 * i) - 540  # she walks 10 px a frame to the left
            padded = np.pad(frame.rgb(), ((0, 0), (540, 540), (0, 0)), "edge")
            window = padded[386:994, left + 540 : left + 540 + 1080]
            writer.write(cv2.resize(window, (w, h), interpolation=cv2.INTER_AREA))
    return STRIDES_END - FIRST_STRIDE


def looped_video(
    path,  # File to write
    frames: int,  # Length, frames at 30 per second, rounded up to whole loops
    loop: Callable = one_turn,  # Writes what is looped, and gives its length in frames
) -> Path:  # The file
    "An H.264 video of any length, by copying the packets of a loop; an existing one is kept"
    path = Path(path)
    once = path.with_name(f"{loop.__name__}.mp4")
    if path.exists():
        return path
    n = loop(once)
    with av.open(str(once)) as src, av.open(str(path), "w") as out:
        s = src.streams.video[0]
        o = out.add_stream_from_template(s)
        length = round(n / 30 / s.time_base)
        for k in range(-(-frames // n)):
            src.seek(0)
            for p in src.demux(s):
                if p.dts is None:
                    continue
                p.pts, p.dts, p.stream = p.pts + k * length, p.dts + k * length, o
                out.mux(p)
    return path
