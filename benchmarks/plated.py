"""Runners on force plates (Hamner and Delp 2013): their motions as recorded and as lifted from
simulated 2D, and the events of the plates.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from folds import never_saw

from runningpose.gait.world import to_world
from runningpose.lifting.lift import lift
from runningpose.pose2d.clean import clean, lightly_filtered
from runningpose.pose2d.correct import correct
from runningpose.poses import load_poses, pose_arrays, poses_dataset, save_poses
from runningpose.training.detector_pairs import read_pair
from runningpose.training.evaluate import evaluation_cameras, virtual_keypoints
from runningpose.training.mocap_people import load_all_mocap

CHECKPOINT = Path(__file__).resolve().parent.parent / "checkpoint"
LEFT_OUT = CHECKPOINT / "folds" / "events_without.json"  # what `fit_events.py` writes
NEWTON = 20.0  # threshold of the vertical force
SAME_EVENT_S = 0.1
EVENTS = ("foot_strike", "toe_off")
FROM_20_TO_50_S = 0.003, 0.03  # s that a low-passed force takes where its zero is right


def all_plate_events(data):
    "The events of all thresholds; columns clip_id, side, event, time (s), threshold_N"
    events = pd.read_csv(Path(data) / "mocap" / "hamner2013_events.csv")
    return events.rename(columns=dict(time_s="time"))


def plate_events(data, newton=NEWTON):
    "The events at one threshold, by clip"
    events = all_plate_events(data)
    return dict(list(events[events.threshold_N == newton].groupby("clip_id")))


def tells_20_newton(data, clip):
    """Whether the force of a clip passes 20 N where a foot does. Some forces are zero below 45 to
    130 N, and pass 20 and 50 N at the same moment; one has a zero that drifts, and takes up to
    58 ms or passes 20 N without a foot
    """
    low, high = (plate_events(data, n)[clip] for n in (20.0, 50.0))
    gaps = []
    for (side, kind), g in low.groupby(["side", "event"]):
        times = high[(high.side == side) & (high.event == kind)].time.to_numpy()
        gaps += [gap for t in g.time if (gap := abs(times - t).min()) < SAME_EVENT_S]
    least, most = FROM_20_TO_50_S
    return bool(np.median(gaps) > least and max(gaps) < most)


HIGH_N = 150.0  # a vertical force above all that the published ones cut off
FORCE_COLUMNS = ("right", "left")


def crossings(force, rate):
    "When a force passes HIGH_N, s, by event"
    below = force < HIGH_N
    found = {}
    for event, edges in (
        ("foot_strike", below[:-1] & ~below[1:]),
        ("toe_off", ~below[:-1] & below[1:]),
    ):
        i = np.flatnonzero(edges)
        found[event] = (i + (HIGH_N - force[i]) / (force[i + 1] - force[i])) / rate
    return found


def truth_to_learn(data):
    """The events at 20 N by clip; where the force does not tell 20 N, those at 150 N moved by the
    median time between 20 and 150 N of the other clips at the same speed
    """
    with np.load(Path(data) / "mocap" / "hamner2013_forces.npz") as forces:
        rate = float(forces["rate"])
        high = [
            dict(clip=clip, speed=clip[-1], side=side, event=event, time=t)
            for clip in forces.files
            if clip.startswith("hamner")
            for side, force in zip(FORCE_COLUMNS, forces[clip].T.astype(float), strict=True)
            for event, times in crossings(force, rate).items()
            for t in times
        ]
    high, low = pd.DataFrame(high), plate_events(data)
    clear = {clip: tells_20_newton(data, clip) for clip in low}
    keys = ["side", "event"]
    gaps = []
    for clip, g in high[high["clip"].map(clear)].groupby("clip"):
        pairs = g.merge(low[clip], on=keys, suffixes=("", "_20"))
        gap = (pairs.time_20 - pairs.time).rename("gap")
        gaps.append(pairs.assign(gap=gap)[gap.abs() < SAME_EVENT_S])
    gap = pd.concat(gaps).groupby(["speed", "event"]).gap.median()
    moved = high.assign(time=high.time + high.set_index(["speed", "event"]).index.map(gap))
    repaired = dict(list(moved.groupby("clip")))
    return {clip: low[clip] if clear[clip] else repaired[clip] for clip in low}


def motions(data):
    "The recordings with plates"
    events = plate_events(data)
    return [m for m in load_all_mocap(Path(data) / "mocap") if m.name in events]


def recorded(motion, fps=None):
    "World poses at their own rate, or at another one"
    t = np.arange(len(motion.xyz)) / motion.fps
    x = motion.xyz.astype(float)
    if fps and fps != motion.fps:
        u = np.arange(0, t[-1], 1 / fps)
        columns = [np.interp(u, t, c) for c in x.reshape(len(x), -1).T]
        t, x = u, np.stack(columns, -1).reshape(len(u), 22, 3)
    return poses_dataset(
        x,
        skeleton="runningpose_22",
        time=t,
        fps=fps or motion.fps,
        frame="world",
        height=1.75,
    )


def lifted(motion, fps, view, lifter_of, cache=None):
    "World poses lifted from one of eight simulated cameras, by a lifter that never saw the person"
    file = Path(cache) / f"{motion.name}_{fps}_v{view}.nc" if cache else None
    if file and file.exists():
        return load_poses(file)
    pose, cam = recorded(motion, fps), evaluation_cameras(8)[view]
    keypoints = virtual_keypoints(
        pose_arrays(pose)[0].astype(float),
        cam,
        fps=fps,
        rng=np.random.default_rng(view),
    )[0]
    seen = lightly_filtered(clean(keypoints))
    lifter = lifter_of(motion.subject, "lifters")
    world = to_world(lift(seen, 1.75, lifter, cam), treadmill=True)
    if file:
        file.parent.mkdir(parents=True, exist_ok=True)
        save_poses(world, file)
    return world


def clip_truth(clip):
    "The events of the plates in the time of a rendered clip"
    time, side, kind = clip["plate_events"].T
    sides, kinds = np.where(side == 0, "left", "right"), np.where(kind == 0, *EVENTS)
    return pd.DataFrame(dict(time=time, side=sides, event=kinds))


def in_clip_time(truth, clip):
    "Events of a recording in the time of a clip that shows it"
    return truth.assign(time=(truth.time - float(clip["motion_t0"])) * float(clip["time_scale"]))


class RenderedClip(NamedTuple):
    file: Path
    motion: str  # Recording that it shows
    person: str
    view: str


def pair_clips(data):
    "Clips of `detector_pairs` that show a runner on plates, with nothing before the runner"
    names, clips = set(plate_events(data)), []
    for file in sorted((Path(data) / "detector_pairs").glob("*.npz")):
        with np.load(file, allow_pickle=False) as clip:
            about = [str(clip[name]) for name in ("motion", "person", "view")]
            if about[0] in names and not len(clip.get("occluders", ())):
                clips.append(RenderedClip(file, *about))
    return clips


def from_detections(file, cache=None):
    """World poses of a clip of `detector_pairs`, from what BlazePose found in its pictures, by
    networks that never saw the person; None where nothing can be lifted
    """
    kept = Path(cache) / "pairs" / f"{Path(file).stem}.nc" if cache else None
    if kept and kept.exists():
        return load_poses(kept)
    pair = read_pair(Path(file))
    with np.load(file, allow_pickle=False) as clip:
        height = float(clip["height"])
    centres = correct(pair.keypoints, never_saw(pair.person, "correctors"))
    lifter = never_saw(pair.person, "lifters")
    try:
        world = to_world(lift(lightly_filtered(centres), height, lifter, pair.camera))
    except ValueError:  # no ankle was found
        return None
    if kept:
        kept.parent.mkdir(parents=True, exist_ok=True)
        save_poses(world, kept)
    return world
