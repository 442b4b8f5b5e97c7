"""Score the lifters that left one runner out, and write checkpoint/evaluation.json, which the page
on evaluation, the README and the model card show.

Every fold is scored with the points that three backends give, with white noise and with the
measured errors of a detector; then under other conditions: frame rates, missing points, half
precision, unknown stature.
"""

import json
import platform
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from fastcore.script import call_parse

from runningpose.lifting.checkpoint import load_checkpoint
from runningpose.training.evaluate import ERROR_COLUMNS, evaluate, mean_pose_baseline, summary
from runningpose.training.motions import leave_out
from runningpose.training.sources import load_shared

ROOT = Path(__file__).resolve().parent.parent
JOINTS = [s + n for s in "LR" for n in ("TrochanterMajor", "Knee", "Ankle")]
CONDITIONS = {
    "as above": {},
    "25 frames/s": dict(fps=25),
    "30 frames/s": dict(fps=30),
    "120 frames/s": dict(fps=120),
    "240 frames/s": dict(fps=240),
    "20 % of the points missing": dict(holes=0.2),
    "no head and small toes": dict(lacks=("blazepose",)),
    "all of Halpe 26": dict(lacks=("halpe_26",)),
    "no foot points": dict(lacks=("coco_17",)),
    "bfloat16": dict(bf16=True),
    "stature unknown": dict(know_height=False),
    "camera known": dict(know_camera=True),
    "measured errors": dict(noise="measured"),
    "no noise": dict(noise=0),
}


def rounded(df):
    return json.loads(df.round(2).to_json(orient="records"))


def fold(f, motions):
    "Tables of one fold: by keypoint set, and by condition"
    person = load_checkpoint(f)[1].training["left_out"]
    train, test = leave_out(motions, person)
    rows, cond = [], []
    base = summary(mean_pose_baseline(train, test)).MPJPE.iloc[0]
    for noise in (0.6, "measured"):
        df = evaluate(test, f, noise=noise)
        s = summary(df).reset_index(drop=True)
        points = df.points.unique()
        rows += [
            {"left out": person, "keypoints": p, "errors": str(noise), "mean pose": base}
            | s.loc[i, list(ERROR_COLUMNS)].to_dict()
            for i, p in enumerate(points)
        ]
        if noise == 0.6:
            white = df[df.points == "blazepose"]
    short = [m for m in test if len(m.xyz) < 1500] or [
        test[0]
    ]  # conditions on the shorter clips: rates up to 240 Hz are long
    for name, kw in CONDITIONS.items():
        df = evaluate(short, f, **(dict(lacks=("blazepose",)) | kw))
        cond.append(
            {
                "left out": person,
                "condition": name,
                "hips, knees, ankles": np.average(df[JOINTS].mean(axis=1), weights=df.frames),
            }
            | summary(df).iloc[0][["MPJPE", "P_MPJPE", "knee", "hip", "ankle"]].to_dict()
        )
    joints = white.drop(
        columns=["subject", "clip", "view", "points", "frames", *ERROR_COLUMNS]
    ).mean()
    detail = {
        "left out": person,
        "joints": joints.round(1).to_dict(),
        "clips": white.groupby("clip").MPJPE.mean().round(1).to_dict(),
        "views": white.groupby("view").MPJPE.mean().round(1).to_dict(),
    }
    return rows, cond, detail


@call_parse
def main(
    data: str,  # Folder with the shared recordings
    folds: str = str(
        ROOT / "checkpoint" / "folds"
    ),  # Folder with the lifters that left one person out
    out: str = str(ROOT / "checkpoint" / "evaluation.json"),  # File to write
):
    "Every fold, backend, kind of error and condition, and the mean-pose baseline"
    torch.set_num_threads(2)
    motions, rows, cond, detail = load_shared(data), [], [], []
    for f in sorted(Path(folds).glob("without_*.safetensors")):
        r, c, d = fold(f, motions)
        rows += r
        cond += c
        detail.append(d)
        print(pd.DataFrame(r).round(1).to_string(), flush=True)
        print(pd.DataFrame(c).round(1).to_string(), flush=True)
    facts = dict(
        date=str(date.today()),
        unit="mm, mm/s (velocity), degrees (knee, hip, ankle, trunk)",
        noise="0.6 % of body height, white, unless stated",
        views=8,
        cpu=platform.machine(),
        torch=torch.__version__,
    )
    Path(out).write_text(
        json.dumps(
            facts
            | dict(
                folds=rounded(pd.DataFrame(rows)),
                conditions=rounded(pd.DataFrame(cond)),
                detail=detail,
            ),
            indent=1,
        )
        + "\n"
    )
