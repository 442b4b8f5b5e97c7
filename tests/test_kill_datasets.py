"""Data sets that are killed while they are made, at random steps and times: what has its final name
is whole, the earlier data set or the new one, and the next run is no dead end and clears the rest.
One process that no thread was started in imports everything and forks a child for every kill.
"""

import json
import os
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from test_kill import killed

KILLS = 8  # tried for each kind of data set
MOST_STEPS = 40  # audit events among which a kill is drawn

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")


def write_inputs(folder):
    "A video with keypoints, two tables of keypoints, recordings of two people"
    from runningpose.camera import look_at, phone_camera, project
    from runningpose.data.qtm import save_markers
    from runningpose.data.synthetic_markers import synthetic_markers
    from runningpose.data.thesis_3d_files import save_3d_csv
    from runningpose.poses import pose_arrays, poses_dataset, save_poses
    from runningpose.skeleton import convert
    from runningpose.synthetic import synthetic_runner
    from runningpose.video.writer import VideoWriter

    run = synthetic_runner(3.0, seconds=0.5, treadmill=True, fps=30).pose
    camera = look_at(phone_camera(160, 90), [0, -4.5, 1.1], [0, 0, 1.0])
    px = convert(project(pose_arrays(run)[0], camera), "runningpose_22", "halpe_26")
    size = dict(image_width=160, image_height=90)
    kp2d = poses_dataset(px, time=run.time.values, fps=30.0, **size)
    for name in ("videos", "tables", "lab/Anna", "lab/Bo"):
        (folder / name).mkdir(parents=True)
    save_poses(kp2d, folder / "videos" / "run.mp4.nc")
    with VideoWriter(folder / "videos" / "run.mp4", 160, 90, 30) as writer:
        for value in range(len(px)):
            writer.write(np.full((90, 160, 3), 90 + value, np.uint8))
    for name in ("Anna1", "Bo1"):
        save_3d_csv(run, folder / "tables" / f"{name}_3D_keypoints.csv")
    for speed, name in ((3.0, "Anna/run1"), (2.6, "Bo/run1")):
        markers = synthetic_markers(synthetic_runner(speed, seconds=0.8, fps=100).pose)
        save_markers(markers, folder / "lab" / f"{name}.tsv")


class Pictures:
    "COCO: pictures and annotations; every run takes more or fewer frames"

    def make(self, folder, number):
        from runningpose.data.coco import prepare_coco

        video, out = folder / "videos" / "run.mp4", folder / "out" / "coco"
        prepare_coco([video], out, every=1 + number % 3, progress=False)

    def state(self, out):
        from runningpose.data.coco import check_coco

        coco = check_coco(json.loads((out / "coco" / "annotations.json").read_text()))
        names = {image["file_name"] for image in coco["images"]}
        images = list((out / "coco" / "images").iterdir())
        assert {path.name for path in images} == names
        assert all(path.read_bytes().endswith(b"\xff\xd9") for path in images)
        return len(names)

    def others(self, out):
        return [path.name for path in out.iterdir() if path.name != "coco"]


class Archive:
    "One archive of all recordings; every run says which one it is"

    def make(self, folder, number):
        from runningpose.data.thesis_3d_files import load_keypoints_csv, save_data_3d

        files = sorted((folder / "tables").glob("*.csv"))
        poses = {file.stem.partition("_")[0]: load_keypoints_csv(file) for file in files}
        save_data_3d(poses, folder / "out" / "data_3d_mine.npz", number=number)

    def state(self, out):
        from runningpose.data.thesis_3d_files import load_data_3d
        from runningpose.files.archives import read_archive

        assert len(load_data_3d(out / "data_3d_mine.npz")) == 2
        return int(read_archive(out / "data_3d_mine.npz")["metadata"]["number"])

    def others(self, out):
        return [path.name for path in out.iterdir() if path.name != "data_3d_mine.npz"]


class Trials:
    "A data set of trials, every time at another rate; unfinished it has no manifest"

    def make(self, folder, number):
        from runningpose.data.build import BuildOptions, build_dataset

        options = BuildOptions(fps=50 + number % 3)
        build_dataset(folder / "lab", folder / "out" / "set", options, progress=False)

    def state(self, out):
        from runningpose.data.manifest import load_trial, open_dataset

        trials = [load_trial(path) for path in (out / "set" / "trials").rglob("*.nc")]
        if not (out / "set" / "manifest.json").exists():
            return None
        manifest = json.loads((out / "set" / "manifest.json").read_text())
        assert len(trials) == len(manifest["trials"]) == 2
        assert len(list(open_dataset(out / "set").trials())) == 2
        return round(float(trials[0].pose.attrs["fps"]))

    def others(self, out):
        expected = ("set", "manifest.json", "trials", "Anna", "Bo")
        return [p.name for p in out.rglob("*") if p.name not in expected and p.suffix != ".nc"]


def kill_again_and_again(folder, kind):
    "How many were killed on the way"
    from runningpose import atomic

    out = folder / "out"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    kind.make(folder, 0)
    start = time.perf_counter()
    kind.make(folder, 0)
    seconds = time.perf_counter() - start
    rng, kills = random.Random(18), 0
    for number in range(1, KILLS + 1):
        before = kind.state(out)
        moment = dict(event_number=rng.randint(1, MOST_STEPS))
        if number % 2:
            moment = dict(after_s=rng.uniform(0, seconds))
        kills += killed(lambda number=number: kind.make(folder, number), out, **moment)
        left = kind.state(out)
        atomic._cleared.clear()  # as in a new process
        kind.make(folder, number)
        whole = kind.state(out)
        assert left in (before, whole, None) and whole is not None
        assert not (others := kind.others(out)), others
    return kills


def main(folder):
    os.fsync = lambda handle: None  # no power is cut here
    write_inputs(folder)
    for kind in (Pictures(), Archive(), Trials()):
        assert kill_again_and_again(folder, kind) >= KILLS // 2, kind


def test_data_sets_are_killed(tmp_path):
    run = subprocess.run(
        [sys.executable, __file__, tmp_path],
        capture_output=True,
        text=True,
        env=os.environ | dict(OMP_NUM_THREADS="1"),
        timeout=400,
    )
    assert run.returncode == 0, run.stderr


if __name__ == "__main__":
    main(Path(sys.argv[1]))
