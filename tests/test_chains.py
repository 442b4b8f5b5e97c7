"""The documented ways through several commands, walked as the pages print them: what one command
writes, the next one finds. The 2D detector is a toy that knows where the runner is.
"""

import json
import shlex
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import runningpose.__main__ as python_m
from runningpose.camera import look_at, phone_camera, project
from runningpose.data.calibration import MIQUS, miqus_cameras
from runningpose.data.coco import check_coco
from runningpose.data.qtm import save_markers
from runningpose.data.synthetic_markers import synthetic_markers
from runningpose.files.archives import read_archive
from runningpose.pose2d.backend import BACKENDS
from runningpose.poses import like, pose_arrays, poses_dataset
from runningpose.skeleton import convert
from runningpose.synthetic import synthetic_runner
from runningpose.training import train_detectron2
from runningpose.video.reader import probe
from runningpose.video.writer import VideoWriter

NBS = Path(__file__).parent.parent / "nbs"
WIDTH, HEIGHT, FPS, FRAMES = 640, 480, 30, 36
WALL, DOT = 60, 255  # brightness


def documented(page, words):
    "The command lines of the one code block of a page in which certain words stand"
    cells = json.loads((NBS / page).read_text(encoding="utf-8"))["cells"]
    text = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    blocks = [b.partition("\n")[2] for b in text.split("```")[1::2] if words in b]
    assert len(blocks) == 1, f"{page} has {len(blocks)} code blocks with {words}"
    lines = blocks[0].replace("\\\n", " ").splitlines()
    return [command for line in lines if (command := shlex.split(line, comments=True))]


@pytest.fixture
def walk(tmp_path, monkeypatch):
    "A function that calls one command line after the other in an empty folder"
    monkeypatch.chdir(tmp_path)

    def call(lines):
        for name, *words in lines:
            if name == "cp":
                shutil.copy(*words)
                continue
            monkeypatch.setattr(sys, "argv", ["python -m runningpose", name, *words])
            python_m.main()

    return call


def runner_px():
    "Keypoints of a synthetic runner on a treadmill in the picture, px, halpe_26"
    run = synthetic_runner(3.0, seconds=FRAMES / FPS, treadmill=True, fps=FPS)
    camera = look_at(phone_camera(WIDTH, HEIGHT), [0, -4.5, 1.1], [0, 0, 1.0])
    xyz = convert(pose_arrays(run.pose)[0].astype(float), "runningpose_22", "halpe_26")
    return project(xyz, camera)


def draw_dots(path, points, size=(WIDTH, HEIGHT), fps=FPS):
    "A video with a bright dot on every point, px, shape (T, K, 2)"
    path.parent.mkdir(exist_ok=True)
    with VideoWriter(path, *size, fps) as writer:
        for frame in points:
            picture = np.full((size[1], size[0], 3), WALL, np.uint8)
            for x, y in frame[np.isfinite(frame).all(-1)].astype(int):
                picture[max(y - 3, 0) : y + 4, max(x - 3, 0) : x + 4] = DOT
            writer.write(picture)


@pytest.fixture
def toy_detector(monkeypatch):
    "BlazePose gives way to a toy that knows where the runner is"
    points = runner_px()

    def infer(clip, select=None, mirror=False, **options):
        size = dict(image_width=clip.info.width, image_height=clip.info.height)
        return poses_dataset(points[: len(clip)], time=clip.times, fps=clip.fps, **size)

    monkeypatch.setitem(BACKENDS, "blazepose", infer)
    return points


def load_coco_json(file, images):
    """Records as Detectron2 0.6 makes them (detectron2/data/datasets/coco.py), with what it asks
    of a file on the way: what pycocotools indexes, unique ids, one category that counts from 1,
    and for each person a box of four numbers and whole triples of keypoints.
    """
    coco = json.loads(Path(file).read_text(encoding="utf-8"))
    by_id = {image["id"]: image for image in coco["images"]}
    assert [category["id"] for category in coco["categories"]] == [1]
    assert len(by_id) == len(coco["images"])
    ids = [person["id"] for person in coco["annotations"]]
    assert len(set(ids)) == len(ids)
    people = {number: [] for number in by_id}
    for person in coco["annotations"]:
        people[person["image_id"]].append(person)
    records = []
    for number in sorted(by_id):
        image = by_id[number]
        objects = []
        for person in people[number]:
            assert person.get("ignore", 0) == 0 and "segmentation" not in person
            assert len(person["bbox"]) == 4 and person["category_id"] == 1
            assert person["iscrowd"] in (0, 1) and person["area"] > 0
            points = np.reshape(person["keypoints"], (-1, 3)) + [0.5, 0.5, 0]
            objects.append(dict(bbox=person["bbox"], keypoints=points, category_id=0))
        size = dict(width=image["width"], height=image["height"])
        records.append(
            dict(file_name=str(Path(images) / image["file_name"]), **size, annotations=objects)
        )
    return records


class Catalog(dict):
    "Detectron2's catalogues, as far as a data set is registered with them"

    register = dict.__setitem__
    list = dict.keys
    remove = dict.pop

    def get(self, name):
        return self.setdefault(name, Facts())


class Facts(dict):
    set = dict.update


@pytest.fixture
def registered(monkeypatch):
    "A function that registers a folder as the page on Detectron2 does; the records it would load"
    datasets, metadata = Catalog(), Catalog()

    def load_coco(file, images, name):
        return load_coco_json(file, images)

    parts = train_detectron2.Detectron2Training(None, None, datasets, metadata, load_coco)
    monkeypatch.setattr(train_detectron2, "_detectron2", lambda: parts)

    def register(folder, skel="runningpose_18"):
        train_detectron2.register_runners("runners_train", folder, skel)
        records = datasets["runners_train"]()
        names = metadata["runners_train"]["keypoint_names"]
        assert all(len(o["keypoints"]) == len(names) for r in records for o in r["annotations"])
        return records

    return register


def brightness_at_labels(records):
    "How bright the pictures are at the points that have a label"
    found = []
    for record in records:
        frame = np.asarray(Image.open(record["file_name"]))
        assert frame.shape == (record["height"], record["width"], 3)
        for x, y, flag in record["annotations"][0]["keypoints"]:
            if flag:
                found.append(frame[int(y - 0.5), int(x - 0.5)].mean())
    return np.array(found)


@pytest.mark.parametrize("page", ["index.ipynb", "cli/740_thesis_2d.ipynb"])
def test_videos_to_2d_archive(page, walk, toy_detector, tmp_path):
    "The detections of the first command become the data set of the second"
    draw_dots(tmp_path / "videos" / "my_run.mp4", toy_detector)
    walk(documented(page, "runningpose_infer_video")[:2])
    assert {f.name for f in (tmp_path / "detections").iterdir()} == {
        "my_run.mp4.npz",
        "my_run.mp4.nc",
    }
    archive = read_archive(tmp_path / "data_2d_custom_myvideos.npz")
    (track,) = archive["positions_2d"]["my_run.mp4"]["custom"]
    expected = convert(toy_detector, "halpe_26", "coco_17")
    known = np.isfinite(expected)
    assert known.mean() > 0.6
    np.testing.assert_allclose(track[known], expected[known], atol=1e-3)


def test_videos_to_rendering(walk, toy_detector, tmp_path):
    "The README's three commands leave a video with every frame, and the angles"
    draw_dots(tmp_path / "videos" / "my_run.mp4", toy_detector)
    walk(documented("index.ipynb", "runningpose_infer_video"))
    assert abs(probe(tmp_path / "overlay.mp4").frames - FRAMES) <= 1
    angles = json.loads((tmp_path / "overlay_angles.json").read_text())["angles"]
    assert len(angles["right_knee_flexion"]) == FRAMES


def test_videos_to_coco(walk, toy_detector, registered, tmp_path):
    "What the detector wrote beside its archives is found, and Detectron2 can load the result"
    draw_dots(tmp_path / "videos" / "run.mp4", toy_detector)
    walk(documented("cli/730_recordings.ipynb", "runningpose_infer_video"))
    coco = check_coco(json.loads((tmp_path / "coco" / "annotations.json").read_text()))
    assert [image["video"] for image in coco["images"]] == ["run.mp4"] * FRAMES
    records = registered(tmp_path / "coco", "halpe_26")
    assert len(records) == FRAMES
    labels = np.array([record["annotations"][0]["keypoints"] for record in records])
    seen = np.isfinite(toy_detector).all(-1)
    assert ((labels[..., 2] > 0) == seen).all() and seen.mean() > 0.6
    np.testing.assert_allclose(labels[seen][:, :2] - 0.5, toy_detector[seen], atol=0.02)
    assert np.quantile(brightness_at_labels(records), 0.05) > (WALL + DOT) / 2


def calibration(serial, name):
    "A calibration export of QTM with one camera of the 2022 thesis"
    m = MIQUS[name]
    turn = " ".join(f'r{i // 3 + 1}{i % 3 + 1}="{v}"' for i, v in enumerate(np.ravel(m.rotation)))
    x, y, z = m.position
    (fu, fv), (cu, cv), (k1, k2, p1, p2, _) = m.focal, m.principal_point, m.distortion
    return f"""<?xml version="1.0"?><calibration><cameras>
<camera active="1" calibrated="true" serial="{serial}" model="Miqus Video" viewrotation="0">
<fov_video left="0" top="0" right="1919" bottom="1087"/>
<transform x="{x}" y="{y}" z="{z}" {turn}/>
<intrinsic sensorMinU="0" sensorMaxU="122879.0" sensorMinV="0" sensorMaxV="69631.0"
focalLengthU="{fu}" focalLengthV="{fv}" centerPointU="{cu}" centerPointV="{cv}" skew="0"
radialDistortion1="{k1}" radialDistortion2="{k2}" radialDistortion3="0"
tangentalDistortion1="{p1}" tangentalDistortion2="{p2}"/></camera></cameras></calibration>"""


def test_recording_to_detectron2(walk, registered, tmp_path):
    "A recording, its calibration and a camera's video become pictures that Detectron2 can load"
    run = synthetic_runner(4.0, seconds=0.6, fps=100).pose
    pose = like(run, pose_arrays(run)[0] + [0.5, 0.6, 0])
    save_markers(synthetic_markers(pose), tmp_path / "Anna1.tsv")
    (tmp_path / "lab.qca.txt").write_text(calibration(20001, "miqus1"))
    points = project(pose_arrays(pose)[0].astype(float), miqus_cameras()["miqus1"])[:, :18]
    draw_dots(tmp_path / "Anna1_Miqus_1_20001.avi", points[::10], (1920, 1088), fps=10)
    walk(documented("training/560_train_detectron2.ipynb", "runningpose_format_qtmdata"))
    records = registered(tmp_path / "coco_train")
    assert len(records) == 6
    assert np.median(brightness_at_labels(records)) > (WALL + DOT) / 2
