"""A data set through the real commands: built, killed, resumed, trained on and scored, within a
memory limit.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from runningpose.data.qtm import save_markers
from runningpose.data.synthetic_markers import synthetic_markers
from runningpose.synthetic import synthetic_runner

BIN = Path(sys.executable).parent
# VmHWM belongs to the program itself; ru_maxrss would also count what its parent held at the start
MEMORY = (
    "from runningpose.data.build import build_dataset; "
    "from runningpose.data.manifest import open_dataset; "
    "m = build_dataset({lab!r}, {out!r}, progress=False); "
    'n = sum(len(p.time) for _,p in open_dataset({out!r}).trials()); print(n, len(m["failed"]), '
    'int(next(l for l in open("/proc/self/status") if l.startswith("VmHWM")).split()[1])/1024)'
)


def run(command, *args, cwd=None):
    env = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [BIN / command, *map(str, args)],
        cwd=cwd,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=300,
        env=env,
    )


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    "Recordings of four people, 24 in all, and one that is damaged"
    d = tmp_path_factory.mktemp("lab")
    for k, person in enumerate(("Anna", "Bo", "Cem", "Dana")):
        marks = synthetic_markers(
            synthetic_runner(
                2.6 + 0.4 * k, seconds=2.3, fps=100, height=1.6 + 0.06 * k, seed=k
            ).pose,
            noise=0.0005,
        )
        (d / person).mkdir()
        for i in range(6):
            save_markers(marks.isel(time=slice(9 * i, 9 * i + 150)), d / person / f"run{i}.tsv")
    (d / "Anna" / "broken.tsv").write_text((d / "Anna" / "run0.tsv").read_text()[:4000])
    return d


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_killed_and_resumed(lab, tmp_path):
    """After SIGKILL there is no manifest; the next build takes over the finished trials, and
    reports the damaged file
    """
    out = tmp_path / "set"
    p = subprocess.Popen(
        [BIN / "runningpose_build_dataset", str(lab), str(out)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    start = time.time()
    while len(list(out.rglob("*.nc"))) < 4 and p.poll() is None and time.time() - start < 100:
        time.sleep(0.02)
    assert p.poll() is None
    p.send_signal(signal.SIGKILL)
    p.wait(30)
    done = len(list(out.rglob("*.nc")))
    assert done < 24 and not (out / "manifest.json").exists()
    assert (
        "was not finished"
        in run("runningpose_train", out, tmp_path / "lifter", "--steps", 1).stderr
    )
    r = run("runningpose_build_dataset", lab, out, "--test", "Dana", "--validation", "Cem")
    assert r.returncode == 0, r.stderr
    m = json.loads((out / "manifest.json").read_text())
    assert len(m["trials"]) == 24 and m["reused"] == done
    assert (
        "broken.tsv" in r.stderr
        and "cut off" in r.stderr
        and "24 of 25 recordings used" in r.stdout
        and "test: Dana" in r.stdout
    )
    assert not list(out.rglob("*.new")) and not list(out.rglob("*.part"))


def test_train_and_score(lab, tmp_path):
    """A lifter is trained on the people of one split and scored on another; a person in two splits
    is refused
    """
    out = tmp_path / "set"
    assert run("runningpose_build_dataset", lab, out, "--test", "Dana").returncode == 0
    small = ("--steps", 3, "--channels", 16, "--batch", 2, "--frames", 8)
    r = run("runningpose_train", out, tmp_path / "lifter", *small)
    assert r.returncode == 0, r.stderr
    facts = json.loads((tmp_path / "lifter.json").read_text())
    assert "Dana" not in json.dumps(facts) and "Anna" in json.dumps(facts)
    r = run("runningpose_evaluate", out, "test", tmp_path / "lifter", "--views", 1)
    assert r.returncode == 0 and re.search(r"Dana\s+blazepose\s+\d", r.stdout), r.stdout + r.stderr
    r = run("runningpose_evaluate", out, "Anna", tmp_path / "lifter", "--views", 1)
    assert r.returncode == 2 and "was trained on Anna" in r.stderr
    m = json.loads((out / "manifest.json").read_text())
    m["trials"][0]["split"] = "test"
    del m["content_sha256"]  # as the page on data sets says for changes by hand
    (out / "manifest.json").write_text(json.dumps(m))
    r = run("runningpose_train", out, tmp_path / "lifter2", *small)
    assert (
        r.returncode == 2
        and "Anna is in" in r.stderr
        and "may only be in one" in r.stderr
        and not (tmp_path / "lifter2.json").exists()
    )


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc is only there")
def test_memory(lab, tmp_path):
    """Building and reading hold less than 500 MB; benchmarks/bench_dataset.py does it with 1,000
    trials
    """
    code = MEMORY.format(lab=str(lab), out=str(tmp_path / "set"))
    r = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=200)
    assert r.returncode == 0, r.stderr
    frames, failed, mb = map(float, r.stdout.split())
    assert (frames, failed) == (24 * 90, 1) and mb < 500


def test_format_and_prepare(lab, tmp_path):
    "The commands of the thesis code with its flags, from another directory"
    r = run(
        "runningpose_format_qtmdata",
        "--data-file",
        lab / "Anna" / "run0.tsv",
        "--output-dir",
        tmp_path / "csv",
        "--cut-frame",
        100,
        "--camera",
        2,
        "--rate",
        50,
        cwd=tmp_path,
    )
    assert r.returncode == 0 and "50 frames at 50 Hz" in r.stdout, r.stdout + r.stderr
    assert sorted(f.name for f in (tmp_path / "csv").iterdir()) == [
        "run0.nc",
        "run0_3D_keypoints.csv",
        "run0_Camera2_2D_keypoints.csv",
    ]
    r = run("runningpose_prepare_data_3d", "-i", "csv", "-o", "mine", "-c", 2, cwd=tmp_path)
    assert r.returncode == 0 and (tmp_path / "data_3d_mine.npz").exists(), r.stderr
    r = run("runningpose_prepare_data_coco", "--image-ext", "mp4", "csv", cwd=tmp_path)
    assert r.returncode == 2 and "no .mp4 files" in r.stderr
    r = run(
        "runningpose_format_qtmdata",
        "--data-file",
        lab / "Anna" / "broken.tsv",
        "--output-dir",
        tmp_path / "x",
    )
    assert r.returncode == 2 and r.stderr.count("\n") == 1
    assert not (tmp_path / "x").exists()
