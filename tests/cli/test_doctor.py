"""`gradmidi doctor RUN`, as a person, a CI job and a sweep run it; without a run it is in test_commands."""

import json
import subprocess
import sys

import numpy as np
import pytest

from gradmidi.recording import Recording
from tests.terminal import said_on_a_terminal

pytestmark = pytest.mark.slow


@pytest.fixture
def runs(tmp_path):
    """A healthy run, one whose gradient explodes, and one of five steps; with a loss each."""
    calm = np.exp(np.random.default_rng(3).normal(0, 0.1, (400, 2)))
    exploding = calm.copy()
    exploding[200:] *= 1e3
    for name, norms in (("well", calm), ("ill", exploding), ("short", calm[:5])):
        loss = 0.1 + 2 * np.exp(-np.arange(len(norms)) / 60)
        Recording(("a", "b"), np.arange(len(norms)), norms, {"loss": loss}).save(tmp_path / f"{name}.csv")
    return tmp_path


def test_a_sick_run_is_told_in_ten_lines_and_by_the_exit_code(runs, run_cli):
    done = run_cli("doctor", "ill.csv")
    lines = done.stdout.splitlines()
    assert (done.returncode, done.stderr) == (1, "")
    assert lines[0] == "ill.csv: steps 0 to 399, 2 layers, loss 2.1 → 0.103"
    assert lines[1].startswith("sick: first explosion in ")
    assert any("from step 200 to the end (norm" in line for line in lines)
    assert any(line.startswith("explosion, people try: lower the learning rate") for line in lines)
    assert lines[-1].startswith("not examined: frozen (no update ratios")
    assert len(lines) <= 12


def test_a_healthy_run_and_one_that_is_too_short_end_with_0(runs, run_cli):
    assert "\nhealthy: nothing was found\n" in run_cli("doctor", "well.csv", check=True).stdout
    assert "\nno verdict: 5 measured steps" in run_cli("doctor", "short.csv", check=True).stdout


def test_several_runs_are_a_table_with_a_line_each(runs, run_cli):
    done = run_cli("doctor", "well.csv", "ill.csv", "short.csv")
    head, *rows = done.stdout.splitlines()
    assert done.returncode == 1
    assert head.split() == ["file", "verdict", "steps", "loss", "found"]
    assert [row.split()[:3] for row in rows] == [
        ["well.csv", "healthy", "400"],
        ["ill.csv", "sick", "400"],
        ["short.csv", "unknown", "5"],
    ]
    assert "explosion in" in rows[1]
    assert run_cli("doctor", "well.csv", "short.csv").returncode == 0


def test_a_run_that_cannot_be_read_does_not_hide_the_others(runs, run_cli):
    done = run_cli("doctor", "ill.csv", "none.csv")
    assert done.returncode == 2
    assert done.stderr == "gradmidi doctor: none.csv: no such file; give a recording or the log of a run\n"
    assert [line.split()[1] for line in done.stdout.splitlines()[1:]] == ["sick", "unreadable"]
    done = run_cli("doctor", "none.csv", "ill.csv", "--json")
    assert [one["verdict"] for one in json.loads(done.stdout)] == ["unreadable", "sick"]


def test_the_keys_of_json(runs, run_cli):
    """They are a contract; docs/events.md lists them."""
    done = run_cli("doctor", "ill.csv", "--json")
    (run,) = json.loads(done.stdout, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert done.returncode == 1
    assert list(run) == [
        *("run", "verdict", "lasting", "summary", "steps", "first_step", "last_step", "layers", "loss"),
        *("troubles", "advice", "unchecked"),
    ]
    assert (run["run"], run["verdict"], run["lasting"], run["steps"], run["layers"]) == (
        "ill.csv",
        "sick",
        True,
        400,
        2,
    )
    assert run["loss"] == {"first": pytest.approx(2.1), "last": pytest.approx(0.103, abs=1e-3)}
    (explosion,) = (one for one in run["troubles"] if one["kind"] == "explosion")
    assert set(explosion) == {
        *("kind", "where", "layers", "since", "step", "until", "momentary", "lasting"),
        *("value", "usual", "ratio", "seen"),
    }
    assert (explosion["since"], explosion["until"], explosion["lasting"]) == (200, None, True)
    assert explosion["value"] / explosion["usual"] == pytest.approx(explosion["ratio"])
    assert [set(one) for one in run["advice"]] == [{"kind", "meaning", "causes", "remedies"}] * len(run["advice"])
    assert [set(one) for one in run["unchecked"]] == [{"kinds", "why"}]


def test_what_is_not_a_number_is_null_in_json(tmp_path, run_cli):
    norms, loss = np.ones((100, 2)), np.ones(100)
    norms[50:], loss[50:] = np.nan, np.nan
    Recording(("a", "b"), np.arange(100), norms, {"loss": loss}).save(tmp_path / "nan.csv")
    done = run_cli("doctor", "nan.csv", "--json")
    (run,) = json.loads(done.stdout, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    (trouble,) = run["troubles"]
    assert (trouble["kind"], trouble["value"], trouble["usual"], trouble["ratio"]) == ("nan", None, None, None)
    assert run["loss"] == {"first": 1.0, "last": None}


def test_quiet_leaves_the_exit_code(runs, run_cli):
    done = run_cli("doctor", "ill.csv", "well.csv", "--quiet")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "")


def test_a_log_with_chosen_columns_and_standard_input(runs, run_cli):
    log = runs / "log.jsonl"
    log.write_text("".join(json.dumps({"step": i, "weird": 1.0 + i % 3, "loss": 2.0}) + "\n" for i in range(400)))
    done = run_cli("doctor", "log.jsonl", "--columns", "weird")
    assert done.returncode == 1, "the loss does not fall"
    assert done.stdout.splitlines()[1] == "sick: plateau from step 200 to the end"
    assert "; vanishing (a single layer has none to be compared with)" in done.stdout.splitlines()[-1]
    piped = run_cli("doctor", "-", input=(runs / "well.csv").read_text())
    assert (piped.returncode, piped.stdout.splitlines()[1]) == (0, "healthy: nothing was found")


def test_events_files_beside_recordings_are_left_out(runs, run_cli):
    (runs / "ill.events.csv").write_text("# format: gradmidi events 1\nstep,phase\n")
    done = run_cli("doctor", "ill.csv", "ill.events.csv", "well.csv")
    assert (done.returncode, len(done.stdout.splitlines())) == (1, 3)
    assert done.stderr == "left out, as they are events and not recordings: ill.events.csv\n"
    alone = run_cli("doctor", "ill.events.csv")
    assert (alone.returncode, alone.stdout) == (2, "")
    assert "give the recording next to it" in alone.stderr


def test_one_of_several_runs_of_tensorboard(tmp_path, run_cli):
    pytest.importorskip("tensorboard")
    from torch.utils.tensorboard import SummaryWriter

    for name, factor in (("one", 1.0), ("two", 1e4)):
        with SummaryWriter(str(tmp_path / "runs" / name)) as writer:
            for step in range(100):
                for layer in ("a", "b"):
                    writer.add_scalar(f"grad/{layer}/norm", (1 + step % 3) * (factor if step >= 60 else 1.0), step)
    assert run_cli("doctor", "runs", "--run", "one").returncode == 0
    assert run_cli("doctor", "runs", "--run", "two").returncode == 1
    both = run_cli("doctor", "runs")
    assert both.returncode == 2
    assert "one, two" in both.stderr
    folders = run_cli("doctor", "runs/one", "runs/two")
    assert [line.split()[1] for line in folders.stdout.splitlines()[1:]] == ["healthy", "sick"]


def test_a_folder_made_by_train_is_its_recording(runs, run_cli):
    (runs / "out").mkdir()
    (runs / "ill.csv").rename(runs / "out" / "norms.csv")
    assert run_cli("doctor", "out").returncode == 1
    assert run_cli("doctor", "x" * 5000).returncode == 2


def test_a_missing_part_is_not_a_sick_run(runs, run_cli):
    """Exit code 1, which it has elsewhere, would say that something is wrong with the run."""
    (runs / "events.out.tfevents.1").write_bytes(b"\x00" * 64)
    code = "import sys; sys.modules['tensorboard'] = None; from gradmidi.cli import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", code, "doctor", "events.out.tfevents.1"]
    done = subprocess.run(command, cwd=runs, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1


def test_options_of_a_log_need_one(run_cli):
    done = run_cli("doctor", "--columns", "grad*")
    assert done.returncode == 2
    assert "gradmidi doctor RUN" in done.stderr


def test_colour_only_on_a_terminal_that_wants_it(runs):
    assert b"\x1b[1;31msick: " in said_on_a_terminal(["doctor", "ill.csv"], runs)
    assert b"\x1b[1;31m" not in said_on_a_terminal(["doctor", "ill.csv"], runs, NO_COLOR="1")
