"""Event files written by torch and by TensorBoard itself, against what was put in and against TensorBoard's reader."""

import subprocess
import sys
import time

import numpy as np
import pytest
import torch

from gradmidi.composition import compose
from gradmidi.errors import InputError
from gradmidi.recording import Recording

pytest.importorskip("tensorboard")
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.compat.proto import event_pb2, summary_pb2, tensor_pb2, tensor_shape_pb2, types_pb2
from tensorboard.summary.writer.event_file_writer import EventFileWriter
from torch.utils.tensorboard import SummaryWriter

POINTS = 50_000


@pytest.fixture(scope="module")
def long_run(tmp_path_factory):
    """50,000 points a tag, two layers and a loss, from TensorBoard's own writer; folder and float32 values."""
    folder = tmp_path_factory.mktemp("long")
    values = np.random.default_rng(1).lognormal(0, 1, (POINTS, 3)).astype(np.float32)
    values[123, 0], values[456, 1] = np.nan, np.inf
    writer = EventFileWriter(str(folder))
    tags = ("grad_norm/conv1", "grad_norm/fc1", "train/loss")
    for step, row in enumerate(values.tolist()):
        numbers = [summary_pb2.Summary.Value(tag=tag, simple_value=v) for tag, v in zip(tags, row, strict=True)]
        writer.add_event(event_pb2.Event(step=step, wall_time=step, summary=summary_pb2.Summary(value=numbers)))
    writer.close()
    return folder, values.astype(np.float64)


@pytest.mark.slow
def test_all_50000_points_are_read_in_seconds(long_run):
    folder, values = long_run
    begun = time.perf_counter()
    recording = Recording.from_tensorboard(folder)
    assert time.perf_counter() - begun < 20, "a limit far above what it takes"
    assert recording.layers == ("conv1", "fc1")
    assert np.array_equal(recording.steps, np.arange(POINTS))
    assert np.array_equal(recording.norms, values[:, :2], equal_nan=True)
    assert np.array_equal(recording.metrics["loss"], values[:, 2])
    assert not recording.gaps.any()
    assert recording.meta["title"] == folder.name


@pytest.mark.slow
def test_the_same_as_tensorboards_own_reader(long_run):
    folder, _ = long_run
    reader = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    reader.Reload()
    recording = Recording.from_tensorboard(folder, columns=["grad_norm/fc1"])
    points = reader.Scalars("grad_norm/fc1")
    assert recording.steps.tolist() == [point.step for point in points]
    assert np.array_equal(recording.norms[:, 0], [point.value for point in points], equal_nan=True)


def test_scalars_of_every_style(tmp_path):
    with SummaryWriter(str(tmp_path)) as writer:
        writer.add_scalar("grad/plain/norm", 1.5, 3)
        writer.add_scalar("grad/tensor/norm", 2.5, 3, new_style=True)
        writer.add_scalar("grad/double/norm", 0.1, 3, new_style=True, double_precision=True)
        writer.add_tensor("grad/zero-dimensional/norm", torch.tensor(4.5), 3)
        writer.add_text("grad/text/norm", "no number", 3)
        writer.add_histogram("grad/histogram/norm", np.arange(9.0), 3)
        writer.add_tensor("grad/two numbers/norm", torch.tensor([1.0, 2.0]), 3)
    recording = Recording.from_tensorboard(tmp_path)
    assert recording.layers == ("plain", "tensor", "double", "zero-dimensional")
    assert recording.norms.tolist() == [[1.5, 2.5, 0.1, 4.5]]


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        (types_pb2.DT_FLOAT, np.float32(0.375)),
        (types_pb2.DT_DOUBLE, np.float64(0.1)),
        (types_pb2.DT_HALF, np.float16(0.375)),
        (types_pb2.DT_INT64, np.int64(7)),
    ],
)
def test_tensors_by_their_bytes_as_tensorflow_writes_them(kind, content, tmp_path):
    shape = tensor_shape_pb2.TensorShapeProto()
    tensor = tensor_pb2.TensorProto(dtype=kind, tensor_shape=shape, tensor_content=content.tobytes())
    value = summary_pb2.Summary.Value(tag="grad_norm", tensor=tensor)
    writer = EventFileWriter(str(tmp_path))
    writer.add_event(event_pb2.Event(step=1, summary=summary_pb2.Summary(value=[value])))
    writer.close()
    assert Recording.from_tensorboard(tmp_path).norms.tolist() == [[float(content)]]


def test_tags_at_different_steps_are_joined_with_gaps(tmp_path):
    with SummaryWriter(str(tmp_path)) as writer:
        for step in range(0, 10, 2):
            writer.add_scalar("grad_norm/a", step + 0.5, step)
        for step in range(0, 10, 3):
            writer.add_scalar("grad_norm/b", float("nan"), step)
        for step in range(1, 10, 5):
            writer.add_scalar("loss", step, step)
    recording = Recording.from_tensorboard(tmp_path)
    assert recording.steps.tolist() == [0, 2, 3, 4, 6, 8, 9]
    assert recording.gaps[:, 0].tolist() == [False, False, True, False, False, False, True]
    assert recording.gaps[:, 1].tolist() == [False, True, False, True, False, True, False]
    assert recording.norms[~recording.gaps[:, 0], 0].tolist() == [0.5, 2.5, 4.5, 6.5, 8.5]
    assert np.isnan(recording.norms[:, 1]).all(), "NaN where it was logged, and in the gaps"
    assert recording.metrics["loss"].tolist()[4] == 6
    assert np.isnan(recording.metrics["loss"]).sum() == 6


def test_a_restarted_run_replaces_what_it_writes_again(tmp_path):
    with SummaryWriter(str(tmp_path), filename_suffix=".1") as writer:
        for step in range(10):
            writer.add_scalar("grad_norm", 1.0, step)
    time.sleep(1.1)  # TensorBoard orders files by the second in their names
    with SummaryWriter(str(tmp_path), purge_step=5, filename_suffix=".2") as writer:
        for step in range(5, 8):
            writer.add_scalar("grad_norm", 2.0, step)
        writer.add_scalar("grad_norm", 3.0, 7)
    recording = Recording.from_tensorboard(tmp_path)
    assert recording.norms.ravel().tolist() == [1, 1, 1, 1, 1, 2, 2, 3]
    assert recording.steps.tolist() == list(range(8))


def test_several_runs_are_listed_and_chosen(tmp_path):
    for run in ("lr0.1/a", "lr0.1/b", "lr1"):
        with SummaryWriter(str(tmp_path / run)) as writer:
            writer.add_scalar("grad_norm/x", len(run), 0)
            writer.add_scalar("grad_norm/y", 1.0, 0)
    with pytest.raises(InputError, match=r"3 runs: lr0\.1/a, lr0\.1/b, lr1; choose one with run") as caught:
        Recording.from_tensorboard(tmp_path)
    assert "\n" not in str(caught.value)
    assert Recording.from_tensorboard(tmp_path, run="lr1").norms.tolist() == [[3, 1]]
    assert Recording.from_tensorboard(tmp_path, run="lr1").meta["title"] == f"{tmp_path.name}/lr1"
    both = Recording.from_tensorboard(tmp_path, run="lr0.1/*", columns=["*x"])
    assert both.layers == ("lr0.1/a", "lr0.1/b")
    with pytest.raises(InputError, match=r"no run is called 'lr2'; there are lr0\.1/a"):
        Recording.from_tensorboard(tmp_path, run="lr2")


def test_a_folder_of_hyper_parameters_is_no_run_to_choose(tmp_path):
    with SummaryWriter(str(tmp_path)) as writer:
        writer.add_scalar("grad_norm", 1.5, 0)
        writer.add_hparams({"lr": 0.1}, {"hparam/accuracy": 1.0})
    assert len({path.parent for path in tmp_path.rglob("*tfevents*")}) == 2
    assert Recording.from_tensorboard(tmp_path).norms.tolist() == [[1.5]]


def test_add_scalars_is_one_layer_a_folder(tmp_path):
    with SummaryWriter(str(tmp_path)) as writer:
        writer.add_scalars("grad", {"conv1": 1.0, "fc1": 2.0}, 0)
    assert Recording.from_tensorboard(tmp_path, run="grad_*").layers == ("grad_conv1", "grad_fc1")


def test_a_killed_runs_half_record_is_left_out_and_said(tmp_path):
    with SummaryWriter(str(tmp_path)) as writer:
        for step in range(100):
            writer.add_scalar("grad_norm", step, step)
    [path] = tmp_path.iterdir()
    whole = path.read_bytes()
    for missing in range(1, 50, 7):
        path.write_bytes(whole[:-missing])
        recording = Recording.from_tensorboard(tmp_path)
        assert len(recording) == (99 if missing < 46 else 98)
        assert "cut short or damaged at byte" in recording.meta["notice"]
    path.write_bytes(whole)
    assert "cut short" not in Recording.from_tensorboard(path).meta["notice"]


@pytest.mark.parametrize(
    ("make", "options", "message"),
    [
        (None, {}, "no event files of TensorBoard"),
        (b"", {}, "no column looks like a gradient norm; there are no columns"),
        (b"not an event file at all", {}, "is not an event file of TensorBoard"),
        (b"\x00" * 7, {}, "is not an event file of TensorBoard"),
        (
            {"loss": 1.0},
            {},
            "no column looks like a gradient norm; there are loss; for only the loss use --columns loss",
        ),
        ({"loss": 1.0}, {"columns": ["grad*"]}, r"no column fits 'grad\*'; there are loss"),
        ({"grad_norm": 1.0}, {"metrics": ["acc"]}, "no column fits 'acc'; there are no columns"),
    ],
)
def test_bad_input_is_one_line(make, options, message, tmp_path):
    if isinstance(make, bytes):
        (tmp_path / "events.out.tfevents.1.x").write_bytes(make)
    elif make:
        with SummaryWriter(str(tmp_path)) as writer:
            for tag, value in make.items():
                writer.add_scalar(tag, value, 0)
    with pytest.raises(InputError, match=message) as caught:
        Recording.from_tensorboard(tmp_path, **options)
    assert "\n" not in str(caught.value)


def record(message: bytes, length: int | None = None) -> bytes:
    """As in an event file; the checksums are not looked at."""
    return (len(message) if length is None else length).to_bytes(8, "little") + bytes(4) + message + bytes(4)


def scalar(tag: str, step: int, value: float) -> bytes:
    numbers = [summary_pb2.Summary.Value(tag=tag, simple_value=value)]
    return record(event_pb2.Event(step=step, summary=summary_pb2.Summary(value=numbers)).SerializeToString())


START = record(event_pb2.Event(file_version="brain.Event:2").SerializeToString())


@pytest.mark.parametrize("length", [2**63 - 1, 2**64 - 1, 2**40, 10**6])
def test_a_record_of_an_absurd_length_ends_the_file(length, tmp_path):
    path = tmp_path / "events.out.tfevents.1.x"
    path.write_bytes(START + scalar("grad_norm/a", 0, 1.5) + record(b"", length) + scalar("grad_norm/a", 1, 2.5))
    recording = Recording.from_tensorboard(path)
    assert recording.steps.tolist() == [0]
    assert (
        f"is cut short or damaged at byte {len(START) + len(scalar('grad_norm/a', 0, 1.5))}" in recording.meta["notice"]
    )


@pytest.mark.filterwarnings("error")
def test_tensors_of_odd_types_and_the_least_step_of_64_bits(tmp_path):
    tensors = [tensor_pb2.TensorProto(dtype=dtype) for dtype in types_pb2.DataType.values()]
    values = [summary_pb2.Summary.Value(tag=f"grad_norm/{t.dtype}", tensor=t) for t in tensors]
    odd = record(event_pb2.Event(summary=summary_pb2.Summary(value=values)).SerializeToString())
    path = tmp_path / "events.out.tfevents.1.x"
    path.write_bytes(START + odd + scalar("grad_norm/a", -(2**63), 1.5) + scalar("grad_norm/a", 2**63 - 1, 2.5))
    recording = Recording.from_tensorboard(path, columns=["grad_norm/a"])
    assert recording.steps.tolist() == [-(2**63), 2**63 - 1]
    assert [mark.text for mark in compose(recording).marks if mark.kind == "step"] == [f"step {2**63 - 1}"]


def test_pictures_are_passed_over_and_said(tmp_path):
    picture = summary_pb2.Summary.Value(tag="x", image=summary_pb2.Summary.Image(encoded_image_string=bytes(2**20)))
    large = record(event_pb2.Event(summary=summary_pb2.Summary(value=[picture])).SerializeToString())
    path = tmp_path / "events.out.tfevents.1.x"
    path.write_bytes(START + scalar("grad_norm/a", 0, 1.5) + large + scalar("grad_norm/a", 1, 2.5) + large)
    recording = Recording.from_log(path)
    assert recording.steps.tolist() == [0, 1]
    assert "2 records of more than 1 MiB (pictures, a graph) are left out" in recording.meta["notice"]


def test_an_event_file_is_known_by_what_is_in_it(tmp_path):
    (tmp_path / "copy").write_bytes(START + scalar("grad_norm/a", 0, 1.5))
    assert Recording.from_log(tmp_path / "copy").norms.tolist() == [[1.5]]


def test_many_restarts_take_no_longer_than_many_points(tmp_path):
    session = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
    points = [scalar("grad_norm/a", step, step) for step in range(20_000)]
    again = [record(event_pb2.Event(step=step, session_log=session).SerializeToString()) for step in range(1, 20_001)]
    path = tmp_path / "events.out.tfevents.1.x"
    path.write_bytes(START + b"".join(part for pair in zip(points, again, strict=True) for part in pair))
    begun = time.process_time()
    assert len(Recording.from_tensorboard(path)) == 20_000
    assert time.process_time() - begun < 3


def test_a_restart_counts_for_its_run_alone(tmp_path):
    for run, value in (("a", 1.0), ("b", 2.0)):
        with SummaryWriter(str(tmp_path / run), purge_step=2 if run == "b" else None) as writer:
            for step in range(4):
                writer.add_scalar("grad_norm", value, step)
    recording = Recording.from_tensorboard(tmp_path, run="*")
    assert recording.layers == ("a", "b")
    assert recording.norms.tolist() == [[1, 2]] * 4


def test_histograms_alone_say_what_to_do(tmp_path):
    with SummaryWriter(str(tmp_path)) as writer:
        for step in range(3):
            writer.add_histogram("grad/conv1.weight", np.arange(9.0), step)
            writer.add_scalar("loss", 0.5, step)
    wanted = r"histograms, such as grad/conv1\.weight, hold no norms: attach gradmidi to the next run"
    with pytest.raises(InputError, match=wanted):
        Recording.from_tensorboard(tmp_path)


def test_a_missing_folder(tmp_path):
    with pytest.raises(InputError, match="no such file; give the folder of a TensorBoard run"):
        Recording.from_tensorboard(tmp_path / "none")


@pytest.mark.slow
def test_without_tensorboard_it_says_what_to_install(long_run):
    """A process in which tensorboard cannot be imported; neither torch nor tensorflow is loaded on the way."""
    folder, _ = long_run
    code = (
        "import sys\nsys.modules['tensorboard'] = None\nimport gradmidi as gm\n"
        f"try: gm.Recording.from_tensorboard({str(folder)!r})\nexcept gm.MissingPartError as error: print(error)\n"
        "print({'torch', 'tensorflow'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        "tensorboard is needed for reading TensorBoard's runs; run: pip install 'gradmidi[logs]'",
        "set()",
    ]


def test_reading_loads_neither_torch_nor_tensorflow(long_run):
    folder, _ = long_run
    code = (
        f"import sys, gradmidi as gm\ngm.Recording.from_tensorboard({str(folder)!r})\n"
        "print({'torch', 'tensorflow', 'pandas', 'matplotlib'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
