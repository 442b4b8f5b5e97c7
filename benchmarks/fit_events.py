"""Fit the regression of `gait.detectors` to force plates: recorded joints, and joints lifted from
eight cameras by lifters that never saw the runner. Writes the weights of the package, and those
that leave out one runner each, with which `evaluate_gait.py` scores that runner.
"""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
from fastcore.script import call_parse
from folds import never_saw
from plated import (
    LEFT_OUT,
    lifted,
    motions,
    plate_events,
    recorded,
    tells_20_newton,
)
from tqdm import tqdm

from runningpose.gait.detectors import CURVES, WEIGHTS_FILE, curve_samples, sweep_scale
from runningpose.gait.foot_signals import FootCurves, continuous_runs, foot_signals
from runningpose.gait_model import SPEED_RANGE, gait_model
from runningpose.poses import pose_arrays, poses_dataset, resample_track
from runningpose.synthetic import synthetic_runner

PHASES = dict(
    first=np.arange(-0.4, 2.01, 0.15),
    foot_strike=np.arange(-0.6, 0.91, 0.15),
    toe_off=np.arange(-1.2, 1.21, 0.2),
)
TABLE = np.arange(-2, 3.5, 0.02)  # durations from the ankle farthest ahead
RIDGE = dict(first=0.1, second=0.03)  # chosen by leaving people out
DOUBT_S, DRAWS = 0.01, 3  # how far off the second stage expects to begin, and how often it is drawn
SYNTHETIC_SHARE = dict(foot_strike=0.2, toe_off=0.05)  # weight of a clip; of the recorded 0.5
MOST_LIMP = 0.08  # strides by which a synthetic limp moves a strike
SYNTHETIC_RUNS, SYNTHETIC_SPEEDS = 60, (1.9, 9.0)  # m/s; the model claims no more than 6


class Contact(NamedTuple):
    "One contact for the fit"

    table: np.ndarray  # Curves at TABLE, shape (len(CURVES), len(TABLE))
    duration: float  # s
    foot_strike: float  # Durations from the ankle farthest ahead
    toe_off: float
    person: str
    clip: str
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
                    (strike - ahead) / scale.duration,
                    (toe_off - ahead) / scale.duration,
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
        about = dict(person="synthetic", clip=f"synthetic {i}", source="synthetic")
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


def stage(contacts, at, y, weight, phases, strength):
    "One stage as it is stored: what the curves around `at` say of the event, both in durations"
    samples = [c.samples(a, phases) for c, a in zip(contacts, at, strict=True)]
    X = np.c_[[c.duration for c in contacts], np.array(samples)]
    constant, coefficients = ridge(X, y, weight, strength)
    return dict(
        phases=[round(p, 3) for p in phases],
        constant=round(constant, 5),
        duration=round(coefficients[0], 5),
        curves=[float(f"{c:.4g}") for c in coefficients[1:]],
    )


def fit(contacts):
    "The regressions, as they are stored; every clip and source has the same weight"
    rng = np.random.default_rng(0)
    duration = np.array([c.duration for c in contacts])
    names = [(c.clip, c.source) for c in contacts]
    clip_size = np.array([names.count(n) for n in names])
    found = {}
    for event, synthetic in SYNTHETIC_SHARE.items():
        share = np.array([synthetic if c.person == "synthetic" else 0.5 for c in contacts])
        weight = share / clip_size * duration**2  # errors count in seconds
        true = np.array([getattr(c, event) for c in contacts])
        off = rng.normal(0, DOUBT_S, (DRAWS, len(true))) / np.maximum(duration, 0.25)
        found[event] = dict(
            first=stage(contacts, 0 * true, true, weight, PHASES["first"], RIDGE["first"]),
            second=stage(
                contacts * DRAWS,
                (true + off).ravel(),
                -off.ravel(),
                np.tile(weight, DRAWS),
                PHASES[event],
                RIDGE["second"],
            ),
        )
    return found


def plated_contacts(data, cache):
    "Contacts of all runners on plates whose force tells 20 N"
    truth = plate_events(data)
    for motion in tqdm([m for m in motions(data) if tells_20_newton(data, m.name)]):
        about = dict(person=motion.subject, clip=motion.name)
        yield from contacts_of(recorded(motion), truth[motion.name], source="joints", **about)
        for view in range(8):
            pose = lifted(motion, 60, view, never_saw, cache)
            yield from contacts_of(pose, truth[motion.name], source="lifted", **about)


@call_parse
def main(
    data: str,  # Folder with the shared data
    cache: str = None,  # Folder to keep the lifted motions in
    out: str = str(WEIGHTS_FILE),  # JSON file for the weights of all people
    left_out: str = str(LEFT_OUT),  # JSON file for the weights without each person
):
    "Fit with everybody, and without each person"
    contacts = [*plated_contacts(Path(data), cache), *synthetic_contacts()]
    Path(out).write_text(json.dumps(fit(contacts)) + "\n")
    people = sorted({c.person for c in contacts} - {"synthetic"})
    without = {p: fit([c for c in contacts if c.person != p]) for p in tqdm(people)}
    Path(left_out).write_text(json.dumps(without) + "\n")
