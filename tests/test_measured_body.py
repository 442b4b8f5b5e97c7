"""A measured body through the program: a tape and a standing clip reach the poses, run.json, the
caveats and a batch, and what cannot be used is refused before the work.
"""

import json
import sys

import numpy as np
import pytest

from runningpose.camera import look_at, phone_camera, project
from runningpose.cli.main import runningpose
from runningpose.lifting.measured_body import body_measures
from runningpose.pipeline.analyze import analyze
from runningpose.pipeline.batch import run_batch
from runningpose.pose2d.backend import BACKENDS
from runningpose.poses import pose_arrays, poses_dataset
from runningpose.skeleton import convert, rest_pose, skeleton
from runningpose.synthetic import synthetic_runner
from runningpose.video.writer import VideoWriter

SIZE = (640, 360)  # px
EYES = [[0.08, 0.03, 1.638], [0.08, -0.03, 1.638]]  # of the rest pose, m: 0.936 of its stature
FPS, FRAMES = 30, 90
THIGH = 0.41  # m


def keypoints(xyz):
    "Joints as a camera at the side sees them, px, halpe_26"
    camera = look_at(phone_camera(*SIZE), [0, -4.5, 1.1], [0, 0, 1.0])
    return convert(project(xyz, camera), skeleton("runningpose_22"), "halpe_26")


def standing_keypoints():
    "Somebody who stands, turned to the side"
    px = keypoints(rest_pose()[None])
    halpe = skeleton("halpe_26").keypoints
    camera = look_at(phone_camera(*SIZE), [0, -4.5, 1.1], [0, 0, 1.0])
    px[0, [halpe.index("left_eye"), halpe.index("right_eye")]] = project(np.array(EYES), camera)
    return np.repeat(px, FRAMES, 0)


@pytest.fixture
def videos(tmp_path, monkeypatch):
    "Videos of a runner and of the same standing, and a detector that knows the points"
    run = synthetic_runner(seconds=FRAMES / FPS, fps=FPS, treadmill=True)
    points = dict(run=keypoints(pose_arrays(run.pose)[0]), standing=standing_keypoints())
    seen = []

    def planted(clip, **options):
        seen.append(clip.path.stem)
        index = [frame.index for frame in clip.frames()]
        size = dict(image_width=SIZE[0], image_height=SIZE[1])
        facts = dict(backend="planted", frames_lost=0, video=clip.path.name)
        return poses_dataset(
            points[clip.path.stem][index], time=clip.times, fps=clip.fps, **facts, **size
        )

    monkeypatch.setitem(BACKENDS, "planted", planted)
    for name in points:
        with VideoWriter(tmp_path / f"{name}.mp4", *SIZE, FPS) as writer:
            for _ in range(FRAMES):
                writer.write(np.full((SIZE[1], SIZE[0], 3), 120, np.uint8))
    return tmp_path, seen


HOW = dict(backend="planted", overlay=False, progress=False)


def test_a_standing_clip_and_a_tape_reach_the_result(videos):
    folder, _ = videos
    out = folder / "out"
    standing = folder / "standing.mp4"
    how = dict(height=1.75, segments=dict(thigh=THIGH), standing=standing)
    result = analyze(folder / "run.mp4", out, **HOW, **how)
    assert abs(body_measures(pose_arrays(result.pose3d)[0])["thigh"] - THIGH) < 2e-3
    record = json.loads((out / "run.json").read_text())
    facts = record["key_facts"]
    assert record["options"]["segments"] == dict(thigh=THIGH)
    assert record["options"]["standing"] == str(standing)
    assert "thigh 0.410" in facts["segments_m"] and "trunk" in facts["segments_m"]
    assert facts["segments_source"].startswith("given; ")
    assert "from the standing clip seen from the side" in facts["segments_source"]
    assert facts["offset_forward_mm"].startswith("hip ")
    assert "standing" in record["timings"]
    (sentence,) = [w for w in record["warnings"] if "measured lengths" in w]
    assert "thigh 0.410" in sentence


def test_a_clip_in_which_nobody_stands_is_refused_first(videos):
    folder, seen = videos
    with pytest.raises(ValueError, match="nobody stands still for half a second"):
        analyze(folder / "run.mp4", folder / "out", height=1.75, standing=folder / "run.mp4", **HOW)
    assert seen == ["run"] and not (folder / "out").exists()


def test_what_cannot_be_used_is_refused_before_the_work(videos):
    folder, seen = videos
    standing = folder / "standing.mp4"
    for options, about in (
        (dict(standing=standing), "needs the height of the runner"),
        (dict(standing=folder / "none.mp4", height=1.75), "there is no file"),
        (dict(standing=standing, height=1.75, checkpoint="a.bin"), "the poses of a .bin"),
        (dict(segments=dict(thigh=0.4), checkpoint="a.bin"), "the poses of a .bin"),
        (dict(segments=dict(thigh=4.0)), "give metres"),
        (dict(segments=dict(thigh=0.3), height=2.0), "does not fit a stature of 2 m"),
        (dict(segments="thigh"), "lengths by name"),
    ):
        with pytest.raises(ValueError, match=about):
            analyze(folder / "run.mp4", folder / "out", **HOW, **options)
    assert not seen and not (folder / "out").exists()


def test_a_batch_does_not_repeat_what_was_done_with_the_same_body(videos):
    folder, seen = videos
    one = folder / "in"
    one.mkdir()
    (folder / "run.mp4").rename(one / "run.mp4")

    def batch(thigh):
        how = dict(height=1.75, segments=dict(thigh=thigh))
        return list(run_batch([one], folder / "out", **HOW, **how).status)

    assert batch(0.41) == ["done"]
    assert batch(np.float64(0.41)) == ["reused"]
    assert seen == ["run"]


@pytest.mark.parametrize(
    ("options", "about"),
    [
        (["--segments", "thigh:0.43"], "--segments needs lengths in m"),
        (["--segments", "thigh=4"], "give metres, e.g. 0.43"),
        (["--segments", "thig=0.43"], "do you mean thigh?"),
        (["--standing", "standing.mp4"], "needs the height of the runner"),
        (["--standing", "none.mp4", "--height", "1.75"], "there is no file none.mp4"),
    ],
)
def test_the_command_refuses_in_one_sentence(videos, monkeypatch, capsys, options, about):
    folder, seen = videos
    before = sorted(folder.rglob("*"))
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "argv", ["runningpose", "run.mp4", "--out", "out", *options])
    with pytest.raises(SystemExit) as end:
        runningpose()
    said = capsys.readouterr().err
    assert end.value.code == 2 and about in said and said.count("\n") == 1
    assert not seen and sorted(folder.rglob("*")) == before
