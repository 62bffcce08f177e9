"""Where every reader starts: pipes can be read again, devices are refused, each failure is one line."""

import os
import subprocess
import sys
import threading
import time

import pytest

from gradmidi.errors import InputError
from gradmidi.files import reading
from gradmidi.files.reading import Source

TABLE = b"step,a\n0,1\n1,2\n"


def bytes_of(path):
    with Source(path) as source:
        with source.opened() as file:
            once = file.read()
        with source.opened() as file:
            assert file.read() == once
        assert source.size == len(once)
    return once


def test_a_file_a_fifo_and_a_link_to_either_are_read_twice(tmp_path):
    (tmp_path / "file").write_bytes(TABLE)
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link").symlink_to("fifo")
    assert bytes_of(tmp_path / "file") == TABLE
    for name in ("fifo", "link"):
        writer = threading.Thread(target=(tmp_path / "fifo").write_bytes, args=(TABLE * 100_000,))
        writer.start()
        assert bytes_of(tmp_path / name) == TABLE * 100_000
        writer.join()


def test_a_fifo_without_a_writer_does_not_wait_for_ever(tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "WRITER_SECONDS", 0.2)
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(InputError, match="nothing was written to the pipe"):
        Source(tmp_path / "fifo")


def test_a_slow_writer_is_waited_for(tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "WRITER_SECONDS", 0.4)
    os.mkfifo(tmp_path / "fifo")

    def write() -> None:
        with (tmp_path / "fifo").open("wb") as fifo:
            time.sleep(0.6)
            fifo.write(TABLE)

    writer = threading.Thread(target=write)
    writer.start()
    assert bytes_of(tmp_path / "fifo") == TABLE
    writer.join()


def test_a_pipe_without_end_is_left(tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "MOST_PIPED", 2**24)
    with subprocess.Popen(["cat", "/dev/zero"], stdout=subprocess.PIPE) as endless:
        with pytest.raises(InputError, match="came through the pipe"):
            Source(f"/dev/fd/{endless.stdout.fileno()}")
        endless.stdout.close()


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/full", "/dev/null", "/dev/urandom", "/dev/tty"])
def test_devices_are_refused(device):
    with pytest.raises(InputError, match=f"cannot read {device}: it is a device"):
        Source(device)


@pytest.mark.parametrize(
    "name", ["", "nul\0nul", "~nobody-such/x.csv", "\ud800", "none.csv", "x" * 300, "a/" * 3000, "reading.py/x"]
)
def test_names_that_are_none_are_one_line(name):
    with pytest.raises(InputError) as caught:
        Source(name)
    assert "\n" not in str(caught.value)


def test_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "n.csv").write_bytes(TABLE)
    assert bytes_of("~/n.csv") == TABLE
    (tmp_path / "~").mkdir()
    (tmp_path / "~" / "n.csv").write_bytes(b"a file of this very name")
    assert bytes_of("~/n.csv") == b"a file of this very name"


def test_folders_are_known_and_not_opened(tmp_path):
    source = Source(tmp_path)
    assert source.is_folder
    with pytest.raises(InputError, match="is a folder"), source.opened():
        pass


def test_a_failure_while_reading_is_one_line(tmp_path):
    (tmp_path / "file").write_bytes(TABLE)
    with pytest.raises(InputError, match=r"cannot read .*file: Input/output error"), Source(tmp_path / "file").opened():
        raise OSError(5, "Input/output error")


READ = "from gradmidi.files.reading import Source\nwith Source('-').opened() as f: print(f.read().decode(), end='')"


def test_standard_input(tmp_path):
    def read(**options):
        command = [sys.executable, "-c", READ]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, **options)

    (tmp_path / "file").write_bytes(TABLE)
    with (tmp_path / "file").open() as file:
        assert read(stdin=file).stdout.encode() == TABLE
    assert read(input=TABLE.decode()).stdout.encode() == TABLE
    assert "nothing is piped into it" in read(stdin=subprocess.DEVNULL).stderr
    closed = subprocess.run(
        f"'{sys.executable}' -c \"{READ}\" <&-", shell=True, capture_output=True, text=True, check=False, timeout=60
    )
    assert "InputError: cannot read standard input: Bad file descriptor" in closed.stderr
