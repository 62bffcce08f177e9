"""The calls of user_calls.py do what their types say; that mypy accepts them is part of ``make lint``."""

from __future__ import annotations

import importlib.util
import tomllib
from pathlib import Path

import pytest
import torch
from torch import nn

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def calls():
    spec = importlib.util.spec_from_file_location("user_calls", HERE / "user_calls.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_calls_run(calls, tmp_path):
    torch.manual_seed(0)
    batches = [(torch.randn(5, 4), torch.randint(3, (5,))) for _ in range(12)]
    recording = calls.train(nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3)), tmp_path, batches)
    again = calls.record(recording, tmp_path)
    assert len(again) == 24
    assert calls.perform(calls.compose(recording), recording, tmp_path) < 1


def test_lint_checks_the_calls_and_the_examples():
    settings = tomllib.loads((HERE.parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["mypy"]
    assert {"gradmidi", "examples", "tests/typing/user_calls.py"} <= set(settings["files"])
    assert settings["strict"]
