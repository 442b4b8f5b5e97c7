"""Fit the regression of `gait.detectors` to force plates: recorded joints, joints lifted from eight
simulated cameras, and from what BlazePose found in rendered pictures of the same motions, by
networks that never saw the runner. Writes the weights of the package, and those that leave out one
runner each, with which `evaluate_gait.py` scores that runner.
"""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from fastcore.script import call_parse
from folds import never_saw
from plated import (
    LEFT_OUT,
    from_detections,
    in_clip_time,
    lifted,
    motions,
    pair_clips,
    recorded,
    truth_to_learn,
)
from tqdm import tqdm

from runningpose.data.markers import markers_to_keypoints
from runningpose.data.qtm import read_qtm
from runningpose.gait.detectors import CURVES, WEIGHTS_FILE, curve_samples, sweep_scale
from runningpose.gait.foot_signals import FootCurves, continuous_runs, foot_signals
from runningpose.gait_model import SPEED_RANGE, gait_model
from runningpose.poses import pose_arrays, poses_dataset, resample_track
from runningpose.synthetic import synthetic_runner

PHASES = dict(
    ahead=np.arange(-0.4, 2.01, 0.15),
    foot_strike=np.arange(-0.6, 0.91, 0.15),
    toe_off=np.arange(-1.2, 1.21, 0.2),
)
TABLE = np.arange(-2, 3.5, 0.02)  # durations from the ankle farthest ahead
# The rest was chosen by leaving people out
RIDGE = dict(first=0.1, second=0.1)
DOUBT_S, DRAWS = 0.01, 3  # how far off the second stage expects to begin, and how often it is drawn
SHARES = dict(joints=0.6, lifted=0.35, pairs=0.1, sprint=0.1)  # weight of a source
SYNTHETIC_SHARES = 0.45, 0.1  # of strikes and toe-offs; without them a limp is found too small
OUTLIER_S, ROUNDS = 0.012, 3  # error at which a contact counts half, and rounds of weighting
LISTED_SPRINTS = dict(  # frames of strike and toe-off in turn, the left foot first
    Tindra1=[391, 429, 442, 469, 487, 513, 530, 555, 576, 598, 619, 637],
    Tindra2=[376, 410, 424, 451, 470, 495, 515, 538, 558, 581, 602, 625],
)
MOST_LIMP = 0.08  # strides by which a synthetic limp moves a strike
SYNTHETIC_RUNS, SYNTHETIC_SPEEDS = 60, (1.9, 9.0)  # m/s; the model claims no more than 6


class Contact(NamedTuple):
    "One contact for the fit"

    table: np.ndarray  # Curves at TABLE, shape (len(CURVES), len(TABLE))
    duration: float  # s
    events: tuple[float, float]  # Strike and toe-off, durations from the ankle farthest ahead
    person: str
    source: str

    def samples(self, at, phases):
        "The curves at phases from a moment, in durations"
        return np.concatenate([np.interp(at + phases, TABLE, curve) for curve in self.table])


def near(times, low, high):
    "The first of some moments in a span; NaN if there is none"
    inside = times[(times > low) & (times < high)]
    return inside[0] if len(inside) else np.nan


def contacts_of(pose, truth, **about):
    "The contacts of a clip that have both true events"
    for side in ("left", "right"):
        strikes, toe_offs = (
            np.sort(truth[(truth.side == side) & (truth.event == k)].time.to_numpy())
            for k in ("foot_strike", "toe_off")
        )
        for t, s in continuous_runs(foot_signals(pose, side).signals, pose.time.values):
            for foot, sweep in FootCurves(t, s).swept():
                ahead, behind = foot.time[list(sweep)]
                strike = near(strikes, ahead - 0.12, min(ahead + 0.25, behind))
                toe_off = near(toe_offs, max(strike, behind - 0.3), behind + 0.15)
                scale = sweep_scale(foot, sweep)
                if not np.isfinite(strike + toe_off + scale.duration):
                    continue
                table = curve_samples(foot, scale, ahead, TABLE).reshape(len(CURVES), -1)
                yield Contact(
                    table.astype(np.float32),
                    scale.duration,
                    ((strike - ahead) / scale.duration, (toe_off - ahead) / scale.duration),
                    **about,
                )


def limping(run, shift, fps):
    "A run whose right steps are longer than the left by eight times a shift, s; poses and events"
    stride, time = run.info["stride_time"], run.pose.time.values
    right = run.events[(run.events.side == "right") & (run.events.event == "foot_strike")]

    def played(t):
        return t + shift * np.cos(2 * np.pi * (t - right.time.iloc[0]) / stride)

    even = np.arange(played(time[0]), played(time[-1]), 1 / fps)
    moved = resample_track(played(time), pose_arrays(run.pose)[0], even, 1.0)
    about = dict(time=even, fps=fps, frame="world", treadmill=True, height=1.75)
    pose = poses_dataset(moved, skeleton="runningpose_22", **about)
    return pose, run.events.assign(time=played(run.events.time.to_numpy()))


def synthetic_contacts():
    "Runners made of formulas, with cadence, contact, knee and foot varied; every second one limps"
    SPEED_RANGE["run"] = (1.8, 10.0)
    rng = np.random.default_rng(1)
    for i in range(SYNTHETIC_RUNS):
        speed = rng.uniform(*SYNTHETIC_SPEEDS)
        cadence = gait_model(speed).cadence * rng.uniform(0.94, 1.06)
        usual = gait_model(speed, cadence=cadence)
        varied = dict(
            cadence=cadence,
            contact_time=usual.contact_time * rng.uniform(0.88, 1.12),
            trunk_lean=rng.uniform(3, 12),
            knee=tuple(np.add(usual.knee, rng.normal(0, (3, 3, 6)))),
            pitch=tuple(np.add(usual.pitch, rng.normal(0, (5, 4)))),
        )
        about = dict(seconds=3, fps=(60, 120)[i % 2], treadmill=True, seed=i)
        try:
            run = synthetic_runner(speed, **about, **varied)
        except ValueError:  # a leg that would have to be longer than it is
            continue
        about = dict(person="synthetic", source="synthetic")
        most = MOST_LIMP * run.info["stride_time"]
        shift = rng.uniform(-most, most) if i % 4 < 2 else 0.0
        yield from contacts_of(*limping(run, shift, run.pose.attrs["fps"]), **about)


def ridge(X, y, weight, strength):
    "Constant and coefficients of a weighted ridge regression on standardised columns"
    mean, sd = np.average(X, axis=0, weights=weight), X.std(0) + 1e-9
    Z = np.c_[(X - mean) / sd, np.ones(len(X))]
    penalty = strength * weight.sum() * np.diag(np.r_[np.ones(len(mean)), 0])
    c = np.linalg.solve(Z.T @ (Z * weight[:, None]) + penalty, Z.T @ (weight * y))
    coefficients = c[:-1] / sd
    return c[-1] - mean @ coefficients, coefficients


def robust_ridge(X, y, weight, strength, duration):
    "The same, where contacts that were found wrong count little"
    now = weight
    for _ in range(ROUNDS):
        constant, coefficients = ridge(X, y, now, strength)
        error = (X @ coefficients + constant - y) * duration
        now = weight / (1 + (error / OUTLIER_S) ** 2)
    return constant, coefficients


class FitData(NamedTuple):
    "What one stage is fitted to, a row for each contact and draw"

    X: np.ndarray  # What the stage reads
    y: np.ndarray  # What it should answer, durations, shape (N, 2)
    contact: np.ndarray  # Index of the contact
    phases: list[np.ndarray]


def first_data(contacts):
    "From the ankle farthest ahead"
    rows = [np.r_[c.duration, 0, c.samples(0, PHASES["ahead"])] for c in contacts]
    y = np.array([c.events for c in contacts])
    return FitData(np.array(rows), y, np.arange(len(contacts)), [PHASES["ahead"]])


def second_data(contacts):
    "From about where the events are"
    rng = np.random.default_rng(0)
    index = np.tile(np.arange(len(contacts)), DRAWS)
    least = [max(contacts[i].duration, 0.25) for i in index]
    off = rng.normal(0, DOUBT_S, (len(index), 2)) / np.array(least)[:, None]
    rows = []
    for i, late in zip(index, off, strict=True):
        c = contacts[i]
        strike, toe_off = c.events + late
        near_strike, near_toe_off = (
            c.samples(at, PHASES[name])
            for at, name in ((strike, "foot_strike"), (toe_off, "toe_off"))
        )
        rows.append(np.r_[c.duration, toe_off - strike, near_strike, near_toe_off])
    return FitData(np.array(rows), -off, index, [PHASES["foot_strike"], PHASES["toe_off"]])


def weights(contacts, synthetic):
    "Every source has its share, every person of it the same; errors count in seconds"
    shares = SHARES | dict(synthetic=synthetic)
    people = sorted({(c.source, c.person) for c in contacts})
    keys = [(c.source, c.person) for c in contacts]
    sources = [source for source, _ in people]
    each = {k: shares[k[0]] / sources.count(k[0]) / keys.count(k) for k in people}
    return np.array([each[k] * c.duration**2 for k, c in zip(keys, contacts, strict=True)])


def fit(contacts, stages, left_out=None):
    "The regression as it is stored, of all people or without one"
    kept = np.array([c.person != left_out for c in contacts])
    weight = np.zeros((2, len(contacts)))
    others = [c for c in contacts if c.person != left_out]
    weight[:, kept] = [weights(others, share) for share in SYNTHETIC_SHARES]
    duration = np.array([c.duration for c in contacts])
    found = {}
    for name, data in stages.items():
        used = kept[data.contact]
        i = data.contact[used]
        fits = [
            robust_ridge(data.X[used], y, w[i], RIDGE[name], duration[i])
            for y, w in zip(data.y[used].T, weight, strict=True)
        ]
        found[name] = dict(
            phases=[[round(p, 3) for p in phases] for phases in data.phases],
            constant=[round(constant, 5) for constant, _ in fits],
            weights=[[float(f"{w:.4g}") for w in coefficients] for _, coefficients in fits],
        )
    return found


def sprint_contacts(data):
    "Two starts of a sprinter, with the contacts listed in the notes of the 2022 thesis"
    for name, frames in LISTED_SPRINTS.items():
        markers = read_qtm(data / "qtm" / f"{name}.txt", data / "qtm" / "qtm_labels.txt")
        pose = markers_to_keypoints(markers)
        times = pose.time.values[0] + np.array(frames) / float(pose.attrs["fps"])
        sides = np.resize(["left", "left", "right", "right"], len(frames))
        kinds = np.resize(["foot_strike", "toe_off"], len(frames))
        true = pd.DataFrame(dict(time=times, side=sides, event=kinds))
        yield from contacts_of(pose, true, person="tindra", source="sprint")


def plated_contacts(data, cache):
    "Contacts of all runners on plates: as recorded, lifted, and detected in rendered pictures"
    truth = truth_to_learn(data)
    for motion in tqdm(motions(data)):
        true, person = truth[motion.name], motion.subject
        yield from contacts_of(recorded(motion), true, person=person, source="joints")
        for view in range(8):
            pose = lifted(motion, 60, view, never_saw, cache)
            yield from contacts_of(pose, true, person=person, source="lifted")
    for clip in tqdm(pair_clips(data)):
        pose = from_detections(clip.file, cache)
        if pose is None:
            continue
        with np.load(clip.file, allow_pickle=False) as content:
            true = in_clip_time(truth[clip.motion], content)
        yield from contacts_of(pose, true, person=clip.person, source="pairs")


@call_parse
def main(
    data: str,  # Folder with the shared data
    cache: str = None,  # Folder to keep the lifted motions in
    out: str = str(WEIGHTS_FILE),  # JSON file for the weights of all people
    left_out: str = str(LEFT_OUT),  # JSON file for the weights without each person
):
    "Fit with everybody, and without each person"
    contacts = [*plated_contacts(Path(data), cache), *synthetic_contacts()]
    contacts += sprint_contacts(Path(data))
    stages = dict(first=first_data(contacts), second=second_data(contacts))
    Path(out).write_text(json.dumps(fit(contacts, stages)) + "\n")
    people = sorted({c.person for c in contacts} - {"synthetic", "tindra"})
    without = {p: fit(contacts, stages, p) for p in tqdm(people)}
    Path(left_out).write_text(json.dumps(without) + "\n")
