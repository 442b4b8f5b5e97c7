"The command runningpose_validate: what it writes, and what it says of mistakes"

import json
import shutil

import numpy as np
import pandas as pd
import pytest

from runningpose.atomic import MARK
from runningpose.cli.main import runningpose_validate
from runningpose.data.qtm import save_markers
from runningpose.data.synthetic_markers import synthetic_markers
from runningpose.gait.angles import joint_angles
from runningpose.gait.metrics import gait_metrics
from runningpose.gait.world import to_world
from runningpose.poses import save_poses
from runningpose.synthetic import synthetic_runner

KNEE = 5.0  # degrees too bent


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    "A folder with the result of a run, knees too bent, and one with its marker recording"
    folder = tmp_path_factory.mktemp("validate")
    run = synthetic_runner(3.0, seconds=2)
    result = folder / "results" / "anna_1"
    result.mkdir(parents=True)
    (folder / "truth").mkdir()
    save_markers(synthetic_markers(run.pose), folder / "truth" / "anna_1.tsv")
    pose = to_world(run.pose)
    angles = joint_angles(pose)
    angles[["left_knee_flexion", "right_knee_flexion"]] += KNEE
    save_poses(pose, result / "pose3d.nc")
    angles.to_csv(result / "angles.csv")
    run.events.to_csv(result / "events.csv", index=False)
    gait_metrics(pose, run.events, angles).to_csv(result / "metrics.csv", index=False)
    (result / "run.json").write_text(json.dumps(MARK))
    return folder


@pytest.fixture
def copied(recorded, tmp_path):
    "The same folders, for a test that breaks them"
    shutil.copytree(recorded, tmp_path, dirs_exist_ok=True)
    return tmp_path


def test_table_is_printed_and_written(recorded, tmp_path, capsys):
    "The table on the terminal, and the files"
    out = tmp_path / "out"
    runningpose_validate(recorded / "results", recorded / "truth", str(out), 0.0)
    printed = capsys.readouterr().out
    assert "1 clips of 1 people" in printed and "knee_flexion" in printed
    assert printed.strip().endswith(str(out))
    table = pd.read_csv(out / "validation.csv")
    knee = table[(table.kind == "angle") & (table.name == "knee_flexion")].iloc[0]
    assert abs(knee.bias - KNEE) < 0.5 and knee.people == 1 and np.isnan(knee.bias_ci_low)
    record = json.loads((out / "validation.json").read_text())
    assert record["clips"][0]["clip"] == "anna_1" and record["clips"][0]["found_from"] == "given"
    assert "anna_1" in (out / "validation.html").read_text()


def test_nothing_is_written_without_out(copied, capsys, monkeypatch):
    "Only the table on the terminal"
    monkeypatch.chdir(copied)
    before = sorted(copied.rglob("*"))
    runningpose_validate("results/anna_1", "truth/anna_1.tsv", None, 0.0)
    assert sorted(copied.rglob("*")) == before and "knee_flexion" in capsys.readouterr().out


def no_truth(folder):
    (folder / "truth" / "anna_1.tsv").unlink()


def truth_of_another_name(folder):
    (folder / "truth" / "anna_1.tsv").rename(folder / "truth" / "berit_1.tsv")
    shutil.copy(folder / "truth" / "berit_1.tsv", folder / "truth" / "carl_1.tsv")


def no_events(folder):
    (folder / "results" / "anna_1" / "events.csv").unlink()


def metrics_without_values(folder):
    (folder / "results" / "anna_1" / "metrics.csv").write_text("metric,side\ncadence,both\n")


def angles_in_words(folder):
    (folder / "results" / "anna_1" / "angles.csv").write_text("time,left_knee_flexion\n0,bent\n")


def damaged_poses(folder):
    (folder / "results" / "anna_1" / "pose3d.nc").write_bytes(b"CDF")


def markers_of_another_kind(folder):
    file = folder / "truth" / "anna_1.tsv"
    file.write_text(file.read_text().replace("LKneeOut", "Marker17"))


def out_is_a_file(folder):
    (folder / "out").write_text("mine")


MISTAKES = {
    no_truth: "holds no truth",
    truth_of_another_name: "no result has the name of a truth",
    no_events: "there is no events.csv",
    metrics_without_values: "metrics.csv",
    angles_in_words: "angles.csv",
    damaged_poses: "pose3d.nc",
    markers_of_another_kind: "anna_1.tsv",
    out_is_a_file: "a folder is needed",
}


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda f: f.__name__)
def test_mistakes_are_one_sentence(mistake, copied, capsys):
    "Exit code 2, one sentence that names the file, nothing left behind"
    mistake(copied)
    before = sorted(copied.rglob("*"))
    with pytest.raises(SystemExit) as stopped:
        runningpose_validate(copied / "results", copied / "truth", str(copied / "out"), 0.0)
    said = capsys.readouterr().err
    assert stopped.value.code == 2, said
    assert said.count("\n") == 1 and MISTAKES[mistake] in said, said
    assert sorted(copied.rglob("*")) == before


def test_two_different_runs_do_not_fit(recorded, tmp_path, capsys):
    "Who stands still is not the truth of a run: no clock fits, and the sentence says so"
    still = synthetic_runner(3.0, seconds=2).pose
    still = still.assign(
        position=still.position.isel(time=[0] * still.sizes["time"]).drop_vars("time")
    )
    file = save_markers(synthetic_markers(still), tmp_path / "anna_1.tsv")
    with pytest.raises(SystemExit) as stopped:
        runningpose_validate(recorded / "results", file)
    assert stopped.value.code == 2 and "angle" in capsys.readouterr().err
