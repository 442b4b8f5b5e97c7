"""Videos in many containers give the frames that were asked for, or say which they do not give."""

import os
import socket
import warnings
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
import pytest

from runningpose.cli.app import first_picture
from runningpose.pipeline.analyze import analyze
from runningpose.pose2d.backend import BACKENDS, infer_video
from runningpose.poses import poses_dataset
from runningpose.show.keyframes import key_frames
from runningpose.show.overlay import poster
from runningpose.synthetic import synthetic_runner
from runningpose.video.container import OLDEST_PYAV
from runningpose.video.reader import VideoError, frames_at, probe, read_frames

FRAMES, FPS, BITS = 60, 30, 7
SIZE = (160, 96)  # px
STARTS_S = (0.0, 0.31, 0.97, 1.0, 1.34, 1.9)  # s after the first frame

H264 = dict(crf="14", preset="ultrafast", g="20", bf="2")
HEVC = {
    "crf": "14",
    "preset": "ultrafast",
    "x265-params": "log-level=none:keyint=20:min-keyint=20:bframes=2",
}
MPEG2 = dict(qmin="1", qmax="3", g="12", bf="2")


class Kind(NamedTuple):
    "A way to store a video"

    codec: str = "libx264"
    options: dict = H264
    muxer: str | None = None
    flags: dict = {}  # of the muxer
    first: float = 0.0  # time of the first frame, s
    clock: Fraction = Fraction(1, FPS)
    shown: str = "file"  # whose clock


KINDS = {
    "clip.mp4": Kind(),
    "clip.ts": Kind(muxer="mpegts"),
    "clip.mts": Kind(muxer="mpegts"),
    "hevc.ts": Kind("libx265", HEVC, muxer="mpegts"),
    "clip.mpg": Kind("mpeg2video", MPEG2),
    "hevc.mp4": Kind("libx265", HEVC),
    "fragmented.mp4": Kind(flags=dict(movflags="frag_keyframe+empty_moov")),
    "hevc_fragmented.mp4": Kind(
        "libx265", HEVC, flags=dict(movflags="frag_every_frame+empty_moov")
    ),
    "clip.mkv": Kind(),
    "negative.mkv": Kind(first=-0.5, flags=dict(avoid_negative_ts="disabled")),
    "clip.flv": Kind(),
    "b_frames.avi": Kind(clock=Fraction(1, 600)),
    "mpeg4.avi": Kind("mpeg4", dict(qmin="1", qmax="3", bf="2", g="20")),
    "clip.gif": Kind("gif", {}, clock=Fraction(1, 100)),
    "bare.h264": Kind(muxer="h264", shown="named"),
    "no_rate.h264": Kind(muxer="h264", clock=Fraction(1, 90000), shown="assumed"),
    "bare.h265": Kind("libx265", HEVC, muxer="hevc", shown="named"),
}
PIXELS = dict(gif="rgb8", prores_ks="yuv422p10le", png="rgb24", rawvideo="rgb24")


def picture(number):
    "A picture that holds its number in white and black squares"
    image = np.full((SIZE[1], SIZE[0], 3), 90, np.uint8)
    image[..., 1] = np.linspace(40, 200, SIZE[0])
    for bit in range(BITS):
        x = 8 + 20 * bit
        image[8:40, x : x + 20] = 235 if number >> bit & 1 else 16
    x = 2 * number
    image[60:80, x : x + 20] = [250, 60, 20]
    return image


def number_of(rgb):
    "The number that a picture holds"
    row = rgb[16:32].mean((0, 2))
    return sum(
        int(row[8 + 20 * bit + 6 : 8 + 20 * bit + 14].mean() > 125) << bit for bit in range(BITS)
    )


def write_clip(path, kind):
    with av.open(str(path), "w", format=kind.muxer, options=dict(kind.flags)) as container:
        stream = container.add_stream(kind.codec, rate=FPS, options=dict(kind.options))
        stream.width, stream.height = SIZE
        stream.pix_fmt = PIXELS.get(kind.codec, "yuv420p")
        stream.codec_context.time_base = kind.clock
        for i in range(FRAMES):
            frame = av.VideoFrame.from_ndarray(picture(i), format="rgb24")
            frame = frame.reformat(format=stream.pix_fmt)
            frame.time_base = kind.clock
            frame.pts = round((i / FPS + kind.first) / kind.clock)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clips")
    return {name: write_clip(folder / name, kind) for name, kind in KINDS.items()}


def quietly(function, *args, **kwargs):
    "What a function gives, and what it warns of"
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        return function(*args, **kwargs), [str(w.message) for w in caught]


def numbers(path, **part):
    found, said = quietly(lambda: [number_of(f.rgb()) for f in read_frames(path, **part)])
    return found, said


@pytest.mark.parametrize("name", KINDS)
def test_all_frames_and_every_start(clips, name):
    "The frames after a start are those that the MP4 gives after it"
    path, info = clips[name], probe(clips[name])
    assert info.clock == KINDS[name].shown
    everything, said = numbers(path)
    assert everything == list(range(FRAMES)) == list(range(info.frames))
    assert bool(said) == (name == "negative.mkv" or info.clock != "file"), said
    for start in STARTS_S:
        first = int(np.searchsorted(info.times - info.times[0], start - 1e-6))
        (found, _), _ = quietly(
            numbers, path, start=info.times[0] + start, end=info.times[0] + start + 0.2
        )
        assert found == list(range(first, first + len(found))) and found, (start, found[:3])


@pytest.mark.parametrize("name", KINDS)
def test_single_frames_and_poster(clips, name):
    "The picture that belongs to a time, also before zero"
    info = probe(clips[name])
    for frame in quietly(frames_at, clips[name], [info.times[33], info.times[7]])[0]:
        assert number_of(frame.rgb()) == frame.index
    xy = np.full((FRAMES, 26, 2), np.nan)
    xy[33] = np.random.default_rng(0).uniform(70, 90, (26, 2))  # off the squares that are read
    kp = poses_dataset(xy, skeleton="halpe_26", time=info.times, fps=info.fps)
    assert number_of(quietly(poster, clips[name], kp, SIZE[1])[0]) == 33


def test_key_frames_show_the_moment_of_their_skeleton(clips):
    "Key frames of a transport stream are those of the MP4"
    shots = {}
    for name in ("clip.mp4", "clip.ts", "hevc_fragmented.mp4", "negative.mkv"):
        time = probe(clips[name]).times
        run = synthetic_runner(seconds=2, fps=FPS)
        xy = np.random.default_rng(0).uniform(5, 90, (FRAMES, 26, 2))
        kp = poses_dataset(xy, skeleton="halpe_26", time=time, fps=FPS)
        events = run.events.assign(time=run.events.time + time[0], confidence=1.0)
        angles = run.angles.set_index(time[: len(run.angles)])
        shots[name] = quietly(key_frames, clips[name], kp, angles, events)[0]
    assert shots["clip.mp4"]
    for name, pictures in shots.items():
        assert len(pictures) == len(shots["clip.mp4"])
        for one, other in zip(pictures, shots["clip.mp4"], strict=True):
            assert abs(one.rgb.astype(int) - other.rgb).mean() < 3, (name, one.moment)


def cut(path, new, share):
    new.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    return new


@pytest.mark.parametrize(
    "name", ["clip.mkv", "clip.mpg", "clip.ts", "clip.flv", "b_frames.avi", "fragmented.mp4"]
)
def test_cut_files_give_what_they_promise(clips, name, tmp_path):
    "Probe and reader agree on a file that ends too early, and the loss is told where it shows"
    path = cut(clips[name], tmp_path / name, 0.6)
    info = probe(path)
    found, said = numbers(path)
    assert len(found) == info.frames and 20 < info.frames < FRAMES
    if name in ("clip.mkv", "clip.flv", "b_frames.avi"):
        assert abs(info.missing + info.frames - FRAMES) <= 1
        assert any("was cut off" in line for line in said)


def test_beginning_in_the_middle(clips, tmp_path):
    "Frames that need others before them are counted"
    data = clips["clip.ts"].read_bytes()
    path = tmp_path / "tail.ts"
    path.write_bytes(data[len(data) * 3 // 10 // 188 * 188 :])
    found, said = numbers(path)
    assert found == list(range(found[0], FRAMES)) and len(found) == probe(path).frames
    assert any("frames cannot be decoded" in line for line in said)


def test_glued_recordings_are_not_mixed(clips, tmp_path):
    "What comes after a clock starts again is left out and counted"
    data = clips["clip.ts"].read_bytes()
    path = tmp_path / "glued.ts"
    path.write_bytes(data[: len(data) // 2 // 188 * 188] + data)
    found, said = numbers(path)
    assert found == sorted(set(found)) and len(found) == probe(path).frames
    assert any("starts again" in line and f"{FRAMES} of" in line for line in said), said


def damaged(path, new, number):
    "A copy of an MP4 whose packet of that number is empty of sense"
    with av.open(str(path)) as container:
        packets = [p for p in container.demux(video=0) if p.size]
        place = packets[number].pos, packets[number].size
    data = bytearray(path.read_bytes())
    data[place[0] : sum(place)] = bytes(place[1])
    new.write_bytes(data)
    return new


def by_numbers(clip, **options):
    "A toy backend: the number of every picture as its keypoints"
    found = [number_of(frame.rgb(*SIZE)) for frame in clip.frames()]
    xy = np.tile(np.array(found, float)[:, None, None], (1, 26, 2))
    return poses_dataset(xy, skeleton="halpe_26", time=clip.times, fps=clip.fps)


@pytest.fixture
def toy_backend():
    BACKENDS["numbers"] = by_numbers
    yield "numbers"
    del BACKENDS["numbers"]


def test_a_frame_that_cannot_be_decoded_shifts_nothing(clips, tmp_path, toy_backend):
    "Keypoints stay with their times when the decoder gives fewer frames than the index"
    path = damaged(clips["hevc.mp4"], tmp_path / "damaged.mp4", 25)
    ds, said = quietly(infer_video, path, toy_backend, progress=False)
    number = ds.position.values[:, 0, 0, 0]
    assert len(number) < FRAMES and len(number) == probe(path).frames
    assert np.allclose(ds.time.values, number / FPS, atol=1e-3)
    assert any("cannot be decoded" in line for line in said)


@pytest.mark.parametrize("name", ["negative.mkv", "no_rate.h264", "clip.mts", "b_frames.avi"])
def test_inference_to_the_end_and_from_a_start(clips, name, toy_backend):
    info = probe(clips[name])
    for start in (None, info.times[0] + 1.0):
        ds, _ = quietly(infer_video, clips[name], toy_backend, progress=False, start=start)
        number = ds.position.values[:, 0, 0, 0]
        assert number[-1] == FRAMES - 1 and (np.diff(number) == 1).all()
    assert ds.attrs["clock"] == info.clock


def test_the_larger_of_two_streams(tmp_path):
    path = tmp_path / "two.mp4"
    with av.open(str(path), "w") as container:
        streams = [container.add_stream("libx264", rate=FPS) for _ in range(2)]
        for stream, (width, height) in zip(streams, ((80, 48), SIZE), strict=True):
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for i in range(12):
            image = av.VideoFrame.from_ndarray(picture(i), format="rgb24")
            for stream in streams:
                frame = image.reformat(stream.width, stream.height)
                frame.pts, frame.time_base = i, Fraction(1, FPS)
                container.mux(stream.encode(frame))
        for stream in streams:
            container.mux(stream.encode())
    found, said = numbers(path)
    assert found == list(range(12)) and (probe(path).width, probe(path).height) == SIZE
    assert any("2 video streams" in line and "80x48" in line for line in said)


def test_a_playlist_opens_no_other_file(clips, tmp_path):
    "Not even one that exists and is a video"
    lists = {
        "list.m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:2,\n{}\n#EXT-X-ENDLIST\n",
        "list.mp4": "ffconcat version 1.0\nfile {}\n",
    }
    for name, text in lists.items():
        text = text.format(clips["clip.ts"])
        (tmp_path / name).write_text(text)
        with pytest.raises(VideoError, match="list of other files or streams"):
            probe(tmp_path / name)


def test_the_oldest_pyav_is_the_one_that_is_required():
    settings = Path(__file__).parent.parent.joinpath("settings.ini").read_text()
    assert f" av>={'.'.join(map(str, OLDEST_PYAV))} " in settings


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="signals of POSIX, pipes likewise")
@pytest.mark.parametrize("kind", ["a named pipe", "a socket"])
@pytest.mark.parametrize("read", [probe, read_frames, frames_at, analyze, first_picture])
def test_what_is_no_regular_file_is_refused_at_once(tmp_path, kind, read):
    "Opening a pipe to which nobody writes would wait for ever"
    video = tmp_path / "run.mp4"
    if kind == "a socket":
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(video))
    else:
        os.mkfifo(video)
    with pytest.raises(VideoError, match=f"run.mp4 is {kind}; a video is needed"):
        list(read(video, [0.5]) if read is frames_at else read(video))


CODECS = {
    "h264.mov": Kind(),
    "prores.mov": Kind("prores_ks", {}),
    "png.mov": Kind("png", {}),
    "raw.mov": Kind("rawvideo", {}),
}


def flipped(content, seed):
    "Some bits of a file turned round: in its header, and anywhere"
    rng, content = np.random.default_rng(seed), bytearray(content)
    first = content.rfind(b"moov") if seed % 2 else 0
    for place in rng.integers(first, len(content), 1 + seed % 8):
        content[place] ^= 1 << int(rng.integers(8))
    return bytes(content)


@pytest.mark.parametrize("name", CODECS)
def test_flipped_bits_end_in_a_sentence(tmp_path, name):
    "Whatever container and decoder make of them; frames are read, or it is a VideoError"
    whole = write_clip(tmp_path / name, CODECS[name]).read_bytes()
    video = tmp_path / f"flipped_{name}"
    read = 0
    for seed in range(40):
        video.write_bytes(flipped(whole, seed))
        try:
            found, _ = quietly(lambda: [frame.rgb().shape for frame in read_frames(video)])
            read += len(found) > 0
        except VideoError as error:
            assert str(video) in str(error) and "\n" not in str(error)
    assert read


def test_every_picture_damaged(tmp_path):
    "A decoder that fails with an error of its own"
    whole = write_clip(tmp_path / "png.mov", CODECS["png.mov"]).read_bytes()
    video = tmp_path / "damaged.mov"
    video.write_bytes(whole.replace(b"IDAT", b"IDAU"))
    with pytest.raises(VideoError, match="no frame that can be decoded"):
        probe(video)
