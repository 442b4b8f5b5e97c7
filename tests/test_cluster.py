"""A batch on a Dask cluster of two workers, one of which is killed during it; skipped without
Dask or without weights.
"""

import os
import signal
import threading
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from runningpose.files.weights import fetch, find
from runningpose.pipeline.batch import run_batch
from runningpose.video.reader import read_frames
from runningpose.video.writer import VideoWriter

distributed = pytest.importorskip(
    "dask.distributed", reason="Dask is not installed (runningpose[dask])"
)
pytestmark = pytest.mark.skipif(
    find("full") is None or find("sample") is None,
    reason="weights and sample clip are not here (runningpose_fetch)",
)


def clips(folder, n):
    "Short clips of the sample, and one file that is not a video"
    frames = [
        cv2.resize(f.rgb(), (884, 497))
        for f in read_frames(fetch("sample", progress=False), start=3.0, end=3.7)
    ]
    for k in range(n):
        with VideoWriter(folder / f"clip{k}.mp4", 884, 497, 30) as w:
            for f in frames:
                w.write(np.ascontiguousarray(f))
    (folder / "bad.mp4").write_text("not a video")


def test_worker_killed(tmp_path):
    (tmp_path / "in").mkdir()
    clips(tmp_path / "in", 5)
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
    ) as cluster:

        def kill():
            while not list((tmp_path / "out").glob("clip*/run.json")):
                time.sleep(0.1)
            os.kill(next(iter(cluster.workers.values())).pid, signal.SIGKILL)

        threading.Thread(target=kill, daemon=True).start()
        df = run_batch(
            [tmp_path / "in"],
            tmp_path / "out",
            cluster.scheduler_address,
            overlay=False,
            progress=False,
            model="full",
        ).set_index("video")
    status = {Path(v).name: s for v, s in df.status.items()}
    assert (
        status.pop("bad.mp4") == "failed"
        and set(status.values()) <= {"done", "reused"}
        and len(status) == 5
    )
    assert (
        all((tmp_path / "out" / f"clip{k}" / "report.html").exists() for k in range(5))
        and (tmp_path / "out" / "index.html").exists()
    )
