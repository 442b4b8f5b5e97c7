"What a user meets on the command line: every mistake is one sentence, exit code 2, and nothing left behind."
import os, signal, subprocess, sys, time
from pathlib import Path

import av
import numpy as np
import pytest

from runningpose.video import VideoWriter
from runningpose.weights import find

BIN = Path(sys.executable).parent/('runningpose.exe' if os.name=='nt' else 'runningpose')
needs_weights = pytest.mark.skipif(not (find('detector') and find('heavy')), reason='the weights of BlazePose are not on this machine')
needs_sample = pytest.mark.skipif(not find('sample'), reason='the sample clip is not on this machine')

def run(*args, **env):
    return subprocess.run([BIN, *map(str, args)], capture_output=True, text=True, stdin=subprocess.DEVNULL, env=os.environ | env, timeout=120)

def complains(folder, *args, about, **env):
    "The command fails in one sentence that names the trouble, and leaves only what was there"
    before = sorted(folder.rglob('*')); r = run(*args, **env)
    assert r.returncode==2, r.stderr
    said = [s for s in r.stderr.splitlines() if s.startswith('runningpose: ')]
    assert len(said)==1 and about in said[0] and 'Traceback' not in r.stderr, r.stderr
    assert sorted(folder.rglob('*'))==before
    return said[0]

def film(path, frames=30, size=(640, 360), seed=0):
    "A film with noise and nobody in it"
    rng = np.random.default_rng(seed)
    with VideoWriter(path, *size, 30) as w:
        for _ in range(frames): w.write(rng.integers(0, 60, (size[1], size[0], 3), dtype=np.uint8))
    return path

def test_no_such_file(tmp_path): complains(tmp_path, tmp_path/'run.mp4', '--out', tmp_path/'o', about='run.mp4')

def test_text_file(tmp_path):
    f = tmp_path/'notes.mp4'; f.write_text('Monday: 10 km easy\n'*100)
    complains(tmp_path, f, '--out', tmp_path/'o', about='notes.mp4')

def test_audio_only(tmp_path):
    f = tmp_path/'sound.m4a'
    with av.open(str(f), 'w') as box:
        s = box.add_stream('aac', rate=44100)
        a = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format='fltp', layout='mono'); a.rate = 44100
        for p in (*s.encode(a), *s.encode(None)): box.mux(p)
    complains(tmp_path, f, '--out', tmp_path/'o', about='sound.m4a')

def test_one_frame(tmp_path): complains(tmp_path, film(tmp_path/'still.mp4', 1), '--out', tmp_path/'o', about='frame')

def test_truncated(tmp_path):
    f = film(tmp_path/'whole.mp4', 60); data = f.read_bytes(); f.unlink()
    g = tmp_path/'cut.mp4'; g.write_bytes(data[:len(data)//2])
    if find('detector') and find('heavy'): complains(tmp_path, g, '--out', tmp_path/'o', about='cut.mp4')
    g.write_bytes(data[:600]); complains(tmp_path, g, '--out', tmp_path/'o', about='cut.mp4')

def test_unwritable_folder(tmp_path):
    f = film(tmp_path/'a.mp4'); (tmp_path/'file').write_text('')
    complains(tmp_path, f, '--out', tmp_path/'file', about='is a file')
    complains(tmp_path, f, '--out', tmp_path/'file'/'below', about='below')
    (tmp_path/'full').mkdir(); (tmp_path/'full'/'thesis.doc').write_text('')
    complains(tmp_path, f, '--out', tmp_path/'full', about='other files')

def test_box_is_checked(tmp_path): complains(tmp_path, film(tmp_path/'a.mp4'), '--out', tmp_path/'o', '--box', '1,2,3', about='x,y,width,height')

def test_no_network_and_no_weights(tmp_path, tmp_path_factory):
    nowhere, home, own = 'http://127.0.0.1:9', str(tmp_path_factory.mktemp('home')), str(tmp_path_factory.mktemp('weights'))
    said = complains(tmp_path, film(tmp_path/'a.mp4'), '--out', tmp_path/'o', about='RUNNINGPOSE_WEIGHTS', RUNNINGPOSE_WEIGHTS=own,
                     XDG_CACHE_HOME=home, LOCALAPPDATA=home, HOME=home, http_proxy=nowhere, https_proxy=nowhere,
                     HTTPS_PROXY=nowhere, npm_config_https_proxy=nowhere, npm_config_fetch_retries='0', npm_config_cache=home,
                     PIP_RETRIES='0', PIP_NO_INDEX='1', PATH='')
    for way in ('RUNNINGPOSE_WEIGHTS', 'cache', 'https://', 'mediapipe'): assert way in said

@needs_weights
def test_nobody_in_the_film(tmp_path): complains(tmp_path, film(tmp_path/'empty.mp4'), '--out', tmp_path/'o', about='no person')

@needs_weights
@needs_sample
@pytest.mark.skipif(os.name=='nt', reason='signals of POSIX')
@pytest.mark.parametrize('how', [signal.SIGINT, signal.SIGKILL])
def test_interrupted(tmp_path, how):
    "An interrupted run leaves no folder that looks finished"
    p = subprocess.Popen([BIN, str(find('sample')), '--out', str(tmp_path/'o'), '--box', '1168,400,594,594', '--start', '2.53', '--end', '4.5'],
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
                         preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))  # a job in the background ignores Ctrl-C otherwise
    t = time.time()
    while not list(tmp_path.glob('.o.*.part/overlay.mp4*')) and p.poll() is None and time.time()-t<100: time.sleep(.02)
    assert p.poll() is None, p.stderr.read().decode()
    p.send_signal(how); p.wait(30)
    assert not (tmp_path/'o').exists()
    if how==signal.SIGINT: assert p.returncode==130 and not list(tmp_path.iterdir())
