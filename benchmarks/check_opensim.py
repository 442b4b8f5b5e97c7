"""Check that OpenSim's own readers read our files correctly. Two steps, because OpenSim needs an
environment of its own (`pip install opensim`): `python benchmarks/check_opensim.py write FOLDER` in
ours, `python benchmarks/check_opensim.py read FOLDER` in that of OpenSim.
"""

import json
import math
import sys
from pathlib import Path


def write(d):
    "Write TRC and MOT of a synthetic runner, and the values they must hold"
    import numpy as np

    from runningpose.files.opensim import save_mot, save_trc
    from runningpose.gait.angles import joint_angles
    from runningpose.synthetic import synthetic_runner

    run = synthetic_runner(3.0, seconds=2)
    positions = run.pose.position.copy()
    positions[:5] = np.nan  # the runner enters late
    positions[40:45] = np.nan  # and is lost for a while
    pose = run.pose.assign(position=positions)
    a = joint_angles(pose)
    save_trc(pose, d / "run.trc")
    save_mot(a, d / "run.mot", True)
    p = pose.position.sel(keypoint="HeadFront").values[:, :, 0]
    knee = a.right_knee_flexion.dropna()
    (d / "truth.json").write_text(
        json.dumps(dict(head=p.tolist(), knee=knee.tolist(), time=knee.index.tolist()))
    )


def read(d):
    "Read them with OpenSim and print the largest differences"
    import opensim as osim

    truth = json.loads((d / "truth.json").read_text())
    t = osim.TimeSeriesTableVec3(str(d / "run.trc"))
    m = osim.Storage(str(d / "run.mot"))
    col = t.getDependentColumn("HeadFront")
    worst, missing = 0.0, 0
    for i, (x, y, z) in enumerate(truth["head"]):
        v = col[i]
        if math.isnan(x):
            missing += math.isnan(v[0])
            continue
        worst = max(worst, abs(v[0] - x), abs(v[1] - z), abs(v[2] + y))
    a, time = osim.ArrayDouble(), osim.ArrayDouble()
    m.getDataColumn("knee_angle_r", a)
    m.getTimeColumn(time)
    knee = max(abs(a.get(i) - k) for i, k in enumerate(truth["knee"]))
    late = max(abs(time.get(i) - t) for i, t in enumerate(truth["time"]))
    units = t.getTableMetaDataString("Units")
    print(
        f"{t.getNumRows()} frames, {t.getNumColumns()} markers, unit {units}, {missing} frames"
        f" missing; head off by at most {worst:.6f} m with Y up; {m.getSize()} rows of angles, times"
        f" off by at most {late:.6f} s, knee by at most {knee:.6f} degrees; in degrees:"
        f" {m.isInDegrees()}"
    )


if __name__ == "__main__":
    dict(write=write, read=read)[sys.argv[1]](Path(sys.argv[2]))
