"""A data set of 1,000 generated trials, one file of them damaged: built, killed on the way,
resumed, and read; seconds, and peak memory.
"""

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from runningpose.data.build import build_dataset
from runningpose.data.manifest import open_dataset
from runningpose.data.qtm_text import save_tsv
from runningpose.data.recordings import find_recordings
from runningpose.data.synthetic_markers import synthetic_markers
from runningpose.synthetic import synthetic_runner

PEOPLE = 25


def generate(lab, n):
    """n recordings: one of each person from the synthetic runner, the others copies with another
    first frame, so that no two are the same motion
    """
    for p in range(PEOPLE):
        run = synthetic_runner(
            2.5 + 0.1 * p, seconds=1.7, fps=100, height=1.5 + 0.02 * p, seed=p
        ).pose
        (lab / f"P{p:02}").mkdir(parents=True)
        for k in range(-(-n // PEOPLE)):
            if p + PEOPLE * k < n:
                save_tsv(
                    synthetic_markers(
                        run.isel(time=slice(k % 40, k % 40 + 120)), noise=0.0006, seed=k
                    ),
                    lab / f"P{p:02}" / f"run{k:03}.tsv",
                )
    whole = next((lab / "P00").iterdir())
    (lab / "P00" / "damaged.tsv").write_bytes(whole.read_bytes()[:5000])


def peak_memory():
    "Peak resident memory of this process, MB"
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def build(lab, out):
    t = time.time()
    m = build_dataset(lab, out, progress=True)
    print(
        f"build: {len(m['trials'])} trials in {time.time() - t:.0f} s, {m['reused']} of them taken"
        f" over, {len(m['failed'])} failed, peak {peak_memory():.0f} MB",
        flush=True,
    )
    t = time.time()
    ds = open_dataset(out)
    frames = sum(len(p.time) for _, p in ds.trials())
    w = ds.windows("train", 64)
    a = time.time()
    [next(w) for _ in range(2000)]
    b = time.time()
    print(
        f"read: {frames} frames of {len(ds)} trials in {a - t:.0f} s, 2000 windows in {b - a:.1f}"
        f" s, peak {peak_memory():.0f} MB",
        flush=True,
    )


if __name__ == "__main__":
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--trials", type=int, default=1000)
    p.add_argument("--lab")
    p.add_argument("--out")
    a = p.parse_args()
    if a.lab:
        build(a.lab, a.out)
        sys.exit()
    tmp = Path(tempfile.mkdtemp())
    try:
        generate(tmp / "lab", a.trials)
        print(f"{len(find_recordings(tmp / 'lab'))} recordings of {PEOPLE} people", flush=True)
        run = [sys.executable, __file__, "--lab", str(tmp / "lab"), "--out", str(tmp / "set")]
        child = subprocess.Popen(run, env=os.environ | {"OMP_NUM_THREADS": "1"})
        while len(list((tmp / "set").rglob("*.nc"))) < a.trials // 3:
            time.sleep(0.2)
        child.kill()
        child.wait()
        print(f"killed with {len(list((tmp / 'set').rglob('*.nc')))} trials built", flush=True)
        subprocess.run(run, check=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
    finally:
        shutil.rmtree(tmp)
