import math

import pytest
from numpy.testing import assert_allclose

from gradmidi.errors import InputError
from gradmidi.theory.catalogue import ScaleEntry, families, find, named_scales
from gradmidi.theory.scale import Scale

# From sources other than scales.toml: pitch classes that any handbook gives, and figures that follow from a definition.
KNOWN_SEMITONES = {
    "chromatic": range(12),
    "major": [0, 2, 4, 5, 7, 9, 11],
    "harmonic minor": [0, 2, 3, 5, 7, 8, 11],
    "major pentatonic": [0, 2, 4, 7, 9],
    "minor pentatonic": [0, 3, 5, 7, 10],
    "blues": [0, 3, 5, 6, 7, 10],
    "whole tone": [0, 2, 4, 6, 8, 10],
    "octatonic": [0, 1, 3, 4, 6, 7, 9, 10],
}
PROMISED = """
ionian, dorian, phrygian, lydian, mixolydian, aeolian, locrian, harmonic minor, melodic minor, major pentatonic,
pentatonic, blues, bebop, whole tone, octatonic, hungarian minor, double harmonic, hirajoshi, in-sen, iwato, pelog,
slendro, maqam rast, maqam bayati, maqam saba, bhairav, todi, ptolemy's intense diatonic, pythagorean, 7-limit,
quarter-comma meantone, harmonics 8-16, 5-EDO, 7-EDO, 17-EDO, 19-EDO, 22-EDO, 31-EDO, 53-EDO, Bohlen–Pierce,
carlos alpha, carlos beta, carlos gamma
"""


def test_there_are_many_each_with_family_and_source() -> None:
    entries = named_scales()
    assert len(entries) >= 60
    assert len(families()) >= 10
    assert sum(map(len, families().values())) == len(entries)
    for entry in entries:
        assert entry.family
        assert len(entry.source) > 3, entry.name
        assert entry.name != "none"  # means no quantising at all on the command line


@pytest.mark.parametrize("entry", named_scales(), ids=lambda entry: entry.name)
def test_each_is_written_in_order_and_found_by_each_of_its_names(entry: ScaleEntry) -> None:
    scale = Scale.named(entry.name)
    assert scale.cents == tuple(interval.cents for interval in entry.definition.intervals)
    assert scale.cents[0] == 0
    for name in (entry.name, *entry.aliases, entry.name.upper(), entry.name.replace(" ", "_")):
        assert find(name) is entry


def test_no_name_means_two_scales() -> None:
    claims = [(name, entry.name) for entry in named_scales() for name in (entry.name, *entry.aliases)]
    for name, owner in claims:
        assert find(name).name == owner


@pytest.mark.parametrize("name", [name.strip() for name in PROMISED.split(",")])
def test_the_scales_that_were_promised(name: str) -> None:
    assert find(name)


@pytest.mark.parametrize("name", KNOWN_SEMITONES)
def test_semitones_against_the_handbook(name: str) -> None:
    assert Scale.named(name) == Scale.from_semitones(KNOWN_SEMITONES[name])


def test_modes_against_the_scale_they_come_from() -> None:
    sources = {
        "harmonic minor": {4: "ukrainian dorian", 5: "phrygian dominant"},
        "melodic minor": {2: "dorian flat 2", 3: "lydian augmented", 4: "lydian dominant", 5: "mixolydian flat 6"}
        | {6: "locrian natural 2", 7: "altered"},
        "major pentatonic": {2: "suspended pentatonic", 3: "blues minor pentatonic", 4: "blues major pentatonic"}
        | {5: "minor pentatonic"},
        "octatonic": {2: "whole-half diminished"},
    }
    for source, modes in sources.items():
        for number, name in modes.items():
            assert Scale.named(source).mode(number) == Scale.named(name), name


def test_tunings_against_their_definitions() -> None:
    fifth = 300 * math.log2(5)  # four quarter-comma fifths make a just major third
    assert_allclose(Scale.named("meantone").cents, sorted(k * fifth % 1200 for k in range(-3, 9)), atol=1e-5)
    just_fifth, comma = 1200 * math.log2(1.5), 1200 * math.log2(3**12 / 2**19)
    assert_allclose(Scale.named("pythagorean chromatic").cents, sorted(k * just_fifth % 1200 for k in range(-5, 7)))
    narrowed = {0, 1, 2, 5}  # C-G, G-D, D-A and B-F#, counted in fifths from C
    position, werckmeister = 0.0, []
    for k in range(12):
        werckmeister.append(position % 1200)
        position += just_fifth - (comma / 4 if k in narrowed else 0)
    assert_allclose(Scale.named("werckmeister III").cents, sorted(werckmeister), atol=1e-2)
    assert_allclose(Scale.named("bohlen-pierce", tonic=100.0).frequencies(100, 300)[-1], 300)
    # Carlos, 1987: alpha 78.0, beta 63.8 and gamma 35.1 cents to the step
    for name, step in (("alpha", 78.0), ("beta", 63.8), ("gamma", 35.1)):
        assert Scale.named(f"carlos {name}").cents[1] == pytest.approx(step, abs=0.05)


@pytest.mark.parametrize(
    ("wrong", "offered"),
    [
        ("dorain", "dorian"),
        ("Minor Pentatonik", "minor pentatonic"),
        ("hirayoshi", "hirajoshi"),
        ("mayor", "major"),
    ],
)
def test_a_misspelt_name_gets_the_nearest_offered(wrong: str, offered: str) -> None:
    with pytest.raises(InputError, match="did you mean") as caught:
        find(wrong)
    assert repr(offered) in str(caught.value)
