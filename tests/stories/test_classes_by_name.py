"""What the names of files say of the classes of their lines."""

import gzip
from pathlib import Path

import pytest

from ensue.cli.main import main


@pytest.mark.parametrize(
    ("names", "classes"),
    [
        (("rt-polarity.neg.gz", "rt-polarity.pos.gz"), ("rt-polarity.neg", "rt-polarity.pos")),
        (("films.bad.txt", "films.good.txt"), ("films.bad", "films.good")),
        (("bad.txt", "good.txt.gz"), ("bad", "good")),
        (("bad.1.txt", "good.1.txt", "good.2.txt"), ("bad", "good")),
    ],
)
def test_files_whose_names_are_alike_up_to_a_point_are_classes(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    names: tuple[str, ...],
    classes: tuple[str, ...],
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    for name in names:
        lines = "".join(
            f"{'a good' if 'pos' in name or 'good' in name else 'a bad'} film {n} {name}\n"
            for n in range(20)
        )
        (data / name).write_bytes(
            gzip.compress(lines.encode()) if name.endswith(".gz") else lines.encode()
        )
    assert (
        main(["train", "classify", str(data), "--model", "nbsvm", "--out", str(tmp_path / "run")])
        == 0
    )
    capsys.readouterr()
    assert main(["classify", str(tmp_path / "run"), "a good film"]) == 0
    header, row = capsys.readouterr().out.splitlines()
    assert header == f"text,predicted,p({classes[0]}),p({classes[1]}),prediction_set"
    assert row.split(",")[1] == classes[1]
