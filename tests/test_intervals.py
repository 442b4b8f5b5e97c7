"""The tables behind the intervals: what `benchmarks/fit_intervals.py` found on people left out."""

import numpy as np
import pandas as pd
import pytest

from runningpose.gait.angles import joint_angles
from runningpose.gait.catalogue import CATALOGUE
from runningpose.gait.intervals import curve_errors, error_table
from runningpose.gait.metrics import gait_metrics
from runningpose.lifting.load import shipped_checkpoint
from runningpose.synthetic import synthetic_runner

FEWEST_VALUES = 200  # of a cell of the reliability diagram that is judged


@pytest.fixture(scope="module")
def coverage():
    table = pd.read_csv(shipped_checkpoint().parent / "interval_coverage.csv")
    return table.assign(inside=table.coverage * table["values"])


def share_inside(rows, by):
    sums = rows.groupby(by)[["inside", "values"]].sum()
    return sums.inside / sums["values"]


def test_nine_of_ten_values_of_people_left_out_lie_in_their_intervals(coverage):
    pooled = share_inside(coverage, "kind")
    assert 0.87 <= pooled["simulated"] <= 0.93
    assert pooled["pixels"] >= 0.85
    assert coverage[coverage.kind == "simulated"]["values"].sum() >= 9000


def test_no_metric_is_covered_badly(coverage):
    by_metric = share_inside(coverage[coverage.kind == "simulated"], "metric")
    assert by_metric.min() >= 0.8, by_metric[by_metric < 0.8]


def test_confidence_is_a_probability():
    table = pd.read_csv(shipped_checkpoint().parent / "interval_reliability.csv")
    judged = table[(table.kind == "simulated") & (table["values"] >= FEWEST_VALUES)]
    assert len(judged) > 5
    assert (judged.confidence - judged.right).abs().max() <= 0.1


def test_every_metric_and_leg_has_errors_from_the_side():
    known = {(metric, leg) for metric, leg, group in error_table() if group.view == "side"}
    missing = [
        name
        for name, metric in CATALOGUE.items()
        if not any((name, leg) in known for leg in ("both", "near"))
    ]
    assert missing == []


def test_the_obliquity_of_the_pelvis_is_never_drawn():
    shown = [key for key, error in curve_errors().items() if error.is_small]
    assert not any(angle == "pelvis_obliquity" for angle, *_ in shown)
    assert any(angle == "knee_flexion" for angle, *_ in shown)


@pytest.mark.parametrize("view_deg", [5.0, 45.0, 85.0])
def test_intervals_hold_the_value_and_what_is_withheld_has_none(view_deg):
    run = synthetic_runner(3.0, seconds=4)
    seen = run.pose.assign_attrs(view_deg=view_deg, near_side="left")
    table = gait_metrics(seen, run.events, joint_angles(run.pose))
    given = table[table.value.notna() & table.low.notna()]
    assert len(given) > 10
    assert ((given.low <= given.value) & (given.value <= given.high)).all()
    assert given.confidence.between(0, 1).all()
    withheld = table[table.value.isna()]
    assert withheld[["low", "high", "sd", "repeat_sd"]].isna().all(axis=None)
    assert (withheld.reason.str.len() > 10).all()


def test_an_unknown_stature_widens_lengths_and_nothing_else():
    run = synthetic_runner(3.0, seconds=4)
    known = run.pose.assign_attrs(view_deg=85.0, near_side="left")
    unknown = known.assign_attrs(scale_source="assumed stature")
    tables = [
        gait_metrics(pose, run.events, joint_angles(run.pose), give_all=True)
        .set_index(["metric", "side"])
        .assign(width=lambda t: t.high - t.low)
        for pose in (known, unknown)
    ]
    ratio = (tables[1].width / tables[0].width).groupby("metric").max()
    np.testing.assert_allclose(ratio[["cadence", "contact_time", "knee_flexion_swing"]], 1)
    assert (ratio[["speed", "step_length", "vertical_oscillation"]] > 1.1).all()
