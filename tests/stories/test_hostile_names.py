"""Names, labels and texts that a terminal would obey, Markdown lay out, a browser run: people
see them as they are."""

import json
import re
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from pages import check_page

from ensue.cli.main import main
from ensue.escape import for_html, for_markdown, for_terminal

TITLE = "\x1b]0;owned\x07"
EVIL = f"{TITLE}[red]a|b <script>alert(1)</script> `x` \u202egp\x9b31m"
SEEN = "\\x1b]0;owned\\x07[red]a|b <script>alert(1)</script> `x` \\u202egp\\x9b31m"
OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
OURS = re.compile(r"\r\x1b\[K|\x1b\[[0-9;]*m")
"""Lines that are written over, and colours of tables."""
ELEMENTS = {"h1", "h2", "p", "ul", "li", "table", "thead", "tbody", "tr", "th", "td", "pre", "code"}
QUICK = ["--set", "hardware.threads=1", "--set", "training.steps=2", "--size", "tiny"]


@pytest.fixture(params=["pipe", "terminal"])
def screen(
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> str:
    if request.param == "terminal":
        monkeypatch.setattr("_pytest.capture.CaptureIO.isatty", lambda self: True)
        monkeypatch.setenv("COLUMNS", "1000")
    return request.param


def seen(capsys: pytest.CaptureFixture[str], *command: str, code: int = 0) -> str:
    """What a person sees of a command: nothing in it is obeyed."""
    capsys.readouterr()
    assert main(command) == code
    out, err = capsys.readouterr()
    shown = OURS.sub("", out + err)
    assert OBEYED.findall(shown) == []
    return shown


def page_of(run: Path) -> str:
    """The page of the report: what comes from data makes no element, and no script can run."""
    page = (run / "report.html").read_text(encoding="utf-8")
    assert OBEYED.findall(page) == []
    check_page(page)
    texts = re.sub("<[^>]*>", "", page)
    assert "<" not in texts
    return page


def html_of(run: Path) -> str:
    """The report as a browser shows it: no element in it that the report did not write."""
    page_of(run)
    text = (run / "report.md").read_text(encoding="utf-8")
    assert OBEYED.findall(text) == []
    page = MarkdownIt("commonmark").enable("table").render(text)
    assert set(re.findall(r"<\s*(\w+)", page)) <= ELEMENTS
    for table in re.findall(r"(?s)<table>.*?</table>", page):
        rows = [len(re.findall(r"<t[dh]\b", row)) for row in re.findall(r"(?s)<tr>.*?</tr>", table)]
        assert len(set(rows)) == 1
    return page


def as_shown(text: str) -> str:
    """How a browser's source shows the text, its code as code."""
    return (
        text.replace("&", "&amp;")
        .replace("<", "&lt;")
        .replace(">", "&gt;")
        .replace("`x`", "<code>x</code>")
    )


def test_classify(tmp_path: Path, screen: str, capsys: pytest.CaptureFixture[str]) -> None:
    file, run = tmp_path / f"{TITLE}[red]rows|.csv", tmp_path / "run"
    rows = "".join(
        f'"a {word} film {n}","{label}"\n'
        for n in range(60)
        for word, label in (("good", EVIL), ("bad", "no"))
    )
    file.write_text(f"text,{TITLE}label\n{rows}", encoding="utf-8")
    column = ["--label", f"{TITLE}label"]
    seen(capsys, "train", "classify", str(file), *column, "--out", str(run), *QUICK)
    assert as_shown(SEEN) in html_of(run)
    assert as_shown(SEEN) in page_of(run)
    assert EVIL in json.loads((run / "result.json").read_text())["details"]["labels"]
    assert "[red]" in seen(capsys, "check", str(file), "--task", "classify", *column)
    seen(capsys, "compare", str(run), str(run))
    seen(capsys, "evaluate", str(run), str(file))
    capsys.readouterr()
    assert main(["classify", str(run), "a good film"]) == 0
    assert (EVIL in capsys.readouterr().out) == (screen == "pipe")
    assert main(["classify", str(run), "a good film", "--json"]) == 0
    assert EVIL in json.loads(capsys.readouterr().out)["probabilities"]


def test_tag(tmp_path: Path, screen: str, capsys: pytest.CaptureFixture[str]) -> None:
    tag, file, run = EVIL.replace(" ", "_"), tmp_path / "words.tsv", tmp_path / "run"
    file.write_text(f"the\tD\ncat{TITLE}\t{tag}\nsleeps\tV\n\n" * 60, encoding="utf-8")
    seen(capsys, "train", "tag", str(file), "--out", str(run), *QUICK, "--set", "codec.min_count=1")
    assert "&lt;script&gt;" in html_of(run)
    assert (
        f"<sub>{as_shown(SEEN.replace(' ', '_')).replace('<code>', '`').replace('</code>', '`')}"
        in page_of(run)
    )
    seen(capsys, "check", str(file), "--task", "tag")
    capsys.readouterr()
    assert main(["tag", str(run), "the cat"]) == 0
    assert main(["evaluate", str(run), str(file)]) == 0
    shown = OURS.sub("", capsys.readouterr().out)
    assert not OBEYED.findall(shown) or screen == "pipe"


def test_forecast(tmp_path: Path, screen: str, capsys: pytest.CaptureFixture[str]) -> None:
    file, run = tmp_path / "sold.csv", tmp_path / "run"
    rows = "".join(f'"{EVIL}",{2000 + n // 12}-{n % 12 + 1:02},{n % 12}\n' for n in range(96))
    file.write_text(f"id,month,sold\n{rows}", encoding="utf-8")
    quick = ["--model", "ridge", "--set", "baselines.statistical=[]", "--set", "hardware.threads=1"]
    seen(capsys, "train", "forecast", str(file), "--out", str(run), *quick)
    assert as_shown(SEEN) in html_of(run)
    assert as_shown(SEEN) in page_of(run)
    assert SEEN in seen(capsys, "forecast", str(run))
    seen(capsys, "check", str(file), "--task", "forecast")
    picture = tmp_path / "$x$.svg"
    seen(capsys, "forecast", str(run), "--plot", str(picture))
    assert OBEYED.findall(picture.read_text(encoding="utf-8")) == []
    assert "<script" not in picture.read_text(encoding="utf-8")


def test_generate(tmp_path: Path, screen: str, capsys: pytest.CaptureFixture[str]) -> None:
    file, run = tmp_path / "text.txt", tmp_path / "run"
    file.write_text("x\x1b]0;owned\x07\x9b\u202e`|<b>\n" * 400, encoding="utf-8")
    model = ["--model", "ngram", "--set", "model.order=4", "--set", "data.format=text"]
    seen(capsys, "train", "generate", str(file), "--out", str(run), *model)
    assert "\\x1b]0;owned" in html_of(run)
    assert "\\x9b\\u202e`|&lt;b&gt;" in page_of(run)
    seen(capsys, "evaluate", str(run), str(file), "--surprising", "3", "--novelty")
    for more in ([], ["--samples", "2"]):
        capsys.readouterr()
        assert main(["generate", str(run), "--length", "80", *more]) == 0
        assert ("\x1b]0;owned" in capsys.readouterr().out) == (screen == "pipe")


LONG = "x" * 130_000 + " y" * 5000
MONTHS = [f"{2000 + n // 12}-{n % 12 + 1:02}" for n in range(96)]
TABLES = {
    "classify": (
        f'text,"{LONG}label"\n'
        + "".join(f'"a good film {n}","{LONG}"\n"a bad one {n}",no\n' for n in range(60)),
        ["--model", "nbsvm"],
    ),
    "forecast": (
        f'id,month,"{LONG}sold"\n'
        + "".join(f'"{LONG}{k}",{month},{n}\n' for k in "ab" for n, month in enumerate(MONTHS)),
        ["--model", "ridge", "--set", "baselines.statistical=[]"],
    ),
    "tag": (
        f"the\tD\ncat\tT{LONG}\nsleeps\tV\n\n".replace(" ", "") * 60,
        ["--model", "hmm"],
    ),
    "generate": (
        f'id,"{LONG}x",pen\n' + "".join(f"s{n // 20},{n * n % 7},{n % 3}\n" for n in range(400)),
        ["--format", "steps", *QUICK],
    ),
}


@pytest.mark.parametrize("verb", TABLES)
def test_long_names_are_shown_short(
    verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A column name of 140,000 characters filled the screen, in a table padded to its width."""
    table, model = TABLES[verb]
    file, run = tmp_path / ("data.tsv" if verb == "tag" else "data.csv"), tmp_path / "run"
    file.write_text(table, encoding="utf-8")
    shown = seen(capsys, "check", str(file), "--set", "format=steps") if verb == "generate" else ""
    shown += seen(capsys, "check", str(file), "--task", verb) if verb != "generate" else ""
    shown += seen(capsys, "train", verb, str(file), "--out", str(run), *model)
    if verb == "forecast":
        shown += seen(capsys, "forecast", str(run))
    else:
        shown += seen(capsys, "evaluate", str(run), str(file))
    shown += seen(capsys, "evaluate", str(run), str(file), "--label", LONG, code=2)
    assert "xxx ... y" in shown or "xxx ... xxx" in shown or "xxx ... yyy" in shown
    assert max(map(len, shown.split("\n"))) <= 3000
    assert max(map(len, (run / "report.md").read_text(encoding="utf-8").split("\n"))) <= 3000


def test_errors(tmp_path: Path, screen: str, capsys: pytest.CaptureFixture[str]) -> None:
    for command in (
        ["train", "classify", f"{EVIL}.csv"],
        ["train", "generate", "--config", f"{EVIL}.toml"],
        ["train", "generate", "--model", EVIL],
        ["train", "generate", "--set", EVIL],
        ["generate", EVIL],
        ["list", "cells", EVIL],
        [EVIL],
        ["generate", "--no-such-flag", EVIL],
    ):
        shown = seen(capsys, *command, code=2).removeprefix("opening the run")
        assert shown.startswith("ensue: ")
        assert len(shown.splitlines()) == 1


@pytest.mark.parametrize(
    ("text", "terminal", "markdown"),
    [
        ("plain", "plain", "plain"),
        ("two\nlines\tand\r", "two\\nlines\\tand\\r", "two\\\\nlines\\\\tand\\\\r"),
        ("\x1b[2J\x7f\x85\x9b", "\\x1b[2J\\x7f\\x85\\x9b", "\\\\x1b\\[2J\\\\x7f\\\\x85\\\\x9b"),
        ("\u202eabc\u2066\u2029", "\\u202eabc\\u2066\\u2029", "\\\\u202eabc\\\\u2066\\\\u2029"),
        ("a|b", "a|b", "a\\|b"),
        ("`a|<b>` <b>", "`a|<b>` <b>", "`a\\|<b>` &lt;b&gt;"),
        ("`<b>", "`<b>", "\\`&lt;b&gt;"),
        ("[x](y) *z* a_b _c_", "[x](y) *z* a_b _c_", "\\[x\\](y) \\*z\\* a_b \\_c\\_"),
        ("http://a.b www.a.b", "http://a.b www.a.b", "http\\://a.b www\\.a.b"),
        ("日本 é \u0301 👍🏽 \u200f", "日本 é \u0301 👍🏽 \u200f", "日本 é \u0301 👍🏽 \u200f"),
        ("\udcff", "\\udcff", "\\\\udcff"),
    ],
)
def test_each_way_to_show_a_text(text: str, terminal: str, markdown: str) -> None:
    assert for_terminal(text) == terminal
    assert for_markdown(text, cell=True) == markdown
    assert for_markdown(text) == markdown.replace("\\|", "|")


def test_lines_stay_where_lines_are_meant() -> None:
    assert for_terminal("a\n\tb\r", lines=True) == "a\n\tb\\r"
    assert for_html("<a href='x'>\x1b&") == "&lt;a href=&#x27;x&#x27;&gt;\\x1b&amp;"
