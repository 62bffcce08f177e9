"""The post's sound against the listing's own arithmetic and its own writer, recomputed here."""

import io
import wave

import numpy as np
import pytest
import soundfile

from gradmidi.errors import InputError
from gradmidi.outputs.sine import CHUNK_STEPS, _head, alarm_tone, aliasing_tone, render_sine
from gradmidi.outputs.wav import float_wav_head
from gradmidi.recording import Recording


def listing_tone(norm) -> np.ndarray:
    """One tone as the 2019 listing computes it from a float32 norm."""
    frequency = (200.0 + np.asarray(norm, dtype=np.float32) * 100.0).astype(np.float32)
    with np.errstate(all="ignore"):
        return 0.1 * np.sin(2 * np.pi * np.arange(44100 * 0.01) * frequency / 44100).astype(np.float32)


def listing_frames(norms) -> list[np.ndarray]:
    frames = []
    for row in norms:
        frames += [listing_tone(norm) for norm in row]
        frames.append(np.zeros(441 * 2, dtype=np.float32))
    return frames


def listing_file(norms) -> bytes:
    """The listing's writer: float32 bytes through the wave module, four bytes a sample."""
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(4)
        file.setframerate(44100)
        file.writeframes(b"".join(listing_frames(norms)))
    return out.getvalue()


@pytest.fixture
def hard() -> Recording:
    """Norms of every size, with NaN, Inf, zero and tones far above Nyquist; more rows than one chunk."""
    rng = np.random.default_rng(3)
    norms = np.float32(10 ** rng.uniform(-8, 12, (9 * CHUNK_STEPS + 24, 3)))
    norms[5], norms[600 - 1], norms[7, 0], norms[8, 1] = np.nan, np.inf, 0, 218.6
    norms[9, 2] = -np.inf
    return Recording.from_arrays(norms)


def test_post_container_is_the_listings_file(hard, tmp_path):
    report = render_sine(hard, tmp_path / "post.wav", container="post")
    assert (tmp_path / "post.wav").read_bytes() == listing_file(hard.norms)
    assert report.alarms == 0


def test_float_container_holds_the_formulas_samples(hard, tmp_path):
    render_sine(hard, tmp_path / "f.wav", nonfinite="keep")
    samples, rate = soundfile.read(tmp_path / "f.wav", dtype="float32")
    assert rate == 44100
    assert soundfile.info(tmp_path / "f.wav").subtype == "FLOAT"
    assert samples.tobytes() == b"".join(frame.tobytes() for frame in listing_frames(hard.norms))


def test_201_steps_of_four_layers_are_531846_samples(healthy, tmp_path):
    report = render_sine(healthy, tmp_path / "s.wav")
    assert report.samples == 201 * (4 * 441 + 882) == 531_846
    assert soundfile.info(tmp_path / "s.wav").frames == 531_846
    assert report.seconds == pytest.approx(12.06)


def test_nonfinite_norms_are_an_audible_alarm(sick, tmp_path):
    report = render_sine(sick, tmp_path / "s.wav")
    samples, _ = soundfile.read(tmp_path / "s.wav", dtype="float32")
    blocks = samples.reshape(201, -1)[:, : 4 * 441].reshape(201, 4, 441)
    assert report.alarms == 2
    assert np.array_equal(blocks[30, 0], alarm_tone())
    assert np.array_equal(blocks[40, 2], alarm_tone())
    assert np.isfinite(samples).all()
    assert np.sqrt(np.mean(alarm_tone() ** 2)) > 2 * np.sqrt(np.mean(listing_tone(1.0) ** 2))
    assert not blocks[70, 0].any(), "a layer without a gradient is silent"


@pytest.mark.parametrize(
    ("container", "nonfinite", "alarms"),
    [("float", None, 2), ("float", "keep", 0), ("post", None, 0), ("post", "alarm", 2)],
)
def test_an_alarm_is_for_ears_unless_it_is_said(container, nonfinite, alarms, sick, tmp_path):
    report = render_sine(sick, tmp_path / "s.wav", container, nonfinite)
    assert report.alarms == alarms
    samples = np.frombuffer((tmp_path / "s.wav").read_bytes()[-4 * report.samples :], dtype="<f4")
    assert np.isfinite(samples).all() == (alarms > 0)
    assert not samples.reshape(201, -1)[70, :441].any(), "a layer without a gradient is silent in any case"


def test_tones_above_half_the_sample_rate_are_counted_and_kept_bit_for_bit(hard, tmp_path):
    """200 + 100 x norm exceeds 22,050 from a norm of 218.5 on; the one of 218.6 is meant to be just above."""
    finite = np.isfinite(hard.norms)
    too_high = finite & (hard.norms > 218.5)
    assert too_high[8, 1]
    report = render_sine(hard, tmp_path / "kept.wav", nonfinite="keep")
    assert (report.aliased, report.alarms) == (too_high.sum(), 0)
    samples = np.frombuffer((tmp_path / "kept.wav").read_bytes()[-4 * report.samples :], dtype="<f4")
    assert samples.tobytes() == b"".join(frame.tobytes() for frame in listing_frames(hard.norms))


@pytest.mark.parametrize("container", ["float", "post"])
def test_an_alarm_takes_the_place_of_tones_that_would_alias_and_of_no_other(container, hard, tmp_path):
    report = render_sine(hard, tmp_path / "s.wav", container, "keep", "alarm")
    samples = np.frombuffer((tmp_path / "s.wav").read_bytes()[-4 * report.samples :], dtype="<f4")
    tones = samples.reshape(len(hard), -1)[:, : 3 * 441].reshape(-1, 441)
    norms = hard.norms.ravel()
    too_high = np.isfinite(norms) & (norms > 218.5)
    assert report.alarms == report.aliased == too_high.sum() > 100
    assert (tones[too_high] == aliasing_tone()).all()
    for i in np.flatnonzero(~too_high)[:400]:
        assert np.array_equal(tones[i], listing_tone(norms[i]), equal_nan=True)
    both = render_sine(hard, tmp_path / "s.wav", container, "alarm", "alarm")
    assert both.alarms == report.alarms + (~np.isfinite(norms)).sum()


def test_a_tone_at_half_the_sample_rate_is_played_and_a_finite_norm_beyond_float32_is_an_alarm(tmp_path):
    edge = Recording.from_arrays([[218.5, np.nextafter(np.float32(218.5), np.float32(300)), 1e300]])
    report = render_sine(edge, tmp_path / "s.wav", aliased="alarm")
    assert report.aliased == 2
    samples = np.frombuffer((tmp_path / "s.wav").read_bytes()[-4 * report.samples :], dtype="<f4")
    assert np.array_equal(samples[:441], listing_tone(218.5))
    assert np.array_equal(samples[882:1323], aliasing_tone())


def test_the_two_alarms_are_told_apart_by_the_order_of_their_tones():
    def hertz(part):
        return np.flatnonzero(np.diff(np.sign(part))).size / 2 / (len(part) / 44100)

    assert hertz(alarm_tone()[:220]) < 1100 < 1300 < hertz(alarm_tone()[220:])
    assert hertz(aliasing_tone()[:221]) > 1300 > 1100 > hertz(aliasing_tone()[221:])


def test_names_of_choices_may_come_from_anywhere(sick, tmp_path):
    for container in ("float", "post"):
        for nonfinite in ("alarm", "keep"):
            render_sine(sick, tmp_path / "a.wav", container, nonfinite)
            render_sine(sick, tmp_path / "b.wav", "".join(list(container)), "".join(list(nonfinite)))
            assert (tmp_path / "a.wav").read_bytes() == (tmp_path / "b.wav").read_bytes()
    render_sine(sick, tmp_path / "a.wav", "float")
    render_sine(sick, tmp_path / "b.wav", "".join(list("float")))
    assert (tmp_path / "a.wav").read_bytes() == (tmp_path / "b.wav").read_bytes()


def test_the_posts_container_cannot_count_beyond_4_gib():
    assert len(_head("post", 2**30 - 10)) == 44
    with pytest.raises(InputError, match="the post's container cannot hold more than 4 GiB"):
        _head("post", 2**30)
    assert _head("float", 2**30)[:4] == b"RF64"


def test_two_steps_apart_the_phase_restarts(healthy, tmp_path):
    render_sine(healthy, tmp_path / "s.wav")
    samples, _ = soundfile.read(tmp_path / "s.wav", dtype="float32")
    assert not samples.reshape(201, -1)[:, ::441].any()


def test_large_files_get_the_head_of_rf64():
    frames = 2**31
    head = float_wav_head(frames, 44100)
    assert head[:4] == b"RF64"
    assert head[8:16] == b"WAVEds64"
    assert int.from_bytes(head[28:36], "little") == frames * 4
    assert int.from_bytes(head[20:28], "little") == len(head) - 8 + frames * 4


def test_an_rf64_head_is_read_by_libsndfile(tmp_path, monkeypatch):
    """The large form with a small sound: the limit is lowered to nothing."""
    monkeypatch.setattr("gradmidi.outputs.wav.LARGEST_RIFF", 100)
    head = bytearray(float_wav_head(441, 44100))
    head[4:8] = head[-4:] = b"\xff\xff\xff\xff"
    fact = head.index(b"fact")
    head[fact + 8 : fact + 12] = (441).to_bytes(4, "little")
    (tmp_path / "x.wav").write_bytes(bytes(head) + listing_tone(1.0).tobytes())
    samples, _ = soundfile.read(tmp_path / "x.wav", dtype="float32")
    assert np.array_equal(samples, listing_tone(1.0))


def test_bad_choices(healthy, tmp_path):
    for options in ({"container": "mp4"}, {"nonfinite": "drop"}, {"aliased": "drop"}):
        with pytest.raises(InputError):
            render_sine(healthy, tmp_path / "s.wav", **options)
    assert not list(tmp_path.iterdir())


def test_the_alarm_is_two_squares_a_tritone_apart_at_twice_the_level_of_a_tone():
    """1,000 Hz for 5 ms, then 1,414 Hz; worked out with whole numbers: the half-periods that n samples hold."""
    halves = [2 * (1000 if n < 220 else 1414) * n // 44_100 for n in range(441)]
    expected = np.float32([-0.2 if half % 2 else 0.2 for half in halves])
    assert np.array_equal(alarm_tone(), expected)
