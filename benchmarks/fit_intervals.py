"""From the errors of metric_errors.py to the tables behind the intervals: errors.csv and
curve_errors.csv of runningpose.gait, and how well the intervals hold for people left out.

What a detector adds on real pixels is the part of the errors of rendered clips that the simulated
ones do not explain. Coverage on simulated 2D is that of the intervals without this part, each
person by the errors of the others; on pixels with it, each body by the errors of the other bodies.
"""

import json
from pathlib import Path

import numpy as np
import pandas as pd
from fastcore.script import call_parse
from plated import LEFT_OUT
from tqdm import tqdm

from runningpose.gait.catalogue import CATALOGUE
from runningpose.gait.intervals import (
    GROUP_COLUMNS,
    USELESS,
    ConfidenceLine,
    ErrorModel,
    fit_error_model,
    fit_errors,
    paired_differences,
    step_share,
    tolerance_of,
)

ROOT = Path(__file__).resolve().parent.parent
PACKAGE, CHECKPOINT = ROOT / "runningpose" / "gait", ROOT / "checkpoint"
BINS = np.linspace(0, 1, 11)  # of the reliability diagram
FEWEST_BODIES = 3
UNUSUAL = ("c17", "c18", "c19", "c22")  # rendered clips: a post before the legs, turns
CURVE_COLUMNS = ["angle", "leg", "view", "points"]


PLATED = set(json.loads(LEFT_OUT.read_text()))  # people on force plates
FROM_TIMES = {"timing", "flight"}  # needs of metrics that hang on strike and toe-off


def with_true_times(errors):
    "Without the timed metrics of people whose events nobody measured; all rates without feet as one"
    timed = {n for n, m in CATALOGUE.items() if m.needs & FROM_TIMES or m.unit.startswith("BW")}
    kept = errors.person.isin(PLATED) | ~errors.metric.isin(timed)
    errors = errors[kept]
    return errors.assign(rate=errors.rate.where(errors.points == "feet", 60))


def with_differences(errors):
    "Errors of the legs and of their differences"
    return pd.concat([errors, paired_differences(errors)], ignore_index=True)


def models_of(table):
    "Group to error model"
    return {
        tuple(row[: len(GROUP_COLUMNS)]): ErrorModel(*row[len(GROUP_COLUMNS) :])
        for row in table.itertuples(index=False)
    }


def unexplained(rendered, models):
    "Second moment of the pixels' errors less what the models explain, by metric and leg"
    rows = []
    for row in rendered.itertuples():
        model = models.get(tuple(getattr(row, c) for c in GROUP_COLUMNS))
        if model is None:
            continue
        expected = model.interval(row.n)
        rest = (row.error - expected.bias) ** 2 - expected.sd**2
        rows.append((row.metric, row.leg, row.view, row.person, rest))
    return pd.DataFrame(rows, columns=["metric", "leg", "view", "body", "rest"])


def detector_keys(table):
    "What a detector's part is known for: a metric of both legs, one or their difference; the view"
    kind = table.leg.where(table.leg.isin(["both", "difference"]), "one")
    view = np.where(table["view"] == "side", "side", "other")
    return list(zip(table.metric, kind, view, strict=True))


def detector_parts(rest):
    "Standard deviation that bodies add, and how many bodies say so, by `detector_keys`"
    by_body = rest.assign(key=detector_keys(rest)).groupby(["key", "body"]).rest.mean()
    parts = by_body.groupby(level=0).agg(["mean", "size"])
    parts = parts[parts["size"] >= FEWEST_BODIES]
    return {key: (max(mean, 0.0) ** 0.5, int(n)) for key, mean, n in parts.itertuples()}


def with_detector(table, parts):
    "The models with what a detector adds; measured joints have no detector"
    added = [
        (0.0, 0) if view == "joints" else parts.get(key, (0.0, 0))
        for key, view in zip(detector_keys(table), table["view"], strict=True)
    ]
    sd, bodies = zip(*added, strict=True)
    return table.assign(detector_sd=sd, bodies=bodies)


def judged(rows, model_for):
    "Whether each error lies in its interval, the half-width, and the confidence"
    found = []
    for row in rows.itertuples():
        model = model_for(tuple(getattr(row, c) for c in GROUP_COLUMNS))
        if model is None or row.leg == "difference":
            continue
        interval = model.interval(row.n)
        tolerance = tolerance_of(CATALOGUE[row.metric])
        found.append(
            dict(
                metric=row.metric,
                view=row.view,
                rate=row.rate,
                points=row.points,
                person=row.person,
                covered=abs(row.error - interval.bias) <= interval.half_width,
                half_width=interval.half_width,
                given=interval.half_width <= USELESS * tolerance,
                confidence=interval.within(tolerance),
                right=abs(row.error) <= tolerance,
            )
        )
    return pd.DataFrame(found)


def leave_one_out(errors):
    "Judged errors of each person by the models of the others"
    groups = {key: own for key, own in errors.groupby(GROUP_COLUMNS)}
    shares = {metric: step_share(own) for metric, own in errors.groupby("metric")}
    parts = []
    for person, rows in tqdm(errors.groupby("person"), desc="people left out"):
        known = {}

        def model_for(key, known=known, person=person):
            if key not in known:
                others = groups[key][groups[key].person != person]
                known[key] = fit_error_model(others, shares[key[0]])
            return known[key]

        parts.append(judged(rows, model_for))
    return pd.concat(parts, ignore_index=True)


def leave_one_body_out(rendered, table):
    "Judged errors of each rendered body, with the detector's part from the other bodies"
    plain, parts = models_of(table), []
    rest = unexplained(rendered, plain)
    for body, rows in rendered.groupby("person"):
        others = models_of(with_detector(table, detector_parts(rest[rest.body != body])))
        parts.append(judged(rows, others.get))
    return pd.concat(parts, ignore_index=True)


def summary(rows, by):
    "Coverage and median half-width"
    groups = rows.groupby(by)
    return groups.agg(
        values=("covered", "size"),
        people=("person", "nunique"),
        coverage=("covered", "mean"),
        half_width=("half_width", "median"),
        given=("given", "mean"),
    ).reset_index()


def fitted_line(rows):
    "The line from the model's probability to the share that was right, of values that are given"
    slope, constant = np.polyfit(rows.confidence, rows.right.astype(float), 1)
    return ConfidenceLine(round(float(constant), 4), round(float(slope), 4))


def reliability(rows, kind, line):
    "How often the values that are given are right, by the confidence they are given with"
    rows = rows[rows.given]
    rows = rows.assign(confidence=rows.confidence.map(line.at))
    cell = pd.cut(rows.confidence, BINS, labels=False, include_lowest=True)
    table = rows.groupby(cell).agg(
        confidence=("confidence", "mean"), right=("right", "mean"), values=("right", "size")
    )
    return table.assign(kind=kind).reset_index(drop=True)


def fit_curves(curves):
    """Typical error of each angle over a clip, degrees, its correlation with the truth, and how far
    the error varies against the truth
    """
    rms, noise = np.sqrt(curves["mean"] ** 2 + curves.sd**2), curves.sd / curves.true_sd
    people = curves.assign(rms=rms, noise=noise).groupby([*CURVE_COLUMNS, "person"])
    means = people[["rms", "r", "noise"]].mean().groupby(CURVE_COLUMNS)
    return means.agg(
        rms=("rms", "mean"), r=("r", "median"), noise=("noise", "median"), people=("r", "size")
    ).reset_index()


def worse_of(simulated, rendered):
    "Of each curve what is worse: on simulated keypoints, or on pixels where enough bodies were seen"
    pixels = rendered[rendered.people >= FEWEST_BODIES].set_index(CURVE_COLUMNS)
    table = simulated.set_index(CURVE_COLUMNS)
    other = pixels.reindex(table.index)
    return table.assign(
        rms=table.rms.combine(other.rms, np.fmax),
        r=table.r.combine(other.r, np.fmin),
        noise=table.noise.combine(other.noise, np.fmax),
    ).reset_index()


@call_parse
def main(
    errors: str,  # Folder with the tables of metric_errors.py
):
    "Fit, leave people and bodies out, write all tables, print the summary"
    read = {
        name: pd.read_csv(Path(errors) / f"{name}.csv.gz")
        for name in (
            "simulated_metrics",
            "rendered_metrics",
            "simulated_curves",
            "rendered_curves",
        )
    }
    simulated = with_differences(with_true_times(read["simulated_metrics"]))
    rendered = read["rendered_metrics"]
    rendered = with_differences(rendered[~rendered["clip"].str.startswith(UNUSUAL)])
    table = fit_errors(simulated)
    parts = detector_parts(unexplained(rendered, models_of(table)))
    with_detector(table, parts).round(5).to_csv(PACKAGE / "errors.csv", index=False)
    usual = ~read["rendered_curves"]["clip"].str.startswith(UNUSUAL)
    curves = worse_of(
        fit_curves(read["simulated_curves"]), fit_curves(read["rendered_curves"][usual])
    )
    curves.round(2).to_csv(PACKAGE / "curve_errors.csv", index=False)
    kinds = dict(simulated=leave_one_out(simulated), pixels=leave_one_body_out(rendered, table))
    tables = []
    for kind, rows in kinds.items():
        joints = rows["view"] == "joints"
        tables.append(summary(rows[~joints], ["metric", "view"]).assign(kind=kind))
        if joints.any():
            tables.append(summary(rows[joints], ["metric", "view"]).assign(kind="joints"))
        by_metric = summary(rows[~joints], ["metric"])
        pooled = rows[~joints].covered.mean()
        print(f"{kind}: {len(rows[~joints])} values, coverage {pooled:.3f}")
        print(by_metric.round(3).to_string())
        print(summary(rows, ["view", "rate", "points"]).round(3).to_string())
    coverage = pd.concat(tables, ignore_index=True)
    coverage.round(4).to_csv(CHECKPOINT / "interval_coverage.csv", index=False)
    simulated_rows = kinds["simulated"]
    seen = simulated_rows[simulated_rows.given & (simulated_rows["view"] != "joints")]
    line = fitted_line(seen)
    (PACKAGE / "confidence.json").write_text(json.dumps(line._asdict()) + "\n")
    reliable = pd.concat(
        [reliability(rows[rows["view"] != "joints"], kind, line) for kind, rows in kinds.items()]
    )
    reliable.round(4).to_csv(CHECKPOINT / "interval_reliability.csv", index=False)
    print(reliable.round(3).to_string())
