"""What each part of the lifter's training contributes: runs of one fold with the same start and the
same steps, each with one part left out or exchanged, scored on the people that the fold leaves out.

The runs are made with `train_lifter.py`, each in a folder of its own:

    full              --crowd_model people
    no_pairs          --crowd_model people --pair_share 0
    no_definitions    --crowd_model people --penalty 1e6
    formulas          (the crowd of formulas)
    old_people        --people cmu,hamner2010_s02,hamner2013_s04 (and the crowd of formulas)
    measured_errors   --crowd_model people --measured_errors
"""

from pathlib import Path

import pandas as pd
import torch
from evaluate_folds import first_seconds
from evaluate_rendered import score
from fastcore.script import call_parse
from folds import never_saw, person_of
from tqdm import tqdm

from runningpose.poses import load_poses
from runningpose.training.evaluate import evaluate, summary
from runningpose.training.folds import fold_of
from runningpose.training.mocap_people import load_all_mocap

SECONDS = 6.0  # of each person, s
LEGS_ONLY = ("rbds", "ric")


def scores_of_people(lifter, motions, noise):
    "Mean errors over the runners that a fold leaves out, with one kind of 2D error"
    rows = [
        summary(evaluate(clips, lifter, ("blazepose",), noise=noise, progress=False)).iloc[0]
        for clips in motions
    ]
    return pd.DataFrame(rows)[["MPJPE", "P_MPJPE", "knee", "hip", "ankle"]].mean()


def scores_of_pixels(lifter, videos, keep):
    "Mean errors over the rendered clips of these runners"
    rows = []
    for video in videos:
        detected = load_poses(Path(keep) / f"{video.stem}.nc")
        rows.append(score(video, detected, lifter, never_saw(person_of(video), "correctors")))
    return pd.DataFrame(rows)[["MPJPE_aligned", "P_MPJPE", "knee_RMSE_deg"]].mean()


@call_parse
def main(
    data: str,  # Folder with the shared recordings
    runs: str,  # Folder with one folder per run
    keep: str,  # Folder with the detected keypoints of the rendered clips, see `evaluate_rendered.py`
    fold: str = "B",  # Fold that the runs left out
    start: str = None,  # Lifter from which all runs began, scored too
    out: str = None,  # CSV file to write
):
    "One row per run"
    torch.set_num_threads(1)
    motions = [m for m in load_all_mocap(Path(data) / "mocap") if fold_of(m.subject) == fold]
    people = sorted({m.subject for m in motions if not m.subject.startswith(LEGS_ONLY)})
    clips = [first_seconds([m for m in motions if m.subject == p], SECONDS) for p in people]
    videos = sorted((Path(data) / "rendered").glob("*.mp4"))
    videos = [v for v in videos if fold_of(person_of(v)) == fold]
    lifters = {"start": Path(start)} if start else {}
    lifters |= {f.parent.name: f.with_suffix("") for f in Path(runs).glob(f"*/{fold}.safetensors")}
    rows = []
    for name, lifter in tqdm(lifters.items()):
        row = dict(run=name, people=len(people), clips=len(videos))
        for noise in (0.6, "measured"):
            means = scores_of_people(lifter, clips, noise)
            row |= {f"{column}, {noise}": means[column] for column in means.index}
        rows.append(row | scores_of_pixels(lifter, videos, keep).add_suffix(", pixels").to_dict())
    df = pd.DataFrame(rows).round(2)
    print(df.to_string(index=False))
    if out:
        df.to_csv(out, index=False)
