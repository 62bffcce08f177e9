"""The CSV of answers: as written, so read, and nothing else is taken for one."""

from __future__ import annotations

import csv

import pytest

from gradmidi.errors import InputError
from gradmidi.quiz.answers import Answer, AnswerFile, check_code, load_answers
from tests.quiz.test_scoring import answer

ANSWERS = [
    answer("dead", "nan", code="P07", trial=1, clip="a", reaction_s=1.25, onset_s=2.0, layers="fc1 fc2", repeats=1),
    answer("healthy", "healthy", code="P07", trial=2, clip="b", protocol="dual", reported_s=3.5, sums=4, sums_right=3),
]


@pytest.fixture
def path(tmp_path):
    file = AnswerFile(tmp_path / "answers.csv")
    for one in ANSWERS:
        file.append(one)
    file.close()
    return tmp_path / "answers.csv"


def test_answers_come_back(path):
    assert load_answers(path) == ANSWERS


def test_another_reader_sees_the_same(path):
    with path.open(newline="") as file:
        first, second = csv.DictReader(file)
    assert (first["truth"], first["answer"], float(first["reaction_s"]), first["layers"]) == (
        "dead",
        "nan",
        1.25,
        "fc1 fc2",
    )
    assert (second["reaction_s"], float(second["reported_s"])) == ("", 3.5)


def test_an_answer_is_in_the_file_at_once(tmp_path):
    file = AnswerFile(tmp_path / "answers.csv")
    file.append(ANSWERS[0])
    assert load_answers(tmp_path / "answers.csv") == ANSWERS[:1]
    file.close()


def test_no_answers_leave_no_file(tmp_path):
    AnswerFile(tmp_path / "answers.csv").close()
    assert not list(tmp_path.iterdir())


def test_answers_are_never_overwritten(path):
    before = path.read_bytes()
    with pytest.raises(InputError, match=r"answers.csv exists.*--out"):
        AnswerFile(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("trial,", "trail,", "does not hold the answers of a quiz"),
        ("dead,nan", "dead,deaf", r"line 2: answer is 'deaf'; it must be one of healthy"),
        ("1.250", "-1", "line 2: reaction_s is '-1'; it must be a number of seconds"),
        ("1.250", "inf", "a number of seconds"),
        ("healthy noisy vanishing dead", "healthy good", "kinds is 'healthy good'; it must be some of healthy"),
        (",dual,", ",triple,", "line 3: protocol is 'triple'; it must be one of single, dual"),
        ("P07,2,", "P07,two,", "line 3: trial is 'two'; it must be a whole number"),
        ("P07,2,", "P07,2,,", "line 3: there are 22 cells, not 21"),
    ],
)
def test_damage_is_named(path, old, new, message):
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(InputError, match=message):
        load_answers(path)


def test_what_is_not_a_file_of_answers(tmp_path, path):
    (tmp_path / "empty").write_text("")
    (tmp_path / "head").write_text(",".join(Answer._fields) + "\n")
    (tmp_path / "zeros").write_bytes(bytes(range(256)))
    for name, message in [
        ("none", "no such file"),
        ("empty", "does not"),
        ("head", "no answers"),
        ("zeros", "does not"),
    ]:
        with pytest.raises(InputError, match=message):
            load_answers(tmp_path / name)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))  # as a spreadsheet leaves it
    assert load_answers(path) == ANSWERS


@pytest.mark.parametrize("code", ["Jane Doe", "jane@example.org", "x" * 33, "P07\n", "Zoë"])
def test_a_code_is_no_name(code):
    with pytest.raises(InputError, match="no name"):
        check_code(code)
    assert check_code("P07_b-2") == "P07_b-2"
