"""Peak and impulse of the vertical force, estimated from contact and flight as half a sine, against
the force plates of seven open runners: with the times of the plates, and with those that are found
from the runners' joints. Bias and SD in % of the measured value, by person and by speed.
"""

import os
from pathlib import Path

import numpy as np
import pandas as pd
from fastcore.script import call_parse

from runningpose.gait.events import gait_events
from runningpose.gait.forces import force_errors, plate_forces
from runningpose.poses import poses_dataset
from runningpose.training.sources import load_mocap

REPO = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("RUNNINGPOSE_DATA", REPO.parent / "shared" / "data"))
PLATE_THRESHOLD_N = 20
MATCH_S = 0.05  # a contact that is found belongs to the true one whose strike is nearest


def plate_events(mocap):
    "Events of the force plates"
    events = pd.read_csv(mocap / "hamner2013_events.csv").rename(columns={"time_s": "time"})
    return events[events.threshold_N == PLATE_THRESHOLD_N]


def clip_forces(mocap):
    "Name, vertical force of each side (N) and time (s) of every clip"
    with np.load(mocap / "hamner2013_forces.npz") as archive:
        for clip in (name for name in archive.files if "_run" in name):
            right, left = archive[clip].T.astype(float)
            yield clip, dict(right=right, left=left), np.arange(len(right)) / float(archive["rate"])


def with_found_times(true, found):
    "The contacts of the plates with the estimates from the times that were found"
    kept = []
    for side, own in true.groupby("side"):
        others = found[found.side == side]
        if not len(others):
            continue
        nearest = abs(own.strike.to_numpy()[:, None] - others.strike.to_numpy()).argmin(1)
        matched = others.iloc[nearest].reset_index(drop=True)
        near = (abs(own.strike.to_numpy() - matched.strike) < MATCH_S).to_numpy()
        estimates = matched[["peak_estimate", "impulse_estimate"]].to_numpy()
        own = own.assign(peak_estimate=estimates[:, 0], impulse_estimate=estimates[:, 1])
        kept.append(own[near])
    return pd.concat(kept, ignore_index=True)


def tables(forces, title):
    "Print the errors by person and by speed, and the bias over people"
    people = force_errors(forces, "person")
    print(f"\n{title}: {len(forces)} contacts\n")
    for table in (people, force_errors(forces, "speed")):
        print(table.round(2).to_string(), end="\n\n")
    for name in ("peak", "impulse"):
        bias = people[f"{name} bias"]
        print(
            f"{name}: bias over people {bias.mean():+.1f} %, SD between people {bias.std():.1f} %"
        )


@call_parse
def main(
    data: Path = SHARED,  # Folder of the shared data
):
    mocap = Path(data) / "mocap"
    if not (mocap / "hamner2013_forces.npz").exists():
        print(f"skipped: there is no {mocap / 'hamner2013_forces.npz'}")
        return
    motions = {motion.name: motion for motion in load_mocap(mocap / "hamner2013.npz")}
    plates, parts = plate_events(mocap), {"plates": [], "joints": []}
    for clip, vertical, time in clip_forces(mocap):
        about = dict(person=clip.split("_")[1], speed=float(clip[-1]))
        true = plate_forces(vertical, time, plates[plates.clip_id == clip])
        parts["plates"].append(true.assign(**about))
        if clip in motions:
            motion = motions[clip]
            pose = poses_dataset(
                motion.xyz, skeleton="runningpose_22", fps=motion.fps, frame="world"
            )
            found = plate_forces(vertical, time, gait_events(pose))
            parts["joints"].append(with_found_times(true, found).assign(**about))
    tables(pd.concat(parts["plates"]), "Contact and flight of the plates")
    tables(pd.concat(parts["joints"]), "Contact and flight found from joints")
