"""Videos and facts that several benchmarks share: the rendered clips that the published figures
belong to, a 1080p video of any length made from the sample clip, and the machine's name.
"""

import os
import platform
from datetime import date
from itertools import islice
from pathlib import Path

import av

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


def walking_video(
    path,  # File to write
    frames: int,  # Length, frames at 30 per second, rounded up to whole turns
) -> Path:  # The file
    "A 1080p H.264 video of any length, by copying the packets of one turn; an existing one is kept"
    path = Path(path)
    turn = path.with_name("one_turn.mp4")
    if path.exists():
        return path
    n = one_turn(turn)
    with av.open(str(turn)) as src, av.open(str(path), "w") as out:
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
