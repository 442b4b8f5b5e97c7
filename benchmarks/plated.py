"""Runners on force plates (Hamner and Delp 2013): their motions as recorded and as lifted from
simulated 2D, and the events of the plates.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from folds import never_saw
from scipy.signal import butter, sosfiltfilt

from runningpose.data.c3d import read_c3d
from runningpose.gait.world import to_world
from runningpose.lifting.lift import lift
from runningpose.pose2d.clean import clean, lightly_filtered
from runningpose.pose2d.correct import correct
from runningpose.poses import load_poses, points, pose_arrays, poses_dataset, save_poses
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


FORCE_CUTOFF_HZ = 50.0
AS_HAMNER_HZ = 15.0  # makes RBDS001 pass from 20 to 150 N as slowly as the forces of Hamner do
CONTACT_N = 300.0  # a force above which a foot is certainly on the ground
PELVIS = ("R.ASIS", "L.ASIS", "R.PSIS", "L.PSIS")


class RbdsFile(NamedTuple):
    "One run of RBDS001 (Fukuchi et al. 2017), which is not used in any fit"

    force: np.ndarray  # Vertical, N
    force_rate: float  # Hz
    pelvis: np.ndarray  # Height of the mean of its markers, m
    rate: float  # Of the markers, Hz


def rbds_files(data):
    "The runs at 2.5 m/s, a pair of text files, and at 3.5 m/s, a C3D file"
    folder = Path(data) / "rbds"
    markers = pd.read_csv(folder / "RBDS001runT25markers.txt", sep="\t")
    force = pd.read_csv(folder / "RBDS001runT25forces.txt", sep="\t").Fy.to_numpy()
    heights = markers[[f"{name}Y" for name in PELVIS]].mean(axis=1).to_numpy() / 1000
    yield "RBDS001runT25", RbdsFile(force, 300.0, heights, 150.0)
    c3d = read_c3d(folder / "RBDS001runT35.c3d")
    up = "xyz".index(c3d.up)
    heights = c3d.position[:, [c3d.names.index(n) for n in PELVIS], up].mean(1) / 1000
    force = c3d.variables["force"]
    rate = 1 / float(np.diff(force.analog_time[:2])[0])
    yield "RBDS001runT35", RbdsFile(force.values[:, 0, up], rate, heights, c3d.fps)


def threshold_events(force, rate, newton, cutoff=FORCE_CUTOFF_HZ):
    "When a low-passed force leaves and reaches a threshold around each contact, s"
    sos = butter(2, cutoff, fs=rate, output="sos")
    force = sosfiltfilt(sos, force.astype(float))
    force = force - np.median(force[force < newton])
    above = force > CONTACT_N
    rows = []
    for i in np.flatnonzero(~above[:-1] & above[1:]):
        before = np.flatnonzero(force[: i + 1] <= newton)
        after = i + 1 + np.flatnonzero(force[i + 1 :] <= newton)
        if len(before) and len(after):
            j, k = before[-1], after[0] - 1
            strike = j + (newton - force[j]) / (force[j + 1] - force[j])
            toe_off = k + (newton - force[k]) / (force[k + 1] - force[k])
            rows += [(strike / rate, EVENTS[0]), (toe_off / rate, EVENTS[1])]
    return pd.DataFrame(rows, columns=["time", "event"])


def start_in(heights, fps, whole, rate):
    "At which moment of a recording a clip begins, s, by the height of the pelvis"
    t, u = np.arange(len(heights)) / fps, np.arange(len(whole)) / rate

    def difference(start):
        return np.std(np.interp(t + start, u, whole) - heights)

    return min(np.arange(0, u[-1] - t[-1] + 0.001, 0.002), key=difference)


def rbds_runs(data, newton=NEWTON, cutoff=FORCE_CUTOFF_HZ):
    "World poses and true events of RBDS001, with the side of the lower heel"
    motions = {m.name: m for m in load_all_mocap(Path(data) / "mocap")}
    for name, file in rbds_files(data):
        pose = recorded(motions[name])
        heights = points(pose, "mid_hip")[0][:, 2].astype(float)
        start = start_in(heights, pose.attrs["fps"], file.pelvis, file.rate)
        truth = threshold_events(file.force, file.force_rate, newton, cutoff)
        truth = truth.assign(time=truth.time - start)
        right, left = points(pose, "right_heel", "left_heel")[..., 2].astype(float)
        middle = np.repeat(truth.time.to_numpy().reshape(-1, 2).mean(1), 2)
        lower = np.interp(middle, pose.time.values, left - right) < 0
        yield name, pose, truth.assign(side=np.where(lower, "left", "right"))
