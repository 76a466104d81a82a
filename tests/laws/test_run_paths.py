"""Whatever a run folder that somebody else made may name: nothing outside of it is read,
written, cut or copied."""

import hashlib
import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

import numpy as np
import pytest
import torch

from ensue.atomic_io import damage_error, parse_json, path_inside
from ensue.cache import Cache
from ensue.errors import RunError
from ensue.training.contract import Progress, Sample, Snapshot
from ensue.training.folder.arrays import unpack_arrays, unpack_tensors
from ensue.training.folder.checkpoint import Checkpoint, LoopState
from ensue.training.folder.run import Run

PRECIOUS = b"precious, and long enough to be cut\n"


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("template")
    with Run.create(folder / "run", {"seed": 3}) as run:
        run.write("codec.json", b'{"symbols": "ab"}')
        run.write_arrays({"weight": np.ones(3)})
        run.record(Progress(1, 10, 0.5, 1.5, None, 0.1, 2.0, 1.0, "symbols", 100.0, 3.0, 50.0))
        run.record(Sample(1, "abc", 3.0))
        run.save(Checkpoint(LoopState(step=1), Snapshot({}, {}), {}))
    return folder / "run"


@pytest.fixture
def run(template: Path, tmp_path: Path) -> Path:
    shutil.copytree(template, tmp_path / "run")
    (tmp_path / "victim").write_bytes(PRECIOUS)
    return tmp_path / "run"


def named_in_manifest(run: Path, name: str, data: bytes = b"") -> None:
    manifest = json.loads((run / "manifest.json").read_text())
    manifest["sha256"][name] = [hashlib.sha256(data).hexdigest()]
    (run / "manifest.json").write_text(json.dumps(manifest))


def refusal(act: Callable[[], object]) -> str:
    """Give the one line that something ends in, at once."""
    began = perf_counter()
    with pytest.raises(RunError) as caught:
        act()
    assert perf_counter() - began < 3
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    "name", ["/victim", "../victim", "checkpoint/../../victim", "run.toml", "", "metrics.jsonl/x"]
)
def test_a_checkpoint_cuts_nothing_but_logs(run: Path, name: str) -> None:
    name = str(run.parent / "victim") if name == "/victim" else name
    before = {
        path: path.read_bytes()
        for path in (run / "run.toml", run / "metrics.jsonl", run.parent / "victim")
    }
    with Run.resume(run) as opened:
        data = Checkpoint(LoopState(step=1), Snapshot({}, {}), {}, sizes={name: 3}).pack()
        (run / "checkpoint" / "last.safetensors").write_bytes(data)
        assert "names an unknown log" in refusal(opened.checkpoint)
    assert "names an unknown log" in refusal(lambda: Run.resume(run))
    assert {path: path.read_bytes() for path in before} == before


def test_a_log_that_is_a_link_is_not_cut(run: Path) -> None:
    (run / "samples.jsonl").unlink()
    (run / "samples.jsonl").symlink_to(run.parent / "victim")
    assert "samples.jsonl: this is a link, which is not followed in a run" in refusal(
        lambda: Run.resume(run)
    )
    assert (run.parent / "victim").read_bytes() == PRECIOUS


def test_a_log_that_has_changed_is_seen(run: Path) -> None:
    path = run / "metrics.jsonl"
    path.write_bytes(path.read_bytes().replace(b"1.5", b"1.4"))
    assert (
        "metrics.jsonl: the file is damaged: its content has changed since it was saved"
        in refusal(lambda: Run.resume(run))
    )


@pytest.mark.parametrize(
    "name", [".lock", "metrics.jsonl", "codec.json", "weights.safetensors", "manifest.json"]
)
@pytest.mark.parametrize("there", [True, False])
def test_a_link_in_a_run_is_not_followed_on_write(run: Path, name: str, there: bool) -> None:
    target = run.parent / ("victim" if there else "new")

    def write() -> None:
        with Run.resume(run) as opened:
            (run / name).unlink()
            (run / name).symlink_to(target)
            opened.record(
                Progress(2, 10, 0.5, 1.5, None, 0.1, 2.0, 1.0, "symbols", 100.0, 3.0, 50.0)
            )
            opened.write("codec.json", b"{}")
            opened.write_arrays({"weight": np.zeros(3)})
        Run.resume(run).close()

    assert f"{name}: this is a link, which is not followed in a run; replace it by" in refusal(
        write
    )
    assert (run.parent / "victim").read_bytes() == PRECIOUS
    assert not (run.parent / "new").exists()


def test_hard_links_are_not_written_through(run: Path) -> None:
    """A copy of a run by hard links stays as it is, whatever is done with the run."""
    other = shutil.copytree(run, run.parent / "other", copy_function=os.link)
    before = {path: path.read_bytes() for path in other.rglob("*") if path.is_file()}
    with (run / "metrics.jsonl").open("ab") as log:  # written after the checkpoint, and cut off
        log.write(b"{}\n")
    before[other / "metrics.jsonl"] += b"{}\n"
    with Run.resume(run) as opened:
        opened.record(Sample(2, "abc", 3.0))
        opened.record(Sample(3, "abc", 3.0))
        opened.write("codec.json", b"[]")
        opened.save(Checkpoint(LoopState(step=1), Snapshot({}, {}), {}))
        assert [row["step"] for row in opened.rows("samples.jsonl")] == [1, 2, 3]
    assert {path: path.read_bytes() for path in before} == before
    Run.resume(other).close()


def test_a_sample_of_infinite_cost_is_written_down(run: Path) -> None:
    """A rate that is far too high makes a network so sure of itself that nothing else has a
    finite cost."""
    with Run.resume(run) as opened:
        opened.record(Sample(2, "abc", float("inf")))
        assert opened.rows("samples.jsonl")[-1] == {"step": 2, "text": "abc", "nats": None}


def test_temporary_names_cannot_be_foreseen(run: Path) -> None:
    """A link that waits under a temporary name was written through."""
    names: list[str] = []
    true_replace = os.replace
    with Run.resume(run) as opened, pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            os, "replace", lambda old, new: (names.append(Path(old).name), true_replace(old, new))
        )
        opened.write("codec.json", b"{}")
        opened.write("codec.json", b"[]")
    assert len(set(names)) == len(names) == 6
    assert all(name.startswith(".") and name.endswith(".tmp") for name in names)
    for name in (".run.toml.tmp", ".manifest.json.tmp", ".codec.json.tmp", ".lock.tmp"):
        (run / name).symlink_to(run.parent / "victim")
    with Run.resume(run) as opened:
        opened.describe({"seed": 4})
        opened.write("codec.json", b"{}")
    assert (run.parent / "victim").read_bytes() == PRECIOUS


def test_what_a_kill_left_half_written_is_removed(run: Path) -> None:
    for place in (run, run / "checkpoint"):
        (place / ".weights.safetensors.0123.tmp").write_bytes(b"half")
    Run.resume(run).close()
    assert not [*run.rglob("*.tmp")]


@pytest.mark.parametrize("folder", ["checkpoint", "cache"])
def test_a_folder_that_is_a_link_is_not_written_to(run: Path, folder: str) -> None:
    elsewhere = run.parent / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "last.safetensors").write_bytes(PRECIOUS)
    if (run / folder).exists():
        (run / folder).rename(run.parent / "old")
    with Run.resume(run) as opened:
        (run / folder).symlink_to(elsewhere)

        def write() -> None:
            _ = opened.cache
            opened.save(Checkpoint(LoopState(step=1), Snapshot({}, {}), {}))

        assert f"{folder}: this is a link" in refusal(write)
    assert [path.name for path in elsewhere.iterdir()] == ["last.safetensors"]
    assert (elsewhere / "last.safetensors").read_bytes() == PRECIOUS


def test_a_run_begins_in_no_folder_whose_checkpoint_is_a_link(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "checkpoint").symlink_to(tmp_path / "elsewhere")
    assert "checkpoint: this is a link" in refusal(lambda: Run.create(tmp_path / "run", {}))
    assert (tmp_path / "elsewhere").exists()


def test_a_run_folder_that_is_itself_a_link_is_used(run: Path) -> None:
    (run.parent / "name").symlink_to(run)
    with Run.resume(run.parent / "name") as opened:
        opened.write("codec.json", b"{}")
    assert (run / "codec.json").read_bytes() == b"{}"


@pytest.mark.parametrize("name", ["extra.txt", "cache/train.npy"])
def test_the_target_of_a_link_is_not_copied_into_another_run(run: Path, name: str) -> None:
    (run / "cache").mkdir()
    (run / name).symlink_to(run.parent / "victim")
    assert f"{name}: this is a link" in refusal(lambda: Run.open(run).copy(run.parent / "copy"))
    assert not (run.parent / "copy").exists()


def test_a_copy_has_all_files(run: Path) -> None:
    (run / "cache" / "novelty").mkdir(parents=True)
    (run / "cache" / "novelty" / "ids.npy").write_bytes(b"ids")
    Run.open(run).copy(run.parent / "copy")
    names = {
        str(path.relative_to(run))
        for path in run.rglob("*")
        if path.is_file() and path.name != ".lock"
    }
    assert {
        str(path.relative_to(run.parent / "copy")) for path in (run.parent / "copy").rglob("*.*")
    } == names
    assert all(
        (run.parent / "copy" / name).read_bytes() == (run / name).read_bytes() for name in names
    )
    Run.resume(run.parent / "copy").close()


@pytest.mark.parametrize(
    "name", ["/dev/zero", "../victim", "/victim", "pipe", "folder", "link", ".", "a/../run.toml"]
)
@pytest.mark.parametrize("use", [Run.open, Run.resume])
def test_a_manifest_that_names_what_is_no_file_of_the_run(
    run: Path, name: str, use: Callable
) -> None:
    name = str(run.parent / "victim") if name == "/victim" else name
    os.mkfifo(run / "pipe")
    (run / "folder").mkdir()
    (run / "link").symlink_to("run.toml")
    named_in_manifest(run, name, PRECIOUS)
    assert any(why in refusal(lambda: use(run)) for why in ("is not a file", "is a link"))


@pytest.mark.parametrize(
    "name", ["run.toml", "manifest.json", "checkpoint/last.safetensors", ".lock", "metrics.jsonl"]
)
def test_a_pipe_in_the_place_of_a_file_is_not_waited_for(run: Path, name: str) -> None:
    (run / name).unlink()
    os.mkfifo(run / name)
    assert "this is not a file, as a run needs" in refusal(lambda: Run.resume(run))


def test_names_that_lead_nowhere_else(tmp_path: Path) -> None:
    assert path_inside(tmp_path, "cache/train.npy") == tmp_path / "cache" / "train.npy"
    for name in ("", "/", "a/", "a//b", "./a", "a/./b", "..", "a/../b", "/etc/passwd", "a\0b"):
        assert "is not a file in it" in refusal(lambda name=name: path_inside(tmp_path, name))
    assert "cannot be read (File name too long)" in refusal(
        lambda: path_inside(tmp_path, "a" * 300)
    )


DEEP = b"[" * 200_000


@pytest.mark.parametrize(
    "name", ["codec.json", "manifest.json", "run.toml", "checkpoint", "cache", "log", "lock"]
)
def test_deep_nesting_is_one_line(run: Path, name: str) -> None:
    if name == "run.toml":
        (run / name).write_bytes(b"a = " + DEEP)
        assert "run.toml: the file is damaged: it is nested too deeply" in refusal(
            lambda: Run.open(run)
        )
    elif name == "manifest.json":
        (run / name).write_bytes(DEEP)
        assert "manifest.json: the file is damaged: it is nested too deeply" in refusal(
            lambda: Run.open(run)
        )
    elif name == "codec.json":
        (run / name).write_bytes(DEEP)
        named_in_manifest(run, name, DEEP)
        assert "codec.json: the file is damaged: it is nested" in refusal(
            lambda: Run.open(run).read_json(name)
        )
    elif name == "checkpoint":
        deep = {"a": torch.ones(1)}
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(
                "ensue.training.folder.checkpoint.json.dumps", lambda values: DEEP.decode()
            )
            data = Checkpoint(LoopState(), Snapshot(deep, {}), {}).pack()
        (run / "checkpoint" / "last.safetensors").write_bytes(data)
        assert "last.safetensors: the file is damaged: it is nested too deeply" in refusal(
            lambda: Run.resume(run)
        )
    elif name == "cache":
        (run / "cache").mkdir()
        (run / "cache" / "sums.json").write_bytes(DEEP)
        assert "nested too deeply" in refusal(
            lambda: Cache(run / "cache").load_json("contents.json", dict)
        )
    elif name == "log":
        (run / "metrics.jsonl").write_bytes(DEEP)
        assert "metrics.jsonl:1: the file is damaged" in refusal(
            lambda: Run.open(run).rows("metrics.jsonl")
        )
    else:
        with Run.resume(run):
            (run / ".lock").write_bytes(DEEP)
            assert "in use by another process" in refusal(lambda: Run.resume(run))


@pytest.mark.parametrize("text", [b'{"step": 1}', b"3", b'{"step": "x"}', b"9" * 5000, b"\xff"])
def test_a_line_of_a_log_that_says_something_else(run: Path, text: bytes) -> None:
    (run / "metrics.jsonl").write_bytes(text)
    assert "metrics.jsonl:1: the file is damaged" in refusal(
        lambda: Run.open(run).rows("metrics.jsonl")
    )


@pytest.mark.parametrize(
    "text", [b"[]", b"{}", b'{"sha256": 3}', b'{"sha256": {"a": 3}}', b"9" * 5000, b"\xff"]
)
def test_a_manifest_that_is_none(run: Path, text: bytes) -> None:
    (run / "manifest.json").write_bytes(text)
    assert "manifest.json: the file is damaged" in refusal(lambda: Run.open(run))


def test_run_toml_with_a_number_too_long(run: Path) -> None:
    (run / "run.toml").write_bytes(b"a = " + b"9" * 5000)
    assert "run.toml: the file is damaged" in refusal(lambda: Run.open(run))
    (run / "run.toml").write_bytes(b'format = 7\nversions = "none"')
    assert "run.toml: the file is damaged" in refusal(lambda: Run.open(run))


def test_a_run_that_may_not_be_read(run: Path) -> None:
    """Asked of another user, for root may read everything."""
    if os.getuid():
        (run / "weights.safetensors").chmod(0)
        assert "weights.safetensors: cannot be read (Permission denied)" in refusal(
            lambda: Run.open(run)
        )
        return
    with pytest.MonkeyPatch.context() as patch:

        def refuse(path: Path, *given: object) -> int:
            raise PermissionError(13, "Permission denied")

        patch.setattr("ensue.atomic_io.os.open", refuse)
        assert "run.toml: cannot be read (Permission denied); check the file" in refusal(
            lambda: Run.open(run)
        )


def packed(head: bytes, rest: bytes = b"") -> bytes:
    return len(head).to_bytes(8, "little") + head + rest


ENTRY = {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}
HEADS = {
    "many": json.dumps({f"a{number}": ENTRY for number in range(240_000)}).encode(),
    "empty": b"{" + b",".join(b'"%d":{}' % number for number in range(1_200_000)) + b"}",
    "axes": b'{"a":{"dtype":"F32","shape":[' + b"1," * 7_000_000 + b'1],"data_offsets":[0,0]}}',
    "deep": b'{"a":' + b"[" * 15_000_000,
    "number": b'{"a":' + b"9" * 15_000_000 + b"}",
}


@pytest.mark.parametrize("kind", HEADS)
@pytest.mark.parametrize("read", [unpack_arrays, unpack_tensors])
def test_a_header_of_15_mb_is_refused_at_once(kind: str, read: Callable) -> None:
    assert "its header claims" in refusal(lambda: read(packed(HEADS[kind]), "weights"))


@pytest.mark.parametrize("size", [900_000, 3_000_000])
@pytest.mark.parametrize("kind", HEADS)
def test_a_header_that_may_be_as_long_is_refused_soon(tmp_path: Path, kind: str, size: int) -> None:
    """Its numbers could be those of a large model."""
    head = HEADS[kind][:size]
    for read in (unpack_arrays, unpack_tensors):
        assert "the file is damaged" in refusal(
            lambda read=read: read(packed(head, bytes(size)), "weights")
        )


@pytest.mark.parametrize(
    "entry",
    [
        3,
        [],
        {},
        {**ENTRY, "dtype": 3},
        {**ENTRY, "dtype": "F99"},
        {**ENTRY, "shape": 3},
        {**ENTRY, "shape": [True]},
        {**ENTRY, "shape": [-1]},
        {**ENTRY, "shape": [0, 2**70]},
        {**ENTRY, "shape": [2**63]},
        {**ENTRY, "shape": [1.5]},
        {**ENTRY, "shape": [1] * 65},
        {**ENTRY, "data_offsets": [0]},
        {**ENTRY, "data_offsets": [2**70, 2**70]},
        {**ENTRY, "data_offsets": ["a", "b"]},
        {**ENTRY, "more": 1},
    ],
)
def test_an_odd_entry_of_a_header_is_one_line(run: Path, entry: object) -> None:
    data = packed(json.dumps({"__metadata__": {"note": "x"}, "a": entry}).encode())
    (run / "weights.safetensors").write_bytes(data)
    named_in_manifest(run, "weights.safetensors", data)
    opened = Run.open(run)
    for read in (opened.read_arrays, opened.map_arrays, lambda: unpack_tensors(data, "checkpoint")):
        assert "the file is damaged" in refusal(read)


@pytest.mark.parametrize(
    "note",
    [None, 3, {"note": 3}, {"note": "{}"}, {"note": "[" * 100_000}, {}, "x", {"sha256": "x"}],
)
def test_an_odd_note_of_a_checkpoint_is_one_line(run: Path, note: object) -> None:
    (run / "checkpoint" / "last.safetensors").write_bytes(
        packed(json.dumps({"__metadata__": note}).encode())
    )
    assert "last.safetensors: the file is damaged" in refusal(lambda: Run.resume(run))


COURSES = [{"step": "x"}, {"plateau": 3}, {"plateau": {"best": []}}, {"unknown": 3}, {"step": None}]


@pytest.mark.parametrize(
    "values", [{}, [], {"state": 3}, {"state": {}}, *({"state": one} for one in COURSES)]
)
def test_a_checkpoint_whose_sum_is_right_and_whose_content_is_odd(
    run: Path, values: object
) -> None:
    if isinstance(values, dict) and values.get("state") in COURSES:
        values = {**values, "learner": {}, "sizes": {}}
        if "unknown" in values["state"]:
            values["sizes"] = {"metrics.jsonl": -3}
    with pytest.MonkeyPatch.context() as patch:
        text = json.dumps(values)
        patch.setattr("ensue.training.folder.checkpoint.json.dumps", lambda values: text)
        data = Checkpoint(LoopState(), Snapshot({}, {}), {}).pack()
    (run / "checkpoint" / "last.safetensors").write_bytes(data)
    assert "last.safetensors: the file is damaged" in refusal(lambda: Run.resume(run))


def test_what_is_made_of_json_tells_its_file() -> None:
    for make in (
        lambda values: values["a"],
        lambda values: values + "a",
        lambda values: values.b,
        lambda _: 1 / 0,
    ):
        assert "codec.json: the file is damaged" in refusal(
            lambda make=make: parse_json(b"[1]", "codec.json", make)
        )

    def refuse(values: object) -> None:
        raise damage_error("other.npy", "so")

    assert refusal(lambda: parse_json(b"[1]", "codec.json", refuse)).startswith("other.npy: ")


LIMITED = """
import resource, signal, sys
from pathlib import Path
import numpy as np
from ensue.cache import Cache
from ensue.errors import RunError
from ensue.training.contract import Sample
from ensue.training.folder.run import Run

run = Run.resume(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
cache = Cache(run.cache)
cache.begin()

def log():
    while True:
        run.record(Sample(2, "abc" * 9000, 3.0))

large = np.zeros(90_000)
for write in (lambda: run.write_arrays({"weight": large}), lambda: cache.save_array("a.npy", large), log):
    try:
        write()
    except RunError as error:
        print(error)
"""


def test_a_limit_on_the_size_of_files_loses_nothing(run: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(run)], capture_output=True, text=True, timeout=60
    )
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    end = (
        "the largest size that a file may have here is reached; raise it with `ulimit -f "
        "unlimited`, and try again"
    )
    names = ["weights.safetensors", "cache/a.npy", "samples.jsonl"]
    assert lines == [f"{run / name}: {end}" for name in names]
    assert not [*run.rglob("*.tmp")]
    with Run.resume(run) as again:
        assert again.read_arrays()["weight"].tolist() == [1, 1, 1]
        assert len(again.rows("samples.jsonl")) == 1
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
