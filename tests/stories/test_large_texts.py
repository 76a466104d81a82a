"""The main job on a text of real size: 5 MB of English, whatever the symbols are, from the file
to an answer."""

import json
import lzma
import os
import re
from pathlib import Path

import pytest

import ensue
from ensue.cli.main import main

SHARED = Path(os.environ.get("ENSUE_DATA", Path(__file__).parents[3] / "shared" / "data"))
WIKITEXT = SHARED / "wikitext2" / "train.txt.xz"
needs_wikitext = pytest.mark.skipif(
    not WIKITEXT.exists(), reason="wikitext2 is not in ../shared/data (or $ENSUE_DATA)"
)


@pytest.fixture(scope="module")
def english(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("english") / "english.txt"
    path.write_text(lzma.decompress(WIKITEXT.read_bytes()).decode()[:5_000_000], encoding="utf-8")
    return path


@pytest.mark.slow
@needs_wikitext
@pytest.mark.parametrize("codec", ["words", "subwords", "bytes", "characters"])
def test_five_megabytes_of_english(
    codec: str, english: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = english.parent / codec
    line = [
        "train",
        "generate",
        str(english),
        "--codec",
        codec,
        "--size",
        "tiny",
        "--out",
        str(out),
    ]
    assert main([*line, "--set", "training.steps=5"]) == 0
    error = capsys.readouterr().err
    result = json.loads((out / "result.json").read_text())
    rows = {row["name"]: row for row in result["rows"]}
    network, ngram = (
        rows["lstm 128"],
        next(row for name, row in rows.items() if name.endswith("-gram")),
    )
    assert 0.5 < ngram["metrics"]["nats_per_character"] < 2.1
    assert (
        network["metrics"]["nats_per_character"] < rows["uniform"]["metrics"]["nats_per_character"]
    )
    best = min(row["metrics"]["nats_per_character"] for row in result["rows"])
    assert result["rows"][-1]["metrics"]["nats_per_character"] == pytest.approx(best, abs=0.002)
    assert "Traceback" not in error
    assert re.search(r"\w", ensue.open(out).generate(length=50))
