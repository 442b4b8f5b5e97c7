"""Damage after which a file could be read with other values: it is refused, or said."""

import json
import zipfile

import cv2
import numpy as np
import pandas as pd
import pytest

from runningpose.data.calibration import (
    CalibrationError,
    miqus_cameras,
    read_cameras,
    save_cameras,
)
from runningpose.data.qtm import read_qtm
from runningpose.data.recordings import read_trials
from runningpose.files.archives import ArchiveError, read_archive, write_archive
from runningpose.files.text import FormatError, read_table
from runningpose.pose2d.imported import KeypointsError
from runningpose.pose2d.mediapipe import from_mediapipe
from runningpose.pose2d.movement import from_dlc
from runningpose.pose2d.openpose import from_openpose

CLOCK = dict(fps=50, size=(1280, 720))


def test_true_is_no_coordinate(tmp_path):
    file = tmp_path / "keypoints.json"
    points = [100.0, 200.0, 0.9] * 25
    points[3] = True
    file.write_text(json.dumps([dict(people=[dict(pose_keypoints_2d=points)])]))
    with pytest.raises(KeypointsError, match="not a list of numbers"):
        from_openpose(file, **CLOCK)
    values = [[1.0, 2.0, True, 0], [1.0, 2.0, 3.0, 0]]
    part = dict(Range=dict(Start=1, End=2), Values=values)
    time = dict(Frequency=100, Range=dict(Start=1, End=2))
    file.write_text(json.dumps(dict(Timebase=time, Markers=[dict(Name="A", Parts=[part])])))
    with pytest.raises(FormatError, match="true or false stands in the place of a number"):
        read_qtm(file)


def test_a_row_with_fewer_cells_is_not_filled_up(tmp_path):
    file = tmp_path / "table.csv"
    file.write_text("a,b,c\n1,2,3\n1,23\n")
    with pytest.raises(FormatError, match="line 3: 2 cells, the first line has 3"):
        read_table(file)


def test_a_likelihood_is_at_most_one(tmp_path):
    columns = pd.MultiIndex.from_product([["scorer"], ["left_knee"], ["x", "y", "likelihood"]])
    columns.names = ["scorer", "bodyparts", "coords"]
    table = pd.DataFrame([[1.0, 2, 0.9], [3, 4, 651]], columns=columns)
    table.to_csv(tmp_path / "run.csv")
    with pytest.raises(KeypointsError, match="a likelihood is outside of 0 to 1"):
        from_dlc(tmp_path / "run.csv", **CLOCK)


def test_a_landmark_is_no_number(tmp_path):
    pose = [dict(x=0.5, y=0.01 * k, visibility=0.9) for k in range(33)]
    for wrong in (0.5, "x", [[[]]]):
        changed = [*pose]
        changed[20] = wrong
        (tmp_path / "m.json").write_text(json.dumps([[*changed]]))
        with pytest.raises(KeypointsError, match=r"m\.json"):
            from_mediapipe(tmp_path / "m.json", **CLOCK)


def test_no_array_of_an_archive_is_lost(tmp_path):
    file = write_archive(tmp_path / "a.npz", x=np.arange(3.0), y=np.arange(4.0))
    content = bytearray(file.read_bytes())
    with zipfile.ZipFile(file) as archive:
        first = archive.start_dir
    content[first + 32] = 64  # the first entry has a comment, which takes in the second
    file.write_bytes(content)
    with pytest.raises(ArchiveError, match="1 arrays instead of 2|damaged"):
        read_archive(file)


@pytest.mark.parametrize(
    "before, after, message",
    [
        ("matrix", "mat2ix", "has no matrix"),
        ("distortions", "distortionz", "has no distortions"),
        ("rotation = [ ", "rotation = [ 7", "more than one turn"),
        ("size = [ 1920", "size = [ true", "true or false"),
    ],
)
def test_a_damaged_entry_of_a_calibration_is_not_left_out(tmp_path, before, after, message):
    file = save_cameras(miqus_cameras(), tmp_path / "Calib.toml")
    file.write_text(file.read_text().replace(before, after, 1))
    with pytest.raises(CalibrationError, match=message):
        read_cameras(file)


def test_a_lens_without_distortion_is_said(tmp_path):
    file = tmp_path / "phone.json"
    storage = cv2.FileStorage(str(file), cv2.FILE_STORAGE_WRITE)
    storage.write("image_width", 1280)
    storage.write("image_height", 720)
    storage.write("camera_matrix", np.array([[900, 0, 639.5], [0, 900, 359.5], [0, 0, 1.0]]))
    storage.write("distortion_coefficients", np.array([0.1, 0, 0, 0, 1e-7]))
    storage.release()
    whole = file.read_text()
    file.write_text(whole.replace("distortion", "distkrtion"))
    with pytest.warns(UserWarning, match="no distortion_coefficients"):
        assert not any(read_cameras(file)["phone"].dist)
    file.write_text(whole.replace('"data": [ 0.1', '"date": [ 0.1'))
    with pytest.raises(CalibrationError, match="no numbers in distortion_coefficients"):
        read_cameras(file)


def test_a_misspelt_column_of_trials_is_said(tmp_path):
    file = tmp_path / "trials.csv"
    file.write_text("file,subject,splkt\na.tsv,Anna,train\n")
    with pytest.warns(UserWarning, match="no column 'split', but 'splkt'"):
        read_trials(file)
