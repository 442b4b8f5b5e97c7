"""Where results go: nothing of a user's is replaced or removed, and what cannot be written is said
before the work. Special files only in temporary folders.
"""

import json
import os
import re
import socket
import stat
import tempfile
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from runningpose.atomic import MARK, OutputError, check_out, finished_folder, read_record
from runningpose.camera import look_at, phone_camera, project
from runningpose.pipeline import batch
from runningpose.pipeline.analyze import analyze
from runningpose.pipeline.batch import run_batch
from runningpose.pipeline.results import RESULT_FILES
from runningpose.pose2d.backend import BACKENDS
from runningpose.pose2d.upright import TurnedPicture
from runningpose.poses import like, pose_arrays, poses_dataset
from runningpose.skeleton import convert, skeleton
from runningpose.synthetic import synthetic_runner
from runningpose.video.writer import VideoWriter

posix = pytest.mark.skipif(os.name == "nt", reason="signals of POSIX, pipes and modes likewise")
LATIN1 = os.fsdecode(b"l\xe4ufer.mp4")  # as a Windows archive may name it


def snapshot(folder):
    "Every name below a folder, with what is in it"
    return {
        path.relative_to(folder): path.read_bytes() if path.is_file() else stat.S_IFMT(mode)
        for path in sorted(folder.rglob("*"))
        if (mode := path.lstat().st_mode)
    }


def grey_video(path, frames=90):
    with VideoWriter(path, 320, 180, 30) as writer:
        for _ in range(frames):
            writer.write(np.full((180, 320, 3), 120, np.uint8))
    return path


@contextmanager
def planted_backend():
    "A detector that knows where the synthetic runner is, so that no weights are needed"
    truth = synthetic_runner(seconds=3.0, fps=30, treadmill=True)
    camera = look_at(phone_camera(320, 180), [0, -4.5, 1.1], [0, 0, 1.0])
    xyz = pose_arrays(truth.pose)[0]

    def planted(clip, **options):
        index = [frame.index for frame in clip.frames()]
        px = convert(project(xyz[index], camera), skeleton("runningpose_22"), "halpe_26")
        size = dict(image_width=320, image_height=180)
        facts = dict(backend="planted", frames_lost=0, video=clip.path.name)
        return poses_dataset(px, time=clip.times, fps=clip.fps, **facts, **size)

    BACKENDS["planted"] = planted
    try:
        yield
    finally:
        del BACKENDS["planted"]


@contextmanager
def no_work():
    "Detection must not begin"

    def never(clip, **options):
        raise AssertionError("the work began")

    BACKENDS["planted"] = never
    try:
        yield
    finally:
        del BACKENDS["planted"]


PIPE, SOCKET = object(), object()
OURS = json.dumps(MARK)
KINDS = {
    "file": "mine",
    "pipe": PIPE,
    "socket": SOCKET,
    "link into a file": Path("a.mp4/below"),
    "own run.json": {"run.json": '{"distance_km": 10}'},
    "run.json without our mark": {"run.json": '{"runningpose": "0.1.0", "warnings": []}'},
    "deeply nested run.json": {"run.json": "[" * 100_000},
    "a pipe as run.json": {"run.json": PIPE},
    "no run.json": {"report.html": "mine"},
    "own report.html": {"report.html": {"photo.jpg": "mine"}},
    "a link in a result": {"run.json": OURS, "overlay.mp4": Path("../a.mp4")},
    "a pipe in a result": {"run.json": OURS, "metrics.csv": PIPE},
    "a photo in a result": {"run.json": OURS, "photo.jpg": "mine"},
}


def put(path, what):
    "A file with a text, a folder, a link, a pipe or a socket"
    if isinstance(what, dict):
        path.mkdir()
        for name, inside in what.items():
            put(path / name, inside)
    elif isinstance(what, Path):
        path.symlink_to(what)
    elif what is PIPE:
        os.mkfifo(path)
    elif what is SOCKET:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(path))
    else:
        path.write_text(what)
    return path


@posix
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_not_ours_is_refused_before_the_work(tmp_path, kind):
    video = grey_video(tmp_path / "a.mp4", 10)
    out = put(tmp_path / "out", KINDS[kind])
    before = snapshot(tmp_path)
    with no_work(), pytest.raises(OutputError):
        analyze(video, out, backend="planted", progress=False)
    assert snapshot(tmp_path) == before


@posix
def test_a_device_is_no_folder(tmp_path):
    "A pipe stands for it: a device is never named as an output"
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OutputError, match="is no folder; a folder is needed"):
        check_out(tmp_path / "pipe")
    with pytest.raises(OutputError, match="cannot be made: .*pipe is no folder"):
        check_out(tmp_path / "pipe" / "below")


@posix
@pytest.mark.parametrize("umask", (0o002, 0o022, 0o077))
def test_mode_is_what_mkdir_gives(tmp_path, umask):
    "In a shared folder of a laboratory too: its group is handed on"
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab").chmod(0o2775)
    before = os.umask(umask)
    try:
        (tmp_path / "lab" / "plain").mkdir()
        with finished_folder(tmp_path / "lab" / "result") as folder:
            (folder / "run.json").write_text(json.dumps(MARK))
    finally:
        os.umask(before)
    plain, result = ((tmp_path / "lab" / name).stat() for name in ("plain", "result"))
    assert (plain.st_mode, plain.st_gid) == (result.st_mode, result.st_gid)


@posix
def test_mode_and_group_of_an_existing_folder_stay(tmp_path):
    out = tmp_path / "result"
    out.mkdir()
    if os.geteuid() == 0:
        os.chown(out, 12345, 54321)
    out.chmod(0o2770)
    before = out.stat()
    with finished_folder(out, RESULT_FILES) as folder:
        (folder / "run.json").write_text(json.dumps(MARK))
    after = out.stat()
    assert (before.st_mode, before.st_uid, before.st_gid) == (
        after.st_mode,
        after.st_uid,
        after.st_gid,
    )


def test_result_of_a_name_that_is_no_text(tmp_path):
    "The whole job, its report and its record; then again in its place, with a numpy box"
    video = tmp_path / LATIN1
    try:
        grey_video(tmp_path / "a.mp4").rename(video)
    except (OSError, UnicodeError):
        pytest.skip("signals of POSIX: this file system takes only names that are text")
    with planted_backend():
        box = np.array([10, 10, 200, 160])
        for _ in range(2):
            result = analyze(video, tmp_path / "o", backend="planted", box=box, progress=False)
    assert {p.name for p in result.folder.iterdir()} == RESULT_FILES - {"live.mp4"}
    assert read_record(result.folder)["video"]["name"] == "l%E4ufer.mp4"
    assert "l%E4ufer.mp4" in (result.folder / "report.html").read_text(encoding="utf-8")


def test_a_picture_on_its_side_is_refused_with_what_to_do(tmp_path):
    "By the whole job: nothing is written; turned as the sentence says, it is analysed"
    video = grey_video(tmp_path / "a.mp4")
    with planted_backend():
        upright = BACKENDS["planted"].infer

        def lying(clip, **options):
            found = upright(clip, **options)
            x, y = pose_arrays(found)[0].transpose(2, 0, 1) + [[[-70]], [[70]]]
            if clip.info.rotation == 0:
                return like(found, np.stack([y, 179 - x], -1))
            return like(found, np.stack([x, y], -1), image_width=180, image_height=320)

        BACKENDS["planted"] = lying
        with pytest.raises(TurnedPicture, match="lies on its side.*--rotate 90"):
            analyze(video, tmp_path / "o", backend="planted", progress=False)
        assert not (tmp_path / "o").exists()
        result = analyze(video, backend="planted", progress=False, rotate=90)
    assert result.events.attrs["gait"] == "run"


def test_names_that_cannot_be_made(tmp_path):
    video = grey_video(tmp_path / "a.mp4", 10)
    before = snapshot(tmp_path)
    for out in ("", "~no_such_user/x", tmp_path / ("a" * 300), tmp_path / "a.mp4" / "x", "a\0b"):
        with no_work(), pytest.raises(OutputError):
            analyze(video, out, backend="planted", progress=False)
    assert snapshot(tmp_path) == before
    with finished_folder(tmp_path / ("a" * 250)) as folder:
        (folder / "run.json").write_text(json.dumps(MARK))
    assert read_record(tmp_path / ("a" * 250)) == MARK


@posix
def test_a_place_without_permission():
    "Root may write anywhere, so another user tries"
    root = os.geteuid() == 0
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        (Path(folder) / "locked").mkdir(mode=0o555)
        try:
            if root:
                os.seteuid(54321)
            with pytest.raises(OutputError, match="admits no such folder .Permission denied"):
                check_out(Path(folder) / "locked" / "r")
        finally:
            if root:
                os.seteuid(0)


# ---- many videos


@pytest.fixture
def quick(monkeypatch):
    "An analysis that costs nothing; the name of the video says what goes wrong"
    calls = []

    def analysis(video, out, overlay=True, progress=False, **options):
        name = Path(video).name
        calls.append(name)
        for error in (KeyError, RecursionError, MemoryError, SystemExit, AssertionError):
            if error.__name__ in name:
                raise error("left")
        if "Interrupt" in name:
            raise KeyboardInterrupt
        write_result(video, out, options)

    monkeypatch.setattr(batch, "analyze", analysis)
    return calls


def write_result(video, out, options):
    "What a batch needs of a result"
    file = Path(video).stat()
    name = batch.printable(Path(video).name)
    record = MARK | dict(
        runningpose=batch.runningpose.__version__,
        video=dict(name=name, bytes=file.st_size, modified=int(file.st_mtime)),
        options=batch.make_options(**options).given(),
        warnings=["one", "two"],
        key_facts=dict(gait="walk" if "walk" in name else "run"),
        filmed=dict(time_in_doubt=True, suggested_real_fps=240.0) if "slow" in name else {},
    )
    with finished_folder(out, RESULT_FILES) as folder:
        numbers = "metric,side,value\nspeed,both,3.1\nflight_time,both,-0.07\ncadence,both,\n"
        (folder / "metrics.csv").write_text(numbers)
        (folder / "run.json").write_text(json.dumps(record))


def films(folder, *names):
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).write_text("x")
    return folder


def status_of(table):
    return dict(zip((Path(v).name for v in table.video), table.status, strict=True))


def run(folder, **options):
    return run_batch([folder / "in"], folder / "out", overlay=False, progress=False, **options)


@posix
def test_a_batch_survives_whatever_happens(tmp_path, quick):
    "Every kind of failure, a pipe among the videos, names that are no text; and again"
    wrong = ["KeyError", "RecursionError", "MemoryError", "SystemExit", "AssertionError"]
    films(tmp_path / "in", *(f"{name}.mp4" for name in wrong), "a.mp4", LATIN1, "z.mp4")
    for _ in range(2):
        status = status_of(run(tmp_path))
        assert {name for name, s in status.items() if s == "failed"} == {f"{n}.mp4" for n in wrong}
    assert quick.count("a.mp4") == quick.count(LATIN1) == 1
    log = (tmp_path / "out" / "failures.log").read_text()
    assert log.count("Traceback") == len(wrong) and "KeyError: 'left'" in log
    (tmp_path / "in" / "KeyError.mp4").unlink()
    assert "KeyError" not in run(tmp_path).to_string()


@posix
def test_a_pipe_among_the_videos(tmp_path):
    films(tmp_path / "in", "text.mp4")
    os.mkfifo(tmp_path / "in" / "pipe.mp4")
    table = run(tmp_path)
    assert set(table.status) == {"failed"}
    assert "is a named pipe; a video" in table.error[0] and "text.mp4" in table.error[1]


def test_ctrl_c_ends_a_batch(tmp_path, quick):
    films(tmp_path / "in", "a.mp4", "Interrupt.mp4", "z.mp4")
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path)
    assert not (tmp_path / "out" / "running.txt").exists()
    (tmp_path / "in" / "Interrupt.mp4").unlink()
    assert status_of(run(tmp_path)) == {"a.mp4": "done", "z.mp4": "done"}


def test_where_a_batch_died_comes_last(tmp_path, quick):
    "Otherwise a video that fills the memory would end every rerun at the same place"
    films(tmp_path / "in", "a.mp4", "b.mp4", "c.mp4")
    (tmp_path / "out").mkdir()
    job = batch.BatchJob(str((tmp_path / "in" / "a.mp4").absolute()), "", {}, False)
    (tmp_path / "out" / "running.txt").write_text(batch.note_text(job))
    assert list(status_of(run(tmp_path))) == ["a.mp4", "b.mp4", "c.mp4"]
    assert quick == ["b.mp4", "c.mp4", "a.mp4"]


def test_what_is_done_is_not_done_again(tmp_path, quick):
    "Whatever form the options have, and none given"
    films(tmp_path / "in", "a.mp4")
    shipped = Path(batch.runningpose.__file__).parents[1] / "checkpoint" / "lifter"
    ways = (
        {},
        dict(height=np.float32(1.75)),
        dict(box=np.array([1, 2, 300, 400])),
        dict(select=np.int64(0), start=0.5),
        dict(checkpoint=shipped),
    )
    for options in ways:
        assert [run(tmp_path, **options).status[0] for _ in range(2)] == ["done", "reused"]
    assert run(tmp_path, checkpoint=str(shipped), backend="blazepose").status[0] == "reused"


def test_mistaken_options_are_refused_before_the_first_video(tmp_path, quick):
    films(tmp_path / "in", "a.mp4")
    for options in (dict(heigth=1.7), dict(height="1.7"), dict(backend="rtmpose", model="full")):
        with pytest.raises((TypeError, ValueError)):
            run(tmp_path, **options)
    assert quick == [] and not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", batch.BATCH_FILES)
def test_a_batch_overwrites_only_its_own_files(tmp_path, quick, name):
    films(tmp_path / "in", "a.mp4")
    films(tmp_path / "out", name)
    with pytest.raises(OutputError, match="rename or remove it"):
        run(tmp_path)
    assert (tmp_path / "out" / name).read_text() == "x" and quick == []
    (tmp_path / "out" / name).unlink()
    assert list(run(tmp_path).status) == ["done"]
    assert list(run(tmp_path).status) == ["reused"]


def test_names_are_inert_in_table_and_index(tmp_path, quick):
    "HTML, quotes, lines, formulas; and no number that the report does not give"
    names = ["<img src=x>.mp4", "\"quoted\", 'too'.mp4", "two\nlines.mp4", "=1+1 KeyError.mp4"]
    names += ["walk.mp4", "-2+3.mp4", "slow.mp4"]
    try:
        films(tmp_path / "in", *names)
    except OSError:
        pytest.skip("signals of POSIX: this file system refuses such names")
    table = run(tmp_path)
    page = (tmp_path / "out" / "index.html").read_text()
    assert "<img src=x>" not in page and "&lt;img src=x&gt;.mp4" in page
    assert "<td>2</td>" in page and "−0.07" in page  # warnings; a run's negative flight is shown
    walk = next(line for line in page.split("<tr>") if "walk.mp4" in line)
    assert "−0.07" not in walk  # the report of a walk gives double support instead
    without_tags = re.sub("<[^>]+>", "", page)
    assert without_tags.count("time in doubt: try --real-fps 240") == 1
    back = pd.read_csv(tmp_path / "out" / "summary.csv")
    assert len(back) == len(table) == len(names)
    assert back.cadence.isna().all()
    texts = back[["video", "folder", "error", "gait"]].fillna("").to_numpy().ravel()
    assert not [t for t in texts if t.startswith(tuple("=+-@"))]


def test_a_full_disk_does_not_end_a_batch(tmp_path, quick, monkeypatch, capsys):
    films(tmp_path / "in", "a.mp4", "b.mp4")

    def full(summary, out):
        raise OSError(28, "No space left on device", str(out))

    monkeypatch.setattr(batch, "write_summary", full)
    assert list(run(tmp_path).status) == ["done", "done"]
    assert "No space left" in capsys.readouterr().err
