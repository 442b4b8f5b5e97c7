"""
How well `up_from_motion` finds the vertical: rendered runners with exact cameras.

Every third clip of `shared/data/detector_pairs` (BlazePose's answers, true camera) is lifted with
the shipped lifter; the vertical read off its motion is compared with the true one, and with that
of a camera taken as level. Four minutes on two cores:

    python benchmarks/evaluate_up.py
"""

import os
from pathlib import Path

import numpy as np
import pandas as pd

from runningpose.gait.directions import BELT_SPEED_MS, angle_between, heading, travel, up_axis
from runningpose.gait.world import up_from_motion, viewpoint
from runningpose.lifting.lift import lift
from runningpose.pose2d.clean import clean
from runningpose.poses import poses_dataset

SHARED = Path(__file__).parents[2] / "shared/data"
DATA = Path(os.environ.get("RUNNINGPOSE_DATA", SHARED)) / "detector_pairs"
EVERY = 3  # clips


def row(file: Path) -> dict[str, float | bool]:
    "Errors of one clip, degrees"
    clip = np.load(file, allow_pickle=False)
    width, height = (int(v) for v in clip["size"])
    kp2d = poses_dataset(
        clip["det"],
        clip["det_conf"],
        skeleton="halpe_26",
        fps=float(clip["fps"]),
        image_width=width,
        image_height=height,
    )
    pose3d = lift(clean(kp2d))
    level = up_axis(pose3d)
    true = clip["R"].reshape(-1, 3, 3).mean(0) @ [0, 0, 1.0]
    forward = heading(pose3d, level).forward
    return dict(
        motion=angle_between(up_from_motion(pose3d), true),
        level=angle_between(level, true),
        view=viewpoint(pose3d, level, forward).get("view_deg", np.nan),
        travels=bool(np.linalg.norm(travel(pose3d, level)) > BELT_SPEED_MS),
    )


def main() -> None:
    "Print the table"
    rows = pd.DataFrame([row(file) for file in sorted(DATA.glob("*.npz"))[::EVERY]])
    view = pd.cut(rows["view"], [0, 30, 60, 91], right=False, labels=["along", "oblique", "side"])
    quantiles = dict(median=0.5, p90=0.9)
    print(f"{len(rows)} clips, error of up, degrees")
    for name, share in quantiles.items():
        both = rows[["motion", "level"]].quantile(share).round(1).to_dict()
        print(f"{name}: from the motion {both['motion']}, level camera {both['level']}")
    groups = rows.groupby([view, "travels"], observed=True)[["motion", "level"]]
    print(groups.median().round(1).join(groups.size().rename("clips")))


if __name__ == "__main__":
    main()
