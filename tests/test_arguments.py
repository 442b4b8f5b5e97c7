"""Arguments in the wrong order, text for a number, 2D for 3D: one sentence that names the argument,
in place of an error from deep inside.
"""

import warnings

import numpy as np
import pytest

from runningpose.camera import look_at, phone_camera, project
from runningpose.files.opensim import save_mot
from runningpose.gait.angles import joint_angles
from runningpose.gait.catalogue import step_measures
from runningpose.gait.cycles import cycle_table
from runningpose.gait.events import gait_events
from runningpose.gait.ground import lock_to_ground
from runningpose.gait.metrics import gait_metrics
from runningpose.gait.world import to_world
from runningpose.lifting.lift import lift
from runningpose.pose2d.clean import clean
from runningpose.poses import like, pose_arrays, poses_dataset
from runningpose.skeleton import convert
from runningpose.synthetic import synthetic_runner

RUN = synthetic_runner(3.0, seconds=1, treadmill=True)
POSE, EVENTS, ANGLES = RUN.pose, RUN.events, RUN.angles
CAMERA = look_at(phone_camera(640, 480), [0, -4.5, 1.1], [0, 0, 1.0])
XY = project(convert(pose_arrays(POSE)[0].astype(float), "runningpose_22", "halpe_26"), CAMERA)
KP2D = poses_dataset(XY, time=POSE.time.values, image_width=640, image_height=480)

MISTAKES = {
    "lift: height as text": (lambda: lift(KP2D, height="1.72"), "height is a stature"),
    "lift: swapped": (lambda: lift(1.72, KP2D), "a pose data set is"),
    "lift: checkpoint for height": (lambda: lift(KP2D, "lifter"), "height is a stature"),
    "lift: camera for checkpoint": (lambda: lift(KP2D, 1.72, CAMERA), "not a Camera"),
    "lift: 3D": (lambda: lift(POSE), "lift needs 2D"),
    "lift: no such lifter": (lambda: lift(KP2D, checkpoint="no.pt"), "there is no file no.pt:"),
    "to_world: 2D": (lambda: to_world(KP2D), "pose3d is 2D in the image frame"),
    "to_world: array": (lambda: to_world(XY), "pose3d is an array of shape"),
    "to_world: path": (lambda: to_world("pose3d.nc"), "pose3d is 'pose3d.nc', not a Dataset"),
    "to_world: speed for treadmill": (lambda: to_world(POSE, 3.3), "treadmill is 3.3"),
    "joint_angles: table": (lambda: joint_angles(ANGLES), "pose3d is a DataFrame"),
    "joint_angles: 2D": (lambda: joint_angles(KP2D), "pose3d is 2D in the image frame"),
    "gait_events: table": (lambda: gait_events(ANGLES), "pose3d is a DataFrame"),
    "gait_events: 2D": (lambda: gait_events(KP2D), "pose3d is 2D"),
    "gait_events: cutoff as text": (lambda: gait_events(POSE, "15"), "cutoff is '15'"),
    "gait_metrics: swapped": (lambda: gait_metrics(EVENTS, POSE), "pose3d is a DataFrame"),
    "gait_metrics: tables swapped": (
        lambda: gait_metrics(POSE, ANGLES, EVENTS),
        "angles has no column 'right_knee_flexion'",
    ),
    "gait_metrics: angles for events": (
        lambda: gait_metrics(POSE, ANGLES, ANGLES),
        "events has no column 'time'",
    ),
    "gait_metrics: list": (lambda: gait_metrics(POSE, [1, 2], ANGLES), "events is a list"),
    "gait_metrics: 2D": (lambda: gait_metrics(KP2D, EVENTS, ANGLES), "pose3d is 2D"),
    "step_measures: swapped": (lambda: step_measures(EVENTS, POSE, ANGLES), "pose3d is a Data"),
    "lock_to_ground: swapped": (lambda: lock_to_ground(EVENTS, POSE), "pose3d is a DataFrame"),
    "lock_to_ground: angles": (lambda: lock_to_ground(POSE, ANGLES), "events has no column"),
    "cycle_table: swapped": (lambda: cycle_table(EVENTS, ANGLES), "events has no column"),
    "save_mot: swapped": (lambda: save_mot("a.mot", ANGLES), "angles is 'a.mot'"),
    "clean: 3D": (lambda: clean(POSE), "2D poses are needed; kp2d is 3D"),
    "clean: array": (lambda: clean(XY), "kp2d is an array of shape"),
    "clean: path": (lambda: clean("a.mp4"), "kp2d is 'a.mp4'"),
    "clean: swapped": (lambda: clean(8, KP2D), "kp2d is 8"),
    "clean: cutoff as text": (lambda: clean(KP2D, cutoff="8"), "cutoff is '8'"),
    "clean: path of a mirrored pass": (lambda: clean(KP2D, mirrored="m.nc"), "mirrored is 'm.nc'"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistake(name):
    call, about = MISTAKES[name]
    with pytest.raises((ValueError, TypeError)) as caught:
        call()
    message = str(caught.value)
    assert about in message and "\n" not in message, message


def test_camera_frame_is_said():
    "Angles against the vertical of a camera's frame come with a warning, and without one if level"
    turn = np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0.0]])
    seen = like(POSE, pose_arrays(POSE)[0] @ turn + [0, 0, 5], frame="camera")
    with pytest.warns(UserWarning, match="right only if the camera is level"):
        angles = joint_angles(seen)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert joint_angles(seen, level_camera=True).equals(angles)
        joint_angles(POSE)
        gait_events(seen)
