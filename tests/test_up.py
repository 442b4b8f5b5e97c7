"""Up, and what hangs on it, from 2D keypoints of the synthetic runner: tilted cameras, clips of
different length and rate.
"""

import numpy as np
import pytest

from runningpose.camera import look_at, phone_camera, project
from runningpose.gait.directions import heading, up_axis
from runningpose.gait.up import FROM_MOTION, FUSED, fused_up, up_of_segments
from runningpose.gait.world import to_world
from runningpose.lifting.lift import lift
from runningpose.pipeline.estimate import estimate
from runningpose.pose2d.clean import clean
from runningpose.poses import load_poses, pose_arrays, poses_dataset, save_poses
from runningpose.skeleton import convert, skeleton
from runningpose.synthetic import synthetic_runner


def seen_by(camera, pose):
    "2D keypoints of world poses"
    px = convert(project(pose_arrays(pose)[0], camera), skeleton("runningpose_22"), "halpe_26")
    size = dict(image_width=camera.width, image_height=camera.height)
    return clean(poses_dataset(px, time=pose.time.values, **size))


def camera_at(angle, pitch=0.0, roll=0.0):
    "A camera 5 m off, at an angle from ahead of the runner, tilted; all in degrees"
    a = np.radians(angle)
    eye = [5 * np.cos(a), 5 * np.sin(a), 1.0]
    target = [0, 0, 1.0 - 5 * np.tan(np.radians(pitch))]
    return look_at(phone_camera(1280, 1280, 75), eye, target, roll)


def up_from_2d(angle, **tilt):
    "Lifted poses, up as it was found, and the errors along and across the run, degrees"
    camera = camera_at(angle, **tilt)
    run = synthetic_runner(3.0, seconds=3, treadmill=True)
    pose = lift(seen_by(camera, run.pose), 1.75, camera=camera)
    found = fused_up(up_of_segments([pose]), up_axis(pose), heading(pose).forward)
    true, forward = camera.R @ [0, 0, 1.0], camera.R @ [1.0, 0, 0]
    off = np.degrees(found.up - true)
    return pose, found, off @ forward, off @ np.cross(true, forward)


TILTS = (dict(), dict(roll=5), dict(pitch=10), dict(pitch=30))


@pytest.mark.parametrize("tilt", TILTS, ids=["level", "roll 5", "pitch 10", "pitch 30"])
def test_tilted_cameras(tilt, tmp_path):
    "Within two standard deviations along and across the run; a file keeps what up rests on"
    pose, found, along, across = up_from_2d(270, **tilt)
    assert abs(along) < 2 * found.along_sd and abs(across) < 2 * found.across_sd
    world = to_world(pose)
    assert world.attrs["up_sd_deg"] == pytest.approx([found.along_sd, found.across_sd], abs=0.1)
    assert load_poses(save_poses(world, tmp_path / "world.nc")).attrs == world.attrs


def test_a_camera_clearly_tilted_follows_the_motion():
    for roll in (-20, 20):
        _, found, along, _ = up_from_2d(270, roll=roll)
        assert found.source == FROM_MOTION and abs(along) < 2 * found.along_sd
    assert up_from_2d(270)[1].source == FUSED


HANGS_ON_UP = dict(trunk_lean=3.0, shank_angle_strike=3.0, knee_flexion_strike=3.0)  # degrees


def test_length_and_rate_of_a_clip_do_not_change_the_angles():
    "Ten seconds, two of them, and half of the frames: one runner before one camera"
    camera = camera_at(280, roll=2, pitch=5)
    pose = synthetic_runner(3.0, seconds=10, treadmill=True).pose
    values = {}
    cuts = dict(
        whole=slice(None), first=slice(0, 120), last=slice(-120, None), half=slice(0, -1, 2)
    )
    for name, frames in cuts.items():
        cut = pose.isel(time=frames)
        cut = cut.assign_coords(time=cut.time - cut.time[0])
        got = estimate(seen_by(camera, cut), 1.75, camera)
        table = got.metrics.groupby("metric").value.mean()
        values[name] = table[list(HANGS_ON_UP)]
        assert got.pose3d.attrs["focal_sd"] == 0.0
    for name in ("first", "last", "half"):
        difference = (values[name] - values["whole"]).abs()
        assert (difference < list(HANGS_ON_UP.values())).all(), (name, values)
