"""Logs that could do harm: within 100 MB and twenty times their size, in time near linear, and one line if refused."""

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from gradmidi.errors import InputError
from gradmidi.recording import Recording

pytestmark = pytest.mark.slow

MILLION = 1_000_000
READ = """
import sys, gradmidi, gradmidi.logs.source
def memory(what):
    return int(next(line for line in open('/proc/self/status') if line.startswith(what)).split()[1]) / 1024
before = memory('VmRSS')
open('/proc/self/clear_refs', 'w').write('5')  # the peak begins anew
try:
    print(len(gradmidi.Recording.from_log(sys.argv[1])))
except gradmidi.InputError as error:
    print(error)
print(memory('VmHWM') - before)
"""


def read_apart(path: Path) -> tuple[str, float]:
    """What came of reading a log in a process of its own, and the MB that it took."""
    done = subprocess.run([sys.executable, "-c", READ, path], capture_output=True, text=True, check=True, timeout=60)
    came, memory = done.stdout.splitlines()
    return came, float(memory)


def objects(*rows: dict) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


GREEDY = {
    # a row of 3 MB takes ten times as much once it is parsed; the rows together would take hundreds
    "rows.jsonl": '{"step":1}\n' * 700_000,
    # the names of the keys, spelled out, are ten thousand times as long as the file
    "long names.jsonl": '{"step":1,"'
    + "k" * 100_000
    + '":{'
    + ",".join(f'"grad{i}":1' for i in range(50_000))
    + "}}\n",
    "deep names.jsonl": '{"step":1,' + ('"a":1,"' + "k" * 990 + '":{') * 900 + '"a":1' + "}" * 901,
    # each layer has one point, at a step of its own: a table of 30,000 × 30,000
    "sparse.jsonl": "".join(f'{{"step":{i},"grad_norm/{i}":2}}\n' for i in range(30_000)),
    "empty.json": '{"a":[' + "[]," * 4 * MILLION + "[]]}\n",
    "brackets.json": "[" * 4 * MILLION,
    "texts.json": '{"a":[' + '"ab",' * 3 * MILLION + "1]}\n",
    "name.jsonl": '{"step":1,"' + "grad_norm/" * 500_000 + '":1}\n',
    "digits.jsonl": '{"step":1,"grad_norm":1' + "1" * 4 * MILLION + "}\n",
    "zeros.jsonl": "\0" * 40 * MILLION,
    "gaps.csv": "step,t," + ",".join(f"grad_norm/{i}" for i in range(999)) + "\n" + ("1,x" + "," * 999 + "\n") * 5_000,
}


@pytest.mark.parametrize("name", GREEDY)
def test_memory_stays_within_twenty_times_the_file(name, tmp_path):
    path = tmp_path / name
    path.write_text(GREEDY[name])
    _, memory = read_apart(path)
    assert memory < 100 + 20 * path.stat().st_size / 1e6


WIDE = {f"grad_norm/l{i}": 1.5 for i in range(100_000)}
MANY_COLUMNS = {
    "wide.jsonl": objects({"step": 0} | WIDE),
    "wide.csv": ",".join(["step", *WIDE]) + "\n0" + ",1.5" * len(WIDE) + "\n",
    "text.csv": ",".join(["step", "note", *WIDE]) + "\n0,x" + ",1.5" * len(WIDE) + "\n",
    "others.jsonl": objects({"step": 0, "grad_norm": 1.5} | {f"x{i}": 1.5 for i in range(100_000)}),
}


@pytest.mark.parametrize("name", MANY_COLUMNS)
@pytest.mark.parametrize("columns", [None, [*list(WIDE)[:1000], "grad_norm*"]])
def test_a_hundred_thousand_columns_are_read_in_seconds(name, columns, tmp_path):
    (tmp_path / name).write_text(MANY_COLUMNS[name])
    if name == "others.jsonl" and columns:
        columns = ["grad_norm"]
    begun = time.process_time()
    recording = Recording.from_log(tmp_path / name, columns)
    assert time.process_time() - begun < 3
    assert len(recording.layers) == (1 if name == "others.jsonl" else 100_000)


REFUSED = {
    "latin.jsonl": ('{"step": 0, "grad_norm/größe": 1}\n'.encode("latin-1"), "line 1 is not UTF-8 text; convert it"),
    "latin.csv": ("step,grad_norm/größe\n0,1\n".encode("latin-1"), "is not "),
    "utf16.jsonl": ('{"step": 0}\n'.encode("utf-16"), "is UTF-16 text; make it UTF-8, with iconv"),
    "utf16.csv": ("step,grad_norm\n0,1\n".encode("utf-16"), "is UTF-16 text; make it UTF-8, with iconv"),
    "deep.json": (b'{"a":' * 50_000 + b"1" + b"}" * 50_000, "nested too deeply"),
    "deep list.json": (b'{"step":0,"a":' + b"[" * 5_000 + b"]" * 5_000 + b"}", "nested too deeply"),
    "packed.jsonl": (b"\x1f\x8b\x08\0\0\0\0\0", "is compressed; unpack it first, with gunzip"),
    "log.jsonl.gz": (b"\x1f\x8b\x08\0\0\0\0\0", "is compressed; unpack it first, with gunzip"),
    "mlflow.db": (b"SQLite format 3\0" + bytes(100), "is a database, such as that of MLflow; export"),
    "run-x.wandb": (b":W&B\x9a\xd4\0\0", "is the file that Weights & Biases keeps for itself; export"),
    "bytes": (bytes(range(256)), "is not a text file"),
    "nothing": (b"", "is empty"),
    "blank.json": (b"\n \n", "is empty: it holds no numbers"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_log_is_refused_in_one_line_that_says_what_to_do(name, tmp_path):
    content, message = REFUSED[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        Recording.from_log(tmp_path / name)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_folder_of_weights_and_biases_says_how_to_export_it(tmp_path):
    run = tmp_path / "wandb" / "offline-run-20261125_0200-x1"
    run.mkdir(parents=True)
    (run / "run-x1.wandb").write_bytes(b":W&B\x9a\xd4\0\0")
    for folder in (tmp_path, tmp_path / "wandb", run):
        with pytest.raises(InputError, match=r"run-x1\.wandb, which is the file that .* keeps .*`wandb sync`"):
            Recording.from_log(folder)


EVIL = "\x1b[31mgrad_norm\x07\n\u202e"


@pytest.mark.parametrize("where", ["name", "step", "columns", "run", "notice"])
def test_names_from_a_log_do_not_reach_the_terminal_as_they_are(where, run_cli, tmp_path):
    rows = {
        "name": [{"step": 0, EVIL[5:]: 1, EVIL: 2}],
        "step": [{EVIL: 0, "a": 1}],
        "columns": [{"step": 0, EVIL + "loss": 1}],
        "run": [{"step": 0, "grad_norm": 1}],
        "notice": [{"step": 0, EVIL: 1}],
    }
    (tmp_path / f"{EVIL[:6]}.jsonl").write_text(objects(*rows[where]))
    options = {"columns": ["--columns", EVIL], "run": ["--run", EVIL]}.get(where, [])
    done = run_cli("import", f"{EVIL[:6]}.jsonl", *options)
    shown = done.stdout + done.stderr
    assert "Traceback" not in shown
    assert not {"\x1b", "\x07", "\u202e"} & set(shown)
    assert done.returncode == (0 if where in ("name", "notice") else 2)
    assert done.returncode == 0 or len(done.stderr.splitlines()) == 1


LOG = objects(*({"step": step, "grad_norm": {"a": 1.5, "b": 2.5}} for step in range(3)))


def test_a_log_through_a_pipe(run_cli, tmp_path):
    for command in ("cat log.jsonl | {} - ", "{} <(cat log.jsonl)"):
        line = command.format(f"{sys.executable} -m gradmidi import --json")
        (tmp_path / "log.jsonl").write_text(LOG)
        done = subprocess.run(
            ["bash", "-c", line], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["layers"] == {"a": 3, "b": 3}


def test_a_fifo_and_devices(tmp_path):
    os.mkfifo(tmp_path / "log.jsonl")
    writer = threading.Thread(target=(tmp_path / "log.jsonl").write_text, args=(LOG,))
    writer.start()
    assert len(Recording.from_jsonl(tmp_path / "log.jsonl")) == 3
    writer.join()
    for read in (Recording.from_log, Recording.from_csv, Recording.from_jsonl, Recording.from_tensorboard):
        with pytest.raises(InputError, match="it is a device, not a file"):
            read("/dev/zero")


def test_the_size_of_a_step_is_never_lost(tmp_path):
    (tmp_path / "t.csv").write_text("step,grad_norm\n9007199254740993,1\n9007199254740992,2\n")
    assert Recording.from_csv(tmp_path / "t.csv").steps.tolist() == [2**53, 2**53 + 1]
    for step in (2**63, 10**30):
        (tmp_path / "t.csv").write_text(f"step,grad_norm\n{step},1\n")
        with pytest.raises(InputError, match="must hold whole numbers"):
            Recording.from_csv(tmp_path / "t.csv")


def test_norms_beyond_a_float_are_infinite_without_a_warning(recwarn, tmp_path):
    (tmp_path / "log.jsonl").write_text('{"step": 0, "grad_norm": 1e999}\n{"step": 1, "grad_norm": 5e-324}\n')
    assert Recording.from_log(tmp_path / "log.jsonl").norms.tolist() == [[np.inf], [5e-324]]
    assert not recwarn.list
