"""Advice that was followed is not given again."""

from pathlib import Path

import pytest

from ensue.cli.main import main

MONTHS = [f"2020-{month:02d}-01" for month in range(1, 13)]
ROWS = "name," + ",".join(f"V{step}" for step in range(1, 31)) + "\n"
ROWS += "".join(f"{name}," + ",".join("123456" * 5) + "\n" for name in "abc")
SAVED = ",ds,x,y\n" + "".join(f"{row},{time},{row},3\n" for row, time in enumerate(MONTHS))
TWICE = "who,when,y\n" + "".join(f"a,{time},1\nb,{time},2\n" for time in [*MONTHS, MONTHS[0]])
STEPS = "id,time,flux,sim_z,label\n"
STEPS += "".join(f"s{n},{t},{t}.5,0.{n},{'xy'[n % 2]}\n" for n in range(12) for t in range(3))
TEXTS = "say,other,label\n"
TEXTS += "".join(f"it is {n} good,it was {n} bad,{'xy'[n % 2]}\n" for n in range(30))
TAGS = "".join(f"{word} N B-{word}\nran V O\n\n" for word in ("dog", "cat", "fox") * 8)

FOLLOWED: dict[str, tuple[str, str, str, list[str], str]] = {
    "the name of rows": ("forecast", "a.csv", ROWS, ["--id", "name"], "--id"),
    "the season of rows": ("forecast", "a.csv", ROWS, ["--season", "6"], "--season"),
    "targets beside a saved index": ("forecast", "a.csv", SAVED, ["--target", "y"], "--target"),
    "ids of times that occur twice": ("forecast", "a.csv", TWICE, ["--id", "who"], "--id"),
    "values beside the truth": ("classify", "a.csv", STEPS, ["--value", "flux"], "--value"),
    "a column of texts": ("classify", "a.csv", TEXTS, ["--text", "say"], "--text"),
    "a column of words": ("tag", "a.txt", TAGS, ["--word", "1"], "--word"),
    "a column of tags": ("tag", "a.txt", TAGS, ["--column", "2"], "--column"),
}


@pytest.mark.parametrize("case", FOLLOWED)
def test_advice_that_was_followed_is_not_repeated(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    verb, name, content, flags, advice = FOLLOWED[case]
    monkeypatch.chdir(tmp_path)
    Path(name).write_text(content)
    said = []
    for given in ([], flags):
        main(["check", name, "--task", verb, *given])
        out, err = capsys.readouterr()
        said.append(out + err)
    assert advice in said[0]
    assert advice not in said[1]
