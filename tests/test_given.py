"""What the table of metrics withholds stands nowhere else: report, pictures, overlay, CSV, index"""

import base64
import json
import re

import numpy as np
import pandas as pd
import pytest

import runningpose.pipeline.analyze
import runningpose.show.keyframes
import runningpose.show.overlay
from runningpose.camera import look_at, phone_camera, project
from runningpose.pipeline.analyze import analyze
from runningpose.pipeline.batch import run_batch
from runningpose.pipeline.caveats import hidden_leg_caveats
from runningpose.pipeline.estimate import estimate
from runningpose.pose2d.clean import clean
from runningpose.poses import pose_arrays, poses_dataset
from runningpose.skeleton import convert, skeleton
from runningpose.synthetic import synthetic_runner
from runningpose.video.writer import VideoWriter

SIZE = dict(image_width=480, image_height=270)


def filmed(place):
    "2D keypoints of a synthetic runner"
    run = synthetic_runner(3.0, seconds=2, fps=30, treadmill=True)
    camera = look_at(phone_camera(480, 270), place, [0, 0, 1.0])
    px = project(convert(pose_arrays(run.pose)[0], "runningpose_22", "halpe_26"), camera)
    return poses_dataset(px, time=run.pose.time.values, backend="synthetic", **SIZE)


@pytest.fixture
def front(tmp_path, monkeypatch):
    "A grey video, of which the detector says that it shows a runner from the front"
    video, raw = tmp_path / "front.mp4", filmed([4.5, 0, 1.1])
    with VideoWriter(video, 480, 270, 30) as out:
        for _ in raw.time:
            out.write(np.full((270, 480, 3), 200, np.uint8))
    monkeypatch.setattr(runningpose.pipeline.analyze, "infer_video", lambda *a, **k: raw)
    return video


def test_a_frontal_clip_shows_no_angle_that_it_does_not_give(front, tmp_path, monkeypatch):
    written, labels = [], []
    draw_text, draw_label = (
        runningpose.show.overlay.draw_text,
        runningpose.show.keyframes.draw_label,
    )

    def noted_text(img, text, *args, **options):
        written.append(text)
        return draw_text(img, text, *args, **options)

    def noted_label(img, label, size):
        labels.append(label)
        return draw_label(img, label, size)

    monkeypatch.setattr(runningpose.show.overlay, "draw_text", noted_text)
    monkeypatch.setattr(runningpose.show.keyframes, "draw_label", noted_label)
    result = analyze(front, tmp_path / "out", progress=False)
    folder = result.folder
    report = (folder / "report.html").read_text()
    data = json.loads(re.search(r'id="data">(.*?)</script>', report, re.S)[1])
    assert "<h2>Key frames</h2>" in report
    record = json.loads((folder / "run.json").read_text())
    hidden = record["angles_not_given"]
    assert {"trunk_lean", "pelvis_obliquity", "left_hip_adduction"} <= set(hidden)
    assert hidden["trunk_lean"] == "The camera looks along the run."
    titles = {curve["title"] for curve in data["curves"]}
    assert "Knee flexion" in titles and not titles & {"Pelvis obliquity", "Trunk lean"}
    assert "trunk lean" in report
    assert labels and not [label for label in labels if "trunk" in label.name]
    assert not [text for text in written if text.endswith("°") and "trunk" in text]
    for curve in data["curves"]:
        for values in curve["sides"].values():
            assert len(base64.b64decode(values)) == 2 * data["n"]
    angles = pd.read_csv(folder / "angles.csv")
    assert angles[list(hidden)].isna().all(axis=None)
    assert not set(pd.read_csv(folder / "cycles.csv").angle) & {"trunk_lean", "pelvis_obliquity"}
    given = pd.read_csv(folder / "metrics.csv").groupby("metric").value.count()
    steps = pd.read_csv(folder / "steps.csv")
    withheld = [name for name in given.index[given == 0] if name in steps]
    assert {"speed", "overstride"} <= set(withheld)
    assert steps[withheld].isna().all(axis=None)


def test_the_index_of_a_batch_shows_no_number_that_the_report_withholds(front, tmp_path):
    row = run_batch([front], tmp_path / "all", overlay=False, progress=False).iloc[0]
    assert row.status == "done" and row.cadence > 100
    assert np.isnan(row[["speed", "step_length"]].astype(float)).all()
    index = (tmp_path / "all" / "index.html").read_text()
    metrics = pd.read_csv(tmp_path / "all" / "front" / "metrics.csv")
    assert metrics[metrics.metric == "speed"].value.isna().all()
    assert index.count("<td>–</td>") >= 2


def test_a_guessed_leg_gives_no_view_no_tilt_and_no_numbers():
    "Both legs jump as behind a post, with full confidence"
    raw = filmed([-3.2, -3.2, 1.1])
    legs = [
        skeleton("halpe_26").index(f"{s}_{j}")[0]
        for s in ("left", "right")
        for j in ("knee", "ankle")
    ]
    jump = np.random.default_rng(0).normal(0, 9, (raw.sizes["time"], 4, 2))
    raw.position.values[:, :, legs, 0] += jump.transpose(0, 2, 1)
    kp2d = clean(raw)
    said = list(hidden_leg_caveats(kp2d))
    assert len(said) == 2 and all("not usable" in text for text in said)
    got = estimate(kp2d)
    attrs = got.pose3d.attrs
    assert attrs["view_unknown"] and "view_deg" not in attrs and "tilt_deg" not in attrs
    assert got.metrics.value.isna().all() and not got.metrics.attrs["gait"]
    view = "It cannot be told from where the camera sees the run."
    assert got.angles.attrs["not_given"]["trunk_lean"] == view
