"""Write checkpoint/README.md, the model card: every figure comes from files that other scripts
wrote.

checkpoint/lifter.json (training), evaluation.json (evaluate_folds.py), rendered.csv
(evaluate_rendered.py --mirror --out), real.csv (evaluate_real.py --out), world_landmarks.csv
(world_landmarks.py --out) and gait.json (evaluate_gait.py).
"""

# ruff: noqa: E501
import json
from pathlib import Path

import numpy as np
import pandas as pd
from fastcore.script import call_parse

from runningpose.lifting.checkpoint import load_checkpoint
from runningpose.training.evaluate import mean_over_people

CHECKPOINT = Path(__file__).resolve().parent.parent / "checkpoint"


def shown(value, digits=1):
    "A figure as text, rounded as pandas rounds the tables of the pages; missing ones as a dash"
    if pd.isna(value):
        return "–"
    return f"{np.round(value, digits):.{digits}f}" if isinstance(value, float) else str(value)


def table(df, digits=1):
    "A DataFrame as Markdown"
    rows = [list(map(str, df.columns)), ["---"] * df.shape[1]]
    rows += [[shown(v, digits) for v in row] for row in df.values.tolist()]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def with_mean(df, by):
    "A table with a row of means"
    mean = {by: "**mean**"} | df.mean(numeric_only=True).to_dict()
    return pd.concat([df, pd.DataFrame([mean])], ignore_index=True)


FOLD_COLUMNS = [
    "left out",
    "MPJPE",
    "N-MPJPE",
    "P-MPJPE",
    "feet",
    "height at strike",
    "knee",
    "hip",
    "ankle",
    "trunk",
    "mean pose",
]
ERRORS = {
    "0.6": "White noise of 0.6 % of body height per axis",
    "measured": "The measured errors of BlazePose (correlated, biased, larger)",
}


GROUPS = {
    "runners": "Runners measured from head to toe",
    "legs only": "Runners of whom only legs, feet and pelvis were measured and are scored",
    "starts": "Sprint starts from blocks, one sprinter",
}


def group_table(evaluation):
    "Mean over people and its 95 % interval, by group and kind of 2D error"
    folds = pd.DataFrame(evaluation["folds"])
    means = mean_over_people(folds[folds.keypoints == "blazepose"])
    rows = []
    for (group, errors), part in means.groupby(["group", "errors"], sort=False):
        part = part.set_index("error")
        row = {"people": f"{GROUPS[group]} ({part.people.max()})", "2D errors": errors}
        for column in ("MPJPE", "P_MPJPE", "knee", "hip", "ankle"):
            m = part.loc[column]
            interval = "" if np.isnan(m.low) else f" ({shown(m.low)} to {shown(m.high)})"
            row[column.replace("_", "-")] = shown(m["mean"]) + interval
        rows.append(row)
    return table(pd.DataFrame(rows))


def speed_table(evaluation):
    "Errors of the runners' clips by speed"
    clips = pd.DataFrame(
        [c for d in evaluation["detail"] if d["group"] == "runners" for c in d["clips"]]
    )
    clips["speed, m/s"] = pd.cut(clips.speed, [0, 1.5, 2.5, 3.5, 4.5, 7], right=False).astype(str)
    by_speed = clips.groupby("speed, m/s").agg(
        clips=("MPJPE", "size"), MPJPE=("MPJPE", "mean"), knee=("knee", "mean")
    )
    return table(by_speed.reset_index())


def fold_tables(evaluation):
    "The table of the folds for each kind of 2D error"
    folds = pd.DataFrame(evaluation["folds"]).rename(
        columns={"N_MPJPE": "N-MPJPE", "P_MPJPE": "P-MPJPE", "strike_height": "height at strike"}
    )
    folds = folds[(folds.keypoints == "blazepose") & (folds.group == "runners")]
    parts = []
    for errors, title in ERRORS.items():
        rows = with_mean(folds.loc[folds.errors == errors, FOLD_COLUMNS], "left out")
        parts.append(f"{title}, the points that BlazePose gives:\n\n{table(rows)}\n")
    return "\n".join(parts)


def condition_table(evaluation):
    "Means over the folds under each condition"
    conditions = pd.DataFrame(evaluation["conditions"]).groupby("condition", sort=False)
    means = conditions.mean(numeric_only=True).reset_index()
    return table(means.rename(columns={"P_MPJPE": "P-MPJPE"}))


LEFT_OUT = ", detector fitted without the runner"
EVENT_ROWS = {
    "joints": "recorded joints",
    "lifted 30": "lifted, 30 frames/s, two views",
    "lifted 60": "lifted, 60 frames/s, eight views",
    "lifted 240": "lifted, 240 frames/s, two views",
    f"rendered{LEFT_OUT}": "pixels of rendered runners, c01 to c22",
    f"pairs{LEFT_OUT}": "pixels of rendered runners, detector pairs",
    "rbds 20, regression": "recorded joints of RBDS001, who took part in no fit",
}


def event_table(gait):
    "Errors of foot strikes, toe-offs and contacts: bias and RMSE in ms, contact also in %"
    rows = []
    for key, source in EVENT_ROWS.items():
        e = next(r for r in gait[key]["rows"] if r["index"] == "all")
        rows.append(
            {
                "events from": source,
                "strike, bias": e["foot_strike bias"],
                "strike, RMSE": e["foot_strike RMSE"],
                "toe-off, bias": e["toe_off bias"],
                "toe-off, RMSE": e["toe_off RMSE"],
                "contact, RMSE": e["contact RMSE"],
                "contact, %": e["contact %"],
                "events": int(e["n"]),
                "missed": int(e["missed"]),
                "invented": int(e["extra"]),
            }
        )
    return table(pd.DataFrame(rows))


def angle_table(gait):
    "RMSE against inverse kinematics in degrees, the constant offset removed, worst side and view"
    worst = {}
    for key, source in (("angles, joints", "recorded joints"), ("angles, lifted", "lifted 3D")):
        rows = pd.DataFrame(gait[key]["rows"])
        worst[source] = rows.groupby("angle")["rmse max"].max()
    return table(pd.DataFrame(worst).rename_axis("angle").reset_index())


def metric_table(gait):
    "Belt speed and vertical oscillation from the pixels of each rendered clip"
    rows = pd.DataFrame(gait["pixels, metrics"]["rows"])
    names = dict(
        belt="belt, m/s",
        belt_error="error of the speed, %",
        oscillation_cm="oscillation of the pelvis, cm",
        oscillation_error_cm="error of the oscillation, cm",
    )
    return table(rows[["clip", *names]].rename(columns=names))


def flight_table(gait):
    "Acceleration of the centre of mass in flight, from joints and from lifted 3D"
    rows = pd.DataFrame(gait["fall"]["rows"])
    names = dict(
        clip="clip",
        fall="from joints",
        error="standard error",
        flights="flights",
        least="lifted, least of eight views",
        most="lifted, most",
    )
    return table(rows[list(names)].rename(columns=names))


def standing_table(gait):
    "Height and slip of standing feet on real video"
    rows = pd.DataFrame(gait["video"]["rows"])
    names = dict(
        video="video",
        gait="gait",
        lowest="height, lowest (cm)",
        median="median (cm)",
        highest="highest (cm)",
        slip="slip as lifted (m/s)",
        slip_held="slip, path fixed (m/s)",
    )
    return table(rows[list(names)].rename(columns=names), 2)


def measured_on(gait):
    "Dates and machines of the gait tables"
    return "; ".join(sorted({f"{t['date']}, {t['cpu']}" for t in gait.values()}))


EARLIER = "an earlier lifter, trained on CMU and two of three runners"
EARLIEST = "the lifter shipped before, trained on CMU and three runners"
STARTS = {  # what the lifters began with, by the name that their files keep
    "A1": "a run of 3500 steps from random weights, on the same people",
    "without_welk007": EARLIER,
    "without_hamner2013_s04": EARLIER,
    "lifter": EARLIEST,
    "A2": "a run of 5500 steps from random weights, on the same people",
    "final2": f"a run of 3500 steps from {EARLIEST}",
}


def training_facts(t):
    "How long each source was, and the steps of training"
    seconds = ", ".join(f"`{k}` {v:g} s" for k, v in t["seconds"].items())
    return (
        f"{t['data']}. Seconds of motion: {seconds}. {t['steps']} steps from"
        f" {STARTS.get(t.get('start', ''), 'random weights')}; {t['batch']} windows of {t['frames']}"
        f" predicted frames a step; torch {t['torch']}."
    )


def blazepose_3d():
    "Errors of BlazePose's own 3D on the rendered clips and on the real video, as phrases"
    means = pd.read_csv(CHECKPOINT / "world_landmarks.csv").groupby("video")
    return {
        name: f"{shown(e.MPJPE_aligned, 0)} mm (one similarity transform per clip),"
        f" {shown(e.P_MPJPE, 0)} mm P-MPJPE and {shown(e.knee_RMSE_deg, 0)}° in the knee"
        for name, e in means.mean(numeric_only=True).iterrows()
    }


def frames_per_view(real):
    "How many frames of each view were scored, e.g. '94' or '90 to 94'"
    frames = real[real["view"] != "mean"].frames.astype(int)
    least, most = frames.min(), frames.max()
    return str(least) if least == most else f"{least} to {most}"


@call_parse
def main(
    out: str = str(CHECKPOINT / "README.md"),  # File to write
):
    "Write the model card"
    net, cfg = load_checkpoint(CHECKPOINT / "lifter")
    evaluation = json.loads((CHECKPOINT / "evaluation.json").read_text())
    gait = json.loads((CHECKPOINT / "gait.json").read_text())
    rendered = pd.read_csv(CHECKPOINT / "rendered.csv").rename(
        columns=dict(
            MPJPE_aligned="MPJPE, one similarity per clip",
            MPJPE_root="MPJPE",
            P_MPJPE="P-MPJPE",
            knee_RMSE_deg="knee",
        )
    )
    real = pd.read_csv(CHECKPOINT / "real.csv").rename(
        columns=dict(
            aligned="MPJPE, one similarity",
            P_MPJPE="P-MPJPE",
            knee_deg="knee",
            bone_spread="spread of bone lengths, %",
            flipped="left/right exchanged, %",
        )
    )
    folds = [
        load_checkpoint(f)[1].training
        for f in sorted((CHECKPOINT / "folds").glob("without_*.safetensors"))
    ]
    fold_steps = "; ".join(
        f"{t['left_out']}: {t['steps']} steps from {STARTS[t['start']]}" for t in folds
    )
    blaze = blazepose_3d()
    millions = sum(p.numel() for p in net.parameters()) / 1e6
    rendered_columns = [
        "clip",
        "MPJPE, one similarity per clip",
        "MPJPE",
        "P-MPJPE",
        "knee",
        "feet",
    ]
    Path(out).write_text(f"""# Model card: lifter.safetensors

The lifter turns 2D keypoints of one person over time into 3D joints. It ships with RunningPose, and `lift` uses it by default. `benchmarks/model_card.py` writes this page.

| | |
|---|---|
| kind | {cfg.kind} dilated temporal convolution network, filter widths {",".join(map(str, cfg.widths))}, receptive field {net.receptive_field} frames at {cfg.fps:g} Hz, {cfg.channels} channels, {millions:.2f} million parameters |
| input | 26 keypoints (Halpe 26): x, y and whether the point was seen, and the size of the body in the picture; the view is turned towards mid-hip (`{cfg.input}`, see `lifting.features`) |
| output | 22 joints (`{cfg.joints}`), metres at a stature of {cfg.stature} m, relative to mid-hip |
| files | `lifter.safetensors` (half precision), `lifter.json` (configuration), `folds/` (the lifters that the figures belong to, and correctors that left people out; `people.json` says whom), `corrector.safetensors` and `.json` (the network that moves BlazePose's points to the joint centres before they are lifted), `corrector.csv` (what it is worth on rendered clips), `evaluation.json`, `gait.json`, `rendered.csv`, `real.csv`, `world_landmarks.csv`, `definitions.csv` (joint definitions of the laboratories), `ablation.csv` (what the parts of the training contribute), `history/` (losses) |
| licence | Apache-2.0, like the code |

## Training data

{training_facts(cfg.training)}

Two thirds of the windows are recorded motion: another body (segment lengths ± 6 %), another style (joint angles; upper and lower bodies of different people, in step; a third of the windows show movement other than gait), a random camera, and a virtual detector with the errors that were measured for BlazePose. One third is what BlazePose really answered on rendered runners whose 3D is known, corrected by the corrector that left its people out. The synthetic people run as a model of the recorded people does, or walk by formulas. Each laboratory has its own constant offset per joint, learnt beside the lifter (`definitions.csv`), which answers in the definitions of `hamner2013`. See `training.augment`, `training.virtual_detector`, `training.real_pairs`, `training.runner_model`, `training.definitions`. `benchmarks/train_lifter.py --crowd_model people` repeats the training.

The sources are published motion capture; the recordings are not in the repository, and as far as we could see their terms put no condition on weights beyond attribution: Hamner, Seth & Delp 2010 and Hamner & Delp 2013 (through opensim-models and nimblephysics), the study behind `welk007` and `welk002` (through nimblephysics), Fukuchi et al. 2017 and the BMC/RIC running data (`rbds`, `ric`, CC BY 4.0), Schreiber & Moissenet 2019 (`sm2019`, walkers, CC BY 4.0), BioMAC (`biomac_s02`) and the opensim-core jogger (`osc_jogger`, both Apache-2.0), an averaged stride (`kul_s1`), and the sprint starts of the 2022 thesis (`tindra`, Apache-2.0). CMU clips are of several people, counted as one: the data used in this project was obtained from mocap.cs.cmu.edu. The database was created with funding from NSF EIA-0196217. The rendered runners are made from CC0 assets with motions of the people above.

## Figures

### People left out

Three folds leave every person out once (`training.folds`); a row belongs to the lifter that never saw that person. The folds were trained for less long than the shipped lifter ({fold_steps}; what they began with had not seen their people either). The shipped lifter was trained on everybody, so it has no score on these people. The rows are a little optimistic: `hamner2013_s04` also served for choices during development, and how far `lift` moves joints towards their rays (one number, half, for all joints) was chosen on one clip each of `welk007`, `hamner2010_s02` and `hamner2013_s04` and on the rendered clips. Laboratories place joints differently, by centimetres; the rows include that.

Synthetic 2D, eight cameras all round, stature known, camera unknown, measured joints only, relative to mid-hip; mm, and degrees (RMSE) for knee, hip, ankle and trunk. The labels themselves are uncertain by 10 to 16 mm. *Mean pose* is the baseline: the mean training pose with the true heading.

Means over people; in brackets the 95 % interval of the mean of such people, not the range of single runners:

{group_table(evaluation)}

{fold_tables(evaluation)}
The runners' clips by speed, white noise:

{speed_table(evaluation)}

Under other conditions (means over the runners, up to 8 s of each; the points of BlazePose unless stated):

{condition_table(evaluation)}

### From pixels

Rendered runners with exact truth: {len(rendered)} clips, nine clothed models, the motions of {rendered["person"].nunique()} people; BlazePose heavy, repair, corrector, and lifter, both networks such as never saw the person whose motion it is (`folds/people.json`); 14 points from shoulders to heels, relative to mid-hip. The rig defines its joints differently, and that difference is included. In `c17` a post hides the legs, and the report says that nothing can be measured; `c18`, `c19` and `c22` turn. BlazePose's own world landmarks are off by {blaze["rendered"]} on the 13 older clips (`run…`, `welk…`). On those the errors of the virtual detector were measured, so they are not independent; the bodies of `c01` to `c22` are in no training. How long the corrector was trained, and when legs count as impossible (`pose2d.implausible`), was chosen after seeing these clips, so the rows are on the optimistic side. `corrector.csv` has the same clips without the corrector.

{table(with_mean(rendered[rendered_columns], "clip"))}

### On real video

A man balancing on a line, recorded by four calibrated cameras at 60 Hz (Pose2Sim's demonstration), {frames_per_view(real)} scored frames per view; each view alone against the triangulation of BlazePose's points in all four; 16 points, relative to mid-hip, `lifter.safetensors`. Balancing is no gait, and the corrector learnt from walkers and runners: here it makes the points worse, as the last row shows (`--raw` leaves it out). The truth is where BlazePose marks the joints, the corrected points are joint centres; that difference is included. Nothing like it is in the recordings used for training, but how much movement other than gait is trained on was chosen after seeing this video, so the rows are optimistic. BlazePose's own world landmarks are off by {blaze["real"]} there (in the frames that show all points).

{table(real.drop(columns="frames"))}

### Gait

By `benchmarks/evaluate_gait.py` ({measured_on(gait)}), with lifters that never saw the person. Events against force plates (threshold 20 N), seven runners, 2 to 5 m/s, in ms, each by a detector that was fitted without the runner. Clips whose published force does not tell 20 N are not counted.

{event_table(gait)}

Joint angles against inverse kinematics, two runners; RMSE in degrees with the constant offset of each view and side removed, worst side and view:

{angle_table(gait)}

Speed and vertical oscillation from pixels, stature given (a dash where the view does not show the number). That the oscillation is read off the middle of the trunk was chosen on these clips:

{metric_table(gait)}

Acceleration of the centre of mass in flight, m/s²; it should be 9.8, and a few flights say little:

{flight_table(gait)}

Standing feet on real video: height of heel and big toe above the floor in the middle of contacts, and the slip of the foot before and after the path is fixed by the contacts. The first is a walking woman, the second a runner:

{standing_table(gait)}

## Limits

- Some eighteen runners measured from head to toe, most at 2 to 5 m/s on treadmills: a small population. One sprinter; jumps and drills are only imitated.
- Real video: one man, {frames_per_view(real)} frames per view, no runner, and the truth comes from the same detector. No runner was measured in 3D together with video.
- Head and mid-spine are placed by proportion in training and were not scored.
- Hips are joint centres of the recordings' models; definitions differ by centimetres between detectors, models and laboratories.
- One camera: depth is inferred from motion. Without a stature, 1.75 m is assumed, and lengths and distances are wrong in proportion.
""")
    print(out)
