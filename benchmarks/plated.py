"""Runners on force plates (Hamner and Delp 2013): their motions as recorded and as lifted from
simulated 2D, and the events of the plates.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from runningpose.gait.world import to_world
from runningpose.lifting.lift import lift
from runningpose.pose2d.clean import clean, lightly_filtered
from runningpose.poses import load_poses, pose_arrays, poses_dataset, save_poses
from runningpose.training.evaluate import evaluation_cameras, virtual_keypoints
from runningpose.training.mocap_people import load_all_mocap

CHECKPOINT = Path(__file__).resolve().parent.parent / "checkpoint"
LEFT_OUT = CHECKPOINT / "folds" / "events_without.json"  # what `fit_events.py` writes
NEWTON = 20.0  # threshold of the vertical force
SAME_EVENT_S = 0.1
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
