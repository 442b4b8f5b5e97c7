"""How the 2D detector errs on rendered runners: the numbers behind the virtual detector of
`training.virtual_detector`.

The exact truth is projected and the constant offset of each clip removed. What is left has a size
and an autocorrelation; half of it repeats with the stride. The distance between a normal and a
mirrored pass is compared with it, because that distance is known without any truth.
"""

import numpy as np
import pandas as pd
from clips import published_clips
from evaluate_2d import ARM, LEG, SIDES, swapped, truth
from fastcore.script import call_parse
from tqdm import tqdm

from runningpose.pose2d.backend import infer_video
from runningpose.poses import points
from runningpose.training.virtual_detector import POINT_ERROR_SD

POINTS = ("hip", *LEG, *ARM)


def rig_hips(video):
    "The two hips of the truth, which the comparison of legs leaves out, px"
    d = np.load(video.with_suffix(".npz"), allow_pickle=False)
    names = [str(n) for n in d["joints"]]
    uv = (d["xyz"] @ d["R"].T + d["t"].reshape(3)) @ d["K"].T
    uv = uv[..., :2] / uv[..., 2:] + 0.5
    return {f"{s}_hip": uv[:, names.index(f"{s[0]}_hip")] for s in SIDES}


def autocorrelation(e, lag):
    "Autocorrelation of errors (T, 2) at a lag in frames"
    a, b = e[:-lag], e[lag:]
    ok = ~(np.isnan(a) | np.isnan(b)).any(1)
    return (a[ok] * b[ok]).sum() / max(np.nanmean((e**2).sum(1)) * ok.sum(), 1e-9)


def of_clip(video, model):
    "One row for each point of a clip, % of body height; frames with exchanged legs are left out"
    true, height = truth(video)
    first, second = (
        infer_video(video, model=model, mirror=m, progress=False) for m in (False, True)
    )
    all_ = true | rig_hips(video)
    n = min(first.sizes["time"], second.sizes["time"], len(next(iter(true.values()))))

    def cut(d):
        return {k: v[:n] for k, v in d.items()}

    got, again = (
        dict(zip(all_, points(d, *all_)[:, :n].astype(float), strict=True)) for d in (first, second)
    )
    bad = swapped(got, cut(true), height)
    for k, t in cut(all_).items():
        d = (got[k] - t) / height * 100
        d[bad] = np.nan
        e = d - np.nanmedian(d, 0)
        m = np.linalg.norm(got[k] - again[k], axis=-1) / height * 50
        size = np.linalg.norm(e, axis=-1)
        ok = ~np.isnan(size) & ~np.isnan(m)
        same = np.corrcoef(size[ok].argsort().argsort(), m[ok].argsort().argsort())[0, 1]
        yield dict(
            clip=video.stem,
            point=k.split("_", 1)[1],
            side=k.split("_")[0],
            offset=np.nanmedian(d, 0),
            changing=np.sqrt(np.nanmean(e**2)),
            lag1=autocorrelation(e, 1),
            lag3=autocorrelation(e, 3),
            lag6=autocorrelation(e, 6),
            mirrored=np.nanmedian(m),
            rank=same,
            swapped=100 * bad.mean(),
        )


@call_parse
def main(
    data: str,  # Folder with the rendered clips
    model: str = "heavy",  # Model of the detector
):
    "Size and autocorrelation of the errors, and how well a mirrored pass predicts them"
    df = pd.DataFrame([r for f in tqdm(published_clips(data)) for r in of_clip(f, model)])
    rows = {}
    for p in POINTS:
        g = df[df.point == p]
        off = np.stack(list(g.offset))
        keep = ["changing", "lag1", "lag3", "lag6", "mirrored", "rank"]
        assumed = dict(zip(("in model: constant", "changing "), POINT_ERROR_SD[p], strict=True))
        rows[p] = (
            dict(constant=np.sqrt(((off - off.mean(0)) ** 2).mean()))
            | g[keep].median().to_dict()
            | assumed
        )
    print(
        f"{model}, {df['clip'].nunique()} clips; % of body height per axis; mirrored: half the"
        " distance of the two passes; rank: its rank correlation with the error"
    )
    print(pd.DataFrame(rows).T.round(2).to_string())
    print(
        df.groupby("clip")
        .swapped.first()
        .round(1)
        .rename("frames with exchanged legs, %")
        .to_string()
    )
