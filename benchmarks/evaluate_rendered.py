"""The whole chain on rendered runners with exact truth: BlazePose, repair, corrector, lifter; errors
against the rig's joints. Each clip is scored with the networks that never saw the person whose
motion it shows.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from clips import published_clips
from fastcore.script import call_parse
from folds import never_saw, person_of
from tqdm import tqdm

from runningpose.camera import Camera
from runningpose.lifting.lift import lift
from runningpose.pose2d.backend import infer_video
from runningpose.pose2d.clean import clean
from runningpose.pose2d.correct import correct
from runningpose.poses import load_poses, points, save_poses
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


def left_out(video):
    "The lifter that never saw the person whose motion a clip shows"
    return never_saw(person_of(video), "lifters")


def true_joints(d):
    "The 14 points in the frame of the camera, which may move, m, shape (T, 14, 3)"
    names = [str(n) for n in d["joints"]]
    rig = [names.index(n[0] + "_" + n.split("_")[1]) for n in POINTS]
    R, t = d["R"].reshape(-1, 3, 3), d["t"].reshape(-1, 1, 3)
    return d["xyz"][:, rig].astype(float) @ R.swapaxes(1, 2) + t


def camera_of(d):
    "The camera that made a clip"
    w, h = (int(v) for v in d["size"])
    K = d["K"]
    return Camera(w, h, (K[0, 0], K[1, 1]), (K[0, 2] + 0.5, K[1, 2] + 0.5))


def view_of(video):
    "How the runner is seen, from the name of the clip"
    name = video.stem.replace("backobl", "obl").replace("obl45", "obl")
    words = name.split("_")
    return next((v for v in ("turn", "obl", "front", "back") if v in words), "side")


def detected(video, model, mirror, keep):
    "Repaired keypoints; the raw ones are kept in a folder, and taken from there"

    def look(mirrored):
        file = Path(keep) / f"{video.stem}{'_mirrored' if mirrored else ''}.nc" if keep else None
        if file and file.exists():
            return load_poses(file)
        kp = infer_video(video, model=model, mirror=mirrored, progress=False)
        if file:
            file.parent.mkdir(parents=True, exist_ok=True)
            save_poses(kp, file)
        return kp

    return clean(look(False), mirrored=look(True) if mirror else None)


def errors(got, true):
    """Errors relative to mid-hip, as they are, after one similarity transform for the clip, and
    after one for each frame
    """
    n = min(len(got), len(true))
    got, true = got[:n], true[:n]
    ok = ~np.isnan(got).any((1, 2))

    def rel(p):
        return p[ok] - p[ok, 6:8].mean(1, keepdims=True)

    flat = procrustes(rel(got).reshape(1, -1, 3), rel(true).reshape(1, -1, 3)).reshape(-1, 14, 3)
    err, root = (np.linalg.norm(p - rel(true), axis=-1) * 1000 for p in (flat, rel(got)))
    return dict(
        frames=n,
        MPJPE_aligned=err.mean(),
        MPJPE_root=root.mean(),
        P_MPJPE=1000 * p_mpjpe(got[ok], true[ok]),
        knee_RMSE_deg=np.sqrt(np.mean((knee(got[ok]) - knee(true[ok])) ** 2)),
        feet=err[:, 10:].mean(),
    )


def score(video, kp, checkpoint=None, corrector=None, refine=True):
    "One clip, with a corrector or, if it is False, without"
    with np.load(video.with_suffix(".npz"), allow_pickle=False) as file:
        d = {name: file[name] for name in file.files}
    person = person_of(video)
    used = corrector or never_saw(person, "correctors")
    kp = kp if corrector is False else correct(kp, used)
    lifter = checkpoint or left_out(video)
    lifted = lift(kp, float(d["height"]), lifter, camera_of(d), refine=refine)
    got = points(lifted, *map(ours, POINTS)).swapaxes(0, 1).astype(float)
    about = dict(clip=video.stem, view=view_of(video), person=person)
    networks = dict(
        lifter=Path(lifter).stem, corrector="" if corrector is False else Path(used).stem
    )
    return about | errors(got, true_joints(d)) | networks


@call_parse
def main(
    data: str,  # Folder with the rendered clips
    model: str = "heavy",  # Model of the detector
    checkpoint: str = None,  # Lifter for all clips; when not given, for each clip one that never saw the person
    corrector: str = None,  # Corrector for all clips; when not given, for each clip one that never saw the person
    mirror: bool = False,  # Run a second pass on mirrored frames
    raw: bool = False,  # The network's output, without constant segment lengths and rays
    uncorrected: bool = False,  # Also without a corrector, to compare
    all_clips: bool = False,  # All clips of the folder, not only those of the published figures
    keep: str = None,  # Folder in which the detected keypoints are kept, and from which they are taken
    out: str = None,  # CSV file to write
):
    "Errors in mm of every rendered clip"
    videos = sorted(Path(data).glob("*.mp4")) if all_clips else published_clips(data)
    rows = []
    for video in tqdm(videos):
        kp = detected(video, model, mirror, keep)
        for used in (False, corrector) if uncorrected else (corrector,):
            rows.append(score(video, kp, checkpoint, used, not raw))
    df = pd.DataFrame(rows)
    print(df.round(1).to_string(index=False))
    numbers = [
        c for c in df if c not in ("clip", "view", "person", "frames", "lifter", "corrector")
    ]
    for by in (["view"], []):
        df["points"] = np.where(df.corrector == "", "as detected", "corrected")
        print(df.groupby([*by, "points"])[numbers].mean().round(1).to_string())
    if out:
        df.drop(columns="points").round(2).to_csv(out, index=False)
