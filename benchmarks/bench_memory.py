"Peak memory of the main job on a short and on a long video: it must hardly grow with the length."

import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil
from clips import BOX, walking_video
from fastcore.script import call_parse

from runningpose.video.reader import probe


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


@call_parse
def main(
    minutes: float = 20,  # Length of the long video
    model: str = "full",  # Model of the detector
    folder: str = None,  # Where the videos are kept; a temporary folder when not given
):
    "Peak memory at 1/20 of the length and at full length"
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
