"""BlazePose's own 3D (its world landmarks) on the videos on which the lifter is scored: the
baseline without a lifter.

Heavy model, one person, the crop followed from frame to frame as in MediaPipe, no filter.
"""

import tempfile

import numpy as np
import pandas as pd
from clips import published_clips
from evaluate_real import POINTS as REAL
from evaluate_real import body, fetch, relative_to_hips
from evaluate_rendered import POINTS, knee
from fastcore.script import call_parse
from tqdm import tqdm

from runningpose.data.triangulate import triangulate
from runningpose.pose2d.backend import infer_video
from runningpose.pose2d.blazepose import BlazePose, roi_from, roi_matrix
from runningpose.pose2d.clean import clean
from runningpose.skeleton import skeleton
from runningpose.training.losses import p_mpjpe, procrustes
from runningpose.video.reader import read_frames

NAMES = skeleton("blazepose_33").keypoints


def world_landmarks(net, video):
    """World landmarks of every frame, m, camera axes, shape (T, 33, 3); NaN where nobody was
    tracked
    """
    out, roi = [], None
    for f in read_frames(video, progress=False):
        for again in (False, True):
            if roi is None or again:
                found = net.detect(f.rgb(f.width, f.height))
                roi = roi_from(found[0].centre, found[0].rim) if found else None
            if roi is None:
                break
            x = f.warp(roi_matrix(roi), 256, 256) * np.float32(1 / 255)
            part = net.landmark_models.get()
            o = part(x)
            net.landmark_models.put(part)
            if o[1, 1][0] >= 0.5:
                break
        if roi is None or o[1, 1][0] < 0.5:
            out.append(np.full((33, 3), np.nan))
            roi = None
            continue
        c, s = np.cos(roi.angle), np.sin(roi.angle)
        turn = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
        out.append(o[1, 117].reshape(39, 3)[:33].astype(float) @ turn.T)
        q = o[1, 195].reshape(39, 5)[33:35, :2] @ roi_matrix(roi)[:, :2].T + roi_matrix(roi)[:, 2]
        roi = roi_from(*q)
    return np.array(out)


def errors(got, true, hips=slice(6, 8)):
    "MPJPE after one similarity for the clip, as it is, and after one for each frame, mm"
    n = min(len(got), len(true))
    got, true = got[:n], true[:n]
    ok = ~(np.isnan(got) | np.isnan(true)).any((1, 2))

    def r(p):
        return p[ok] - p[ok, hips].mean(1, keepdims=True)

    flat = procrustes(r(got).reshape(1, -1, 3), r(true).reshape(1, -1, 3)).reshape(r(got).shape)

    def mm(p):
        return 1000 * np.linalg.norm(p - r(true), axis=-1).mean()

    return dict(
        frames=int(ok.sum()),
        MPJPE_aligned=mm(flat),
        MPJPE=mm(r(got)),
        P_MPJPE=1000 * p_mpjpe(got[ok], true[ok]),
        knee_RMSE_deg=np.sqrt(np.mean((knee(got[ok]) - knee(true[ok])) ** 2)),
    )


def rendered_truth(video):
    "The rig's joints in the camera's axes, m, shape (T, 14, 3)"
    d = np.load(video.with_suffix(".npz"), allow_pickle=False)
    names = [str(n) for n in d["joints"]]
    return np.stack(
        [d["xyz"][:, names.index(n[0] + "_" + n.split("_")[1])] for n in POINTS], 1
    ) @ d["R"].T + d["t"].reshape(3)


@call_parse
def main(
    data: str,  # Folder with the rendered clips
    out: str = None,  # CSV file to write
):
    "Errors of the rendered clips and of the four views of the real video"
    net = BlazePose("heavy")

    def at(names):
        return [NAMES.index(n.replace("big_toe", "foot_index")) for n in names]

    rows = [
        dict(video="rendered", clip=f.stem)
        | errors(world_landmarks(net, f)[:, at(POINTS)], rendered_truth(f))
        for f in tqdm(published_clips(data))
    ]
    with tempfile.TemporaryDirectory() as d:
        videos, cams = fetch(d)
        cams = list(cams.values()) if isinstance(cams, dict) else cams
        true = body(triangulate([clean(infer_video(f, progress=False)) for f in videos], cams))
        for f, c in zip(videos, cams, strict=True):
            rows.append(
                dict(video="real", clip=f.stem)
                | errors(world_landmarks(net, f)[:, at(REAL)], relative_to_hips(true @ c.R.T))
            )
    df = pd.DataFrame(rows)
    print(df.round(1).to_string(index=False))
    print(df.drop(columns="clip").groupby("video").mean().round(1).to_string())
    if out:
        df.round(2).to_csv(out, index=False)
