"""
How well up is found, and what a clip's length and rate do to the angles that hang on it.

Three tables, each with the lifters and correctors that never saw the person:

- `pixels`: every second clip of `shared/data/detector_pairs` (BlazePose's answers, true camera);
- `simulated`: recorded runners before eight cameras, 2D with measured errors;
- `changes`: one minute of a run, and half minutes of others, against two seconds and half of the
  frames of the same: the largest change of trunk lean, shank and knee at the strike.

The errors of up are given along the run (they turn the trunk lean) and across it, for the motion
alone, for a camera taken as level, and for both together (`fused_up`), with the share of errors
within the 90 % interval of the latter. The standard deviations of `gait.up` are read off the rows
of the motion. Four minutes on one core:

    python benchmarks/evaluate_up.py
"""

import os
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from fastcore.script import call_parse
from folds import never_saw

from runningpose.gait.directions import heading, up_axis, view_angle
from runningpose.gait.up import fused_up, up_of_segments
from runningpose.lifting.body import stature_of
from runningpose.pipeline.estimate import estimate, joint_centres, lift_body
from runningpose.pose2d.clean import clean
from runningpose.poses import points, poses_dataset
from runningpose.training.evaluate import evaluation_cameras, virtual_keypoints
from runningpose.training.folds import fold_of
from runningpose.training.mocap_people import load_all_mocap

SHARED = Path(__file__).parents[2] / "shared/data"
DATA = Path(os.environ.get("RUNNINGPOSE_DATA", SHARED))
EVERY = 2  # clips
NOT_WHOLE = ("rbds", "ric", "tindra")  # recordings without a measured trunk, and sprint starts
MOST_MOTIONS = 4  # of one person
LONG_RUNS = ("welk007_natural2", "RBDS001runT35", "RBDS002runT25")
SIDE_VIEWS = (2, 6)  # of `evaluation_cameras(8)`


def off(
    found,  # Unit vector, shape (3,)
    true,  # Up, unit vector, shape (3,)
    forward,  # Direction of the run, shape (3,)
):
    "How far a direction is off up, along and across the run, degrees"
    along = forward - forward @ true * true
    along = along / np.linalg.norm(along)
    left = np.cross(true, along)
    return [np.degrees(np.arctan2(found @ v, found @ true)) for v in (along, left)]


def mean_lean(pose3d, up, forward):
    "Mean forward lean of the trunk against a direction, degrees"
    pelvis, left, right = points(pose3d, "mid_hip", "left_shoulder", "right_shoulder")
    trunk = np.nanmean((left + right) / 2 - pelvis, 0).astype(float)
    return off(trunk / np.linalg.norm(trunk), up, forward)[0]


def row(pose3d, true, true_lean):
    "Errors of one clip, degrees"
    level = up_axis(pose3d)
    forward = heading(pose3d, level).forward
    reading = up_of_segments([pose3d])
    both = fused_up(reading, level, forward)
    found = dict(level=level, both=both.up) | (dict(motion=reading.up) if reading else {})
    errors = {name: off(up, true, forward) for name, up in found.items()}
    out = {f"{name} {kind}": e for name, es in errors.items() for kind, e in zip(KINDS, es)}
    for kind, sd in zip(KINDS, (both.along_sd, both.across_sd)):
        out[f"inside {kind}"] = float(abs(out[f"both {kind}"]) < 1.645 * sd)
    leans = dict(true=true, both=both.up) | (dict(motion=reading.up) if reading else {})
    for name, up in leans.items():
        out[f"lean, {name} up"] = mean_lean(pose3d, up, forward) - true_lean
    return out | dict(view=view_angle(pose3d, level, forward))


KINDS = ("along", "across")


def pixels():
    "Rows of rendered clips"
    for file in sorted((DATA / "detector_pairs").glob("*.npz"))[::EVERY]:
        clip = np.load(file, allow_pickle=False)
        person, moving = str(clip["person"]), bool(clip["moving_camera"])
        try:
            lifter, corrector = never_saw(person, "lifters"), never_saw(person, "correctors")
        except ValueError:
            continue
        kp2d = poses_dataset(
            clip["det"],
            clip["det_conf"].astype(np.float32),
            fps=float(clip["fps"]),
            image_width=int(clip["size"][0]),
            image_height=int(clip["size"][1]),
            backend="blazepose",
            camera_motion="panning" if moving else "static",
        )
        centres = joint_centres(clean(kp2d), lifter, corrector)
        pose3d = lift_body(centres, float(clip["height"]), lifter)
        true = clip["R"].reshape(-1, 3, 3).mean(0) @ [0, 0, 1.0]
        at = {str(name): clip["xyz"][:, i] for i, name in enumerate(clip["joints"])}
        trunk = at["l_shoulder"] + at["r_shoulder"] - at["l_hip"] - at["r_hip"]
        x, _, z = trunk.mean(0)
        yield row(pose3d, true / np.linalg.norm(true), np.degrees(np.arctan2(x, z)))


def people(motions):
    "Motions of whole bodies, a few of each person"
    count: dict[str, int] = {}
    for motion in motions:
        whole = fold_of(motion.subject) and not motion.subject.startswith(NOT_WHOLE)
        count[motion.subject] = count.get(motion.subject, 0) + 1
        if whole and motion.seconds > 1.2 and count[motion.subject] <= MOST_MOTIONS:
            yield motion


def simulated():
    "Rows of recorded runners before eight cameras"
    for motion in people(load_all_mocap(DATA / "mocap")):
        frames = int(min(motion.seconds, 4) * motion.fps)
        first = (len(motion.xyz) - frames) // 2
        xyz = np.asarray(motion.xyz[first : first + frames], float)
        for k, camera in enumerate(evaluation_cameras(8)):
            rng = np.random.default_rng(k)
            seen = virtual_keypoints(xyz, camera, "blazepose", "measured", rng, motion.fps)
            lifter = never_saw(motion.subject, "lifters")
            pose3d = lift_body(clean(seen.keypoints), float(stature_of(xyz)), lifter)
            exact = poses_dataset(
                seen.joints, skeleton="runningpose_22", fps=motion.fps, frame="camera"
            )
            true = camera.R @ [0, 0, 1.0]
            lean = mean_lean(exact, true, heading(pose3d, up_axis(pose3d)).forward)
            yield row(pose3d, true, lean)


def changes():
    "Largest change of an angle between a whole run, two seconds of it and half of its frames"
    motions = {motion.name: motion for motion in load_all_mocap(DATA / "mocap")}
    names = ("trunk_lean", "shank_angle_strike", "knee_flexion_strike")
    for name in LONG_RUNS:
        motion = motions[name]
        xyz = np.asarray(motion.xyz, float)
        for k in SIDE_VIEWS:
            camera, rng = evaluation_cameras(8)[k], np.random.default_rng(k)
            seen = virtual_keypoints(xyz, camera, "blazepose", "measured", rng, motion.fps)
            n = seen.keypoints.sizes["time"]
            two_seconds = [slice(a, a + 120) for a in np.linspace(60, n - 180, 3).astype(int)]
            values = []
            for frames in (slice(None), slice(0, n - 1, 2), *two_seconds):
                cut = seen.keypoints.isel(time=frames)
                cut = cut.assign_coords(time=cut.time - cut.time[0])
                cut.attrs["fps"] = 1 / float(np.median(np.diff(cut.time)))
                lifter = never_saw(motion.subject, "lifters")
                got = estimate(clean(cut), float(stature_of(xyz)), None, lifter, raw=True)
                values.append(got.metrics.groupby("metric").value.mean()[list(names)])
                up_sd = got.pose3d.attrs["up_sd_deg"][0]
            whole, half, *short = values
            for angle in names:
                most = max(abs(v[angle] - whole[angle]) for v in short)
                facts = dict(whole=whole[angle], half_rate=half[angle] - whole[angle])
                yield dict(run=name, camera=k, angle=angle, **facts, two_s=most, up_sd=up_sd)


def rounded(errors):
    "Mean, standard deviation and 90th percentile of the size"
    e = errors.dropna()
    return f"{e.mean():.1f} ± {e.std():.1f} ({e.abs().quantile(0.9):.1f})"


@call_parse
def main():
    "Print the tables"
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    for source in (pixels, simulated):
        rows = pd.DataFrame(list(source()))
        view = pd.cut(
            rows["view"], [0, 30, 60, 91], right=False, labels=["along", "oblique", "side"]
        )
        print(f"\n{source.__name__}: mean ± SD (90th percentile) of errors, degrees")
        names = [c for c in rows if c.startswith(("motion", "level", "both", "lean"))]
        table = {v: group[names].apply(rounded) for v, group in rows.groupby(view, observed=True)}
        inside = rows.groupby(view, observed=True)[[f"inside {kind}" for kind in KINDS]].mean()
        print(pd.DataFrame(table).to_string())
        print(inside.round(2).T.to_string())
        print(f"{len(rows)} clips: {view.value_counts().to_dict()}")
    print(
        "\nchanges of an angle, degrees: half of the frames, and the largest of three cuts of 2 s"
    )
    print(pd.DataFrame(list(changes())).round(1).to_string(index=False))
