"""2D keypoints before and after repair on rendered runners with exact truth: exchanged legs, error
of each point.
"""

from time import perf_counter

import numpy as np
import pandas as pd
from clips import published_clips
from fastcore.script import call_parse

from runningpose.pose2d.backend import infer_video
from runningpose.pose2d.clean import clean
from runningpose.poses import points, pose_arrays, poses_dataset

LEG, ARM = ("knee", "ankle", "heel", "big_toe"), ("shoulder", "elbow", "wrist")
SIDES = ("left", "right")


def truth(video):
    """True points of the rig in the picture, px from the corner, {keypoint: (T, 2)}, and the
    height of the person there, px
    """
    d = np.load(video.with_suffix(".npz"), allow_pickle=False)
    names = [str(n) for n in d["joints"]]
    uv = (d["xyz"] @ d["R"].T + d["t"].reshape(3)) @ d["K"].T
    uv = uv[..., :2] / uv[..., 2:] + 0.5
    pick = {
        f"{s}_{n}": uv[:, names.index(f"{s[0]}_{n.replace('_', '')}")]
        for s in SIDES
        for n in LEG + ARM
    }
    return pick, float(np.median(np.ptp(uv[..., 1], 1)))


def swapped(got, true, height):
    """Frames in which the leg points fit the other leg better, of those with more than 5 % of the
    height between the legs
    """

    def legs(p, sides):
        return np.stack([p[f"{s}_{n}"] for s in sides for n in LEG])

    def off(a, b):
        return np.nanmean(np.linalg.norm(a - b, axis=-1), 0)

    l, r = np.split(legs(true, SIDES), 2)
    return (
        off(legs(got, SIDES), legs(true, SIDES[::-1])) < off(legs(got, SIDES), legs(true, SIDES))
    ) & (off(l, r) > 0.05 * height)


def errors(got, true, height):
    """Distance to the truth without the constant offset of each point, % of the height, {kind of
    point: (2 T,)}
    """

    def one(n):
        d = got[n] - true[n]
        return 100 * np.linalg.norm(d - np.nanmedian(d, 0), axis=-1) / height

    return {n: np.r_[one(f"left_{n}"), one(f"right_{n}")] for n in LEG + ARM}


def table(rows):
    "Mean shares and percentiles by treatment"

    def line(g):
        e = {n: np.concatenate([r[n] for r in g.errors]) for n in LEG + ARM}
        return pd.Series(
            {
                "swapped, %": 100 * g.swapped.sum() / g.frames.sum(),
                "worst clip, %": (100 * g.swapped / g.frames).max(),
            }
            | {n: f"{np.nanmedian(v):.2f} / {np.nanpercentile(v, 95):.2f}" for n, v in e.items()}
        )

    return pd.DataFrame({k: line(g) for k, g in rows.groupby("treatment", sort=False)}).T


def repeated(kp, n):
    "The frames repeated up to n"
    pos, conf = pose_arrays(kp)
    k = -(-n // len(pos))
    return poses_dataset(
        np.tile(pos, (k, 1, 1))[:n], np.tile(conf, (k, 1))[:n], fps=kp.attrs["fps"]
    )


@call_parse
def main(
    data: str,  # Folder with the rendered clips
    model: str = "heavy",  # Model of the detector
):
    """Share of frames with exchanged legs, and the error of each point (median / 95th percentile,
    % of body height)
    """
    rows = []
    for video in published_clips(data):
        true, height = truth(video)
        raw, mirrored = (
            infer_video(video, model=model, mirror=m, progress=False) for m in (False, True)
        )
        for name, kp in (
            ("raw", raw),
            ("repaired", clean(raw)),
            ("repaired, mirrored pass", clean(raw, mirrored=mirrored)),
        ):
            n = min(len(pose_arrays(kp)[0]), len(next(iter(true.values()))))
            got = dict(zip(true, points(kp, *true)[:, :n], strict=True))
            t = {k: v[:n] for k, v in true.items()}
            rows.append(
                dict(
                    clip=video.stem,
                    treatment=name,
                    frames=n,
                    swapped=int(swapped(got, t, height).sum()),
                    errors=errors(got, t, height),
                )
            )
    df = pd.DataFrame(rows)
    print(df.pivot(index="clip", columns="treatment", values="swapped").to_string())
    long = repeated(raw, 10_000)
    start = perf_counter()
    clean(long)
    print(f"repair of 10,000 frames: {perf_counter() - start:.1f} s")
    print(f"{model}, {len(df) // 3} clips, {df.frames.sum() // 3} frames")
    print(table(df).to_string())
