"""The lifter on real video: each of four calibrated views alone against the triangulation of all
four.

The video is the single-person demonstration of Pose2Sim (BSD-3-Clause): a man who walks over a
beam, recorded at 60 Hz. `pip download` fetches it with the package; nothing of it is kept. The
truth is BlazePose's own points, triangulated, so errors common to all views do not show.
"""

import subprocess
import sys
import tempfile
import zipfile
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
from fastcore.script import call_parse
from tqdm import tqdm

from runningpose.data.calibration import read_cameras
from runningpose.data.triangulate import triangulate
from runningpose.gait.angles import joint_angles
from runningpose.lifting.body import LEG_FRACTION
from runningpose.lifting.lift import lift
from runningpose.pose2d.backend import infer_video
from runningpose.pose2d.clean import clean
from runningpose.pose2d.correct import correct
from runningpose.poses import like, points, pose_arrays
from runningpose.training.losses import p_mpjpe, procrustes

POINTS = [
    f"{s}_{n}"
    for n in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle", "heel", "big_toe")
    for s in ("left", "right")
]
BONES = [
    (f"{s}_{a}", f"{s}_{b}")
    for s in ("left", "right")
    for a, b in pairwise(("shoulder", "elbow", "wrist"))
] + [
    (f"{s}_{a}", f"{s}_{b}")
    for s in ("left", "right")
    for a, b in pairwise(("hip", "knee", "ankle"))
]


def fetch(folder):
    "Videos and calibration of the demonstration"
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "download",
            "-q",
            "--no-deps",
            "-d",
            folder,
            "pose2sim==0.10.49",
        ],
        check=True,
    )
    with zipfile.ZipFile(next(Path(folder).glob("pose2sim*.whl"))) as z:
        z.extractall(
            folder,
            [
                n
                for n in z.namelist()
                if "Demo_SinglePerson/" in n and n.endswith((".mp4", ".qca.txt"))
            ],
        )
    demo = Path(folder) / "Pose2Sim" / "Demo_SinglePerson"
    return sorted(demo.glob("videos/*.mp4")), read_cameras(demo / "calibration" / "Calib.qca.txt")


def relative_to_hips(p):
    "Points relative to mid-hip, m"
    return p - p[:, 6:8].mean(1, keepdims=True)


def body(ds):
    "The 16 points that are scored, m, shape (T, 16, 3)"
    return points(ds, *POINTS).swapaxes(0, 1).astype(float)


def stature(p):
    "Stature from the length of the legs, in the proportions of the lifter's training, m"
    at = {n: p[:, i] for i, n in enumerate(POINTS)}

    def d(a, b):
        return np.nanmedian(np.linalg.norm(at[a] - at[b], axis=-1))

    return (
        np.mean(
            [d(f"{s}_hip", f"{s}_knee") + d(f"{s}_knee", f"{s}_ankle") for s in ("left", "right")]
        )
        / LEG_FRACTION
    )


def score(view, cam, true, height, checkpoint):
    "One view: errors relative to mid-hip, mm; knee, degrees; spread of the bone lengths, %"
    got = lift(view, height, checkpoint, cam)
    a, b = relative_to_hips(body(got)), relative_to_hips(true @ cam.R.T)
    ok = ~(np.isnan(a) | np.isnan(b)).any(-1)
    bones = np.stack(
        [np.linalg.norm(a[:, POINTS.index(i)] - a[:, POINTS.index(j)], axis=-1) for i, j in BONES],
        1,
    )
    mid = np.nanmedian(bones, 0)
    error = np.linalg.norm(a - b, axis=-1)
    flat = procrustes(a[ok][None], b[ok][None])[0]
    whole = ok.all(1)

    def across(p):
        return p[:, 6] - p[:, 7]

    return (
        dict(
            frames=int(ok.any(1).sum()),
            MPJPE=1000 * error[ok].mean(),
            aligned=1000 * np.linalg.norm(flat - b[ok], axis=-1).mean(),
            P_MPJPE=1000 * p_mpjpe(a[whole], b[whole]),
            feet=1000 * np.nanmean(error[:, 12:]),
            bone_spread=100 * np.mean(1.4826 * np.nanmedian(abs(bones - mid), 0) / mid),
            flipped=100 * np.nanmean((across(a) * across(b)).sum(-1)[ok.any(1)] < 0),
        ),
        got,
    )


def knee_error(got, true):
    "RMSE of knee flexion, degrees, left and right together"
    a, b = (
        joint_angles(d)[["left_knee_flexion", "right_knee_flexion"]].to_numpy() for d in (got, true)
    )
    return np.sqrt(np.nanmean((a - b) ** 2))


@call_parse
def main(
    folder: str = None,  # Where to put the video; a temporary folder when not given
    checkpoint: str = None,  # Lifter; the shipped one when not given
    model: str = "heavy",  # Model of the detector
    out: str = None,  # CSV file to write
):
    "Errors of every view against the triangulation"
    with tempfile.TemporaryDirectory() as d:
        videos, cams = fetch(folder or d)
        cams = list(cams.values()) if isinstance(cams, dict) else cams
        views = [clean(infer_video(f, model=model, progress=False)) for f in tqdm(videos)]
        tri = triangulate(views, cams)
        true = body(tri)
        height = stature(true)
        e = tri.reprojection_error.sel(keypoint=POINTS).values
        print(
            f"triangulation: median {np.nanmedian(e):.1f} px,"
            f" {100 * np.isnan(true).any(-1).mean():.0f} % of the points missing; stature from the"
            f" legs {height:.2f} m"
        )
        rows, as_detected = [], []
        for f, v, c in zip(videos, views, cams, strict=True):
            for points, found in ((correct(v), rows), (v, as_detected)):
                s, got = score(points, c, true, height, checkpoint)
                knee = knee_error(got, like(tri, *pose_arrays(tri)))
                found.append(dict(view=f.stem) | s | dict(knee_deg=knee))
    df, without = pd.DataFrame(rows), pd.DataFrame(as_detected).drop(columns="view")
    df.loc[len(df)] = ["mean", *df.drop(columns="view").mean()]
    df.loc[len(df)] = ["mean, points as detected", *without.mean()]
    print(df.round(1).to_string(index=False))
    if out:
        df.round(2).to_csv(out, index=False)
