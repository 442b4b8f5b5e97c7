"""Long clips: what follows the detector holds hardly more than the clip's own keypoints, finds the
same in blocks as in one piece, and fills a gap after two hours as it fills it in a cutting.
"""

import tracemalloc

import numpy as np
import pytest

from runningpose import poses
from runningpose.camera import look_at, phone_camera, project
from runningpose.gait import foot_signals
from runningpose.pipeline.estimate import estimate
from runningpose.pose2d.clean import clean, fill_track
from runningpose.poses import pose_arrays, poses_dataset
from runningpose.signals import in_blocks, short_gaps
from runningpose.skeleton import convert
from runningpose.synthetic import synthetic_runner

FPS = 30.0
KB_PER_FRAME = 1.8  # of arrays, without the keypoints; 1.3 when this was written


@pytest.fixture
def small_blocks(monkeypatch):
    "Blocks of a few seconds, so that a short clip has many of them"
    monkeypatch.setattr(in_blocks, "__defaults__", (256, 160, None))
    monkeypatch.setattr(poses, "BLOCK_FRAMES", 256)
    monkeypatch.setattr(foot_signals, "GRID_BLOCK_S", 5.0)
    monkeypatch.setattr(foot_signals, "BLOCK_MARGIN_S", 3.0)


def treadmill_keypoints(frames):
    "Repaired 2D keypoints of a runner on a treadmill, seen from the side"
    run = synthetic_runner(3.0, frames / FPS, FPS, treadmill=True)
    camera = look_at(phone_camera(640, 360), np.array([0, -4, 1.0]), np.array([0, 0, 1.0]))
    pixels = project(pose_arrays(run.pose).position.astype(float), camera)
    body = convert(pixels, "runningpose_22", "halpe_26")
    size = dict(image_width=640, image_height=360)
    raw = poses_dataset(body, skeleton="halpe_26", fps=FPS, frame="image", **size)
    return clean(raw, outliers=False)


def peak_of_estimate(frames):
    "Peak of the arrays made by `estimate`, kB"
    kp2d = treadmill_keypoints(frames)
    tracemalloc.start()
    try:
        estimate(kp2d, height=1.75)
        return tracemalloc.get_traced_memory()[1] / 1e3
    finally:
        tracemalloc.stop()


def test_memory_of_the_estimate_grows_little_with_the_clip(small_blocks):
    short, long = 600, 1800
    peak_of_estimate(60)  # loads the lifter
    growth = (peak_of_estimate(long) - peak_of_estimate(short)) / (long - short)
    assert growth < KB_PER_FRAME, f"{growth:.2f} kB per frame"


def test_blocks_find_what_one_piece_finds(request):
    kp2d = treadmill_keypoints(900)  # 30 s: one block of the usual length
    whole = estimate(kp2d, height=1.75)
    request.getfixturevalue("small_blocks")  # seven blocks of the network's frames, six of the grid
    parts = estimate(kp2d, height=1.75)

    apart = pose_arrays(parts.pose3d).position - pose_arrays(whole.pose3d).position
    assert np.abs(apart).max() < 1e-4  # m
    np.testing.assert_allclose(parts.angles, whole.angles, rtol=0, atol=0.01)  # degrees
    columns = ["side", "event"]
    assert parts.events[columns].equals(whole.events[columns])
    assert len(whole.events) > 150
    assert np.abs(parts.events.time - whole.events.time).max() < 1e-3  # s, the step of the grid
    assert np.abs(parts.metrics.value - whole.metrics.value).max() < 0.01


TWO_HOURS = 216_000  # frames
EVERY = 200  # frames from one gap to the next


def test_gaps_of_two_hours_are_those_near_them():
    t = np.arange(TWO_HOURS) / FPS
    missing = np.zeros(TWO_HOURS, bool)
    missing[EVERY::EVERY] = missing[EVERY + 1 :: EVERY] = True
    gaps = list(short_gaps(t, missing, max_gap=0.2))
    assert len(gaps) == TWO_HOURS // EVERY - 1
    near = np.r_[-2:0, 2:4]  # frames within 0.05 s of the known ones on either side
    assert all((gap.near == gap.first + near).all() for gap in gaps)


def test_a_gap_after_two_hours_is_filled_as_in_a_cutting():
    rng = np.random.default_rng(0)
    t = np.arange(TWO_HOURS) / FPS
    body = rng.uniform(0, 300, (1, 26, 2)) + 20 * np.sin(9 * t)[:, None, None]
    body += rng.normal(0, 1, body.shape)
    knee = 13
    for gap in range(EVERY, TWO_HOURS - EVERY, EVERY):
        body[gap : gap + 4, knee] = np.nan  # long enough to be guessed from the body
    filled = fill_track(t, body, "halpe_26").position
    cutting = slice(TWO_HOURS - 2 * EVERY, None)  # more than 5 s to either side of its gap
    alone = fill_track(t[cutting], body[cutting], "halpe_26").position
    assert np.isfinite(filled).all()
    np.testing.assert_allclose(filled[cutting][EVERY:], alone[EVERY:], atol=1e-9)
