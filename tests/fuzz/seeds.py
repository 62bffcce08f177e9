"""Small valid files of every kind that gradmidi reads, from which the mutants are made."""

from __future__ import annotations

import csv
import gzip
import io
import json
import math
import struct
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from gradmidi.experiments.digits import IMAGES, LABELS
from gradmidi.recording import Recording
from tests.fuzz.mutators.events import framed

ROOT = Path(__file__).parents[2]
SCALA = ROOT / "tests" / "theory" / "data"
PURE_TONE = ROOT / "soundfonts" / "pure-tone.sf2"
Files = dict[str, bytes | None]  # content by name below the case's folder; None is a folder
STEPS = 12
LAYERS = ("conv1", "fc.weight", "größe")


def _recording(gaps: bool) -> Recording:
    rng = np.random.default_rng(5)
    norms = np.exp(rng.normal(0, 1, (STEPS, len(LAYERS))))
    empty = np.zeros(norms.shape, dtype=bool)
    if gaps:
        norms[3, 1], norms[4, 0], norms[5, 2] = np.nan, np.inf, 0.0
        norms[7:9, 2], empty[7:9, 2] = np.nan, True
    metrics = {"loss": np.linspace(2.3, 0.1, STEPS), "epoch": np.repeat([1.0, 2.0], STEPS // 2)}
    return Recording(LAYERS, np.arange(STEPS) * 10, norms, metrics, {"title": "a seed: of #6", "seed": "6"}, empty)


def saved(name: str, gaps: bool) -> Files:
    """What gradmidi itself writes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, name)
        _recording(gaps).save(path)
        return {name: path.read_bytes()}


def foreign_csv() -> list[Files]:
    head = ["step", "epoch", "grad_norm/conv1", "grad_norm/fc1", "train_loss", "note"]
    rows = [[n * 5, n // 4, f"{0.5 + n:g}", f"{math.exp(-n):.17g}", f"{2 / (1 + n):g}", "ok"] for n in range(STEPS)]
    rows[4][3] = rows[6][4] = ""
    plain = [["step", "a", "b"], *([n, n / 3, 2.0**-n] for n in range(STEPS))]
    with_comma = [[str(cell).replace(".", ",") for cell in row] for row in plain]
    index = [["", "iteration", "grad.l2"], *([n, 2 * n, n + 0.5] for n in range(STEPS))]
    tables = ((",", [head, *rows]), (",", plain), (";", with_comma), ("\t", index))
    return [{"log.csv": _csv(rows, delimiter)} for delimiter, rows in tables]


def _csv(rows: list[list[object]], delimiter: str = ",", quoting: int = csv.QUOTE_MINIMAL) -> bytes:
    written = io.StringIO(newline="")
    csv.writer(written, delimiter=delimiter, quoting=quoting, lineterminator="\n").writerows(rows)
    return written.getvalue().encode()


def _lines(rows: list[dict[str, object]]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def jsonl() -> list[Files]:
    nested = [{"step": n, "loss": 1 / (n + 1), "grad_norm": {"conv1": n + 0.5, "fc1": "NaN"}} for n in range(STEPS)]
    flat = [{"iter": n, "gradients/a": 1e-3 * n, "gradients/b": None, "text": "é"} for n in range(STEPS)]
    return [{"log.jsonl": _lines(nested)}, {"log.ndjson": _lines(flat)}]


def wandb() -> list[Files]:
    names = ["Step", *(f"calm-sea-1 - grad_norm/a{end}" for end in ("", "__MIN", "__MAX")), "calm-sea-1 - train/loss"]
    chart = [names, *([n, n + 0.5, n, n + 1, 1 / (n + 1)] for n in range(STEPS))]
    head = ["_step", "_runtime", "_timestamp", "trainer/global_step", "gradients/c", "grad_norm/c", "train/loss"]
    history = [head, *([n, 1.5, 1.7e9, n if n % 3 else "", "{'_type': 'histogram'}", n / 2, 1.0] for n in range(STEPS))]
    lines = [{"_step": n, "_timestamp": 1.7e9, "grad_norm": {"c": n / 2}, "h": {"bins": [1, 2]}} for n in range(STEPS)]
    return [
        {"chart.csv": _csv(chart, quoting=csv.QUOTE_ALL)},
        {"history.csv": _csv(history)},
        {"history.jsonl": _lines(lines)},
    ]


def json_files() -> list[Files]:
    """A list of objects, an object of objects, and the state of a Hugging Face Trainer."""
    rows = [{"step": n, "loss": 1 / (n + 1), "grad_norm/a": n + 0.5, "grad_norm/b": 0.5} for n in range(STEPS)]
    columns = {"step": list(range(STEPS)), "grad_norm/a": [0.5] * STEPS, "loss": [1.0] * STEPS}
    return [
        {"log.json": json.dumps(rows).encode()},
        {"log.json": json.dumps({"log_history": rows}, indent=1).encode()},
        {"log.json": json.dumps(columns).encode()},
        {"trainer_state.json": json.dumps(_trainer_state(STEPS), indent=2).encode()},
    ]


def _trainer_state(steps: int) -> dict[str, object]:
    keys = ("loss", "grad_norm", "learning_rate", "epoch", "grad_norm/a", "grad_norm/b")
    history = [{**dict.fromkeys(keys, n + 0.5), "step": n + 1} for n in range(steps)]
    return {"epoch": 1.0, "global_step": steps, "log_history": [*history, {"eval_loss": 1.0, "step": steps}]}


def trainer() -> list[Files]:
    """An output folder with checkpoints, and a checkpoint alone."""
    states = {n: json.dumps(_trainer_state(n)).encode() for n in (3, STEPS)}
    checkpoints = {f"checkpoint-{n}/trainer_state.json": state for n, state in states.items()}
    return [{"trainer_state.json": states[STEPS], **checkpoints}, checkpoints, {"trainer_state.json": states[3]}]


def csv_logger() -> list[Files]:
    """Lightning's, in which a row of the training and one of the validation leave cells of each other's empty."""
    head: list[object] = ["epoch", "grad_norm/a", "grad_norm/b", "step", "train_loss", "val_loss"]
    table = _csv([head, *([0, n + 0.5, 2.0, n, 0.5, ""] if n % 4 else [0, "", "", n, "", 0.25] for n in range(STEPS))])
    return [
        {"metrics.csv": table},
        {"lightning_logs/version_0/metrics.csv": table, "lightning_logs/version_0/hparams.yaml": b"lr: 0.1\n"},
        {"version_0/metrics.csv": table, "version_1/metrics.csv": table},
    ]


def dllogger() -> list[Files]:
    lines = ['DLLL {"timestamp": "1.5", "datetime": "2026-01-01", "type": "METADATA", "metric": "a", "metadata": {}}']
    for n in range(STEPS):
        data = {"train.loss": 1.5, "grad_norm.a": n + 0.5, "grad_norm.b": 0.5, "text": "é"}
        lines.append("DLLL " + json.dumps({"timestamp": "1.5", "type": "LOG", "step": [n // 6, n % 6], "data": data}))
    return [
        {"log.txt": ("\n".join(lines) + "\n").encode()},
        {"out.log": ("starting\n0: " + "\n0: ".join(lines)).encode()},
    ]


def mlflow() -> list[Files]:
    """A store of two runs, and a run's own folder."""
    points = "".join(f"{1795575750260 + n} {n + 0.5} {n}\n" for n in range(STEPS)).encode()
    names = ("metrics/grad_norm/a", "metrics/grad_norm/b", "metrics/train/loss")
    run: Files = {**dict.fromkeys(names, points), "meta.yaml": b"run_id: 78e0\nlifecycle_stage: active\n"}
    named: Files = {**run, "tags/mlflow.runName": b"calm sea", "params/lr": b"0.01"}
    store: Files = {"mlruns/1/meta.yaml": b"experiment_id: '1'\n"}
    one: Files = {f"mlruns/1/78e0/{name}": content for name, content in named.items()}
    two: Files = {f"mlruns/1/ffff/{name}": content for name, content in run.items()}
    return [run, {**store, **one}, {**store, **one, **two}]


def event_folders() -> list[Files]:
    """A run, and two runs of which one is a summary without norms."""
    plain, tensors = event_files()
    (name, content), (_, other) = next(iter(plain.items())), next(iter(tensors.items()))
    return [
        {name: content, name.replace("1.0", "2.0"): other},
        {f"train/{name}": content, f"hparams/{name}": framed([b""])},
    ]


def event_files() -> list[Files]:
    """One file of plain values and one of tensors, as TensorBoard 1 and 2 write them."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.compat.proto.tensor_pb2 import TensorProto

    tags = ("grad_norm/conv1", "grad_norm/fc1", "train/loss")
    plain, tensors = ([Event(wall_time=1.7e9, file_version="brain.Event:2")] for _ in range(2))
    for n in range(STEPS):
        values = [Summary.Value(tag=tag, simple_value=n + 0.5) for tag in tags]
        plain.append(Event(wall_time=1.7e9 + n, step=n, summary=Summary(value=values)))
        boxed = [Summary.Value(tag=tag, tensor=TensorProto(dtype=1, float_val=[n + 0.5])) for tag in tags]
        tensors.append(Event(wall_time=1.7e9 + n, step=n, summary=Summary(value=boxed)))
    name = "events.out.tfevents.1700000000.host.1.0"
    return [{name: framed([event.SerializeToString() for event in events])} for events in (plain, tensors)]


def scl() -> list[Files]:
    return [{"x.scl": path.read_bytes()} for path in _small(SCALA, "*.scl")]


def kbm() -> list[Files]:
    """A mapping, with a scale that it fits."""
    scale = (SCALA / "just-major.scl").read_bytes()
    return [{"x.kbm": path.read_bytes(), "x.scl": scale} for path in _small(SCALA, "*.kbm")]


def _small(folder: Path, names: str) -> list[Path]:
    return [path for path in sorted(folder.glob(names)) if path.stat().st_size < 1000]


SCALES = (
    'name = "five of mine"\ntonic = "D4"\ncents = [0, 231, 474, 717, 955]\n',
    'ratios = ["1/1", "9/8", 1.25, "3/2"]\nperiod = "2/1"\na4 = 415.0\n',
    'semitones = [0, 2, 3.5, 7]\nperiod = "none"\ntonic = 57\nsource = "own"\n',
    'equal = 19\nperiod = 3\naliases = ["a", "b"]\nfamily = "xenharmonic"\n',
)

VOICES = (
    '[[voice]]\ninstrument = "Cello"\npan = 20\nvolume = 100\nvelocity = 8\noctave = -1\n[[voice]]\ninstrument = 73\n',
    "[[voice]]\ninstrument = 12\noctave = 0.5\n\n[[voice]]\n\n[[voice]]\npan = 0\n",
)


def toml(name: str, texts: tuple[str, ...]) -> list[Files]:
    return [{name: text.encode()} for text in texts]


def midi() -> list[Files]:
    """Our own file, and one by hand with running status, sysex and tempo changes."""
    from gradmidi.composition import compose

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "x.mid")
        compose(_recording(gaps=True), style="chord").save_midi(path, tuning="bend")
        own = path.read_bytes()
    events = b"\0\xff\x51\x03\x07\xa1\x20\0\xff\x03\x04name\0\xc0\x05\0\x90\x3c\x40\x60\x3c\0\0\x40\x40\x60\x40\0"
    events += (
        b"\x81\x70\xff\x51\x03\x0f\x42\x40\0\xf0\x05\x7e\x7f\x09\x01\xf7\0\xb0\x07\x64\0\xff\x59\x02\x02\0\0\xff\x2f\0"
    )
    return [{"x.mid": own}, {"x.mid": _midi(0, [events])}, {"x.mid": _midi(1, [events, events])}]


def _midi(kind: int, tracks: list[bytes]) -> bytes:
    head = b"MThd" + struct.pack(">I3H", 6, kind, len(tracks), 96)
    return head + b"".join(b"MTrk" + struct.pack(">I", len(track)) + track for track in tracks)


def soundfont() -> list[Files]:
    return [{"x.sf2": PURE_TONE.read_bytes()}]


def mnist() -> list[Files]:
    """The folders that are looked for, packed or not; eight digits."""
    rng = np.random.default_rng(3)
    arrays = {IMAGES: rng.integers(0, 256, (8, 28, 28), dtype=np.uint8), LABELS: np.arange(8, dtype=np.uint8)}
    contents = {name: struct.pack(f">HBB{a.ndim}I", 0, 8, a.ndim, *a.shape) + a.tobytes() for name, a in arrays.items()}
    packed = {f"{name}.gz": gzip.compress(content) for name, content in contents.items()}
    both = {**contents, **packed}
    return [
        *({below + name: content for name, content in contents.items()} for below in ("", "MNIST/raw/")),
        *({below + name: content for name, content in packed.items()} for below in ("", "raw/")),
        {"MNIST/raw/" + name: content for name, content in both.items()},
        {f"{IMAGES}.gz": packed[f"{IMAGES}.gz"], LABELS: contents[LABELS]},
        {IMAGES: None, LABELS: contents[LABELS], f"MNIST/raw/{IMAGES}": contents[IMAGES]},
    ]


Seeds = Callable[[], list[Files]]
