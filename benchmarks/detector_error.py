"""How the 2D detector errs on rendered runners: the numbers behind the virtual detector of
`training.virtual_detector`.

Exact truth is projected; what is left after the constant offset of a clip has a size, a memory and
a habit of coming back every stride, and the
difference between a look and a look in the mirror says something about it without any truth.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from evaluate_2d import ARM, LEG, SIDES, swapped, truth
from fastcore.script import call_parse
from tqdm import tqdm

from runningpose.pose2d.backend import infer_video
from runningpose.poses import points
from runningpose.training.virtual_detector import POINT_ERROR_SD

POINTS = ("hip", *LEG, *ARM)


def rig_hips(film):
    "The two hips of the truth, which the comparison of legs leaves out, px"
    d = np.load(film.with_suffix(".npz"), allow_pickle=False)
    names = [str(n) for n in d["joints"]]
    uv = (d["xyz"] @ d["R"].T + d["t"].reshape(3)) @ d["K"].T
    uv = uv[..., :2] / uv[..., 2:] + 0.5
    return {f"{s}_hip": uv[:, names.index(f"{s[0]}_hip")] for s in SIDES}


def memory(e, lag):
    "Autocorrelation of errors (T, 2) at a lag in frames"
    a, b = e[:-lag], e[lag:]
    ok = ~(np.isnan(a) | np.isnan(b)).any(1)
    return (a[ok] * b[ok]).sum() / max(np.nanmean((e**2).sum(1)) * ok.sum(), 1e-9)


def of_clip(film, model):
    "One row for each point of a clip, % of body height; frames with exchanged legs are left out"
    true, tall = truth(film)
    first, second = (
        infer_video(film, model=model, mirror=m, progress=False) for m in (False, True)
    )
    all_ = true | rig_hips(film)
    n = min(first.sizes["time"], second.sizes["time"], len(next(iter(true.values()))))

    def cut(d):
        return {k: v[:n] for k, v in d.items()}

    got, again = (
        dict(zip(all_, points(d, *all_)[:, :n].astype(float), strict=True)) for d in (first, second)
    )
    bad = swapped(got, cut(true), tall)
    for k, t in cut(all_).items():
        d = (got[k] - t) / tall * 100
        d[bad] = np.nan
        e = d - np.nanmedian(d, 0)
        m = np.linalg.norm(got[k] - again[k], axis=-1) / tall * 50
        size = np.linalg.norm(e, axis=-1)
        ok = ~np.isnan(size) & ~np.isnan(m)
        same = np.corrcoef(size[ok].argsort().argsort(), m[ok].argsort().argsort())[0, 1]
        yield dict(
            clip=film.stem,
            point=k.split("_", 1)[1],
            side=k.split("_")[0],
            offset=np.nanmedian(d, 0),
            changing=np.sqrt(np.nanmean(e**2)),
            lag1=memory(e, 1),
            lag3=memory(e, 3),
            lag6=memory(e, 6),
            mirrored=np.nanmedian(m),
            rank=same,
            swapped=100 * bad.mean(),
        )


@call_parse
def main(
    data: str,  # Folder with the rendered clips
    model: str = "heavy",  # Model of the detector
):
    "Size, memory and constancy of the errors, and what the mirrored look knows of them"
    df = pd.DataFrame(
        [r for f in tqdm(sorted(Path(data).glob("*.mp4"))) for r in of_clip(f, model)]
    )
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
        " distance of the two looks; rank: its correlation with the error"
    )
    print(pd.DataFrame(rows).T.round(2).to_string())
    print(
        df.groupby("clip")
        .swapped.first()
        .round(1)
        .rename("frames with exchanged legs, %")
        .to_string()
    )
