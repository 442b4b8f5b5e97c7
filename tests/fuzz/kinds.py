"""Every kind of file that is read: a tiny whole one, made here, and the function that reads it."""

import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import av
import cv2
import h5py
import numpy as np
import pandas as pd
import torch
from scipy.io import savemat

from runningpose.data.calibration import miqus_cameras, read_cameras, save_cameras
from runningpose.data.manifest import (
    View,
    load_trial,
    new_manifest,
    open_dataset,
    read_positions,
    save_trial,
    write_manifest,
)
from runningpose.data.marker_set import marker_set
from runningpose.data.qtm import read_qtm, save_markers
from runningpose.data.recordings import find_recordings
from runningpose.data.thesis_2d_files import load_data_2d, save_data_2d, save_detections
from runningpose.data.thesis_3d_files import (
    KEYPOINTS_18,
    load_data_3d,
    load_keypoints_csv,
    save_data_3d,
)
from runningpose.files.archives import read_archive, write_archive
from runningpose.files.opensim import load_trc
from runningpose.files.weights import WEIGHTS, find, sha256
from runningpose.gait.cycles import cycle_table
from runningpose.gait.metrics import gait_metrics
from runningpose.lifting.checkpoint import (
    LifterConfig,
    load_checkpoint,
    make_lifter,
    save_checkpoint,
)
from runningpose.lifting.tcn import TCN
from runningpose.lifting.videopose3d import load_pretrained
from runningpose.pose2d.coco_json import from_alphapose, from_coco_json
from runningpose.pose2d.detection_archive import from_detectron_npz
from runningpose.pose2d.imported import ExampleRunner
from runningpose.pose2d.mediapipe import from_mediapipe
from runningpose.pose2d.movement import from_dlc, from_movement, from_sleap, to_movement
from runningpose.pose2d.openpose import from_openpose
from runningpose.poses import load_poses, poses_dataset, save_poses
from runningpose.show.compare import load_result, write_comparison
from runningpose.skeleton import SKELETONS, conversion
from runningpose.synthetic import synthetic_runner
from runningpose.training.sources import load_mocap
from runningpose.video.reader import probe, read_frames
from runningpose.video.writer import write_gif

FRAMES = 12  # of every recording


class Kind(NamedTuple):
    "A kind of file"

    name: str
    file: str  # The file that is damaged
    make: Callable[[Path], Any]  # Writes it, and what belongs to it, into an empty folder
    read: Callable[[Path], Any]  # Reads what is at a path
    opened: str | None = None  # What the reader is given, if it is not the file; '' the folder
    free: bool = False  # Holds any numbers: what is read is not judged
    own: bool = False  # Has a check sum of everything in it: no damage may pass


RUN = synthetic_runner(seconds=FRAMES / 60)
RUNNER = ExampleRunner(FRAMES)
CLOCK = dict(fps=RUNNER.fps, size=RUNNER.size)


def in_picture():
    "2D poses, px"
    return poses_dataset(
        RUNNER.true,
        RUNNER.confidence,
        "halpe_26",
        fps=50,
        frame="image",
        image_width=1280,
        image_height=720,
    )


def written(text):
    "A function that writes a text into a file"

    def write(path):
        path.write_text(text() if callable(text) else text, encoding="utf-8")

    return write


# ---------------------------------------------------------------- poses and data sets


def make_trial(path):
    camera = next(iter(miqus_cameras().values()))
    save_trial(path, RUN.pose, dict(side=View(in_picture(), camera)))


def make_manifest(path):
    row = dict(trial="run", subject="Anna", split="train", file="trials/run.nc", frames=FRAMES)
    others = [row | dict(trial=f"run{k}", file=f"trials/run{k}.nc") for k in range(3)]
    write_manifest(new_manifest(60.0, [row, *others]), path.parent)


def make_keypoints_csv(path):
    rows = np.random.default_rng(0).normal(0, 1000, (3 * FRAMES, 18)).round(2)
    pd.DataFrame(rows, columns=list(KEYPOINTS_18)).to_csv(path, index=False)


def make_mocap(path):
    sided = ("hip", "knee", "ankle", "heel", "bigtoe", "smalltoe", "shoulder", "elbow", "wrist")
    joints = np.array(["pelvis", "neck", "head", *(f"{s}_{j}" for s in "rl" for j in sided)])
    arrays = dict(
        xyz=np.random.default_rng(0).normal(size=(FRAMES, 21, 3)).astype(np.float32),
        joints=joints,
        clip_start=np.array([0]),
        clip_len=np.array([FRAMES]),
        fps=np.array([60.0]),
        joint_measured=np.ones((1, 21), bool),
        clip_id=np.array(["clip"]),
        subject=np.array(["Anna"]),
    )
    np.savez(path, **arrays)


def make_archive(path):
    nested = dict(a=[np.arange(4), None, "text"], b=dict(c=1.5))
    write_archive(path, x=np.arange(12.0).reshape(3, 4), nested=nested, several=[np.ones(3), None])


def make_pickle(path):
    path.write_bytes(pickle.dumps(dict(a=[np.arange(4), None, "text"], b=dict(c=1.5)), 2))


POSES = [
    Kind("poses", "run.nc", lambda p: save_poses(RUN.pose, p), load_poses, own=True),
    Kind("2D poses", "run.nc", lambda p: save_poses(in_picture(), p), load_poses, own=True),
    Kind("trial", "run.nc", make_trial, load_trial, own=True),
    Kind("positions of a trial", "run.nc", make_trial, lambda p: read_positions(p, 2, 5), own=True),
    Kind("manifest", "manifest.json", make_manifest, open_dataset, "", own=True),
    Kind(
        "table of trials",
        "trials.csv",
        written("file,subject,split\na.tsv,Anna,train\nb.tsv,Ben,test\n"),
        find_recordings,
        "",
    ),
    Kind("archive", "a.npz", make_archive, read_archive, free=True, own=True),
    Kind("pickle", "a.bin", make_pickle, read_archive, free=True),
    Kind(
        "thesis 3D",
        "data_3d_run.npz",
        lambda p: save_data_3d(dict(run=RUN.pose), p),
        load_data_3d,
        own=True,
    ),
    Kind(
        "thesis 2D",
        "data_2d_run.npz",
        lambda p: save_data_2d({"run.mp4": in_picture()}, p),
        load_data_2d,
        own=True,
    ),
    Kind("thesis table", "run_3D_keypoints.csv", make_keypoints_csv, load_keypoints_csv),
    Kind("mocap archive", "mocap.npz", make_mocap, load_mocap, own=True),
]

# ---------------------------------------------------------------- lifters and weights


def make_lifter_files(path, hashed=True):
    torch.manual_seed(0)
    cfg = LifterConfig(widths=(3, 3), channels=8)
    save_checkpoint(path, make_lifter(cfg), cfg)
    if not hashed:
        description = path.with_suffix(".json")
        content = json.loads(description.read_text())
        del content["sha256"], content["content_sha256"]
        description.write_text(json.dumps(content))


def make_without_hash(path):
    make_lifter_files(path, hashed=False)


def make_published(path):
    torch.manual_seed(0)
    net = TCN(34, 51, (3,), 8)
    names = {k: k.replace("expand.", "expand_conv.") for k in net.state_dict()}
    names |= {k: k.replace("bn.", "expand_bn.", 1) for k in names if k.startswith("bn.")}
    weights = {names[k]: v for k, v in net.state_dict().items()}
    torch.save(dict(epoch=80, lr=1e-3, model_pos=weights), path)


def find_detector(path):
    "Whether the detector's weights were found, in the folder of a file or elsewhere, and are right"
    before = os.environ.get("RUNNINGPOSE_WEIGHTS")
    os.environ["RUNNINGPOSE_WEIGHTS"] = str(path.parent)
    try:
        return sha256(find("detector")) in WEIGHTS["detector"].sha256
    finally:
        os.environ.pop("RUNNINGPOSE_WEIGHTS")
        if before is not None:
            os.environ["RUNNINGPOSE_WEIGHTS"] = before


LIFTERS = [
    Kind("lifter", "lifter.safetensors", make_lifter_files, load_checkpoint, own=True),
    Kind("lifter's description", "lifter.json", make_lifter_files, load_checkpoint, own=True),
    Kind("lifter without hash", "lifter.safetensors", make_without_hash, load_checkpoint),
    Kind("description without hash", "lifter.json", make_without_hash, load_checkpoint),
    Kind("published lifter", "pretrained.bin", make_published, load_pretrained, own=True),
    Kind("weights", WEIGHTS["detector"].file, written("TFL3" * 40), find_detector, own=True),
]

# ---------------------------------------------------------------- recordings of laboratories


def make_markers(path):
    save_markers(RUN.pose, path)


def make_plain_mat(path):
    labels = dict(Count=2, Labels=np.array(["A", "B"], object), Data=np.ones((2, 4, FRAMES)))
    tracks = dict(Labeled=labels)
    savemat(
        path,
        dict(qtm=dict(File="a", StartFrame=1, Frames=FRAMES, FrameRate=100, Trajectories=tracks)),
    )


def qtm_json():
    rows = np.random.default_rng(0).normal(0, 1000, (2, FRAMES, 4)).round(2).tolist()
    parts = [dict(Range=dict(Start=1, End=FRAMES), Values=values) for values in rows]
    markers = [dict(Name=name, Parts=[part]) for name, part in zip("AB", parts)]
    time = dict(Frequency=100, Range=dict(Start=1, End=FRAMES))
    return json.dumps(dict(Timebase=time, Markers=markers))


def bare_rows():
    rows = np.random.default_rng(0).normal(0, 1000, (4, 3 * FRAMES))
    return "\n".join(",".join(f"{v:.3f}" for v in row) for row in rows) + "\n"


def read_labelled(path):
    "A recording with labels from a file"
    recording = path.with_name("rows.txt")
    return read_qtm(recording, path)


def make_labels(path):
    path.write_text("A\nB\nC\nD\n")
    path.with_name("rows.txt").write_text(bare_rows())


RECORDINGS = [
    *(
        Kind(f"recording {ending}", f"run{ending}", make_markers, read_qtm)
        for ending in (".tsv", ".c3d", ".mat", ".trc")
    ),
    Kind("recording .mat, plain", "run.mat", make_plain_mat, read_qtm),
    Kind("recording .json", "run.json", written(qtm_json), read_qtm),
    Kind("recording .txt", "rows.txt", written(bare_rows), lambda p: read_qtm(p, [*"ABCD"])),
    Kind("labels", "labels.txt", make_labels, read_labelled),
    Kind("poses in TRC", "run.trc", make_markers, load_trc),
]

# ---------------------------------------------------------------- calibrations and marker sets


def make_opencv(path):
    storage = cv2.FileStorage(str(path), cv2.FILE_STORAGE_WRITE)
    storage.write("image_width", 1280)
    storage.write("image_height", 720)
    storage.write("camera_matrix", np.array([[900, 0, 639.5], [0, 900, 359.5], [0, 0, 1.0]]))
    storage.write("distortion_coefficients", np.array([0.1, 0, 0, 0, 1e-7]))
    storage.release()


QTM_CAMERA = dict(
    fov_video=dict(left=0, top=0, right=1919, bottom=1087),
    transform=dict(x=-3200.5, y=4100.2, z=1500.1)
    | {f"r{i}{j}": float(i == j) for i in range(1, 4) for j in range(1, 4)},
    intrinsic=dict(
        focallength=9.3,
        sensorMinU=0,
        sensorMaxU=122879.0,
        sensorMinV=0,
        sensorMaxV=69631.0,
        focalLengthU=107000.5,
        focalLengthV=107010.5,
        centerPointU=61000.1,
        centerPointV=34500.2,
        skew=0,
        radialDistortion1=0.08,
        radialDistortion2=-0.06,
        radialDistortion3=0,
        tangentalDistortion1=0.001,
        tangentalDistortion2=-0.001,
    ),
)


def qtm_xml():
    def element(tag, values):
        return f"<{tag} " + " ".join(f'{k}="{v}"' for k, v in values.items()) + "/>"

    parts = "".join(element(tag, values) for tag, values in QTM_CAMERA.items())
    cameras = "".join(
        f'<camera active="1" calibrated="true" serial="{serial}">{parts}</camera>'
        for serial in (20001, 20002)
    )
    return f'<?xml version="1.0"?>\n<calibration><cameras>{cameras}</cameras></calibration>\n'


def qtm_table():
    row = {"serial": 20001}
    for values in QTM_CAMERA.values():
        row |= values
    return "\n".join("\t".join(map(str, line)) for line in (row, row.values())) + "\n"


MARKER_SET = """title = "Test"
optional = ["HeadFront"]

[keypoints]
LKnee = ["knee_l", "knee_m"]
HeadFront = "head"

[aliases]
head = ["HEAD", "top"]

[measures]
knee_width = 0.11
"""

CAMERAS = [
    Kind(
        "calibration .toml", "Calib.toml", lambda p: save_cameras(miqus_cameras(), p), read_cameras
    ),
    *(
        Kind(f"calibration {ending}", f"phone{ending}", make_opencv, read_cameras)
        for ending in (".yml", ".json", ".xml")
    ),
    Kind("calibration .qca.txt", "lab.qca.txt", written(qtm_xml), read_cameras),
    Kind("calibration .tsv", "lab.tsv", written(qtm_table), read_cameras),
    Kind("marker set", "mine.toml", written(MARKER_SET), marker_set),
]

# ---------------------------------------------------------------- keypoints of other programs


def results(count, name="{}"):
    return json.dumps(
        [
            dict(image_id=name.format(f), category_id=1, keypoints=RUNNER.row(f, count), score=0.9)
            for f in range(FRAMES)
        ]
    )


def coco_annotations():
    images = [dict(id=k, file_name=f"run_{k}.jpg", width=1280, height=720) for k in range(FRAMES)]
    notes = [
        dict(id=k, image_id=k, category_id=1, keypoints=RUNNER.row(k, 17)) for k in range(FRAMES)
    ]
    return json.dumps(dict(images=images, annotations=notes))


def page(frame):
    return dict(people=[dict(pose_keypoints_2d=RUNNER.row(frame, 25))])


def make_pages(path):
    for f in range(FRAMES):
        file = path.with_name(f"run_{f:012}_keypoints.json")
        file.write_text(json.dumps(page(f)))


def landmarks():
    w = conversion("halpe_26", "blazepose_33")
    for f in range(FRAMES):
        seen = np.where(w.any(1), w @ RUNNER.confidence[f], 0)
        yield np.c_[(w @ RUNNER.true[f]) / RUNNER.size, seen].round(5)


def mediapipe_json():
    return json.dumps(
        [[dict(x=x, y=y, z=0, visibility=v) for x, y, v in pose.tolist()] for pose in landmarks()]
    )


def mediapipe_csv():
    lines = ["frame,landmark,x,y,z,visibility"]
    for f, pose in enumerate(landmarks()):
        lines += [f"{f},{k},{x},{y},0,{v}" for k, (x, y, v) in enumerate(pose.tolist())]
    return "\n".join(lines) + "\n"


def dlc_table():
    names = SKELETONS["halpe_26"].keypoints
    cells = {}
    for k, name in enumerate(names):
        for axis, coordinate in enumerate(("x", "y", "likelihood")):
            points = np.c_[RUNNER.true[:, k], RUNNER.confidence[:, k]].round(3)
            cells["scorer", name, coordinate] = points[:, axis]
    table = pd.DataFrame(cells)
    table.columns.names = ["scorer", "bodyparts", "coords"]
    return table


def make_dlc_h5(path):
    table = dlc_table()
    with h5py.File(path, "w") as f:
        group = f.create_group("df_with_missing")
        group.attrs["non_index_axes"] = np.bytes_(pickle.dumps([(1, [*table.columns])], 0))
        row = [("index", "<i8"), ("values_block_0", "<f8", (table.shape[1],))]
        rows = np.zeros(len(table), row)
        rows["index"], rows["values_block_0"] = table.index, table.to_numpy()
        group["table"] = rows


def make_sleap(path):
    names = SKELETONS["halpe_26"].keypoints
    with h5py.File(path, "w") as f:
        f["tracks"] = RUNNER.true.transpose(2, 1, 0)[None]
        f["track_occupancy"] = np.ones((FRAMES, 1), np.uint8)
        f["node_names"] = np.array(names, "S")
        f["track_names"] = np.array(["track_0"], "S")
        f["point_scores"] = RUNNER.confidence.T[None]


def read_movement(path):
    "The file of movement that our own reader takes"
    return from_movement(load_poses(path), size=RUNNER.size, keypoints_from=path.name)


def timed(reader):
    "A reader that is told the rate and the size of the picture"

    def read(path):
        return reader(path, **CLOCK)

    return read


PROGRAMS = [
    Kind("COCO results", "r.json", written(lambda: results(17)), timed(from_coco_json)),
    Kind("COCO annotations", "r.json", written(coco_annotations), timed(from_coco_json)),
    Kind(
        "AlphaPose",
        "alphapose-results.json",
        written(lambda: results(26, "{}.jpg")),
        timed(from_alphapose),
    ),
    Kind(
        "OpenPose, one file",
        "all.json",
        written(lambda: json.dumps([page(f) for f in range(FRAMES)])),
        timed(from_openpose),
    ),
    Kind(
        "OpenPose, a folder",
        "run_000000000003_keypoints.json",
        make_pages,
        timed(from_openpose),
        "",
    ),
    Kind("DeepLabCut .csv", "run.csv", lambda p: dlc_table().to_csv(p), timed(from_dlc)),
    Kind("DeepLabCut .h5", "run.h5", make_dlc_h5, timed(from_dlc)),
    Kind("SLEAP", "run.analysis.h5", make_sleap, timed(from_sleap)),
    Kind("MediaPipe .json", "m.json", written(mediapipe_json), timed(from_mediapipe)),
    Kind("MediaPipe .csv", "m.csv", written(mediapipe_csv), timed(from_mediapipe)),
    Kind(
        "movement",
        "m.nc",
        lambda p: to_movement(in_picture()).to_netcdf(p, engine="h5netcdf"),
        read_movement,
    ),
    Kind(
        "Detectron2",
        "run.mp4.npz",
        lambda p: save_detections(in_picture(), p),
        lambda p: from_detectron_npz(p, fps=50),
        own=True,
    ),
]

# ---------------------------------------------------------------- videos


def pictures():
    "A bright square that moves"
    for f in range(FRAMES):
        rgb = np.full((48, 64, 3), 40, np.uint8)
        rgb[16:32, 3 * f : 3 * f + 16] = 220, 180, 60
        yield rgb


def make_video(path):
    codec = dict(avi="mpeg4", ts="mpeg2video", webm="libvpx").get(path.suffix[1:], "libx264")
    formats = dict(ts="mpegts", h264="h264", mkv="matroska")
    with av.open(str(path), "w", format=formats.get(path.suffix[1:])) as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.thread_count = 1
        for rgb in pictures():
            container.mux(stream.encode(av.VideoFrame.from_ndarray(rgb, format="rgb24")))
        container.mux(stream.encode())


class Video(NamedTuple):
    "What was read of a video"

    info: Any  # What `probe` gave
    times: list[float]  # Of the frames, s
    means: list[float]  # Mean brightness of the frames, 0..255


def read_video(path):
    "All frames of a video"
    info = probe(path)
    times, means = [], []
    for frame in read_frames(path, info=info):
        times.append(frame.time)
        means.append(float(frame.rgb().mean()))
    return Video(info, times, means)


VIDEOS = [
    *(
        Kind(f"video {ending}", f"run{ending}", make_video, read_video)
        for ending in (".mp4", ".mov", ".mkv", ".avi", ".ts", ".h264")
    ),
    Kind("video .gif", "run.gif", lambda p: write_gif(p, pictures()), read_video),
]

# ---------------------------------------------------------------- results


def make_result(path):
    run = synthetic_runner(seconds=3)
    folder = path.parent
    gait_metrics(run.pose, run.events).to_csv(folder / "metrics.csv", index=False)
    cycle_table(run.angles, run.events).to_csv(folder / "cycles.csv", index=False)
    record = dict(version="0.2", warnings=["Few steps."], video=dict(name="run.mp4", fps=60.0))
    (folder / "run.json").write_text(json.dumps(record))


def compared(path):
    "The page that compares a result with itself"
    result = load_result(path)
    page = path.with_name(f"{path.name} compared.html")
    try:
        return write_comparison(page, result, result).read_text(encoding="utf-8")
    finally:
        page.unlink(missing_ok=True)


RESULTS = [
    Kind(f"result, {name}", name, make_result, compared, "")
    for name in ("metrics.csv", "cycles.csv", "run.json")
]

KINDS = [*POSES, *LIFTERS, *RECORDINGS, *CAMERAS, *PROGRAMS, *VIDEOS, *RESULTS]
