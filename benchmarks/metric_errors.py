"""Errors of metrics and of angle curves on people whose joints are known, for fit_intervals.py.

Simulated: recorded runners in front of virtual cameras all round, tilted and with a focal length
that the pipeline is not told, each lifted by the network that never saw the person. From pixels:
the rendered clips, with the networks that never saw the person whose motion they show. The truth
are the same definitions on the exact joints, with the events of force plates where there were any.
What needs points that were not measured on a person (the arms of a leg recording) is left out.
"""

import json
import warnings
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch
from zlib import crc32

import numpy as np
import pandas as pd
import torch
import xarray as xr
from fastcore.script import call_parse
from folds import never_saw, person_of
from plated import LEFT_OUT, tells_20_newton, truth_to_learn
from tqdm import tqdm

from runningpose.data.truth import rendered_truth
from runningpose.gait.angles import joint_angles
from runningpose.gait.catalogue import CATALOGUE
from runningpose.gait.conditions import conditions_of
from runningpose.gait.detectors import event_stages
from runningpose.gait.events import gait_events
from runningpose.gait.intervals import ErrorGroup, error_group, error_of, leg_of
from runningpose.gait.metrics import gait_metrics
from runningpose.gait.world import to_world
from runningpose.lifting.body import RP, stature_of
from runningpose.pipeline.estimate import estimate
from runningpose.pose2d.clean import clean
from runningpose.poses import load_poses, poses_dataset
from runningpose.skeleton import convert, side_of
from runningpose.training.evaluate import evaluation_cameras, virtual_keypoints
from runningpose.training.folds import fold_of
from runningpose.training.mocap_people import load_all_mocap
from runningpose.training.motions import MODEL_FPS

SHORTEST_S, LONGEST_S = 2.0, 8.0  # of a window
SLOW_SHARE, NO_FEET_SHARE = 0.35, 0.25  # of the views at 30 frames/s, and without foot points
UNSTEADY = ("Tindra", "cmu_127", "cmu_49", "biomac_trial0100", "biomac_trial0122")  # starts, turns
ERROR_COLUMNS = "person clip view_deg view rate points metric side leg n value truth error".split()
CURVE_COLUMNS = "person clip view rate points angle leg mean sd true_sd r".split()
MASS_KG = 70.0  # of everybody: no error depends on it
MOVED_M = 0.05  # how far points that were not measured are moved to find what depends on them


def events_without(person):
    "While it lasts, events are found by what was learnt from the other people on plates"
    learnt = json.loads(LEFT_OUT.read_text())
    if person not in learnt:
        return nullcontext()
    stages = event_stages(learnt[person])
    return patch("runningpose.gait.detectors.shipped_stages", return_value=stages)


class Truth(NamedTuple):
    "What the exact joints say"

    metrics: pd.Series  # By metric and side
    angles: pd.DataFrame  # Degrees, index time (s)


class Errors(NamedTuple):
    "The errors of one clip"

    metrics: list  # Rows of ERROR_COLUMNS
    curves: list  # Rows of CURVE_COLUMNS


def truth_of(world, plates=None):
    "Metrics and angles of exact joints in world axes, and our events of them"
    events = gait_events(world)
    if plates is not None and len(plates):
        measured = plates.assign(confidence=1.0)
        measured.attrs = events.attrs
        events = measured
    angles = joint_angles(world)
    table = gait_metrics(world, events, angles, give_all=True)
    return Truth(table.set_index(["metric", "side"]).value, angles), events


def placed(xyz, height):
    "A window in place, on the floor, as poses"
    place = xyz - convert(xyz, RP, ["mid_hip"]) * [1, 1, 0]
    place = place - [0, 0, place[..., 2].min()]
    about = dict(frame="world", units="m", height=height, mass=MASS_KG)
    exact = poses_dataset(place, skeleton=RP.name, fps=MODEL_FPS, **about)
    return to_world(exact, True)


def is_absolute(angle):
    "Whether an angle is one against the vertical"
    return angle.endswith(("hip_flexion", "thigh_angle", "shank_angle", "foot_angle"))


def has_trunk(motion):
    "Whether more than the legs was measured"
    return bool(motion.measured[RP.index("LShoulderTop", "RShoulderTop")].all())


def without_guesses(truth, moved, absolute):
    """A truth without what changes when points that were not measured are moved and, unless
    absolute, what needs the vertical, which is found from the whole body
    """
    same = np.isclose(truth.metrics, moved.metrics.reindex(truth.metrics.index), atol=1e-6)
    names = truth.metrics.index.get_level_values("metric")
    same &= absolute | ~np.array(["level camera" in CATALOGUE[name].needs for name in names])
    columns = [
        c
        for c in truth.angles
        if np.allclose(truth.angles[c], moved.angles[c], atol=1e-6)
        and (absolute or not is_absolute(c))
    ]
    return Truth(truth.metrics[same], truth.angles[columns])


def compared(found, truth, facts, group=None):
    "Errors of the metrics and angles of one clip"
    conditions = conditions_of(found.pose3d)
    group = group or error_group(conditions)
    near_side = conditions.near_side
    angles = joint_angles(found.pose3d)
    metrics = gait_metrics(found.pose3d, found.events, angles, give_all=True)
    rows, curves = [], []
    for row in metrics.itertuples():
        true = truth.metrics.get((row.metric, row.side), np.nan)
        leg = leg_of(row.side, near_side, group.view)
        error = error_of(CATALOGUE[row.metric], row.value, true)
        numbers = row.n, row.value, true, error
        rows.append((*facts, conditions.view_deg, *group, row.metric, row.side, leg, *numbers))
    for column in truth.angles.columns.intersection(angles.columns):
        true = np.interp(angles.index, truth.angles.index, truth.angles[column])
        error = angles[column].to_numpy() - true
        r = np.corrcoef(angles[column], true)[0, 1]
        leg = leg_of(side_of(column).replace("centre", "both"), near_side, group.view)
        angle = column.removeprefix("left_").removeprefix("right_")
        curves.append((*facts, *group, angle, leg, error.mean(), error.std(), true.std(), r))
    return Errors(rows, curves)


def plates_in(plates, name, start, end):
    "The plates' events of whole contacts inside a window, in its time"
    if name not in plates:
        return None
    own = plates[name]
    own = own[own.time.between(start, end)]
    return own.assign(time=own.time - start).reset_index(drop=True)


def simulated(motion, plates, cameras):
    "Errors of one recording, each camera with a window, rate and backend of its own"
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore")
    rng = np.random.default_rng(crc32(motion.name.encode()))  # the same in every process
    errors = Errors([], [])
    views = evaluation_cameras(8, seed=int(rng.integers(2**31)))
    chosen = cameras if has_trunk(motion) else cameras // 2
    for k in rng.permutation(len(views))[:chosen]:
        seconds = min(motion.seconds, rng.uniform(SHORTEST_S, LONGEST_S))
        n = int(seconds * MODEL_FPS)
        first = int(rng.integers(0, len(motion.xyz) - n + 1))
        every = 2 if rng.random() < SLOW_SHARE else 1
        lacks = "coco_17" if rng.random() < NO_FEET_SHARE else "blazepose"
        xyz = np.asarray(motion.xyz[first : first + n], float)
        span = first / MODEL_FPS, (first + n) / MODEL_FPS
        try:
            own = plates_in(plates, motion.name, *span)
            with events_without(motion.subject):
                clip = f"{motion.name} {k}"
                one = one_view(motion, clip, xyz, views[k], every, lacks, rng, own)
        except ValueError as problem:
            print(f"{motion.name}, camera {k}: {problem}", flush=True)
            continue
        for rows, more in zip(errors, one, strict=True):
            rows += more
    return errors


def one_view(motion, clip, xyz, camera, every, lacks, rng, plates):
    "Errors of one window in front of one camera"
    height = float(stature_of(xyz))
    world = placed(xyz, height)
    truth, events = truth_of(world, plates)
    if events.attrs.get("gait") not in ("run", "sprint"):
        raise ValueError(f"no run but {events.attrs.get('gait')}")
    if not motion.measured.all():
        moved = xyz + np.where(motion.measured, 0, MOVED_M)[:, None] * rng.normal(size=(22, 3))
        guessed = truth_of(placed(moved, height), plates)[0]
        truth = without_guesses(truth, guessed, absolute=has_trunk(motion))
    lifter = never_saw(motion.subject, "lifters")
    fps = MODEL_FPS / every
    seen = virtual_keypoints(xyz[::every], camera, lacks, "measured", rng, fps)
    found = estimate(clean(seen.keypoints), height, checkpoint=lifter, raw=True, mass=MASS_KG)
    group = error_group(conditions_of(found.pose3d))
    group = group._replace(points="no feet" if lacks == "coco_17" else "feet")
    errors = compared(found, truth, (motion.subject, clip), group=group)
    if plates is not None and every == 1:
        exact = found_of_joints(world)
        own = compared(exact, truth, (motion.subject, clip), group=JOINTS)
        errors.metrics.extend(own.metrics)
    return errors


JOINTS = ErrorGroup("joints", 60, "feet")


class Found(NamedTuple):
    "Poses and events as `compared` reads them"

    pose3d: xr.Dataset
    events: pd.DataFrame


def found_of_joints(world):
    "What our events make of exact joints"
    return Found(world, gait_events(world))


def rendered(video, data, keypoints):
    "Errors of a rendered clip from its detected points"
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore")
    person = person_of(video)
    true = rendered_truth(video.with_suffix(".npz"))
    world = to_world(true.pose.assign_attrs(mass=MASS_KG))
    with np.load(video.with_suffix(".npz"), allow_pickle=False) as clip:
        body = str(clip["body"]) if "body" in clip.files else video.stem.split("_")[1]
        moves = "moving_camera" in clip.files and bool(clip["moving_camera"])
        on_plates = "plate_events" in clip.files and len(clip["plate_events"]) > 0
        on_plates = on_plates and tells_20_newton(data, str(clip["motion"]))
    # the contact flags of the other clips are those of the rig's soles, no truth of timing
    truth, _ = truth_of(world, true.events if on_plates else None)
    with events_without(person):
        found = estimate(
            clean(load_poses(keypoints / f"{video.stem}.nc")),
            float(true.pose.attrs["height"]),
            checkpoint=never_saw(person, "lifters"),
            corrector=never_saw(person, "correctors"),
            mass=MASS_KG,
        )
    if moves:  # `gait.metrics` widens these intervals by a factor of its own
        names = truth.metrics.index.get_level_values("metric")
        steady = [name for name in names if "steady camera" in CATALOGUE[name].needs]
        truth = truth._replace(metrics=truth.metrics.drop(steady, level="metric"))
    return compared(found, truth, (body, video.stem))


def in_processes(function, items, workers, name):
    "Results of all items, in parallel, with a bar"
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        parts = list(tqdm(pool.map(function, items), total=len(items), desc=name))
    return Errors(*([row for part in parts for row in part[i]] for i in (0, 1)))


def write(errors, out, name):
    "Both tables of one kind"
    table = pd.DataFrame(errors.metrics, columns=ERROR_COLUMNS).dropna(subset=["error"])
    table.round(5).to_csv(out / f"{name}_metrics.csv.gz", index=False)
    curves = pd.DataFrame(errors.curves, columns=CURVE_COLUMNS)
    curves.round(3).to_csv(out / f"{name}_curves.csv.gz", index=False)
    print(f"{name}: {len(table)} values of {table.person.nunique()} people", flush=True)


@call_parse
def main(
    data: str,  # Folder with the shared recordings
    keypoints: str,  # Folder with the detected keypoints of the rendered clips
    out: str,  # Folder for the tables
    workers: int = 2,  # Processes
    cameras: int = 8,  # Of each recording, at most 8
    people: str = None,  # Only these, by names with commas between them
):
    "Errors of all people left out, and of all rendered clips"
    data, out = Path(data), Path(out)
    out.mkdir(parents=True, exist_ok=True)
    plates = {name: t[["time", "side", "event"]] for name, t in truth_to_learn(data).items()}
    only = people.split(",") if people else None
    motions = [
        m
        for m in load_all_mocap(data / "mocap")
        if fold_of(m.subject) and not m.name.startswith(UNSTEADY) and m.seconds >= SHORTEST_S
        if only is None or m.subject in only
    ]
    write(
        in_processes(
            partial(simulated, plates=plates, cameras=cameras), motions, workers, "simulated"
        ),
        out,
        "simulated",
    )
    clips = sorted((data / "rendered").glob("*.mp4")) if only is None else []
    read = partial(rendered, data=data, keypoints=Path(keypoints))
    write(in_processes(read, clips, workers, "rendered"), out, "rendered")
