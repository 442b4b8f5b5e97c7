"""Write runningpose/gait/norms.json: what other runners do, from the shared recordings.

The knee's mean strides of 46 runners (BMC and RIC), strike to strike times of the RBDS runners at
three speeds, contacts on the force plate of the Hamner runners at four, and a published table. Only
means, SDs and numbers of people go into the file.
"""

import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
from fastcore.script import call_parse

from runningpose.gait.cycles import stride_bounds
from runningpose.gait.events import gait_events
from runningpose.poses import poses_dataset
from runningpose.training.sources import load_mocap

REPO = Path(__file__).resolve().parent.parent
SHARED = Path(os.environ.get("RUNNINGPOSE_DATA", REPO.parent / "shared" / "data"))
PLATE_THRESHOLD_N = 20
STANCE_END, SWING_START = 30, 40  # % of the stride: the knee's peaks lie before and after
STUDIES = dict(
    bmc_ric=dict(
        people=46,
        who="runners, 22 to 51 years, 23 in each of two laboratories",
        sex="not stated",
        speeds=[2.43, 2.57],
        method="treadmill, markers on thigh and shank",
        source="Fukuchi, Duarte, Ferber: BMC and RIC running data, "
        "github.com/regifukuchi/BMC-RIC-running-biomechanics",
        licence="CC BY 4.0",
    ),
    rbds=dict(
        people=23,
        who="regular runners",
        sex="not stated",
        speeds=[2.5, 4.5],
        method="treadmill, time from strike to strike of the same foot, from markers",
        source="Fukuchi, Fukuchi, Duarte 2017, PeerJ 5:e3298 (RBDS)",
        licence="CC BY 4.0",
    ),
    hamner=dict(
        people=7,
        who="runners",
        sex="not stated",
        speeds=[2.0, 5.0],
        method="treadmill with force plates, contact above 20 N",
        source="Hamner, Delp 2013, J Biomech 46:780",
        licence="attribution",
    ),
    karamanidis=dict(
        people=9,
        who="young endurance runners",
        sex="male",
        speeds=[2.7, 2.7],
        method="force plate",
        source="Karamanidis, Arampatzis 2005, J Exp Biol 208:3907, table 4",
        licence="published facts",
    ),
)
PUBLISHED = dict(  # mean and SD of `karamanidis`, s
    contact_time=(0.271, 0.023), flight_time=(0.112, 0.019), duty_factor=(0.355, 0.023)
)


def by_speed(table, column, study):
    "Mean and SD over people at each speed; the table has one row per person and speed"
    groups = table.groupby("speed")[column]
    return dict(
        study=study,
        speed=[float(v) for v in groups.mean().index],
        mean=groups.mean().round(4).tolist(),
        sd=groups.std().round(4).tolist(),
        n=groups.count().tolist(),
    )


def knee_norms():
    "The knee's band over the stride, and its values, of the 46 runners"
    strides = pd.read_csv(SHARED / "norms" / "mean_strides_46_runners.csv")
    knee = strides.pivot(index="percent", columns="runner", values="knee_sagittal_deg")
    band = dict(
        study="bmc_ric",
        mean=knee.mean(axis=1).round(2).tolist(),
        sd=knee.std(axis=1).round(2).tolist(),
        n=knee.shape[1],
    )
    values = pd.DataFrame(dict(strike=knee.loc[0], swing=knee.loc[SWING_START:].max()))
    values = values.assign(speed=2.5)
    names = dict(knee_flexion_strike="strike", knee_flexion_swing="swing")
    found = {name: by_speed(values, column, "bmc_ric") for name, column in names.items()}
    return dict(knee_flexion=band), found


def stride_norms():
    "Stride and step times and lengths, and cadence, of the RBDS runners"
    rows = []
    for motion in load_mocap(SHARED / "mocap" / "rbds_legs.npz"):
        if not motion.subject.startswith("rbds"):
            continue
        pose = poses_dataset(motion.xyz, skeleton="runningpose_22", fps=motion.fps, frame="world")
        events = gait_events(pose)
        strides = [np.diff(stride_bounds(events, side)) for side in ("left", "right")]
        speed = float(motion.name[-2:]) / 10  # m/s: clips are called RBDS001runT25
        rows.append(dict(speed=speed, stride_time=float(np.concatenate(strides).mean())))
    people = pd.DataFrame(rows)
    people["step_time"] = people.stride_time / 2
    people["cadence"] = 60 / people.step_time
    people["step_length"] = people.speed * people.step_time
    people["stride_length"] = people.speed * people.stride_time
    names = ("cadence", "stride_time", "step_time", "step_length", "stride_length")
    return {name: by_speed(people, name, "rbds") for name in names}


def contacts_of(events):
    "Contact, flight and stride times of one clip, s, the median of each"
    times = {
        key: np.sort(part.time_s.to_numpy()) for key, part in events.groupby(["side", "event"])
    }
    contact, flight, stride = [], [], []
    for side, other in (("left", "right"), ("right", "left")):
        strikes, others = times[side, "foot_strike"], times[other, "foot_strike"]
        stride += np.diff(strikes).tolist()
        for toe_off in times[side, "toe_off"]:
            before, after = strikes[strikes < toe_off], others[others > toe_off - 0.1]
            if len(before) and len(after):
                contact.append(toe_off - before[-1])
                flight.append(after[0] - toe_off)
    return dict(
        zip(("contact_time", "flight_time", "stride"), map(np.median, (contact, flight, stride)))
    )


def contact_norms():
    "Contact and flight times and duty factor of the Hamner runners"
    events = pd.read_csv(SHARED / "mocap" / "hamner2013_events.csv")
    events = events[events.threshold_N == PLATE_THRESHOLD_N]
    rows = [
        dict(speed=float(clip[-1]), **contacts_of(part))  # clips are called hamner2013_s02_run2
        for clip, part in events.groupby("clip_id")
    ]
    people = pd.DataFrame(rows)
    people["duty_factor"] = people.contact_time / people.stride
    names = ("contact_time", "flight_time", "duty_factor")
    return {name: by_speed(people, name, "hamner") for name in names}


def published(name):
    "A published value in the form of `by_speed`"
    mean, sd = PUBLISHED[name]
    study = STUDIES["karamanidis"]
    return dict(
        study="karamanidis",
        speed=study["speeds"][:1],
        mean=[mean],
        sd=[sd],
        n=[study["people"]],
    )


@call_parse
def main():
    curves, knee = knee_norms()
    values = stride_norms() | contact_norms() | knee
    content = dict(
        made_by="benchmarks/make_norms.py",
        studies=STUDIES,
        curves=curves,
        values=values,
        published={name: published(name) for name in PUBLISHED},
    )
    path = REPO / "runningpose" / "gait" / "norms.json"
    path.write_text(json.dumps(content) + "\n", encoding="utf-8")
    print(pd.DataFrame(values).T.to_string())
