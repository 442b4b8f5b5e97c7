"""Clips on which gait analysis was wrong: short, one-sided, limping, turning, backward, hidden."""

import json

import cv2
import numpy as np
import pytest

from runningpose.camera import look_at, phone_camera, project
from runningpose.gait.angles import joint_angles
from runningpose.gait.catalogue import CATALOGUE
from runningpose.gait.cycles import cycle_table
from runningpose.gait.events import gait_events
from runningpose.gait.ground import fix_scale_and_path
from runningpose.gait.metrics import gait_metrics
from runningpose.gait.scoring import match_events, shown_whole
from runningpose.gait.steps import step_table
from runningpose.gait.up import ASSUMED_LEVEL, FUSED
from runningpose.gait.world import to_world
from runningpose.gait_model import SPEED_RANGE
from runningpose.pipeline.caveats import gait_caveats, vertical_caveats
from runningpose.pipeline.estimate import estimate
from runningpose.pose2d.clean import clean
from runningpose.pose2d.hidden_feet import FeetInPicture
from runningpose.poses import (
    like,
    load_poses,
    pose_arrays,
    poses_dataset,
    resample_track,
    save_poses,
)
from runningpose.show.tables import metrics_table
from runningpose.skeleton import convert, skeleton
from runningpose.synthetic import synthetic_runner
from runningpose.video.frame import GreyPicture

LEG_POINTS = ("Knee", "Ankle", "HeelBack", "Forefoot", "Forefoot5")


def measured(pose):
    "Metrics, and their values by name and side"
    metrics = gait_metrics(pose, gait_events(pose), joint_angles(pose))
    return metrics, metrics.set_index(["metric", "side"]).value


def check_table(metrics):
    "Every metric has a possible value or a reason, and the report can show it"
    wanted = {(name, side) for name, metric in CATALOGUE.items() for side in metric.sides}
    assert set(zip(metrics.metric, metrics.side, strict=True)) == wanted
    for row in metrics.itertuples():
        if np.isnan(row.value):
            assert row.reason.endswith("."), row
        else:
            assert row.reason == "" and CATALOGUE[row.metric].is_possible(row.value), row
    assert "nan" not in metrics_table(metrics)


@pytest.mark.parametrize("seconds", [0.5, 0.7, 0.8, 0.9, 1.0, 1.2])
def test_short_windows(seconds):
    run = synthetic_runner(3.0, seconds=2.2, treadmill=True)
    for first in range(0, 44, 11):
        pose = run.pose.isel(time=slice(first, first + round(60 * seconds)))
        metrics, value = measured(pose)
        check_table(metrics)
        cadence = value["cadence", "both"]
        assert np.isnan(cadence) or abs(cadence / run.info["cadence"] - 1) < 0.02
        assert len(cycle_table(joint_angles(pose), gait_events(pose)).columns)


def exchanged(run, windows):
    "The legs of a runner exchanged for a while, as a detector does it"
    x, confidence = pose_arrays(run.pose)
    names, time, y = list(map(str, run.pose.keypoint.values)), run.pose.time.values, x.copy()
    left, right = ([names.index(side + part) for part in LEG_POINTS] for side in "LR")
    for start, end in windows:
        k = (time >= start) & (time < end)
        y[np.ix_(k, left)], y[np.ix_(k, right)] = x[np.ix_(k, right)], x[np.ix_(k, left)]
    return like(run.pose, y, confidence)


@pytest.mark.parametrize(
    "windows",
    [
        [(0.649, 0.751), (1.468, 1.548), (1.651, 1.831)],
        [(1.081, 1.309), (1.26, 1.413), (1.532, 1.686)],
        [(1.3, 1.449), (1.427, 1.551)],
    ],
)
def test_exchanged_legs_give_no_impossible_cadence(windows):
    metrics, value = measured(exchanged(synthetic_runner(4.0, seconds=2, treadmill=True), windows))
    check_table(metrics)
    assert not value["cadence", "both"] > 200


def limping(shift, seconds, speed=3.0, gait="run"):
    "Steps made longer on the right and shorter on the left by four times the shift, strides kept"
    run = synthetic_runner(speed, seconds=seconds, fps=120, treadmill=True, gait=gait)
    time, stride = run.pose.time.values, run.info["stride_time"]
    strikes = run.events[(run.events.side == "right") & (run.events.event == "foot_strike")]
    played = time + shift * np.cos(2 * np.pi * (time - strikes.time.iloc[0]) / stride)
    even = np.arange(played[0], played[-1], 1 / 120)
    moved = resample_track(played, pose_arrays(run.pose)[0], even, 1.0)
    return run.info, poses_dataset(
        moved,
        skeleton="runningpose_22",
        time=even - even[0],
        fps=120.0,
        frame="world",
        treadmill=True,
        height=1.75,
    )


@pytest.mark.parametrize(
    "shift, seconds, speed, gait",
    [
        (0.03, 2.4, 3.0, "run"),  # two steps of a side
        (0.03, 3.35, 3.0, "run"),
        (0.05, 5.0, 3.0, "run"),
        (0.04, 6.3, 1.1, "walk"),
    ],
)
def test_a_limp_keeps_its_steps(shift, seconds, speed, gait):
    info, pose = limping(shift, seconds, speed, gait)
    metrics, value = measured(pose)
    assert metrics.attrs["odd_steps"] == 0
    assert abs(value["cadence", "both"] / info["cadence"] - 1) < 0.005
    right, left = (info["stride_time"] / 2 + sign * 2 * shift for sign in (1, -1))
    assert abs(value["step_time", "right"] - right) < 0.008
    assert abs(value["step_time", "left"] - left) < 0.008
    assert abs(value["step_time", "both"] - info["step_time"]) < 0.003


def turned_round(pose, frame):
    "The same person turned round on the spot at a frame"
    x, confidence = pose_arrays(pose)
    x = x.astype(float)
    x[frame:, :, 0] = 2 * x[frame, :, 0].mean() - x[frame:, :, 0]
    x[frame:, :, 1] *= -1
    return like(pose, x, confidence)


def seen_level(pose):
    "World poses as a level camera at their side sees them"
    x, confidence = pose_arrays(pose)
    return like(
        pose,
        np.stack([x[..., 0] - 12, 1 - x[..., 2], x[..., 1] + 20], -1),
        confidence,
        frame="camera",
    )


@pytest.mark.parametrize(
    "gait, speed, frame", [("run", 3.0, 480), ("run", 3.0, 360), ("walk", 1.35, 360)]
)
def test_there_and_back(gait, speed, frame, tmp_path):
    run = synthetic_runner(speed, seconds=12, gait=gait)
    world = to_world(seen_level(turned_round(run.pose, frame)))
    assert world.attrs["tilt_deg"] < 1 and not world.attrs["treadmill"]
    events = gait_events(world)
    world, messages = fix_scale_and_path(world, events)
    assert messages == []
    metrics = gait_metrics(world, events, joint_angles(world))
    value = metrics.set_index(["metric", "side"]).value
    assert metrics.attrs["gait"] == gait
    assert abs(value["speed", "both"] / speed - 1) < 0.01
    assert abs(value["cadence", "both"] / run.info["cadence"] - 1) < 0.002
    assert abs(value["stride_length", "both"] / run.info["stride_length"] - 1) < 0.01
    assert [s["used"] for s in metrics.attrs["segments"]] == [True, True]
    assert any("2 segments" in text for text in gait_caveats(events, metrics))
    kept = load_poses(save_poses(world, tmp_path / "world.nc"))
    assert kept.attrs["segments"] == world.attrs["segments"]


def test_there_and_back_from_a_video(tmp_path):
    run = synthetic_runner(3.0, seconds=8)
    camera = look_at(phone_camera(1920, 1080), [6, -12, 1.3], [6, 0, 1.0])
    shuttle = clean(filmed(turned_round(run.pose, 240), camera))
    got = estimate(shuttle, height=1.75)
    value = got.metrics.set_index(["metric", "side"]).value
    assert abs(value["speed", "both"] / 3 - 1) < 0.05
    assert abs(value["cadence", "both"] / run.info["cadence"] - 1) < 0.01
    assert got.pose3d.attrs["tilt_deg"] < 5 and len(got.metrics.attrs["segments"]) == 2


def filmed(pose, camera, skeleton_name="halpe_26"):
    "2D keypoints of world poses"
    px = convert(project(pose_arrays(pose)[0], camera), skeleton("runningpose_22"), "halpe_26")
    if skeleton_name != "halpe_26":
        px = convert(px, "halpe_26", skeleton_name)
    return poses_dataset(
        px,
        skeleton=skeleton_name,
        time=pose.time.values,
        image_width=camera.width,
        image_height=camera.height,
    )


def test_coco_17_gives_metrics_and_true_reasons():
    run = synthetic_runner(3.0, seconds=5, treadmill=True)
    camera = look_at(phone_camera(1280, 720), [0, -4.5, 1.1], [0, 0, 1.0])
    got = estimate(clean(filmed(run.pose, camera, "coco_17")), height=1.75)
    check_table(got.metrics)
    value = got.metrics.set_index(["metric", "side"]).value
    assert abs(value["cadence", "both"] / run.info["cadence"] - 1) < 0.02
    assert abs(value["stride_time", "both"] - run.info["stride_time"]) < 0.02
    given = got.metrics[got.metrics.value.notna()]
    assert given[["low", "high"]].notna().all(axis=None)  # and wide, without feet
    strike = got.metrics[got.metrics.metric == "foot_strike_angle"]
    assert set(strike.reason) == {"There are no foot points in these keypoints."}
    assert (got.events.confidence > 0.2).all()


@pytest.mark.parametrize("gait, speed", [("run", 2.5), ("walk", 1.2)])
@pytest.mark.parametrize("treadmill", [True, False])
def test_backward_is_refused(gait, speed, treadmill):
    run = synthetic_runner(speed, seconds=3, gait=gait, treadmill=treadmill)
    world = to_world(seen_level(like(run.pose, pose_arrays(run.pose)[0][::-1])))
    events = gait_events(world)
    metrics = gait_metrics(world, events)
    assert events.attrs["gait"] == "backward" and len(events) == 0
    check_table(metrics)
    assert all("backward" in reason for reason in metrics.reason)
    assert any("backward" in text for text in gait_caveats(events, metrics))


def test_hidden_legs_do_not_change_the_cadence():
    run = synthetic_runner(3.0, seconds=6, treadmill=True)
    hidden = run.pose.copy(deep=True)
    stride = run.info["stride_time"]
    odd_strides = (hidden.time.values / stride).astype(int) % 2 == 1
    legs = [side + part for side in "LR" for part in LEG_POINTS]
    hidden.confidence.loc[dict(time=odd_strides, keypoint=legs)] = 0
    metrics, value = measured(hidden)
    check_table(metrics)
    assert abs(value["cadence", "both"] / run.info["cadence"] - 1) < 0.01
    contacts = step_table(gait_events(hidden))
    assert len(contacts) <= 0.7 * len(step_table(gait_events(run.pose)))


def test_one_foot_only():
    run = synthetic_runner(3.0, seconds=4, treadmill=True)
    right = run.events[run.events.side == "right"]
    metrics = gait_metrics(run.pose, right, joint_angles(run.pose))
    check_table(metrics)
    left = metrics[metrics.side == "left"]
    assert left.value.isna().all()
    assert set(left.reason) == {"No whole contact of the left foot was seen."}


def test_incline_turns_the_angles_against_the_vertical():
    slope, lean = 6.0, 7.0
    run = synthetic_runner(3.0, treadmill=True, trunk_lean=lean + slope)
    a = np.radians(slope)
    climb = np.array([[np.cos(a), 0, -np.sin(a)], [0, 1, 0], [np.sin(a), 0, np.cos(a)]])
    uphill = like(run.pose, pose_arrays(run.pose)[0].astype(float) @ climb.T)
    world = to_world(seen_level(uphill), incline=slope)
    metrics, value = measured(world)
    assert abs(value["trunk_lean", "both"] - lean) < 1.2
    assert world.attrs["tilt_deg"] < 1.5
    stiffness = metrics[metrics.metric == "leg_stiffness"]
    assert set(stiffness.reason) == {"The spring-mass model does not hold on a slope."}
    with pytest.raises(ValueError, match="percent"):
        to_world(world, incline=80)


def test_incline_from_2d_with_a_camera_that_is_probably_level():
    "Of a slope in the picture the lifter keeps a part; what is expected of cameras fills in"
    slope, lean = 12.0, 7.0
    run = synthetic_runner(3.0, seconds=3, treadmill=True, trunk_lean=lean + slope)
    a = np.radians(slope)
    climb = np.array([[np.cos(a), 0, -np.sin(a)], [0, 1, 0], [np.sin(a), 0, np.cos(a)]])
    uphill = like(run.pose, pose_arrays(run.pose)[0].astype(float) @ climb.T)
    camera = look_at(phone_camera(1280, 720), [0, -4.5, 1.0], [0, 0, 1.0])
    got = estimate(clean(filmed(uphill, camera)), 1.75, camera, incline=slope)
    value = got.metrics.set_index(["metric", "side"]).value
    tilt = got.pose3d.attrs["tilt_along_deg"]
    assert abs(value["trunk_lean", "both"] + tilt - lean) < 2  # what a level camera means
    assert 0 < tilt < 2 * got.pose3d.attrs["up_sd_deg"][0]


@pytest.mark.parametrize("incline", [None, 9.0])
def test_a_camera_known_to_be_level_gives_the_lean_on_a_slope(incline):
    "Filmed from 2D, 9 degrees uphill: the lean against gravity, with the slope given or not"
    slope, lean = 9.0, 7.0
    a = np.radians(slope)
    climb = np.array([[np.cos(a), 0, -np.sin(a)], [0, 1, 0], [np.sin(a), 0, np.cos(a)]])
    camera = look_at(phone_camera(1280, 720), [0, -4.5, 1.0], [0, 0, 1.0])

    def measured_lean(run, turn, **options):
        pose = like(run.pose, pose_arrays(run.pose)[0].astype(float) @ turn.T)
        got = estimate(clean(filmed(pose, camera)), 1.75, camera, camera_level=True, **options)
        assert got.pose3d.attrs["up"] == "given"
        assert any("--camera-level" in text for text in vertical_caveats(got.pose3d))
        return got.metrics.set_index(["metric", "side"]).value["trunk_lean", "both"]

    def runner(trunk_lean):
        return synthetic_runner(3.0, seconds=3, treadmill=True, trunk_lean=trunk_lean)

    level = measured_lean(runner(lean), np.eye(3))
    uphill = measured_lean(runner(lean + slope), climb, incline=incline)
    assert abs(level - lean) < 2 and abs(uphill - level) < 1


def pictures_of(keypoints, bar):
    "Grey pictures of the legs of somebody, and of a bar from a row on"
    for points in pose_arrays(keypoints)[0].astype(float):
        image = np.full((720, 1280), 120, np.uint8)
        for side in ("left", "right"):
            leg = [f"{side}_{part}" for part in ("hip", "knee", "ankle", "heel", "big_toe")]
            line = points[skeleton("halpe_26").index(*leg)].round().astype(np.int32)
            cv2.polylines(image, [line], False, 30, 14)
        image[bar:] = 90
        yield GreyPicture(image, (1.0, 1.0))


@pytest.mark.parametrize(("hidden_px", "up"), [(-10, FUSED), (40, ASSUMED_LEVEL)])
def test_feet_behind_a_bar_do_not_tell_which_way_is_up(hidden_px, up):
    "The detector is as sure of them as of feet it sees; the picture is not"
    run = synthetic_runner(3.0, seconds=4, treadmill=True)
    camera = look_at(phone_camera(1280, 720), [0, -4.5, 1.1], [0, 0, 0.8])
    seen = filmed(run.pose, camera)
    position, confidence = pose_arrays(seen)
    bar = round(float(np.nanmax(position[..., 1]))) - hidden_px
    feet = FeetInPicture(1 / 60)
    for picture, points in zip(pictures_of(seen, bar), position, strict=True):
        feet.add(picture, convert(points[None], "halpe_26", "blazepose_33")[0], 560.0)
    left = feet.confidence(seen.time.values)
    names = [
        f"{side}_{part}" for side in ("left", "right") for part in ("ankle", "heel", "big_toe")
    ]
    confidence[:, skeleton("halpe_26").index(*names)] *= left
    got = estimate(clean(like(seen, position, confidence)), 1.75, camera)
    assert got.pose3d.attrs["up"] == up


def test_a_picture_turned_by_half_a_right_angle():
    "It counts as upright, and is put right"
    run = synthetic_runner(3.0, seconds=3, treadmill=True)
    camera = look_at(phone_camera(1280, 720), [0, -5.0, 1.1], [0, 0, 1.0], 48)
    got = estimate(clean(filmed(run.pose, camera)), 1.75, camera)
    value = got.metrics.set_index(["metric", "side"]).value
    assert abs(value["trunk_lean", "both"] - 7) < 6
    assert abs(value["speed", "both"] / 3 - 1) < 0.08


def test_reasons_reach_the_folder(tmp_path):
    run = synthetic_runner(3.0, seconds=2, treadmill=True)
    metrics, _ = measured(run.pose.assign_attrs(view_deg=3.0))
    metrics.to_csv(tmp_path / "metrics.csv", index=False)
    text = (tmp_path / "metrics.csv").read_text()
    assert "The camera looks along the run." in text
    assert "The camera looks along the run." in metrics_table(metrics)
    json.dumps(metrics.attrs["segments"])


def test_in_doubt_of_the_time_nothing_quotes_it():
    "A run played five times slower: one reason for all that needs time, no number of a segment"
    run = synthetic_runner(3.0, seconds=3, treadmill=True, fps=60)
    camera = look_at(phone_camera(1280, 720), [0, -4.5, 1.1], [0, 0, 1.0])
    px = project(pose_arrays(run.pose)[0], camera)
    px = convert(px, skeleton("runningpose_22"), "halpe_26")
    slow = dict(time=5 * run.pose.time.values, fps=12.0, image_width=1280, image_height=720)
    got = estimate(clean(poses_dataset(px, **slow)))
    assert got.time.in_doubt
    check_table(got.metrics)
    timed = got.metrics[got.metrics.metric.isin(["cadence", "speed", "contact_time"])]
    assert set(timed.reason) == {"The video's time is in doubt."}
    for segment in got.metrics.attrs["segments"]:
        assert segment["speed"] is None and segment["cadence"] is None and not segment["gait"]
    assert not any(message.startswith(" ") for message in gait_caveats(got.events, got.metrics))
    json.dumps(got.metrics.attrs["segments"], allow_nan=False)


def test_contact_time_does_not_leap_with_speed(monkeypatch):
    monkeypatch.setitem(SPEED_RANGE, "run", (1.8, 10.0))
    errors = []
    for speed in np.arange(2.5, 9.01, 0.5):
        run = synthetic_runner(speed, seconds=2.0, treadmill=True)
        pairs = match_events(gait_events(run.pose), run.events)
        late = (pairs.found - pairs.true)[pairs.true.between(0.3, 1.7)].groupby(pairs.event)
        assert late.apply(np.isnan).sum() == 0
        errors.append(late.mean())
    strike, toe_off = np.array(errors).T
    assert max(abs(strike).max(), abs(toe_off).max()) < 0.01
    assert abs(np.diff(toe_off - strike)).max() < 0.004


@pytest.mark.parametrize("seconds", [1.9, 2.0, 2.1, 2.2])
def test_whole_contacts_near_the_ends_count(seconds):
    run = synthetic_runner(3.2, seconds=3, treadmill=True)
    pose = run.pose.isel(time=slice(0, round(60 * seconds)))
    start, end = pose.time.values[[0, -1]]
    true = shown_whole(run.events, start, end)
    pairs = match_events(gait_events(pose), true)
    assert pairs[pairs.true.notna()].found.notna().all()


def test_feet_that_were_never_given_have_events_of_less_confidence():
    run = synthetic_runner(3.0, seconds=4, treadmill=True)
    placed = run.pose.copy(deep=True)
    feet = [side + part for side in "LR" for part in LEG_POINTS[2:]]
    placed.confidence.loc[dict(keypoint=feet)] = 0
    found, seen = gait_events(placed), gait_events(run.pose)
    assert len(found) == len(seen)
    assert (found.confidence > 0.3).all() and found.confidence.max() < seen.confidence.min()
