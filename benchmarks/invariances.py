"""What changes a number and should not: the same run measured twice, with one thing changed.

Recorded runners in front of a virtual camera, lifted by the network that never saw them. Each
change is made to one of two measurements; what a metric differs by is set against the half-width of
its interval. Writes checkpoint/invariances.csv, which the page on intervals shows.
"""

from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from fastcore.script import call_parse
from folds import never_saw
from tqdm import tqdm

from runningpose.camera import look_at, phone_camera
from runningpose.gait.catalogue import CATALOGUE
from runningpose.gait.intervals import is_relative
from runningpose.lifting.body import HALPE, stature_of
from runningpose.pipeline.estimate import estimate
from runningpose.pose2d.clean import clean
from runningpose.poses import like, pose_arrays
from runningpose.training.evaluate import virtual_keypoints
from runningpose.training.mocap_people import load_all_mocap
from runningpose.training.motions import MODEL_FPS

CHECKPOINT = Path(__file__).resolve().parent.parent / "checkpoint"
RUNS = ("hamner2013_s03_run3", "hamner2013_s17_run4", "hamner2013_s08_run3", "welk007_natural2")
SECONDS = 5.0
SHOWN = (
    "cadence contact_time speed vertical_oscillation trunk_lean overstride knee_flexion_strike "
    "hip_extension_toe_off shank_angle_strike foot_strike_angle leg_stiffness"
).split()


class Setting(NamedTuple):
    "How a run is measured"

    azimuth: float = 90.0  # Of the camera: 90 from the left, degrees
    distance: float = 5.0  # m
    height: float = 1.2  # m
    pitch: float = 0.0  # How far the camera looks up, degrees
    roll: float = 0.0  # Degrees
    fov: float = 60.0  # Across the longer side, degrees; the pipeline assumes 60
    width: int = 1920  # px
    seconds: float = SECONDS
    start: float = 1.0  # s
    every: int = 1  # Frames taken
    mirrored: bool = False
    hidden: bool = False  # Legs hidden every second stride


SIDE, OBLIQUE = Setting(), Setting(azimuth=45.0)
CHANGES = {  # what changes: from, to
    "field of view 50° instead of 60°, from 45°": (OBLIQUE, OBLIQUE._replace(fov=50.0)),
    "field of view 72° instead of 60°, from 45°": (OBLIQUE, OBLIQUE._replace(fov=72.0)),
    "2 s of a run of 5 s": (SIDE, SIDE._replace(seconds=2.0)),
    "2 s of a run of 5 s, from 45°": (OBLIQUE, OBLIQUE._replace(seconds=2.0)),
    "start half a second later": (SIDE, SIDE._replace(start=1.5)),
    "30 frames per second instead of 60": (SIDE, SIDE._replace(every=2)),
    "8 m away instead of 5": (SIDE, SIDE._replace(distance=8.0)),
    "3 m away instead of 5": (SIDE, SIDE._replace(distance=3.0)),
    "camera 0.6 m high instead of 1.2": (SIDE, SIDE._replace(height=0.6)),
    "camera 8° up": (SIDE, SIDE._replace(pitch=8.0)),
    "camera rolled by 5°": (SIDE, SIDE._replace(roll=5.0)),
    "camera rolled by 10°": (SIDE, SIDE._replace(roll=10.0)),
    "from the other side": (SIDE, SIDE._replace(azimuth=270.0)),
    "mirrored keypoints": (SIDE, SIDE._replace(mirrored=True)),
    "legs hidden every second stride": (SIDE, SIDE._replace(hidden=True)),
}


def camera_of(setting):
    "The camera of a setting"
    cam = phone_camera(setting.width, setting.width * 9 // 16, setting.fov)
    a = np.radians(setting.azimuth)
    eye = np.array([np.cos(a), np.sin(a), 0]) * setting.distance + [0, 0, setting.height]
    level = np.array([0, 0, 0.9 + setting.distance * np.tan(np.radians(setting.pitch))])
    return look_at(cam, eye, level, setting.roll)


def mirrored(keypoints):
    "Keypoints of the picture mirrored left to right"
    position, confidence = pose_arrays(keypoints)
    flipped = position[:, HALPE.flip] * [-1, 1] + [keypoints.attrs["image_width"], 0]
    return like(keypoints, flipped, confidence[:, HALPE.flip])


def with_hidden_legs(keypoints, stride=0.7):
    "Keypoints without legs in every second stride"
    position, confidence = (a.copy() for a in pose_arrays(keypoints))
    legs = [
        i
        for i, n in enumerate(HALPE.keypoints)
        if any(p in n for p in ("knee", "ankle", "heel", "toe"))
    ]
    hidden = (keypoints.time.values // stride).astype(int) % 2 == 1
    position[np.ix_(hidden, legs)] = np.nan
    confidence[np.ix_(hidden, legs)] = 0
    return like(keypoints, position, confidence)


def measured(motion, setting):
    "Metrics of a run under a setting"
    first = int(setting.start * MODEL_FPS)
    xyz = np.asarray(motion.xyz[first : first + int(setting.seconds * MODEL_FPS)], float)
    height = float(stature_of(np.asarray(motion.xyz, float)))
    rng = np.random.default_rng(5)
    seen = virtual_keypoints(
        xyz[:: setting.every],
        camera_of(setting),
        "blazepose",
        "measured",
        rng,
        MODEL_FPS / setting.every,
    ).keypoints
    seen = mirrored(seen) if setting.mirrored else seen
    seen = with_hidden_legs(seen) if setting.hidden else seen
    lifter = never_saw(motion.subject, "lifters")
    found = estimate(clean(seen), height, checkpoint=lifter, raw=True).metrics
    if setting.mirrored:
        found = found.replace({"side": {"left": "right", "right": "left"}})
    return found.set_index(["metric", "side"])


def changed(name, motion):
    "What a change does to the metrics of a run, as a share of the half-width of their intervals"
    torch.set_num_threads(1)
    before, after = (measured(motion, setting) for setting in CHANGES[name])
    rows = []
    for key in before.index:
        a, b = before.loc[key], after.loc[key]
        if key[0] not in SHOWN or not np.isfinite([a.value, b.value]).all():
            continue
        half_width = max((row.high - row.low) / 2 for row in (a, b))
        size = a.value if is_relative(CATALOGUE[key[0]]) else 1.0
        rows.append(
            dict(
                change=name,
                run=motion.name,
                metric=key[0],
                side=key[1],
                before=a.value,
                after=b.value,
                share=abs(b.value - a.value) / half_width if half_width else np.nan,
                relative=(b.value - a.value) / size,
            )
        )
    return rows


@call_parse
def main(
    data: str,  # Folder with the shared recordings
    out: str = str(CHECKPOINT / "invariances.csv"),  # Table to write
):
    "All changes on all runs; per change and metric the mean change and its share of the interval"
    motions = [m for m in load_all_mocap(Path(data) / "mocap") if m.name in RUNS]
    work = [partial(changed, name, motion) for name in CHANGES for motion in motions]
    rows = pd.DataFrame([row for one in tqdm(work) for row in one()])
    groups = rows.groupby(["change", "metric"], sort=False)
    table = groups.agg(
        values=("share", "size"),
        mean_change=("relative", "mean"),
        largest_share=("share", "max"),
        beyond=("share", lambda share: int((share > 1).sum())),
    ).reset_index()
    table.round(4).to_csv(out, index=False)
    print(table.round(3).to_string())
    print(f"beyond the half-width of their interval: {int(table.beyond.sum())} of {len(rows)}")
