"""What a measured body buys: rendered runners lifted with their stature alone, with true segment
lengths, and with where the points of hips and shoulders truly lie, from saved raw detections or
from the exact points. Each clip is scored with networks that never saw the person whose motion it
shows (checkpoint/folds/people.json).
"""

import json
from pathlib import Path

import numpy as np
import pandas as pd
from clips import machine
from evaluate_rendered import POINTS, knee, ours
from fastcore.script import call_parse
from folds import never_saw, person_of
from tqdm import tqdm

from runningpose.camera import Camera
from runningpose.lifting.lift import lift
from runningpose.lifting.measured_body import MAX_OFFSET_MM, MEASURES
from runningpose.pose2d.clean import clean
from runningpose.pose2d.correct import correct
from runningpose.poses import load_poses, points, poses_dataset
from runningpose.skeleton import skeleton
from runningpose.training.losses import p_mpjpe, procrustes

IN_SIDE_VIEW = ("thigh", "shank", "trunk", "upper_arm", "forearm")  # what a standing clip can show
TAPE_SD = 0.01  # of a length that somebody measures, m
MIN_FORWARD = 0.5  # part of the forward axis across the view, from which an offset can be seen
RIG = {"head": "headtop", "mid_hip": "pelvis"}  # names of the rig that differ from halpe_26


class Truth:
    "The rig of a rendered clip, in the frame of its camera"

    def __init__(self, file):
        d = np.load(file)
        rotation = d["R"] if d["R"].ndim == 3 else d["R"][None]
        self.xyz = d["xyz"].astype(float) @ rotation.swapaxes(1, 2) + d["t"].reshape(-1, 1, 3)
        self.names = [str(name) for name in d["joints"]]
        K = d["K"] if d["K"].ndim == 2 else d["K"][0]
        width, height = (int(v) for v in d["size"])
        centre = (K[0, 2] + 0.5, K[1, 2] + 0.5)
        self.camera = Camera(width, height, (K[0, 0], K[1, 1]), centre)
        self.height, self.time = float(d["height"]), d["time"]

    def has(self, name):
        return self.rig_name(name) in self.names

    def rig_name(self, name):
        "Name in the rig of a point of halpe_26"
        short = name.replace("left_", "l_").replace("right_", "r_")
        return RIG.get(name, short.replace("_toe", "toe"))

    def point(self, name):
        if name == "mid_hip":
            return (self.point("left_hip") + self.point("right_hip")) / 2
        if name == "neck":
            return (self.point("left_shoulder") + self.point("right_shoulder")) / 2
        return self.xyz[:, self.names.index(self.rig_name(name))]

    def measures(self):
        "Lengths of the segments as `lift` takes them, m"
        lengths = {}
        for name, measure in MEASURES.items():
            if name != "foot":  # the rig's toes end farther in front than the marker
                lines = [self.point(p) - self.point(q) for p, q in measure.ends]
                lengths[name] = float(np.median(np.linalg.norm(lines, axis=-1)))
        return lengths

    def exact_keypoints(self):
        "A perfect detector's points"
        names = skeleton("halpe_26").keypoints
        xy = np.full((len(self.xyz), 26, 2), np.nan)
        for i, name in enumerate(names):
            if self.has(name):
                at = self.point(name)
                xy[:, i] = at[:, :2] / at[:, 2:] * self.camera.f + self.camera.c
        size = dict(image_width=self.camera.width, image_height=self.camera.height)
        return poses_dataset(xy, time=self.time, **size)


def errors(pose3d, truth):
    "Errors of the 14 points, mm, and of the knee, degrees"
    got = points(pose3d, *map(ours, POINTS)).swapaxes(0, 1).astype(float)
    n = min(len(got), len(truth.xyz))
    true = np.stack([truth.point(name) for name in POINTS], 1)[:n]
    ok = ~np.isnan(got[:n]).any((1, 2))
    got, true = got[:n][ok], true[ok]
    sight = true[:, 6:8].mean(1, keepdims=True)
    sight = sight / np.linalg.norm(sight, axis=-1, keepdims=True)
    rel_got, rel_true = (p - p[:, 6:8].mean(1, keepdims=True) for p in (got, true))
    flat = [p.reshape(1, -1, 3) for p in (rel_got, rel_true)]
    aligned = procrustes(*flat).reshape(-1, 14, 3)
    return dict(
        MPJPE_aligned=1000 * np.linalg.norm(aligned - rel_true, axis=-1).mean(),
        MPJPE_root=1000 * np.linalg.norm(rel_got - rel_true, axis=-1).mean(),
        depth=1000 * abs(((rel_got - rel_true) * sight).sum(-1)).mean(),
        P_MPJPE=1000 * p_mpjpe(got, true),
        knee_RMSE_deg=np.sqrt(np.mean((knee(got) - knee(true)) ** 2)),
    )


def forward_offsets(kp, truth):
    """How far ahead of the joint centres the points of hips and shoulders lie, mm; nothing for a
    clip seen from the front or behind
    """
    n = min(kp.sizes["time"], len(truth.xyz))
    left, up = (
        truth.point(a) - truth.point(b) for a, b in (("left_hip", "right_hip"), ("neck", "mid_hip"))
    )
    forward = np.cross(left, up)[:n]
    forward = forward[:, :2] / np.linalg.norm(forward, axis=-1, keepdims=True)
    if np.sqrt((forward**2).sum(-1).mean()) < MIN_FORWARD:
        return {}
    offsets = {}
    for part in ("hip", "shoulder"):
        ahead = []
        for name in (f"left_{part}", f"right_{part}"):
            seen = points(kp, name)[0][:n].astype(float)
            true = truth.point(name)[:n]
            shown = true[:, :2] / true[:, 2:] * truth.camera.f + truth.camera.c
            across = (seen - shown) / truth.camera.f * true[:, 2:]
            known = ~np.isnan(across).any(-1)
            ahead.append(np.sum((across * forward)[known]) / np.sum(forward[known] ** 2))
        offsets[part] = 1000 * float(np.mean(ahead))
    return offsets


def usual_hip_width(clips):
    "Mean distance between the hips of the rendered bodies, share of stature"
    truths = [Truth(clip) for clip in clips]
    return float(np.mean([truth.measures()["pelvis"] / truth.height for truth in truths]))


def score(raw, rendered, checkpoint, hip_width):
    "One clip, each way"
    clip = Path(rendered) / f"{raw.stem}.npz"
    person, truth = person_of(clip), Truth(clip)
    lifter = checkpoint or never_saw(person, "lifters")
    lengths = truth.measures()
    known = {
        "stature": {},
        "limbs and trunk": {name: lengths[name] for name in IN_SIDE_VIEW},
        "hip width": dict(pelvis=lengths["pelvis"]),
        "usual hip width": dict(pelvis=hip_width * truth.height),
        "all segments": lengths,
    }
    tape = np.random.default_rng(0).normal(0, TAPE_SD, len(lengths))
    known["all segments, 1 cm off"] = dict(zip(lengths, [*lengths.values()] + tape, strict=True))
    ways = [(name, segments, {}) for name, segments in known.items()]
    detected = correct(clean(load_poses(raw)), never_saw(person, "correctors"))
    offsets = forward_offsets(detected, truth)
    own = {part: (mm, 0, 0) for part, mm in offsets.items() if abs(mm) <= MAX_OFFSET_MM}
    sources = {
        "detected": (detected, [*ways, ("all segments and offsets", lengths, own)]),
        "exact": (truth.exact_keypoints(), ways),
    }
    rows = []
    for seen, (kp, tries) in sources.items():
        for name, segments, offset_mm in tries:
            how = dict(segments=segments, offset_mm=offset_mm)
            poses = lift(kp, truth.height, lifter, truth.camera, **how)
            row = dict(clip=raw.stem, person=person, seen=seen, known=name)
            rows.append(row | errors(poses, truth) | {f"{k}_ahead": v for k, v in offsets.items()})
    return rows


@call_parse
def main(
    raw: str,  # Folder of raw detections of the rendered clips, one .nc for each
    rendered: str,  # Folder of the rendered clips with their truth, .npz
    checkpoint: str = None,  # Lifter for all clips; when not given, for each clip one that never saw the person
    out: str = None,  # JSON file to write
):
    "Errors with the stature alone, with some lengths, and with all"
    files = sorted(Path(raw).glob("*.nc"))
    width = usual_hip_width(Path(rendered) / f"{f.stem}.npz" for f in files)
    rows = pd.DataFrame([row for f in tqdm(files) for row in score(f, rendered, checkpoint, width)])
    ahead = ["hip_ahead", "shoulder_ahead"]
    table = rows.drop(columns=["clip", "person", *ahead])
    table = table.groupby(["seen", "known"], sort=False).mean()
    print(table.round(1).to_string())
    offsets = rows.groupby("clip")[ahead].first().dropna()
    found = dict(
        clips=len(offsets),
        median_mm=offsets.median().round(1).to_dict(),
        robust_sd_mm=((offsets.quantile(0.75) - offsets.quantile(0.25)) / 1.35).round(1).to_dict(),
    )
    print("hips and shoulders ahead of the joint centres:", found)
    if out:
        lines = table.round(2).reset_index().to_dict("records")
        facts = dict(
            clips=len(files),
            people=rows.person.nunique(),
            mean=lines,
            points_ahead=found,
            machine=machine(),
        )
        Path(out).write_text(json.dumps(facts, indent=1) + "\n")
