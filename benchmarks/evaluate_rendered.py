"""The whole chain on rendered runners with exact truth: BlazePose, repair, lifter; errors against
the rig's joints.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from clips import published_clips
from fastcore.script import call_parse
from tqdm import tqdm

from runningpose.camera import Camera
from runningpose.lifting.lift import lift
from runningpose.pose2d.backend import infer_video
from runningpose.pose2d.clean import clean
from runningpose.poses import points
from runningpose.training.losses import p_mpjpe, procrustes

POINTS = [
    f"{s}_{n}"
    for n in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle", "heel")
    for s in ("left", "right")
]
OURS = {
    "shoulder": "ShoulderTop",
    "elbow": "Elbow",
    "wrist": "Wrist",
    "knee": "Knee",
    "ankle": "Ankle",
    "heel": "HeelBack",
}


def ours(name):
    "Our name of a point of the rig"
    side, what = name.split("_")
    return name if what == "hip" else side[0].upper() + OURS[what]


def knee(p):
    "Knee flexion of both legs, degrees, from the 14 points"
    at = {n: p[:, i] for i, n in enumerate(POINTS)}
    out = []
    for s in ("left", "right"):
        u, v = at[f"{s}_knee"] - at[f"{s}_hip"], at[f"{s}_ankle"] - at[f"{s}_knee"]
        out.append(np.degrees(np.arctan2(np.linalg.norm(np.cross(u, v), axis=-1), (u * v).sum(-1))))
    return np.stack(out, 1)


FOLDS = Path(__file__).resolve().parent.parent / "checkpoint" / "folds"


def left_out(video):
    "The lifter that never saw the person whose motion a clip shows"
    return FOLDS / (
        "without_welk007" if video.stem.startswith("welk") else "without_hamner2013_s04"
    )


def score(video, model, checkpoint, mirror=False, refine=True):
    """One clip: errors relative to mid-hip, as they are, after one similarity transform for the
    clip, and after one for each frame
    """
    d = np.load(video.with_suffix(".npz"), allow_pickle=False)
    names = [str(n) for n in d["joints"]]
    w, h = (int(v) for v in d["size"])
    true = np.stack(
        [d["xyz"][:, names.index(n[0] + "_" + n.split("_")[1])] for n in POINTS], 1
    ) @ d["R"].T + d["t"].reshape(3)
    K = d["K"]
    cam = Camera(w, h, (K[0, 0], K[1, 1]), (K[0, 2] + 0.5, K[1, 2] + 0.5))
    kp = clean(infer_video(video, model=model, mirror=mirror, progress=False))
    got = (
        points(lift(kp, float(d["height"]), checkpoint, cam, refine=refine), *map(ours, POINTS))
        .swapaxes(0, 1)
        .astype(float)
    )
    n = min(len(got), len(true))
    got, true = got[:n], true[:n]
    ok = ~np.isnan(got).any((1, 2))

    def rel(p):
        return p[ok] - p[ok, 6:8].mean(1, keepdims=True)

    flat = procrustes(rel(got).reshape(1, -1, 3), rel(true).reshape(1, -1, 3)).reshape(-1, 14, 3)
    err, root = (np.linalg.norm(p - rel(true), axis=-1) * 1000 for p in (flat, rel(got)))
    return dict(
        clip=video.stem,
        frames=n,
        MPJPE_aligned=err.mean(),
        MPJPE_root=root.mean(),
        P_MPJPE=1000 * p_mpjpe(got[ok], true[ok]),
        knee_RMSE_deg=np.sqrt(np.mean((knee(got[ok]) - knee(true[ok])) ** 2)),
        feet=err[:, 10:].mean(),
    )


@call_parse
def main(
    data: str,  # Folder with the rendered clips
    model: str = "heavy",  # Model of the detector
    checkpoint: str = None,  # Lifter for all clips; when not given, for each clip the one that never saw the person whose motion it is
    mirror: bool = False,  # Run a second pass on mirrored frames
    raw: bool = False,  # The network's output, without constant segment lengths and rays
    out: str = None,  # CSV file to write
):
    "Errors in mm of every rendered clip"
    df = pd.DataFrame(
        [
            score(f, model, checkpoint or left_out(f), mirror, not raw)
            for f in tqdm(published_clips(data))
        ]
    )
    print(df.round(1).to_string(index=False))
    print(df.drop(columns=["clip", "frames"]).mean().round(1).to_string())
    if out:
        df.round(2).to_csv(out, index=False)
