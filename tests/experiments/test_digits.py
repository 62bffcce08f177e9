"""Where digits come from, and what is said about it."""

import gzip
import hashlib
import struct
import sys
import tracemalloc
import types
import zlib

import numpy as np
import pytest

from gradmidi.errors import InputError
from gradmidi.experiments.digits import IMAGES, LABELS, embedded_digits, load_digits
from tests.users import unprivileged


def write_idx(folder, images, labels, pack=False):
    folder.mkdir(parents=True)
    for name, array in ((IMAGES, images), (LABELS, labels)):
        content = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()
        (folder / (name + ".gz" * pack)).write_bytes(gzip.compress(content) if pack else content)


@pytest.fixture
def nowhere(tmp_path, monkeypatch):
    """No MNIST in any usual folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("GRADMIDI_DATA", raising=False)
    return tmp_path


def test_the_embedded_digits_are_real_and_shuffled():
    digits = embedded_digits()
    assert digits.images.shape == (5000, 28, 28)
    assert np.bincount(digits.labels).tolist() == [500] * 10
    assert len(set(digits.labels[:30].tolist())) > 6, "sorted by label no more"
    # Digits as people write them: dark margins, and every class with a mean image of its own.
    assert digits.images[:, [0, -1], :].mean() < 2
    means = np.stack([digits.images[digits.labels == label].mean(0).ravel() for label in range(10)])
    nearest = np.linalg.norm(digits.images.reshape(5000, 1, -1) - means, axis=2).argmin(1)
    assert (nearest == digits.labels).mean() > 0.75


def test_the_embedded_digits_are_the_committed_ones():
    digits = embedded_digits()
    checksum = hashlib.sha256(digits.images.tobytes() + digits.labels.tobytes()).hexdigest()
    assert checksum == "dd203957a7ee7c1d07fd985fa91da4e399832587b7e8f15f85e1f3ad8b9747a5"


def test_auto_takes_what_lies_on_disk_else_the_embedded(nowhere):
    assert load_digits("auto").source == "5,000 embedded MNIST digits"
    real = embedded_digits()
    write_idx(nowhere / "data" / "MNIST" / "raw", real.images[:70], real.labels[:70])
    found = load_digits("auto")
    assert found.source == "70 MNIST digits in data/MNIST/raw"
    assert np.array_equal(found.images, real.images[:70])
    assert np.array_equal(found.labels, real.labels[:70])


@pytest.mark.parametrize("below", ["", "raw", "MNIST/raw"])
@pytest.mark.parametrize("pack", [False, True])
def test_a_folder_is_read_packed_or_not(nowhere, below, pack):
    real = embedded_digits()
    write_idx(nowhere / "mine" / below, real.images[:12], real.labels[:12], pack)
    assert np.array_equal(load_digits(str(nowhere / "mine")).images, real.images[:12])


def test_folders_without_or_with_broken_mnist(nowhere):
    with pytest.raises(InputError, match="holds no MNIST"):
        load_digits(str(nowhere / "none"))
    real = embedded_digits()
    write_idx(nowhere / "cut", real.images[:12], real.labels[:12])
    (nowhere / "cut" / IMAGES).write_bytes((nowhere / "cut" / IMAGES).read_bytes()[:500])
    with pytest.raises(InputError, match=f"cannot read .*{IMAGES}"):
        load_digits(str(nowhere / "cut"))
    write_idx(nowhere / "odd", real.images[:12], real.labels[:11])
    with pytest.raises(InputError, match="are not MNIST"):
        load_digits(str(nowhere / "odd"))


def fake_torchvision(monkeypatch, action):
    """A torchvision whose download does ``action``: the network and torchvision's build are not ours to test."""
    module, datasets = types.ModuleType("torchvision"), types.ModuleType("torchvision.datasets")
    datasets.MNIST = lambda root, train, download: action(root)
    monkeypatch.setitem(sys.modules, "torchvision", module)
    monkeypatch.setitem(sys.modules, "torchvision.datasets", datasets)


def test_a_download_that_fails_says_so_and_goes_on(nowhere, monkeypatch):
    def broken(root):
        raise RuntimeError("operator torchvision::nms does not exist\nmore")

    fake_torchvision(monkeypatch, broken)
    digits = load_digits("mnist")
    assert "embedded" in digits.source
    assert "operator torchvision::nms does not exist" in digits.source
    monkeypatch.setitem(sys.modules, "torchvision", None)
    monkeypatch.setitem(sys.modules, "torchvision.datasets", None)
    assert "pip install 'gradmidi[mnist]'" in load_digits("mnist").source


def test_a_download_is_read(nowhere, monkeypatch):
    real = embedded_digits()

    def download(root):
        write_idx(nowhere / "home" / ".cache" / "gradmidi" / "MNIST" / "raw", real.images[:9], real.labels[:9])

    fake_torchvision(monkeypatch, download)
    assert len(load_digits("mnist").images) == 9


def damaged(images=None, labels=None):
    """MNIST's two files by name, with other contents."""
    real = embedded_digits()
    arrays = {IMAGES: real.images[:12], LABELS: real.labels[:12]}
    whole = {n: struct.pack(f">HBB{a.ndim}I", 0, 8, a.ndim, *a.shape) + a.tobytes() for n, a in arrays.items()}
    return {
        name: change(whole[name]) if change else whole[name] for name, change in ((IMAGES, images), (LABELS, labels))
    }


def zeros_packed(head):
    """200 MB of zeros after a head, in 200 KB."""
    packer, block = zlib.compressobj(6, zlib.DEFLATED, 31), bytes(10**6)
    return b"".join([packer.compress(head), *(packer.compress(block) for _ in range(200)), packer.flush()])


WRONG = {
    "a label that is not a digit": (damaged(labels=lambda data: data[:-1] + b"\x0a"), "label 10 is not a digit"),
    "no digits at all": (
        damaged(lambda data: data[:4] + bytes(4) + data[8:16], lambda data: data[:4] + bytes(4)),
        r"images of shape \(0, 28, 28\) and labels of shape \(0,\) are not MNIST",
    ),
    "a head only": (damaged(lambda data: data[:6]), "cannot read .*images"),
    "nothing": (damaged(labels=lambda data: b""), "cannot read .*labels"),
    "255 dimensions": (damaged(lambda data: b"\0\0\x08\xff" + data[4:]), "255 dimensions instead of 3"),
    "more images than bytes": (
        damaged(lambda data: data[:4] + b"\xff\xff\xff\xff" + data[8:]),
        "claims 3,367,254,359,280",
    ),
    "more bytes than images": (damaged(lambda data: data + b"\0"), "more than the 9,408 bytes of its head"),
    "images of floats": (damaged(lambda data: b"\0\0\x0d\x03" + data[4:]), "not those of an IDX file of bytes"),
}


@pytest.mark.parametrize("case", WRONG)
@pytest.mark.parametrize("pack", [False, True])
def test_what_is_not_mnist_is_refused_before_the_training(nowhere, case, pack):
    files, reason = WRONG[case]
    for name, content in files.items():
        (nowhere / (name + ".gz" * pack)).write_bytes(gzip.compress(content) if pack else content)
    with pytest.raises(InputError, match=reason):
        load_digits(str(nowhere))


@pytest.mark.parametrize(
    "break_it", [lambda data: data[:-3], lambda data: data[:-8] + bytes(8), lambda data: b"\x1f\x8b"]
)
def test_a_damaged_gzip_is_refused(nowhere, break_it):
    for name, content in damaged().items():
        (nowhere / f"{name}.gz").write_bytes(break_it(gzip.compress(content)))
    with pytest.raises(InputError, match=r"cannot read .*images.*; fetch it again, or move it away"):
        load_digits(str(nowhere))


@pytest.mark.parametrize(
    "head", [struct.pack(">HBB3I", 0, 8, 3, 255102, 28, 28), struct.pack(">HBB3I", 0, 8, 3, 8, 28, 28)]
)
def test_gzip_that_unpacks_to_much_takes_little_memory(nowhere, head):
    (nowhere / f"{IMAGES}.gz").write_bytes(zeros_packed(head))
    (nowhere / LABELS).write_bytes(damaged()[LABELS])
    tracemalloc.start()
    with pytest.raises(InputError, match=r"cannot read .*images"):
        load_digits(str(nowhere))
    assert tracemalloc.get_traced_memory()[1] < 5_000_000
    tracemalloc.stop()


def test_a_home_that_cannot_be_looked_into_is_passed_by(nowhere, monkeypatch):
    too_long = "/" + "x" * 300  # for any system, whoever asks
    for home in (too_long, "~nobody-such", ""):
        monkeypatch.setenv("HOME", home)
        assert load_digits("auto").source == "5,000 embedded MNIST digits"
    with pytest.raises(InputError, match=r"cannot read /xxx.*File name too long"):
        load_digits(too_long)
    with pytest.raises(InputError, match="~nobody-such holds no MNIST"):
        load_digits("~nobody-such")
    with pytest.raises(InputError, match="holds no MNIST"):
        load_digits("a\0b")


def test_a_home_without_rights_is_passed_by(nowhere, monkeypatch):
    (nowhere / "home").mkdir(mode=0)
    there = str(nowhere / "home" / "data")
    monkeypatch.setenv("GRADMIDI_DATA", there)
    assert unprivileged(lambda: load_digits("auto").source) == "5,000 embedded MNIST digits"
    with pytest.raises(InputError, match=r"cannot read .*data: Permission denied"):
        unprivileged(lambda: load_digits(there))
