"""Write nbs/runner.gif, the moving picture of the README: the synthetic runner in 3D, the angles
of the knees, the events.
"""

from pathlib import Path

import cv2
import numpy as np
from fastcore.script import call_parse

from runningpose.poses import pose_arrays
from runningpose.show.draw import draw_pose3d_panel, draw_text
from runningpose.show.overlay import draw_readouts
from runningpose.skeleton import side_rgb
from runningpose.synthetic import synthetic_runner
from runningpose.video.writer import write_gif

W, H, FPS = 360, 330, 20


def curves(run, t, size=(300, H)):
    "Knee flexion of both legs over two strides, with a line at time t"
    w, h = size
    img = np.full((h, w, 3), 255, np.uint8)
    a = run.angles

    def x(s):
        return 34 + (w - 44) * s / a.index[-1]

    def y(v):
        return h - 40 - (h - 90) * v / 110

    for v in (0, 50, 100):
        cv2.line(img, (34, round(y(v))), (w - 10, round(y(v))), (222, 224, 226), 1)
        draw_text(img, f"{v}°", (30, y(v) - 8), 12, (120, 125, 132), align="right")
    for e in run.events.itertuples():
        if e.event == "foot_strike":
            cv2.line(img, (round(x(e.time)), 45), (round(x(e.time)), h - 40), side_rgb(e.side), 1)
    for s in ("left", "right"):
        p = np.stack([x(a.index.to_numpy()), y(a[f"{s}_knee_flexion"].to_numpy())], 1)
        cv2.polylines(
            img, [np.round(p * 16).astype(np.int32)], False, side_rgb(s), 2, cv2.LINE_AA, 4
        )
        now = np.interp(t, a.index, a[f"{s}_knee_flexion"])
        cv2.circle(img, (round(x(t)), round(y(now))), 5, side_rgb(s), -1, cv2.LINE_AA)
    draw_text(img, "knee flexion", (34, 16), 15, bold=True)
    draw_text(img, "lines: foot strikes", (34, h - 28), 12, (120, 125, 132))
    return img


@call_parse
def main(
    out: str = str(Path(__file__).resolve().parent.parent / "nbs" / "runner.gif"),  # File to write
):
    "Two strides that repeat without a seam"
    run = synthetic_runner(3.2, treadmill=True, fps=240)
    stride = run.info["stride_time"]
    run = synthetic_runner(3.2, seconds=2 * stride, treadmill=True, fps=240)
    xyz = pose_arrays(run.pose)[0]
    t = run.pose.time.values
    frames = []
    for k in range(n := round(2 * stride * FPS)):
        i = min(len(t) - 1, round(k / n * 2 * stride * 240))
        img = draw_pose3d_panel(
            (W, H),
            xyz[i],
            "runningpose_22",
            azimuth=-60 + 25 * np.sin(2 * np.pi * k / n),
            centre=(0, 0),
        )
        draw_readouts(img, run.angles.iloc[i].to_dict(), t[i], run.events)
        frames.append(np.hstack([img, curves(run, t[i])]))
    print(write_gif(out, frames, FPS))
