"""Small files of every kind that is read, and damage done to them: the same bytes each time."""

import json
import os
import pickle
import random
import socket
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple

import av
import h5py
import numpy as np
import pandas as pd
import torch

from runningpose.camera import look_at, phone_camera
from runningpose.data.calibration import read_cameras, save_cameras
from runningpose.data.manifest import View, load_trial, new_manifest, open_dataset, save_trial
from runningpose.data.marker_recording import read_labels
from runningpose.data.marker_set import MARKER_SETS, SETS_FOLDER, marker_set
from runningpose.data.qtm import read_qtm, save_markers
from runningpose.data.recordings import read_trials
from runningpose.data.synthetic_markers import synthetic_markers
from runningpose.data.thesis_2d_files import load_data_2d, save_data_2d, save_detections
from runningpose.data.thesis_3d_files import (
    load_data_3d,
    load_keypoints_csv,
    save_3d_csv,
    save_data_3d,
)
from runningpose.files.archives import read_archive, write_archive
from runningpose.files.opensim import load_trc, save_trc
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
from runningpose.pose2d.movement import from_dlc
from runningpose.pose2d.openpose import from_openpose
from runningpose.poses import load_poses, poses_dataset, save_poses
from runningpose.synthetic import synthetic_runner
from runningpose.video.reader import probe, read_frames

FRAMES = 24


class Kind(NamedTuple):
    "A kind of file, and what reads it"

    file: str  # Name of the file in the folder of whole files
    read: Callable  # Reader, called with the path
    text: bool  # Whether its tokens can be exchanged


class Case(NamedTuple):
    "One input"

    name: str  # Kind and damage
    read: Callable  # Reader
    whole: Path  # The file that was damaged
    damage: Callable  # Makes the input at a path, from the bytes of the whole file


# ---- whole files


def _run(folder):
    run = synthetic_runner(3.0, seconds=FRAMES / 60, fps=60, seed=1)
    save_poses(run.pose, folder / "pose.nc")
    save_trc(run.pose, folder / "pose.trc")
    save_3d_csv(run.pose, folder / "run_3D_keypoints.csv")
    markers = synthetic_markers(run.pose)
    for ending in (".tsv", ".c3d", ".mat", ".trc"):
        save_markers(markers, folder / f"markers{ending}")
    _qtm_json(markers, folder / "markers.json")
    rows = markers.position.values[..., 0].transpose(2, 0, 1).reshape(45, -1) * 1000
    text = "\n".join("\t".join(f"{v:.3f}" for v in row) for row in rows)
    (folder / "markers.txt").write_text(text + "\n")
    (folder / "names.labels").write_text("\n".join(map(str, markers.keypoint.values)))
    return run


def _qtm_json(markers, path):
    position = markers.position.values[..., 0].transpose(2, 0, 1) * 1000
    span = dict(Start=1, End=len(markers.time))
    parts = [
        dict(Name=str(name), Parts=[dict(Range=span, Values=track.round(3).tolist())])
        for name, track in zip(markers.keypoint.values, position, strict=True)
    ]
    path.write_text(json.dumps(dict(Timebase=dict(Frequency=60, Range=span), Markers=parts)))


def _keypoints(folder):
    runner = ExampleRunner(FRAMES)
    kp2d = poses_dataset(
        np.where(runner.confidence[..., None] > 0, runner.true, np.nan),
        runner.confidence,
        "halpe_26",
        fps=50,
        image_width=1280,
        image_height=720,
        backend="blazepose",
    )
    save_poses(kp2d, folder / "kp2d.nc")
    save_detections(kp2d, folder / "run.mp4.npz")
    save_data_2d({"run.mp4": kp2d}, folder / "data_2d.npz")
    rows = [runner.row(f, 26) for f in range(FRAMES)]
    people = [dict(people=[dict(pose_keypoints_2d=runner.row(f, 25))]) for f in range(FRAMES)]
    results = [dict(image_id=f, keypoints=row, score=0.9) for f, row in enumerate(rows)]
    tracked = [one | dict(image_id=f"{f}.jpg", idx=1) for f, one in enumerate(results)]
    marks = [[dict(x=0.5, y=0.5, z=0, visibility=1.0)] * 33] * FRAMES
    images = [dict(id=f, file_name=f"{f}.jpg", width=1280, height=720) for f in range(FRAMES)]
    contents = dict(
        openpose=people,
        results=results,
        alphapose=tracked,
        mediapipe=marks,
        coco=dict(images=images, annotations=results),
    )
    for name, content in contents.items():
        (folder / f"{name}.json").write_text(json.dumps(content))
    _tables(runner, folder)
    return kp2d


def _tables(runner, folder):
    marks = [
        dict(frame=f, landmark=k, x=0.4, y=0.3, visibility=0.9)
        for f in range(FRAMES)
        for k in range(33)
    ]
    pd.DataFrame(marks).to_csv(folder / "mediapipe.csv", index=False)
    points = np.stack([np.reshape(runner.row(f, 17), (-1, 3)) for f in range(FRAMES)])
    names = ["nose", "kneeL", "kneeR", "ankleL", "ankleR"]
    columns = [("net", n, axis) for n in names for axis in ("x", "y", "likelihood")]
    labels = pd.MultiIndex.from_tuples(columns, names=["scorer", "bodyparts", "coords"])
    table = pd.DataFrame(points[:, [0, 13, 14, 15, 16]].reshape(FRAMES, -1), columns=labels)
    table.to_csv(folder / "dlc.csv")
    with h5py.File(folder / "dlc.h5", "w") as f:
        group = f.create_group("df_with_missing")
        group.attrs["non_index_axes"] = np.bytes_(pickle.dumps([(1, columns)], 0))
        rows = np.zeros(FRAMES, [("index", "<i8"), ("values_block_0", "<f8", (len(columns),))])
        rows["index"], rows["values_block_0"] = np.arange(FRAMES), table.to_numpy()
        group["table"] = rows
    (folder / "trials.csv").write_text("file,subject,trial\nmarkers.tsv,Anna,one\n")


def _networks(folder):
    cfg = LifterConfig(channels=8, widths=(3,))
    save_checkpoint(folder / "net", make_lifter(cfg), cfg)
    weights = TCN(34, 51, (3,), 8).state_dict()
    torch.save(dict(model_pos=weights), folder / "net.bin")


def _cameras(folder):
    cam = look_at(phone_camera(1280, 720), (0, -5, 1), (0, 0, 1))
    save_cameras({"a": cam, "b": cam}, folder / "cams.toml")
    (folder / "cam.yml").write_text(
        "%YAML:1.0\n---\nimage_width: 1280\nimage_height: 720\n"
        "camera_matrix: !!opencv-matrix\n   rows: 3\n   cols: 3\n   dt: d\n"
        "   data: [ 900., 0., 640., 0., 900., 360., 0., 0., 1. ]\n"
    )
    matrix = dict(rows=3, cols=3, dt="d", data=[900, 0, 640, 0, 900, 360, 0, 0, 1])
    numbers = dict(image_width=1280, image_height=720, camera_matrix=matrix)
    (folder / "cam.json").write_text(json.dumps(numbers))
    turn = " ".join(f'r{i}{j}="{int(i == j)}"' for i in "123" for j in "123")
    lens = 'focalLengthU="57600" focalLengthV="57600" centerPointU="40960" centerPointV="23040"'
    sensor = 'sensorMaxU="81919" sensorMaxV="46079"'
    (folder / "cams.xml").write_text(
        f'<calibration><cameras><camera serial="7"><transform x="0" y="0" z="0" {turn}/>'
        f"<intrinsic {lens} {sensor}/></camera></cameras></calibration>"
    )
    (folder / "set.toml").write_bytes((SETS_FOLDER / f"{MARKER_SETS[0]}.toml").read_bytes())
    return cam


def _videos(folder):
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 255, (8, 48, 64, 3)).astype(np.uint8)
    for name, codec in (
        ("v.mp4", "libx264"),
        ("v.mkv", "libx264"),
        ("v.ts", "libx264"),
        ("v.avi", "mpeg4"),
        ("v.mov", "mjpeg"),
    ):
        with av.open(str(folder / name), "w") as container:
            stream = container.add_stream(codec, rate=25)
            stream.width, stream.height = 64, 48
            stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
            for picture in pictures:
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            container.mux(stream.encode(None))


def _dataset(folder, pose, kp2d, cam):
    save_trial(folder / "trial.nc", pose, {"a": View(kp2d, cam)})
    row = dict(trial="one", subject="Anna", split="train", file="trials/one.nc", frames=FRAMES)
    manifest = new_manifest(60.0, [row | dict(seconds=0.4, bones_mm=[400.0] * 10)])
    (folder / "manifest.json").write_text(json.dumps(manifest))


def make_whole(
    folder,  # Folder to write into
):
    "One small file of every kind"
    run, kp2d = _run(folder), _keypoints(folder)
    _networks(folder)
    cam = _cameras(folder)
    _videos(folder)
    _dataset(folder, run.pose, kp2d, cam)
    save_data_3d({"run": run.pose}, folder / "data_3d.npz")
    write_archive(folder / "archive.npz", x=np.eye(3), names=["a", "b"], info=dict(fps=60))
    (folder / "plain.pkl").write_bytes(pickle.dumps(dict(x=np.eye(3)), 2))
    return folder


# ---- readers

FINE = dict(fps=50, size=(1280, 720))


def read_video(path):
    "All frames of a video"
    probe(path)
    for _ in read_frames(path):
        pass


def manifest_of(path):
    "The data set whose manifest a file is"
    return open_dataset(path.parent)


def checkpoint_beside(path, whole):
    "The lifter of a description or of weights, the other file whole"
    other = ".json" if path.suffix == ".safetensors" else ".safetensors"
    beside = path.with_suffix(other)
    beside.write_bytes((whole / f"net{other}").read_bytes())
    try:
        return load_checkpoint(path)
    finally:
        beside.unlink()


def kinds(
    whole,  # Folder of whole files
):
    "Every kind of file"
    text, binary = partial(Kind, text=True), partial(Kind, text=False)
    dlc = partial(from_dlc, **FINE)
    return [
        binary("pose.nc", load_poses),
        binary("kp2d.nc", load_poses),
        binary("trial.nc", load_trial),
        text("manifest.json", manifest_of),
        binary("archive.npz", read_archive),
        binary("plain.pkl", read_archive),
        binary("data_2d.npz", partial(load_data_2d, fps=50)),
        binary("data_3d.npz", load_data_3d),
        binary("run.mp4.npz", partial(from_detectron_npz, fps=50)),
        binary("net.safetensors", partial(checkpoint_beside, whole=whole)),
        text("net.json", partial(checkpoint_beside, whole=whole)),
        binary("net.bin", load_pretrained),
        text("set.toml", marker_set),
        text("cams.toml", read_cameras),
        text("cam.yml", read_cameras),
        text("cam.json", read_cameras),
        text("cams.xml", read_cameras),
        text("markers.tsv", read_qtm),
        binary("markers.c3d", read_qtm),
        binary("markers.mat", read_qtm),
        text("markers.json", read_qtm),
        text("markers.trc", read_qtm),
        text("markers.txt", read_qtm),
        text("names.labels", read_labels),
        text("pose.trc", load_trc),
        text("run_3D_keypoints.csv", load_keypoints_csv),
        text("trials.csv", read_trials),
        text("openpose.json", partial(from_openpose, **FINE)),
        text("results.json", partial(from_coco_json, **FINE)),
        text("coco.json", partial(from_coco_json, fps=50)),
        text("alphapose.json", partial(from_alphapose, **FINE)),
        text("mediapipe.json", partial(from_mediapipe, **FINE)),
        text("mediapipe.csv", partial(from_mediapipe, **FINE)),
        text("dlc.csv", dlc),
        binary("dlc.h5", dlc),
        *(binary(f"v.{ending}", read_video) for ending in ("mp4", "mkv", "ts", "avi", "mov")),
    ]


# ---- damage: functions of the whole file's bytes and the path to write


def cut(data, path, share):
    path.write_bytes(data[: int(share * len(data))])


def flip(data, path, seed):
    rng = random.Random(seed)
    damaged = bytearray(data)
    for _ in range(rng.choice([1, 1, 2, 8, 40])):
        damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)
    path.write_bytes(damaged)


TOKENS = (
    *("null", '"x"', "[]", "{}", "true", "NaN", "Infinity", "-1", "0", "1e308", "-1e308"),
    *("1e30", "99999999999999999999", "2147483648", "", "x", "\0", "é", "[" * 3000),
)


def token(data, path, seed):
    "Exchange one number or word of a text"
    import re

    rng = random.Random(seed)
    text = data.decode("utf-8", "replace")
    spans = [m.span() for m in re.finditer(r'"[^"\n]*"|[-+.\w]+', text)]
    first, stop = rng.choice(spans)
    path.write_text(text[:first] + rng.choice(TOKENS) + text[stop:], encoding="utf-8")


def fill(data, path, content):
    path.write_bytes(content)


def repeat(data, path, times):
    path.write_bytes(data * times)


def sparse(data, path, size):
    with path.open("wb") as f:
        f.truncate(size)


def special(data, path, what):
    "Something that is no regular file"
    if what == "fifo":
        os.mkfifo(path)
    elif what == "folder":
        path.mkdir()
    elif what == "ring":
        path.symlink_to(path)
    elif what == "socket":
        _socket(path)


def _socket(path):
    here = os.getcwd()
    os.chdir(path.parent)  # its path may have 108 bytes only
    with suppress(OSError), socket.socket(socket.AF_UNIX) as s:
        s.bind(path.name)
    os.chdir(here)


SHARES = (0, 0.001, 0.01, 0.05, 0.1, 0.25, 0.4, 0.5, 0.6, 0.75, 0.9, 0.97, 0.99, 0.999)
DEEP = (b"[" * 100_000, b'{"a":' * 100_000, b"a: " * 100_000, b"<a>" * 100_000, b"- " * 100_000)
OTHER = (b"\0" * 4096, b"\xff" * 4096, b"\n" * 4096, b"hello", b"PK\3\4" + b"\0" * 60, *DEEP)
FLIPS, EXCHANGES = 16, 22


def cases(
    whole,  # Folder of whole files
):
    "Every input, in a fixed order"
    out = []
    for kind in kinds(whole):
        damages = [(f"cut to {share}", partial(cut, share=share)) for share in SHARES]
        damages += [(f"bits {n}", partial(flip, seed=f"{kind.file} {n}")) for n in range(FLIPS)]
        if kind.text:
            exchanges = range(EXCHANGES)
            damages += [(f"token {n}", partial(token, seed=f"{kind.file} {n}")) for n in exchanges]
        damages += [(f"content {n}", partial(fill, content=c)) for n, c in enumerate(OTHER)]
        damages += [("twice", partial(repeat, times=2)), ("2 TB", partial(sparse, size=2 * 10**12))]
        damages += [
            (w, partial(special, what=w)) for w in ("fifo", "folder", "ring", "socket", "none")
        ]
        out += [
            Case(f"{kind.file}: {name}", kind.read, whole / kind.file, damage)
            for name, damage in damages
        ]
    return out
