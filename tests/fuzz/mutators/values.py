"""Values that are no ordinary number or name: what tables, JSON and TOML are strewn with."""

from __future__ import annotations

NUMBERS = (
    *("nan", "NaN", "-nan", "inf", "-inf", "Infinity", "1e308", "-1e308", "1.7976931348623157e308", "1e400", "5e-324"),
    *("1e-310", "-0", "-1", "-1.5", "0.5", "1e15", "9007199254740993", "9223372036854775807", "9223372036854775808"),
    *("-9223372036854775808", "-9223372036854775809", "18446744073709551616", "1e19", "1" * 400, "9" * 5000),
    *(
        "1" + "0" * 5000 + ".5",
        "0." + "3" * 5000,
        "1e999999999",
        "1e-999999999",
        "0x1F",
        "0x" + "f" * 5000,
        "0o7",
        "0b1",
        "1_000",
        "1__0",
    ),
    *("１２", "٣", "½", "1,5", "1.5.5", "1e", "e1", "--1", "+-1", "1/0", "0/0", "3/2", "1 2", "1\t2", "$1", "1%"),
    *("true", "True", "null", "None", "NULL", "NA", "N/A", "#N/A", "-", "?", "", " ", "\u00a0", "1\u00a0000", "1;2"),
    *("2020-01-01", "2020-01-01T00:00:00Z", "00:00", "1j", "(1+2j)", "tensor(0.5)", "[1.0]", "{'a': 1}", "'1'", '"1"'),
)

NAMES = (
    *("", " ", "step", "Step", "loss", "epoch", "layer", "grad_norm", "grad_norm/a", "nan", "0", "1e5", "-", "a b"),
    *(
        "a  b",
        " a",
        "a ",
        "loss (layer)",
        "loss (layer) (layer)",
        "# layers: []",
        "#",
        "a,b",
        "a;b",
        "a\tb",
        'a"b',
        '"',
    ),
    *(
        "a\nb",
        "a\rb",
        "a\r\nb",
        "a\x00b",
        "a\x1b[31mb",
        "\x1b]0;title\x07",
        "a\x7fb",
        "a\x85b",
        "a\u2028b",
        "\u202eabc",
    ),
    *(
        "\ufeffa",
        "a\u200bb",
        "é",
        "e\u0301",
        "名前",
        "🎹",
        "$x^{$",
        "%s",
        "{}",
        "{0}",
        "[red]x[/red]",
        "[/]",
        "\\",
        "a\\nb",
    ),
    *("../../etc/passwd", "/dev/zero", "CON", "a" * 300, "a" * 100_000, "a." * 3000 + "b", "*", "[", "[!a", "?", "a/*"),
)

CONTROLS = ("\x00", "\x07", "\x08", "\x0b", "\x0c", "\x1a", "\x1b[2J", "\x7f", "\x85", "\u2028", "\u202e", "\ufeff")

LARGE = 3_000_000  # bytes: far above any buffer, and still quick to make and write


def times(size: int, wanted: int) -> int:
    """How often something of ``size`` may be repeated so that changes on top of each other stay below LARGE."""
    return max(1, min(wanted, LARGE // max(1, size)))
