"""What follows the detector holds hardly more for a long clip than the clip's own keypoints."""

import tracemalloc

import numpy as np
import pytest

from runningpose import poses
from runningpose.camera import look_at, phone_camera, project
from runningpose.gait import foot_signals
from runningpose.pipeline.estimate import estimate
from runningpose.pose2d.clean import clean
from runningpose.poses import pose_arrays, poses_dataset
from runningpose.signals import in_blocks
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


def peak_of_estimate(frames):
    "Peak of the arrays made by `estimate`, kB"
    run = synthetic_runner(3.0, frames / FPS, FPS, treadmill=True)
    camera = look_at(phone_camera(640, 360), np.array([0, -4, 1.0]), np.array([0, 0, 1.0]))
    pixels = project(pose_arrays(run.pose).position.astype(float), camera)
    body = convert(pixels, "runningpose_22", "halpe_26")
    size = dict(image_width=640, image_height=360)
    raw = poses_dataset(body, skeleton="halpe_26", fps=FPS, frame="image", **size)
    kp2d = clean(raw, outliers=False)
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
