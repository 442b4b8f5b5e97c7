"""Score lifters on people they never saw, and write checkpoint/evaluation.json, which the page on
evaluation, the README and the model card show.

Every person of the folds is scored once, by the lifter that left the fold out; with the points that
three backends give, with white noise and with the measured errors of a detector; by speed and by
view. Some clips of each runner are scored under other conditions: frame rates, missing points, half
precision, unknown stature.
"""

import json
import platform
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from fastcore.script import call_parse
from folds import never_saw

from runningpose.lifting.body import RP
from runningpose.training.evaluate import ERROR_COLUMNS, evaluate, mean_pose_baseline, summary
from runningpose.training.folds import fold_of, leave_fold_out
from runningpose.training.mocap_people import load_all_mocap

ROOT = Path(__file__).resolve().parent.parent
JOINTS = [s + n for s in "LR" for n in ("TrochanterMajor", "Knee", "Ankle")]
LEGS_ONLY = ("rbds", "ric")  # nothing above the pelvis was measured
STARTS = ("tindra",)  # block starts
LONGEST_S = 15.0  # of each person, to bound the work, s
CONDITION_S = 5.0  # of each runner under other conditions, s
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
    "Rows of a table for JSON"
    return json.loads(df.round(2).to_json(orient="records"))


def group_of(person):
    "What of a person was measured, and doing what"
    if person.startswith(LEGS_ONLY):
        return "legs only"
    return "starts" if person.startswith(STARTS) else "runners"


def first_seconds(motions, seconds):
    "Clips of one person up to a total length, the shortest first"
    kept, total = [], 0.0
    for motion in sorted(motions, key=lambda m: (m.seconds, m.name)):
        if not kept or total + motion.seconds <= seconds:
            kept.append(motion)
            total += motion.seconds
    return kept


def running_speed(motion):
    "How fast the lower foot moves backward under the pelvis, median over the clip, m/s"
    points = {name: motion.xyz[:, i] for i, name in enumerate(RP.keypoints)}
    pelvis = (points["LTrochanterMajor"] + points["RTrochanterMajor"]) / 2
    feet = np.stack([points["LForefoot"], points["RForefoot"]])
    against_pelvis = np.gradient(feet - pelvis, 1 / motion.fps, axis=1)[..., :2]
    lower = feet[..., 2].argmin(0)
    speed = np.linalg.norm(against_pelvis[lower, np.arange(len(lower))], axis=-1)
    return float(np.median(speed))


def person_rows(motions, lifter, facts, train):
    "Scores of one person with each keypoint set and kind of error, and clip by clip"
    legs_only = facts["group"] == "legs only"
    lacks = ("blazepose",) if legs_only else ("blazepose", "halpe_26", "coco_17")
    base = summary(mean_pose_baseline(train, motions, views=1)).MPJPE.iloc[0]
    rows, white = [], None
    for noise in (0.6, "measured"):
        df = evaluate(motions, lifter, lacks, noise=noise, progress=False)
        means = summary(df, by=("points",)).reset_index()
        rows += [
            facts
            | {"keypoints": row["points"], "errors": str(noise), "mean pose": base}
            | {column: row[column] for column in ERROR_COLUMNS}
            for _, row in means.iterrows()
        ]
        white = df[df.points == "blazepose"] if white is None else white
    return rows, white


def condition_rows(motions, lifter, facts):
    "Scores of one runner under other conditions"
    short = first_seconds(motions, CONDITION_S)
    for name, options in CONDITIONS.items():
        df = evaluate(short, lifter, **(dict(lacks=("blazepose",), progress=False) | options))
        joints = np.average(df[JOINTS].mean(axis=1), weights=df.frames)
        means = summary(df).iloc[0][["MPJPE", "P_MPJPE", "knee", "hip", "ankle"]].to_dict()
        yield facts | {"condition": name, "hips, knees, ankles": joints} | means


def detail_of(white, motions, facts):
    "Errors of one person by joint, by clip (with its speed) and by view"
    ignore = ["subject", "clip", "view", "points", "frames", *ERROR_COLUMNS]
    speeds = {m.name: round(running_speed(m), 2) for m in motions}
    clips = white.groupby("clip")[["MPJPE", "knee"]].mean().round(1)
    return facts | {
        "joints": white.drop(columns=ignore).mean().dropna().round(1).to_dict(),
        "clips": [
            dict(clip=name, speed=speeds[name], MPJPE=row.MPJPE, knee=row.knee)
            for name, row in clips.iterrows()
        ],
        "views": white.groupby("view").MPJPE.mean().round(1).to_dict(),
    }


class Scores(NamedTuple):
    "What the file holds of one person"

    rows: list[dict]
    conditions: list[dict]
    detail: dict


def score_person(person, data, conditions):
    "One person of the folds, scored by the lifter that never saw him or her"
    torch.set_num_threads(1)
    motions = load_all_mocap(Path(data) / "mocap")
    clips = first_seconds([m for m in motions if m.subject == person], LONGEST_S)
    lifter = never_saw(person, "lifters")
    train = leave_fold_out(motions, fold_of(person)).train
    facts = {"lifter": lifter.name, "left out": person, "group": group_of(person)}
    rows, white = person_rows(clips, lifter, facts, train)
    asked = conditions and facts["group"] == "runners"
    others = list(condition_rows(clips, lifter, facts)) if asked else []
    print(pd.DataFrame(rows[:1]).round(1).to_string(header=False), flush=True)
    return Scores(rows, others, detail_of(white, clips, facts))


def others_in(file, people):
    "What a file of an earlier run holds of people who are not scored now"
    if not file.exists():
        return Scores([], [], [])
    earlier = json.loads(file.read_text())
    parts = (earlier[name] for name in ("folds", "conditions", "detail"))
    return Scores(*([row for row in part if row["left out"] not in people] for part in parts))


@call_parse
def main(
    data: str,  # Folder with the shared recordings
    out: str = str(ROOT / "checkpoint" / "evaluation.json"),  # File to write
    only: str = None,  # People, separated by commas, others stay as they are; all when not given
    conditions: bool = True,  # Score other conditions too
    workers: int = 2,  # People scored at a time
):
    "Every person, backend, kind of error and condition, and the mean-pose baseline"
    motions = load_all_mocap(Path(data) / "mocap")
    people = sorted({m.subject for m in motions if fold_of(m.subject)})
    people = [p for p in people if only is None or p in only.split(",")]
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        of_people = partial(score_person, data=data, conditions=conditions)
        scores = list(pool.map(of_people, people))
    kept = others_in(Path(out), people)
    facts = dict(
        date=str(date.today()),
        unit="mm, mm/s (velocity), degrees (knee, hip, ankle, trunk)",
        noise="0.6 % of body height, white, unless stated",
        views=8,
        cpu=platform.machine(),
        torch=torch.__version__,
        folds=kept.rows + rounded(pd.DataFrame([row for s in scores for row in s.rows])),
        conditions=kept.conditions
        + rounded(pd.DataFrame([row for s in scores for row in s.conditions])),
        detail=kept.detail + [s.detail for s in scores],
    )
    for part in ("folds", "conditions", "detail"):
        facts[part] = sorted(facts[part], key=lambda row: row["left out"])
    Path(out).write_text(json.dumps(facts, indent=1) + "\n")
