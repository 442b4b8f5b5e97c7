"""How close RunningPose's BlazePose comes to MediaPipe's own, point by point.

    python benchmarks/compare_mediapipe.py /path/to/venv/bin/python [--model heavy] [--out
    table.json]

The venv holds mediapipe==0.10.21 (see benchmarks/README.md); for the heavy model its
pose_landmark_heavy.tflite must lie in mediapipe/modules/pose_landmark. Both sides read the same
file: frames 76 to 195 of the sample clip, with everything but the walking woman painted black, so
that both track her. MediaPipe runs with smooth_landmarks=False. A difference is given as a
percentage of her height (from the highest to the lowest landmark, median over the frames), in two
ways:

own track     each tracks her by itself
same cut-out  ours uses the crop that MediaPipe used, which measures the port alone. A constant is
              removed here: MediaPipe on a CPU takes the corner of its crop for the centre of a
              pixel, which moves its points by (k-1)/2 px where a pixel of the crop is k px of the
              picture. Ours do not move: a mirrored clip gives mirrored points, to 0.1 px in the
              median

The tracks differ a little because the crops do: a crop moved by a few pixels changes the output of
the network.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from datetime import date
from importlib.metadata import version
from pathlib import Path

import numpy as np

MEDIAPIPE_SIDE = """
import sys, av, numpy as np, mediapipe.python.solutions.pose
from mediapipe.python.solution_base import SolutionBase
path, out, complexity = sys.argv[1], sys.argv[2], int(sys.argv[3])
options = dict(model_complexity=complexity, smooth_landmarks=False, enable_segmentation=False, smooth_segmentation=False,
               use_prev_landmarks=True)
pose = SolutionBase(binary_graph_path='mediapipe/modules/pose_landmark/pose_landmark_cpu.binarypb', side_inputs=options,
                    outputs=['pose_landmarks', 'pose_rect_from_landmarks'])
xy, rect = [], []
with av.open(path) as box:
    for f in box.decode(video=0):
        r = pose.process(dict(image=f.to_ndarray(format='rgb24'))); p, q = r.pose_landmarks, r.pose_rect_from_landmarks
        xy.append(np.full((33, 2), np.nan) if p is None else [(v.x*f.width, v.y*f.height) for v in p.landmark])
        rect.append(np.full(4, np.nan) if q is None else (q.x_center*f.width, q.y_center*f.height, q.width*f.width, q.rotation))
np.savez(out, xy=np.array(xy, float), rect=np.array(rect, float))
"""


def masked_clip(path):
    "The woman of the sample clip, frames 76 to 195, the rest black"
    from runningpose.files.weights import fetch
    from runningpose.pose2d.search import infer_blazepose
    from runningpose.poses import pose_arrays
    from runningpose.video.reader import Clip, probe, read_frames
    from runningpose.video.writer import VideoWriter

    clip = fetch("sample")
    info = probe(clip)
    part = dict(start=info.times[76] - 1e-3, end=info.times[196] - 1e-3)
    xy = pose_arrays(infer_blazepose(Clip(clip, **part), (1168, 400, 594, 594), raw=True))[0]
    with VideoWriter(path, info.width, info.height, info.fps, crf=12) as out:
        for f, p in zip(read_frames(clip, **part), xy, strict=True):
            lo, hi = np.maximum(p.min(0) - 120, 0).astype(int), (p.max(0) + 120).astype(int)
            im = np.zeros((info.height, info.width, 3), np.uint8)
            im[lo[1] : hi[1], lo[0] : hi[0]] = f.rgb()[lo[1] : hi[1], lo[0] : hi[0]]
            out.write(im)


def follow(clip, model, rect):
    """Our points, px, shape (T, 33, 2): of our own track, and in MediaPipe's crops with its pixel
    convention
    """
    from runningpose.pose2d.blazepose import BlazePose, Roi
    from runningpose.pose2d.tracker import Follower
    from runningpose.pose2d.tracker import follow as track
    from runningpose.video.reader import Clip

    video, net = Clip(clip), BlazePose(model)
    own = track(Follower(net, video.fps), video.frames())[1]
    same = []
    for i, f in enumerate(video.frames()):
        q = net.landmarks(f, Roi(*rect[i - 1])) if i and not np.isnan(rect[i - 1]).any() else None
        same.append(
            np.full((33, 2), np.nan) if q is None else q[:33, :2] + (rect[i - 1][2] / 256 - 1) / 2
        )
    return np.array([np.full((33, 2), np.nan) if p is None else p[:33, :2] for p in own]), np.array(
        same
    )


def differ(a, b, height):
    "Median and 95th percentile of the distance of every point, % of `height`"
    d = np.hypot(*(a - b).transpose(2, 0, 1)) / height * 100
    return np.nanmedian(d, 0).round(2).tolist(), np.nanpercentile(d, 95, 0).round(2).tolist()


def main():
    a = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    a.add_argument("python", help="python of the venv with mediapipe")
    a.add_argument("--model", default="heavy", choices=("heavy", "full"))
    a.add_argument("--out", help="write the table to this JSON file")
    a = a.parse_args()
    from runningpose.skeleton import skeleton

    with tempfile.TemporaryDirectory() as tmp:
        clip, code, npz = (Path(tmp) / n for n in ("woman.mp4", "side.py", "mediapipe.npz"))
        masked_clip(clip)
        code.write_text(MEDIAPIPE_SIDE)
        level = dict(heavy="2", full="1")[a.model]
        subprocess.run([a.python, code, clip, npz, level], check=True, stderr=subprocess.DEVNULL)
        with np.load(npz, allow_pickle=False) as z:
            theirs, rect = z["xy"], z["rect"]
        own, same = follow(clip, a.model, rect)
    height = np.nanmedian(np.ptp(theirs[..., 1], axis=1))
    names = skeleton("blazepose_33").keypoints
    cols = {"own track": differ(own, theirs, height), "same cut-out": differ(same, theirs, height)}
    seen = {
        n: int((~np.isnan(v[:, 0, 0])).sum()) for n, v in (("ours", own), ("mediapipe", theirs))
    }
    res = dict(
        model=a.model,
        date=str(date.today()),
        mediapipe="0.10.21",
        ai_edge_litert=version("ai-edge-litert"),
        frames=len(own),
        seen=seen,
        height_px=round(float(height), 1),
        points=list(names),
        **{
            f"{c.replace(' ', '_').replace('-', '_')}_{w}": v[i]
            for c, v in cols.items()
            for i, w in enumerate(("median", "p95"))
        },
    )
    print(f"{a.model}: seen in {seen} of {len(own)} frames; she is {height:.0f} px high")
    print(
        f"median (95th percentile) of the distance, % of her height\n{'point':18}"
        + "".join(f"{c:>16}" for c in cols)
    )
    for i, n in enumerate(names):
        print(f"{n:18}" + "".join(f"{v[0][i]:8.2f} ({v[1][i]:5.2f})" for v in cols.values()))
    if a.out:
        Path(a.out).write_text(json.dumps(res) + "\n")
    print(
        "worst median: "
        + ", ".join(f"{c} {max(v[0]):.2f} %" for c, v in cols.items())
        + " (goal: 1 %)"
    )
    sys.exit(int(max(max(v[0]) for v in cols.values()) > 1))


if __name__ == "__main__":
    main()
