"""N-gram models: scores on two data sets, and the time of counting.

The data sets are folders beside the repository, in ../shared/data, or in $ENSUE_DATA. Everything
that is chosen is chosen on parts of the training data.

    python benchmarks/ngram.py shakespeare names words [--write]

`--write` puts the tables of `words` into docs/results.md.
"""

from __future__ import annotations

import argparse
import importlib.util
import lzma
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from time import perf_counter, process_time

import numpy as np
import torch
from tables import conditions, write_table

from ensue.models.ngram import Ngram, NgramSettings, estimate, kernels
from ensue.models.ngram.levels import add_starts
from ensue.training.folder.arrays import map_arrays, pack_arrays

DATA = Path(os.environ.get("ENSUE_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))

ROUNDS = 3

SETTINGS = {
    "order and discounts chosen": NgramSettings(),
    "order chosen, discounts by formula": NgramSettings(discounts="counts"),
    "order 6 by formula, as KenLM": NgramSettings(order=6),
    "order 4 by formula, as KenLM": NgramSettings(order=4),
    "Witten-Bell, order chosen": NgramSettings(smoothing="witten-bell"),
    "add 0.1, order chosen": NgramSettings(smoothing="additive", pseudo_count=0.1),
}


def shakespeare() -> None:
    """Characters of one text; the last tenth is the test."""
    text = (DATA / "tiny_shakespeare" / "input.txt").read_text()
    cut = len(text) * 9 // 10
    symbols = sorted(set(text[:cut]))
    ids = np.searchsorted(symbols, list(text)).astype(np.uint8)
    report([ids[:cut]], [ids[cut:]], len(symbols))


def names(distinct: bool) -> None:
    """First names with their ends; a tenth, drawn, is the test. 2,539 lines repeat a name, which
    helps long n-grams."""
    lines = (DATA / "first_names" / "names_32k.txt").read_text().split()
    lines = sorted(set(lines)) if distinct else lines
    encoded = [np.array([*(ord(letter) - 96 for letter in line), 0]) for line in lines]
    drawn = np.random.default_rng(0).permutation(len(encoded))
    cut = len(encoded) * 9 // 10
    report([encoded[i] for i in drawn[:cut]], [encoded[i] for i in drawn[cut:]], 27)


def report(train: Sequence[np.ndarray], test: Sequence[np.ndarray], size: int) -> None:
    ids, offsets = np.concatenate(train), np.cumsum([0, *map(len, train)])
    estimate(ids[:5000], np.array([0, 5000]), size, NgramSettings())  # loads what torch loads late
    for what, settings in SETTINGS.items():
        began = perf_counter()
        model = estimate(ids, offsets, size, settings)
        counted = perf_counter()
        nats = nats_per_symbol(model, test)
        seconds = f"counted in {counted - began:.2f} s, scored in {perf_counter() - counted:.2f} s"
        print(f"{nats:.4f} nats per character  {what} (order {model.order}; {seconds})")


def nats_per_symbol(model: Ngram, records: Sequence[np.ndarray]) -> float:
    longest = max(map(len, records))
    targets = torch.from_numpy(
        np.stack([np.pad(record, (0, longest - len(record))) for record in records]).astype(int)
    )
    inputs = torch.cat([torch.full((len(records), 1), model.size), targets[:, :-1]], 1)
    lengths = torch.tensor([len(record) for record in records])
    nats, _ = model.nats(inputs, targets, model.initial(len(records)), lengths)
    return (nats.sum() / lengths.sum()).item()


def words(write: bool = False) -> None:
    """Ten million words in order 5: Wikipedia's text five times, 3 words in 10 resampled; each
    line is a record.

    With $KENLM, a folder of KenLM's programs, the same is measured for lmplz, build_binary and
    kenlm_benchmark.
    """
    ids, vocabulary = ten_million_words()
    end = vocabulary.index("</s>")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        texts = {
            "held-out text": held_out(vocabulary),
            "the text itself": ids[: np.flatnonzero(ids == end)[40_000] + 1],
        }
        kenlm = Path(os.environ["KENLM"]) if "KENLM" in os.environ else None
        if kenlm:
            spell(ids, vocabulary, folder / "train")
            for number, text in enumerate(texts.values()):
                spell(text, vocabulary, folder / f"text{number}")
        tables = {"estimates": estimating(ids, vocabulary, folder, kenlm)}
        tables |= asking(list(texts.items()), vocabulary, folder, kenlm)
        for name, lines in tables.items():
            print("\n".join(lines))
            if write:
                write_table(name, [*lines, "", f"{time.strftime('%Y-%m-%d')}: {conditions()}."])


def ten_million_words() -> tuple[np.ndarray, list[str]]:
    with lzma.open(DATA / "wikitext2" / "train.txt.xz", "rt") as file:
        vocabulary, once = np.unique(
            file.read().replace("\n", " </s> ").split(), return_inverse=True
        )
    generator = np.random.default_rng(0)
    copies = np.tile(once.astype(np.int32), 5)[:10_000_000]
    ids = np.where(generator.random(len(copies)) < 0.3, generator.choice(once, len(copies)), copies)
    ids[-1] = np.searchsorted(vocabulary, "</s>")
    return ids, vocabulary.tolist()


def held_out(vocabulary: list[str]) -> np.ndarray:
    with lzma.open(DATA / "wikitext2" / "test.txt.xz", "rt") as file:
        known = {word: id for id, word in enumerate(vocabulary)}
        return np.array(
            [known[word] for word in file.read().replace("\n", " </s> ").split() if word in known]
        )


def offsets_of(ids: np.ndarray, vocabulary: list[str]) -> np.ndarray:
    return np.append(0, np.flatnonzero(ids == vocabulary.index("</s>")) + 1)


def spell(ids: np.ndarray, vocabulary: list[str], path: Path) -> None:
    """Write words as KenLM reads them: it keeps <unk> for itself."""
    spelled = np.array(
        ["\n" if word == "</s>" else word.replace("<unk>", "UNK") + " " for word in vocabulary],
        object,
    )
    path.write_text("".join(spelled[ids].tolist()))


def measured(work: Callable[[], object]) -> tuple[float, float, float]:
    """Do work in a process of its own; give its seconds, its seconds of CPU, and its gigabytes
    at most."""
    sys.stdout.flush()
    began = perf_counter()
    child = os.fork()
    if child == 0:
        work()
        os._exit(0)
    _, status, usage = os.wait4(child, 0)
    assert status == 0
    return perf_counter() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1e6


def estimating(
    ids: np.ndarray, vocabulary: list[str], folder: Path, kenlm: Path | None
) -> list[str]:
    def ours(off: bool = False, memory: int = 0) -> None:
        if off:
            kernels.library = lambda: None
        settings = NgramSettings(order=5, memory=memory)
        model = estimate(ids, offsets_of(ids, vocabulary), len(vocabulary), settings).packed()
        if not off and not memory:
            (folder / "model").write_bytes(pack_arrays(model.arrays()))

    def run(*command: object, stdin: Path | None = None) -> Callable[[], None]:
        read, nowhere = (stdin.open() if stdin else None), (folder / "log").open("w")
        return lambda: os._exit(
            subprocess.run(list(map(str, command)), stdin=read, stderr=nowhere).returncode
        )

    ways: dict[str, Callable[[], None]] = {
        "ensue": ours,
        "ensue, --memory 300M": lambda: ours(memory=300_000_000),
    }
    if kenlm:
        arpa = folder / "kenlm.arpa"
        lmplz = (
            kenlm / "lmplz",
            "-o",
            5,
            "-S",
            "4G",
            "-T",
            folder,
            "--discount_fallback",
            "--arpa",
            arpa,
        )
        ways["KenLM lmplz"] = run(*lmplz, stdin=folder / "train")
        ways["KenLM build_binary probing"] = run(
            kenlm / "build_binary", "probing", arpa, folder / "kenlm"
        )
    # The slow way once, the others by turns.
    found = {"ensue without kernels": [measured(lambda: ours(off=True))]}
    for _ in range(ROUNDS):
        for what, work in ways.items():
            found.setdefault(what, []).append(measured(work))
    lines = [
        "| estimate, pack and write | seconds | seconds of CPU | at most |",
        "|---|---|---|---|",
    ]
    for what, each in found.items():
        wall, cpu, peak = np.median(each, axis=0)
        lines.append(f"| {what} | {wall:.1f} | {cpu:.1f} | {peak:.2f} GB |")
    return lines


def asking(
    texts: Sequence[tuple[str, np.ndarray]], vocabulary: list[str], folder: Path, kenlm: Path | None
) -> dict[str, list[str]]:
    began = perf_counter()
    exact = NgramSettings().build(len(vocabulary))
    exact.load(map_arrays(folder / "model"))
    print(f"opened in {1e3 * (perf_counter() - began):.1f} ms")
    models = {
        "ensue": in_memory(exact),
        "ensue, mapped": exact,
        "ensue, quantised": exact.packed(quantised=True),
    }
    grams = sum(len(records.grams) for records in exact.table.records)
    sizes: dict[str, list[str]] = {}
    for what, model in models.items():
        began = process_time()
        model.table.score(np.zeros((1, 5), np.int64), 4)
        print(f"{what}: the first question took {1e3 * (process_time() - began):.0f} ms")
        held = sum(array.nbytes for array in model.arrays().values())
        used = held + sum(array.nbytes for array in model.table.index)
        sizes[what] = [f"{held / grams:.2f} in the file, {used / grams:.2f} in use"]
    queries: dict[str, list[str]] = {}
    for number, (_, ids) in enumerate(texts):
        whole = add_starts(ids, offsets_of(ids, vocabulary), len(vocabulary)).astype(np.int64)
        text = np.append(np.full(4, -1), whole)[None]
        real = whole != len(vocabulary)
        for what, each in by_turns(models, text, int(real.sum()), folder, kenlm, number).items():
            queries.setdefault(what, []).append(f"{1e9 * np.median(each):.0f}")
            if what in models:
                sizes[what].append(f"{bits_of(models[what], text, real):.4f}")
    named = [f"bits per word, {name}" for name, _ in texts]
    return {
        "sizes": rows(["the table", "bytes for an n-gram", *named], sizes),
        "queries": rows(["one query, nanoseconds of CPU", *(name for name, _ in texts)], queries),
    }


def rows(columns: Sequence[str], cells: Mapping[str, Sequence[str]]) -> list[str]:
    head = ["| " + " | ".join(columns) + " |", "|---" * len(columns) + "|"]
    return [*head, *("| " + " | ".join([what, *row]) + " |" for what, row in cells.items())]


def by_turns(
    models: Mapping[str, Ngram],
    text: np.ndarray,
    words: int,
    folder: Path,
    kenlm: Path | None,
    number: int,
) -> dict[str, list[float]]:
    """Time a question to each model, and to KenLM, in turns: seconds of CPU."""
    if kenlm:
        with (folder / f"text{number}").open() as file, (folder / f"ids{number}").open("w") as to:
            subprocess.run(
                [kenlm / "kenlm_benchmark", "-v", "-m", folder / "kenlm"],
                stdin=file,
                stdout=to,
                check=True,
            )
    seconds: dict[str, list[float]] = {}
    for _ in range(2 * ROUNDS + 1):
        for what, model in models.items():
            began = process_time()
            model.table.score(text, 4)
            seconds.setdefault(what, []).append((process_time() - began) / words)
        if kenlm:
            seconds.setdefault("KenLM's own benchmark in C++, probing", []).append(
                kenlms(kenlm, folder, number)
            )
            if importlib.util.find_spec("kenlm"):
                seconds.setdefault("KenLM's module for Python", []).append(modules(folder, number))
    return seconds


def in_memory(model: Ngram) -> Ngram:
    """Copy mapped arrays."""
    copied = NgramSettings().build(model.size)
    copied.load({name: np.array(array) for name, array in model.arrays().items()})
    return copied


def bits_of(model: Ngram, text: np.ndarray, real: np.ndarray) -> float:
    """Give the bits per word, plus what the distributions after 500 of the histories are short
    of, or over, one."""
    at = np.random.default_rng(1).choice(np.flatnonzero(real), 500, replace=False) + 4
    histories = np.concatenate([text[:, i - 4 : i] for i in at.tolist()])
    contexts = [place[:, -1] for place in model.table.places(histories, 4)]
    mass = model.table.probabilities(contexts, len(at)).sum(1)
    return np.log2(mass).mean() - np.log2(model.table.score(text, 4)[0][real]).mean()


def kenlms(kenlm: Path, folder: Path, number: int) -> float:
    """Let KenLM time itself: seconds of CPU a query, the loading left out."""
    command = [kenlm / "kenlm_benchmark", "-q", "-t", "1", "-m", folder / "kenlm", "-b", "65536"]
    with (folder / f"ids{number}").open() as file:
        output = subprocess.run(
            command, stdin=file, capture_output=True, text=True, check=True
        ).stdout
    return float(output.split("Seconds per query excluding load, CPU: ")[1].split()[0])


def modules(folder: Path, number: int) -> float:
    """Ask KenLM for the score of each word from Python, a line at a time, as users do."""
    model = importlib.import_module("kenlm").Model(str(folder / "kenlm"))
    lines = (folder / f"text{number}").read_text().split("\n")[:-1]
    began = process_time()
    count = sum(len(list(model.full_scores(line))) for line in lines)
    return (process_time() - began) / count


if __name__ == "__main__":
    parts = {
        "shakespeare": shakespeare,
        "names": lambda: names(False),
        "distinct-names": lambda: names(True),
    }
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "part", nargs="*", help=f"any of {', '.join([*parts, 'words'])}; all if none is named"
    )
    parser.add_argument("--write", action="store_true")
    chosen = parser.parse_args()
    parts["words"] = lambda: words(chosen.write)
    for part in chosen.part or parts:
        print(f"-- {part}")
        parts[part]()
