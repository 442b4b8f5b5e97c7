"""Write checkpoint/README.md, the model card: every figure comes from files that other scripts
wrote.

checkpoint/lifter.json (training), evaluation.json (evaluate_folds.py), rendered.csv
(evaluate_rendered.py --mirror --out), real.csv
(evaluate_real.py --out) and world_landmarks.csv (world_landmarks.py --out).
"""

# ruff: noqa: E501
import json
from pathlib import Path

import pandas as pd
from fastcore.script import call_parse

from runningpose.lifting.checkpoint import load_checkpoint

CARD = Path(__file__).resolve().parent.parent / "checkpoint"


def table(df, digits=1):
    "A DataFrame as Markdown; missing values as a dash"

    def cell(v):
        return "–" if pd.isna(v) else f"{v:.{digits}f}" if isinstance(v, float) else str(v)

    return "\n".join(
        "| " + " | ".join(r) + " |"
        for r in [
            list(map(str, df.columns)),
            ["---"] * df.shape[1],
            *[[cell(v) for v in row] for row in df.values.tolist()],
        ]
    )


def with_mean(df, by):
    "A table with a row of means"
    return pd.concat(
        [df, pd.DataFrame([{by: "**mean**"} | df.mean(numeric_only=True).to_dict()])],
        ignore_index=True,
    )


def accuracy(ev):
    "Tables of the folds"
    d = pd.DataFrame(ev["folds"]).rename(
        columns={"N_MPJPE": "N-MPJPE", "P_MPJPE": "P-MPJPE", "strike_height": "height at strike"}
    )
    cols = [
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
    out = ""
    for errors, said in (
        ("0.6", "White noise of 0.6 % of body height per axis"),
        ("measured", "The measured errors of BlazePose (correlated, biased, larger)"),
    ):
        part = d[(d.errors == errors) & (d.keypoints == "blazepose")][cols]
        out += (
            f"{said}, the points that BlazePose gives:\n\n{table(with_mean(part, 'left out'))}\n\n"
        )
    c = (
        pd.DataFrame(ev["conditions"])
        .groupby("condition", sort=False)
        .mean(numeric_only=True)
        .reset_index()
    )
    c = c.rename(columns={"P_MPJPE": "P-MPJPE"})
    return out, table(c)


def facts(t):
    "How it was trained"
    s = ", ".join(f"`{k}` {v:g} s" for k, v in t["seconds"].items())
    return (
        f"{s}. {t.get('stage1_steps', 0)} steps on CMU and the synthetic crowd alone, "
        + (
            f"{t['stage2_steps']} with everybody, {t['steps']} more"
            if "stage2_steps" in t
            else f"{t['steps']} with everybody"
        )
        + f"; {t['batch']} windows of {t['frames']} predicted frames a step; {t['torch']}."
    )


@call_parse
def main(
    out: str = str(CARD / "README.md"),  # File to write
):
    "Write the model card"
    net, cfg = load_checkpoint(CARD / "lifter")
    ev = json.loads((CARD / "evaluation.json").read_text())
    by_noise, conditions = accuracy(ev)
    r = pd.read_csv(CARD / "rendered.csv")
    r = with_mean(
        r.rename(
            columns={"knee_RMSE_deg": "knee", "MPJPE_aligned": "MPJPE, one similarity per clip"}
        ),
        "clip",
    )
    steps = {
        load_checkpoint(f)[1].training["left_out"]: load_checkpoint(f)[1].training["steps"]
        for f in sorted((CARD / "folds").glob("*.safetensors"))
    }
    w = pd.read_csv(CARD / "world_landmarks.csv").groupby("film").mean(numeric_only=True)
    blaze = {
        k: (
            f"{v.MPJPE_aligned:.0f} mm (one similarity per clip), {v.P_MPJPE:.0f} mm P-MPJPE and"
            f" {v.knee_RMSE_deg:.0f}° of the knee"
        )
        for k, v in w.iterrows()
    }
    n = sum(p.numel() for p in net.parameters())
    Path(out).write_text(f"""# Model card: lifter.safetensors

Turns 2D keypoints of one person over time into 3D joints. It ships with RunningPose and is what `lift` uses. This page is written by
`benchmarks/model_card.py`.

| | |
|---|---|
| kind | {cfg.kind} dilated temporal convolution network, filter widths {",".join(map(str, cfg.widths))}, receptive field {net.receptive_field} frames at {cfg.fps:g} Hz, {cfg.channels} channels, {n / 1e6:.2f} million parameters |
| input | 26 keypoints (Halpe 26): x, y and whether it was seen, and how large the body looks; view turned to mid-hip (`{cfg.input}`, see `lifting.features`) |
| output | 22 joints (`{cfg.joints}`), metres at a stature of {cfg.stature} m, relative to mid-hip |
| files | `lifter.safetensors` (half precision), `lifter.json` (what is needed to use or refuse it), `folds/` (the lifters that the figures belong to), `evaluation.json`, `rendered.csv`, `real.csv`, `history/` (losses) |
| licence | Apache-2.0, like the code |

## Training data

{facts(cfg.training)} Each window gets another body (segment lengths ± 6 %), another style (joint angles, upper and lower bodies of different people
in step), in the last stage a third show non-gait movement (balancing, stretching), a random camera and a virtual detector that errs as BlazePose was measured to; see `training.augment` and `training.virtual_detector`.
`benchmarks/train_lifter.py` repeats it.

Published motion capture of three runners on treadmills (`welk007`, `hamner2010_s02`, `hamner2013_s04`) and CMU clips of an unknown number of people,
counted as one. The recordings are not in the repository. The data used in this project was obtained from mocap.cs.cmu.edu. The database was created
with funding from NSF EIA-0196217. The terms under which the runners' recordings were published put no condition on weights beyond attribution, as far
as they could be seen: Hamner, Seth & Delp 2010 and Hamner & Delp 2013 (through opensim-models and nimblephysics), and the study behind `welk007`
(through nimblephysics). The synthetic crowd is made of formulas (`synthetic`).

## Figures

**Leave one person out.** Each row belongs to a lifter that never saw that runner, trained by the same recipe, in its last stage
for {", ".join(f"{v} steps without {k}" for k, v in steps.items())}. The shipped lifter was trained on everybody for {cfg.training["steps"]}, so no score of it on these people
exists. `hamner2013_s04` also served for choices, and how far `lift` moves joints towards their rays (one number, half, for all joints) was chosen on one clip of each of the
three and on the rendered clips, so these rows are on the optimistic side; three people are not a population. Synthetic 2D, eight
cameras all round, stature known, camera unknown, measured joints only, relative to mid-hip; mm, and degrees (RMSE) for knee, hip, ankle and trunk. The
labels themselves are uncertain by 10 to 16 mm. *Mean pose* is the baseline: the mean training pose with the true heading.

{by_noise}Under other conditions (means over the three folds, the points of BlazePose unless said; of `welk007` one clip):

{conditions}

**From pixels.** Rendered runners with exact truth ({len(r) - 1} clips, two clothed models, the motions of `welk007` and `hamner2013_s04`), BlazePose
heavy with a mirrored pass, repair, and the lifter that never saw the person whose motion it is; 14 points from shoulders to heels, relative to
mid-hip. Joint definitions of the rig differ from ours and are included. BlazePose's own world landmarks are off by {blaze["rendered"]} there. The virtual detector's errors and the places where BlazePose marks joints (`OFFSET_MM`), which `lift` takes account of, were measured on these clips, so they are not independent.

{table(r[["clip", "MPJPE, one similarity per clip", "MPJPE_root", "P_MPJPE", "knee", "feet"]].rename(columns=dict(MPJPE_root="MPJPE", P_MPJPE="P-MPJPE")))}

**On real video.** A man balancing on a line, recorded by four calibrated cameras at 60 Hz (Pose2Sim's demonstration); each view alone against the
triangulation of BlazePose's points in all four; 16 points, relative to mid-hip, `lifter.safetensors`. Nothing like it is in the recordings that were
trained on, but how much movement beyond the gait is trained on was chosen after seeing this video, so the row is on the optimistic side. BlazePose's own world landmarks are off by {blaze["real"]} there (in the frames that show all points).

{table(pd.read_csv(CARD / "real.csv").rename(columns=dict(aligned="MPJPE, one similarity", P_MPJPE="P-MPJPE", knee_deg="knee", bone_spread="spread of bone lengths, %", flipped="left/right exchanged, %")).drop(columns="frames"))}

## Limits

- Three runners, a few CMU clips and synthetic runners: no claim about a population. Sprint starts, jumps and drills are only imitated in training.
- Real film: one man, 100 frames, no runner, truth from the same detector. No runner was measured in 3D together with video.
- Head and mid-spine are placed by proportion in training and were not scored.
- Hips are joint centres of the recordings' models; definitions differ by centimetres between detectors, models and laboratories.
- One camera: depth is a guess from motion. Without a stature, 1.75 m is assumed, and lengths and distances are wrong in proportion.
""")
    print(out)
