"""Whether what a reader gave, or said, is right."""

from dataclasses import fields, is_dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import xarray as xr

from runningpose.camera import Camera
from runningpose.failures import is_users
from runningpose.poses import FRAMES, MAX_COORDINATE, MAX_FPS

LONGEST = 500  # of a sentence without the path, characters


def refusal_fault(error, path):
    "What is wrong with an error: '' for one sentence of the right kind that names the file"
    kind = type(error).__name__
    if not isinstance(error, (ValueError, OSError)) or not is_users(error):
        return f"traceback: {kind}"
    text = str(error)
    files = {path.name, path.parent.name, *(p.name for p in path.parent.iterdir())}
    if not any(name in text for name in files):
        return f"unnamed: {kind}"
    if "\n" in text.strip() or len(text.replace(str(path), "")) > LONGEST:
        return f"no sentence: {kind}"
    return ""


def memory_ran_out(error):
    "Whether memory ran out somewhere below an error"
    seen = set()
    while error is not None and id(error) not in seen:
        if isinstance(error, MemoryError) or "can't allocate memory" in str(error):
            return True
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return False


def parts_of(value):
    "The parts of a container or record, with their names; nothing for anything else"
    if isinstance(value, xr.Dataset):
        yield from ((str(name), array.values) for name, array in value.variables.items())
    elif isinstance(value, pd.DataFrame):
        yield from ((str(name), value[name].to_numpy()) for name in value)
    elif isinstance(value, torch.nn.Module):
        yield from ((name, t.numpy()) for name, t in value.state_dict().items())
    elif isinstance(value, dict):
        yield from ((str(name), part) for name, part in value.items())
    elif hasattr(value, "_asdict"):
        yield from value._asdict().items()
    elif is_dataclass(value):
        yield from ((field.name, getattr(value, field.name)) for field in fields(value))
    elif isinstance(value, list | tuple):
        yield from ((str(k), part) for k, part in enumerate(value))
    elif isinstance(value, np.ndarray) and value.dtype.hasobject:
        yield from ((str(k), part) for k, part in enumerate(value.ravel().tolist()))


def leaves(value, name=""):
    "All that was read: the name of each part to its shape and its values, as text"
    if isinstance(value, Path):
        return {}
    if isinstance(value, np.ndarray) and not value.dtype.hasobject:
        shape = [*value.shape, value.dtype.kind]
        return {name: [shape, [repr(v) for v in value.ravel().tolist()]]}
    found = {}
    inner = list(parts_of(value))
    for part_name, part in inner:
        found |= leaves(part, f"{name}/{part_name}")
    if not inner and not isinstance(value, xr.Dataset | pd.DataFrame | np.ndarray):
        text = type(value).__name__ if hasattr(value, "__dict__") else repr(value)
        found[name] = [[], [text]]
    if isinstance(value, xr.Dataset):
        found |= leaves(dict(value.attrs), f"{name}/attrs")
    return found


def fault_of(value):
    "Why what was read cannot be: '' where it can"
    if isinstance(value, xr.Dataset):
        return poses_fault(value)
    if isinstance(value, Camera):
        return camera_fault(value)
    if isinstance(value, torch.nn.Module):
        finite = all(torch.isfinite(t).all() for t in value.state_dict().values())
        return "" if finite else "weights that are no numbers"
    if type(value).__name__ == "Video":
        return video_fault(value)
    if isinstance(value, str):
        return "a number in the page is nan or inf" if ">nan<" in value or ">inf<" in value else ""
    if isinstance(value, np.ndarray) and value.dtype.kind == "f":
        # of recordings, m
        return "" if not (np.abs(value) > MAX_COORDINATE["m"]).any() else "values beyond any body"
    return next((fault for _, part in parts_of(value) if (fault := fault_of(part))), "")


def poses_fault(ds):
    position, confidence, time = (ds[name].values for name in ("position", "confidence", "time"))
    checks = {
        "no frame": len(time) > 0,
        "infinite points": not np.isinf(position).any(),
        "points far away": not (np.abs(position) > MAX_COORDINATE[FRAMES[ds.attrs["frame"]]]).any(),
        "confidence outside of 0..1": ((confidence >= 0) & (confidence <= 1)).all(),
        "times that are no numbers": np.isfinite(time).all(),
        "times that do not rise": (np.diff(time) > 0).all(),
        "a rate that cannot be": 0 <= (ds.attrs.get("fps") or 0) <= MAX_FPS,
        "hours of nothing": len(time) < 100_000,
    }
    return next((fault for fault, fine in checks.items() if not fine), "")


def camera_fault(camera):
    numbers = np.r_[camera.f, camera.c, camera.dist, np.ravel(camera.R), np.ravel(camera.t)]
    checks = {
        "numbers of a camera that are none": np.isfinite(numbers).all(),
        "a picture that cannot be": 0 < min(camera.width, camera.height) < 65_536
        and max(camera.width, camera.height) < 65_536,
        "a rotation that is none": np.allclose(camera.R @ camera.R.T, np.eye(3), atol=1e-2),
        "focal lengths that cannot be": 1 <= min(camera.f) <= max(camera.f) < 1e7,
        "a camera far away": np.linalg.norm(camera.t) < 1e5,
    }
    return next((fault for fault, fine in checks.items() if not fine), "")


def video_fault(video):
    info = video.info
    checks = {
        "no frame was read": len(video.times) > 0,
        "more frames than the file has": len(video.times) <= info.frames,
        "times that do not rise": (np.diff(video.times) > 0).all(),
        "times that are no numbers": np.isfinite(info.times).all(),
        "a rate that cannot be": 0 < info.fps <= MAX_FPS,
        "a picture that cannot be": 0 < min(info.width, info.height) < 65_536,
        "a length that cannot be": 0 < info.duration < 1e6,
    }
    return next((fault for fault, fine in checks.items() if not fine), "")
