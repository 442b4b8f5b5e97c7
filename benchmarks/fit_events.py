"""Fit the lags of the landmarks in `gait.detectors` to force plates: recorded joints, and joints
lifted from eight cameras by lifters that never saw the runner.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from evaluate_gait import filmed, fold, plates, recording
from fastcore.script import call_parse
from tqdm import tqdm

from runningpose.gait.detectors import Lag, consensus
from runningpose.gait.foot_signals import (
    FootCurves,
    continuous_runs,
    foot_signals,
    strike_landmarks,
    toe_off_landmarks,
)
from runningpose.gait.world import to_world
from runningpose.lifting.lift import lift
from runningpose.pose2d.clean import lightly_filtered
from runningpose.training.evaluate import evaluation_cameras


def landmarks(pose, truth, **about):
    "One row for each landmark near a true event: its lag, and the duration of the sweep, s"
    for side in ("left", "right"):
        at = {
            k: truth[(truth.side == side) & (truth.event == k)].time.to_numpy()
            for k in ("foot_strike", "toe_off")
        }
        for t, s in continuous_runs(foot_signals(pose, side).signals, pose.time.values):
            curves = FootCurves(t, s)
            for f, sweep in curves.swept():
                a, b = sweep
                for kind, marks, guess in (
                    ("foot_strike", strike_landmarks(f, sweep), f.time[a] + 0.02),
                    ("toe_off", toe_off_landmarks(f, sweep), f.time[b] - 0.08),
                ):
                    if len(near := at[kind][abs(at[kind] - guess) < 0.12]):
                        yield from (
                            about
                            | dict(
                                event=kind,
                                side=side,
                                at=near[0],
                                mark=m,
                                late=x - near[0],
                                sweep=f.time[b] - f.time[a],
                            )
                            for m, x in marks.items()
                        )


def fit(g):
    """Constant, share of the sweep and scatter of one landmark; every clip and source has the same
    weight, outliers have less
    """
    w = 1 / g.groupby(["clip", "source"]).late.transform("size").to_numpy()
    A = np.c_[np.ones(len(g)), g.sweep]
    y = g.late.to_numpy()
    c = np.array([np.average(y, weights=w), 0])
    for _ in range(20):
        k = w / (1 + ((y - A @ c) / 0.02) ** 2)
        c = np.linalg.solve(A.T @ (A * k[:, None]) + np.diag([1e-9, 1e-3 * k.sum()]), A.T @ (k * y))
    return c[0], c[1], np.sqrt(np.average(np.clip(y - A @ c, -0.06, 0.06) ** 2, weights=w))


def left_out(df, clips):
    "RMSE in ms on the clips whose name begins with `clips`, with lags of the others"
    lags = {
        k: {m: Lag(*fit(h)) for m, h in g.groupby("mark")}
        for k, g in df[~df["clip"].str.startswith(clips)].groupby("event")
    }
    out = []
    for (source, kind, *_), g in df[df["clip"].str.startswith(clips)].groupby(
        ["source", "event", "clip", "view", "side", "at"]
    ):
        out.append(
            dict(
                source=source,
                event=kind,
                ms=1000
                * consensus(dict(zip(g.mark, g.late, strict=True)), lags[kind], g.sweep.iloc[0])[0],
            )
        )
    return (
        pd.DataFrame(out)
        .groupby(["source", "event"])
        .ms.agg(bias="mean", RMSE=lambda x: np.sqrt((x**2).mean()))
    )


@call_parse
def main(
    data: str,  # Folder with the shared data
    out: str = None,  # CSV file for all landmarks
):
    "Print the tables, and how well the lags of one runner do on the other"
    rows, data = [], Path(data)
    for clip, truth in tqdm(plates(data).items()):
        rows += landmarks(recording(data, clip), truth, clip=clip, source="joints", view=0)
        p = recording(data, clip, 60)
        for k, cam in enumerate(evaluation_cameras(8)):
            kp = filmed(p, cam, k)
            rows += landmarks(
                to_world(lift(lightly_filtered(kp), 1.75, fold(clip), cam), treadmill=True),
                truth,
                clip=clip,
                source="lifted",
                view=k,
            )
    df = pd.DataFrame(rows)
    if out:
        df.to_csv(out, index=False)
    for kind, g in df.groupby("event", sort=False):
        print(kind)
        print(
            ",\n".join(
                f"    '{m}': ({c:.3f}, {share:.3f}, {sd:.3f})"
                for m, h in g.groupby("mark", sort=False)
                for c, share, sd in [fit(h)]
            )
        )
    for runner in ("hamner04", "hamner2010"):
        print(
            f"\n{runner}, with the lags of the other runner,"
            f" ms\n{left_out(df, runner).round(1).to_string()}"
        )
