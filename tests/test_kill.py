"""kill -9 at every moment that matters: nothing finished is lost, nothing half-written looks
finished, the next run is no dead end and leaves nothing behind.

Crash points are the audit events of Python (open, rename, mkdir, remove …) in a forked process:
it kills itself before the n-th of them. Beside these, kills at seeded random times.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from runningpose.atomic import MARK, check_out, finished_folder, printable, read_record
from runningpose.pipeline import batch
from runningpose.pipeline.analyze import make_options
from runningpose.pipeline.results import RESULT_FILES

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
TOUCHES_DISK = ("open", "os.", "shutil.")


def kill_before(event_number, folder):
    "This process dies before the n-th time that it touches something in a folder"
    count = 0

    def hook(event, args):
        nonlocal count
        if not event.startswith(TOUCHES_DISK) or not any(folder in str(a) for a in args):
            return
        count += 1
        if count == event_number:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


def killed(work, folder, event_number=0, after_s=None):
    "Whether a process was killed in the middle of some work; it is over now"
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            if event_number:
                kill_before(event_number, str(folder))
            work()
            code = 0
        finally:
            os._exit(code)
    if after_s is not None:
        time.sleep(after_s)
        os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status):
        return True
    assert os.WEXITSTATUS(status) == 0
    return False


def write_numbers(out, n):
    "A result of three files that all hold n"
    with finished_folder(out, RESULT_FILES) as folder:
        for name in ("angles.csv", "metrics.csv"):
            (folder / name).write_text(f"{n}\n" * 2000)
        (folder / "run.json").write_text(json.dumps(MARK | dict(n=n)))


def number_in(out):
    "The n of a whole result; None if there is none"
    if not out.exists():
        return None
    n = read_record(out)["n"]
    for name in ("angles.csv", "metrics.csv"):
        assert (out / name).read_text() == f"{n}\n" * 2000
    return n


def assert_no_dead_end(out, earlier):
    "What is there after a kill is whole, and the next run works"
    assert number_in(out) in (None, *earlier)
    check_out(out, RESULT_FILES)
    n = number_in(out)
    assert n in earlier
    assert [p.name for p in out.parent.iterdir()] == [out.name]
    write_numbers(out, n + 1)
    assert number_in(out) == n + 1
    assert [p.name for p in out.parent.iterdir()] == [out.name]


def test_a_folder_is_killed_at_every_step(tmp_path):
    out = tmp_path / "a" / "result"
    write_numbers(out, 0)
    event = 0
    while True:
        event += 1
        n = number_in(out)
        if not killed(lambda n=n: write_numbers(out, n + 1), out.parent, event):
            break
        assert_no_dead_end(out, (n, n + 1))
    assert event > 20


def test_a_folder_is_killed_at_random_times(tmp_path):
    out = tmp_path / "a" / "result"
    write_numbers(out, 0)
    rng = random.Random(18)

    def write_on():
        for n in range(1, 10_000):
            write_numbers(out, n)

    for _ in range(20):
        assert killed(write_on, out.parent, after_s=rng.uniform(0, 0.02))
        assert_no_dead_end(out, range(10_000))


# ---- a batch


def quick(video, out, overlay=True, progress=False, **options):
    "An analysis that costs nothing"
    file = Path(video).stat()
    record = MARK | dict(
        runningpose=batch.runningpose.__version__,
        video=dict(name=printable(file_name := Path(video).name), bytes=file.st_size),
        options=make_options(**options).given(),
        warnings=[],
        key_facts=dict(gait="run"),
    )
    record["video"]["modified"] = int(file.st_mtime)
    if "bad" in file_name:
        raise KeyError("left")
    with finished_folder(out, RESULT_FILES) as folder:
        (folder / "metrics.csv").write_text("metric,side,value\nspeed,both,3.1\n")
        (folder / "report.html").write_text("report")
        (folder / "run.json").write_text(json.dumps(record))


def assert_whole(out):
    "Nothing of a batch that looks finished is half-written"
    for name, mark in batch.BATCH_FILES.items():
        path = out / name
        assert not path.exists() or batch.is_marked(path, mark) or name == "failures.log"
    if (out / "index.html").exists():
        assert (out / "index.html").read_text().endswith("</html>")
    if (out / "summary.csv").exists():
        assert set(pd.read_csv(out / "summary.csv").status) <= {"done", "reused", "failed"}
    for name in ("a", "b", "c"):
        if (out / name).exists():
            assert {p.name for p in (out / name).iterdir()} == {
                "metrics.csv",
                "report.html",
                "run.json",
            }


def test_a_batch_is_killed_at_random_steps(tmp_path, monkeypatch):
    monkeypatch.setattr(batch, "analyze", quick)
    monkeypatch.setattr(batch, "check_options", lambda options: None)  # no lifter is needed
    (tmp_path / "in").mkdir()
    for name in ("a", "b", "bad", "c"):
        (tmp_path / "in" / f"{name}.mp4").write_text("x")
    rng = random.Random(18)
    kills = 0
    for round_number in range(24):
        out = tmp_path / f"out{round_number}"

        def run(out=out):
            return batch.run_batch([tmp_path / "in"], out, overlay=False, progress=False)

        for _ in range(2):  # a kill of the rerun as well
            kills += killed(run, out, event_number=rng.randint(1, 120))
            assert_whole(out)
        finished = {name for name in ("a", "b", "c") if (out / name).exists()}
        status = {Path(v).stem: s for v, s in zip(*run()[["video", "status"]].to_numpy().T)}
        assert {name for name, s in status.items() if s == "reused"} == finished
        assert status.pop("bad") == "failed" and set(status.values()) <= {"done", "reused"}
        assert {p.name for p in out.iterdir()} == {
            *("a", "b", "c"),
            *(set(batch.BATCH_FILES) - {"running.txt"}),
        }
    assert kills > 24


# ---- the main job


def kill_main_job(folder):
    "In a process of its own that no thread was started in: write a real result, killed on the way"
    from runningpose.pipeline.estimate import estimate
    from runningpose.pipeline.results import Analysis, findings, provenance, write_results
    from runningpose.pose2d.clean import clean
    from runningpose.poses import load_poses
    from runningpose.video.reader import probe

    kp2d = clean(load_poses(folder / "keypoints.nc"))
    video = folder / "run.mp4"
    got = estimate(kp2d)
    out = folder / "a" / "result"

    def write(note):
        record = provenance(probe(video), {}) | findings(kp2d, got)
        record |= dict(warnings=[note], timings={})
        tables = (got.pose3d, got.angles, got.events, got.steps, got.metrics)
        write_results(Analysis(video, kp2d, kp2d, *tables, record), out, False, False)

    write("0")  # the first one takes longer
    start = time.perf_counter()
    write("0")
    seconds = time.perf_counter() - start
    rng = random.Random(18)
    kills = 0
    for attempt in range(1, 9):
        before = read_record(out)["warnings"]
        moment = dict(event_number=rng.randint(1, 60))
        if attempt % 2:
            moment = dict(after_s=rng.uniform(0, seconds))
        kills += killed(lambda note=str(attempt): write(note), out.parent, **moment)
        check_out(out, RESULT_FILES)
        assert read_record(out)["warnings"] in (before, [str(attempt)])
        assert {p.name for p in out.iterdir()} == RESULT_FILES - {"live.mp4", "overlay.mp4"}
        assert [p.name for p in out.parent.iterdir()] == ["result"]
        load_poses(out / "pose3d.nc")
    assert kills >= 5


def test_the_main_job_is_killed(tmp_path):
    from runningpose.camera import look_at, phone_camera, project
    from runningpose.poses import pose_arrays, poses_dataset, save_poses
    from runningpose.skeleton import convert
    from runningpose.synthetic import synthetic_runner
    from runningpose.video.writer import VideoWriter

    run = synthetic_runner(3.0, seconds=2, treadmill=True, fps=30)
    camera = look_at(phone_camera(320, 180), [0, -4.5, 1.1], [0, 0, 1.0])
    px = convert(project(pose_arrays(run.pose)[0], camera), "runningpose_22", "halpe_26")
    size = dict(image_width=320, image_height=180)
    save_poses(
        poses_dataset(px, time=run.pose.time.values, fps=30.0, **size), tmp_path / "keypoints.nc"
    )
    with VideoWriter(tmp_path / "run.mp4", 320, 180, 30) as writer:
        for _ in px:
            writer.write(np.full((180, 320, 3), 120, np.uint8))
    r = subprocess.run(
        [sys.executable, __file__, tmp_path],
        capture_output=True,
        text=True,
        env=os.environ | dict(OMP_NUM_THREADS="1"),
        timeout=300,
    )
    assert r.returncode == 0, r.stderr


@pytest.mark.parametrize("after_s", (0.02, 0.1, 0.3, 1.0))
def test_ctrl_c_during_the_imports(tmp_path, after_s):
    "No traceback, whenever it comes once Python itself has started"
    video = tmp_path / "a.mp4"
    video.write_text("no video")
    process = subprocess.Popen(
        [sys.executable, "-X", "importtime", "-m", "runningpose", str(video), "--out", "o"],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # a job in the background ignores Ctrl-C otherwise
    try:
        while "| runningpose\n" not in process.stderr.readline():
            assert process.poll() is None
        time.sleep(after_s)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    # Where the interrupt passes through an `exec` of Python's own (dataclasses, named tuples),
    # Python ends itself by SIGINT after our exit(130); a shell shows 130 for both
    assert process.returncode in (130, -signal.SIGINT, 2) and "Traceback" not in said
    assert [p.name for p in tmp_path.iterdir()] == ["a.mp4"]


if __name__ == "__main__":
    kill_main_job(Path(sys.argv[1]))
