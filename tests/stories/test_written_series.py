"""Times and numbers as spreadsheets and programs write them: a column is judged as a whole, and
a doubt is told."""

import re
from calendar import monthrange
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest

import ensue
from ensue.cli.main import main
from ensue.data.contract import Finding, Listener
from ensue.data.series.joining import append
from ensue.data.series.panel import Panel, SeriesSettings
from ensue.data.series.parts import read_later
from ensue.data.tables.series import read_panel
from ensue.errors import DataError, SettingError

DAYS = [date(2020, 3, 27) + timedelta(n) for n in range(40)]
HOURS = [datetime(2020, 3, 27) + timedelta(hours=n) for n in range(40)]
YM = [(2015 + n // 12, 1 + n % 12) for n in range(40)]
MONTHS = [date(2015 + n // 12, 1 + n % 12, 1) for n in range(40)]
QUARTERS = [date(2010 + n // 4, 1 + n % 4 * 3, 1) for n in range(40)]


def read(folder: Path, text: str, **settings: object) -> tuple[Panel, list[str]]:
    path, found = folder / "data.csv", list[Finding]()
    path.write_text(text, encoding="utf-8")
    panel = read_panel([path], SeriesSettings.model_validate(settings), Listener(found.append))
    return panel, [f"{one.what}; {one.hint}" if one.hint else one.what for one in found]


def table(times: list[str], delimiter: str = ",") -> str:
    return f"ds{delimiter}y\n" + "".join(
        f"{time}{delimiter}{place % 9}\n" for place, time in enumerate(times)
    )


def twelve(time: datetime) -> str:
    return (
        f"{time.month}/{time.day}/{time.year} {(time.hour + 11) % 12 + 1}:{time.minute:02d} "
        f"{'AP'[time.hour > 11]}M"
    )


FORMS: dict[str, tuple[list, Callable[..., str], str]] = {
    "month first": (DAYS, lambda day: f"{day.month}/{day.day}/{day.year}", "day"),
    "month first, two digits": (DAYS, lambda day: f"{day:%m/%d/%y}", "day"),
    "day first": (DAYS, lambda day: f"{day.day}/{day.month}/{day.year}", "day"),
    "a day above twelve at first": (DAYS[4:], lambda day: f"{day:%m/%d/%Y}", "day"),
    "an hour": (HOURS, lambda time: f"{time.month}/{time.day}/{time.year} {time.hour}:00", "hour"),
    "half a day": (HOURS, twelve, "hour"),
    "the year first": (DAYS, lambda day: f"{day.year}/{day.month}/{day.day}", "day"),
    "no zeros": (DAYS, lambda day: f"{day.year}-{day.month}-{day.day}", "day"),
    "month and year": (MONTHS, lambda day: f"{day:%m/%Y}", "month"),
    "2015M01": (MONTHS, lambda day: f"{day:%YM%m}", "month"),
    "Q1 2010": (QUARTERS, lambda day: f"Q{day.month // 3 + 1} {day.year}", "quarter"),
    "2010Q1": (QUARTERS, lambda day: f"{day.year}Q{day.month // 3 + 1}", "quarter"),
    "2010-Q1": (QUARTERS, lambda day: f"{day.year}-Q{day.month // 3 + 1}", "quarter"),
    "Q1-2010": (QUARTERS, lambda day: f"Q{day.month // 3 + 1}-{day.year}", "quarter"),
    "12-31-2020": (DAYS, lambda day: f"{day:%m-%d-%Y}", "day"),
    "no marks, minutes": (HOURS, lambda time: f"{time:%Y%m%d%H%M}", "hour"),
    "no marks, seconds": (HOURS, lambda time: f"{time:%Y%m%d%H%M%S}", "hour"),
    "no marks, hours": (HOURS, lambda time: f"{time:%Y%m%d%H}", "hour"),
    "1Q2010": (QUARTERS, lambda day: f"{day.month // 3 + 1}Q{day.year}", "quarter"),
}


@pytest.mark.parametrize("name", FORMS)
def test_times(name: str, tmp_path: Path) -> None:
    times, write, frequency = FORMS[name]
    panel, told = read(tmp_path, table(list(map(write, times))))
    assert panel.series[0].times.tolist() == [datetime(*time.timetuple()[:5]) for time in times]
    assert (panel.frequency.name, told) == (frequency, [])


@pytest.mark.parametrize(
    ("unit", "word"), [(1, "seconds"), (1000, "milliseconds"), (10**9, "nanoseconds")]
)
def test_seconds_since_1970_are_hours(unit: int, word: str, tmp_path: Path) -> None:
    stamps = [int(time.replace(tzinfo=UTC).timestamp()) * unit for time in HOURS]
    rows = "".join(f"{stamp},{place}\n" for place, stamp in enumerate(stamps))
    for column in ("timestamp", "when"):
        panel, told = read(tmp_path, f"{column},value\n{rows}")
        assert (panel.frequency.name, panel.frequency.season) == ("hour", 24)
        assert panel.series[0].times.tolist() == HOURS
        assert told == [f"the integers in '{column}' are read as {word} since 1970, in UTC"]
    assert (
        read(
            tmp_path,
            f"timestamp,value\n{rows}",
            freq=f"{min(3600 * unit, 999_999)} steps",
            fill="zero",
        )[0].frequency.base
        == "step"
        if unit == 1
        else True
    )


def test_seconds_since_1970_up_to_2286(tmp_path: Path) -> None:
    panel, _ = read(tmp_path, table([str(9_999_999_999 - 3600 * n) for n in range(40, -1, -1)]))
    assert panel.series[0].times[-1] == np.datetime64("2286-11-20T17:46:39")
    assert panel.frequency.name == "hour"


def test_seconds_since_1970_as_numpy_saves_them(tmp_path: Path) -> None:
    stamps = [f"{time.replace(tzinfo=UTC).timestamp():.18e}" for time in HOURS]
    panel, told = read(tmp_path, table(stamps))
    assert panel.series[0].times.tolist() == HOURS
    assert told == ["the integers in 'ds' are read as seconds since 1970, in UTC"]


def test_what_nobody_can_tell_of_dates_is_asked_for(tmp_path: Path) -> None:
    rows = [f"{month:02d}/01/2024" for month in range(1, 13)]
    with pytest.raises(
        DataError, match=r"data.csv:2: '01/01/2024': does the day come first, or the month\?"
    ):
        read(tmp_path, table(rows))
    panels = [read(tmp_path, table(rows), day_first=first)[0] for first in (True, False)]
    assert [panel.frequency.name for panel in panels] == ["day", "month"]
    with pytest.raises(
        DataError, match=r"data.csv:3: '03/27/2020' has day and month in another order"
    ):
        read(tmp_path, table(["27/03/2020", "03/27/2020"]))


def test_rows_in_another_order_are_sorted(tmp_path: Path) -> None:
    rows = [f"{day},{place}" for place, day in enumerate(DAYS)]
    panel, told = read(tmp_path, "ds,y\n" + "\n".join([*rows[20:], *rows[:20]]))
    assert panel.series[0].times.astype("datetime64[D]").tolist() == DAYS
    assert panel.series[0].values[:, 0].tolist() == list(range(40))
    assert told == ["the rows of 1 series are not in order of time, and were sorted"]
    with pytest.raises(DataError, match=r"data.csv:42: the time 2020-03-27 of 'data' occurs twice"):
        read(tmp_path, "ds,y\n" + "\n".join([*rows, rows[0]]))


def last_workday(year: int, month: int) -> date:
    day = date(year + month // 12, month % 12 + 1, 1) - timedelta(1)
    return day - timedelta(max(day.weekday() - 4, 0))


ENDS = {
    "workdays": [last_workday(2015 + n // 12, 1 + n % 12) for n in range(40)],
    "the 30th": [
        date(2015 + n // 12, 1 + n % 12, min(30, monthrange(2015 + n // 12, 1 + n % 12)[1]))
        for n in range(40)
    ],
    "the 31st": [
        date(2015 + n // 12 + (n % 12 == 11), (n + 1) % 12 + 1, 1) - timedelta(1) for n in range(40)
    ],
    "the 15th": [date(2015 + n // 12, 1 + n % 12, 15) for n in range(40)],
}


@pytest.mark.parametrize("name", ENDS)
def test_months_that_end_on_no_first(name: str, tmp_path: Path) -> None:
    """What comes next is on the same day of its month, wherever the series is cut; and `--freq
    month` says the same."""
    days = ENDS[name]
    for settings in ({}, {"freq": "month"}):
        for end in (30, 34, 38):
            panel, told = read(tmp_path, table(list(map(str, days[:end]))), **settings)
            assert (panel.frequency.name, panel.frequency.season, told) == ("month", 12, [])
            ahead = panel.frequency.ahead(panel.series[0].times[-1], 40 - end)
            assert ahead.astype("datetime64[D]").tolist() == days[end:]
            kept = Panel.of(panel.streams("series"), "series", panel.to_json())
            assert (
                kept.frequency.ahead(panel.series[0].times[-1], 40 - end).tolist() == ahead.tolist()
            )


def test_new_rows_go_on_to_the_same_day_of_the_month(tmp_path: Path) -> None:
    days = ENDS["workdays"]
    learned, _ = read(tmp_path, table(list(map(str, days[:36]))))
    (tmp_path / "new.csv").write_text(table([str(days[36]), str(days[37])]), encoding="utf-8")
    later = read_panel([tmp_path / "new.csv"], SeriesSettings(freq="month"), like=learned)
    ahead = later.frequency.ahead(later.series[0].times[-1], 2)
    assert ahead.astype("datetime64[D]").tolist() == days[38:]


def on_weekday(year: int, month: int, weekday: int, number: int) -> date:
    return next(
        day
        for n in range(7)
        if (day := date(year, month, 1 + 7 * number) + timedelta(n)).weekday() == weekday
    )


VARIED = {
    "the first workday": [
        next(date(y, m, d) for d in (1, 2, 3) if date(y, m, d).weekday() < 5) for y, m in YM
    ],
    "the third friday": [on_weekday(y, m, 4, 2) for y, m in YM],
    "any day": [date(y, m, 1 + 17 * m % 27) for y, m in YM],
}


@pytest.mark.parametrize("name", VARIED)
def test_one_time_in_each_month_is_a_month(name: str, tmp_path: Path) -> None:
    days = list(map(str, VARIED[name]))
    panel, told = read(tmp_path, table(days[:36]))
    assert (panel.frequency.name, panel.frequency.season, told) == ("month", 12, [])
    assert panel.frequency.ahead(panel.series[0].times[-1], 2).astype("datetime64[M]").tolist() == [
        day.replace(day=1) for day in VARIED[name][36:38]
    ]
    (tmp_path / "new.csv").write_text(table(days[36:38]), encoding="utf-8")
    later = read_panel([tmp_path / "new.csv"], SeriesSettings(freq="month"), like=panel)
    assert len(append(panel, later)[0].series[0]) == 38
    # A gap is one only where the frequency is said.
    short = [day for place, day in enumerate(days) if place != 9]
    with pytest.raises(DataError, match="a gap of 1 step of a month"):
        read(tmp_path, table(short), freq="month")
    assert len(read(tmp_path, table(short), freq="month", fill="previous")[0].series[0]) == 40
    with pytest.raises(DataError, match="two frequencies: from 2020-03-27 to 2020-03-28"):
        read(tmp_path, table(list(map(str, DAYS))), freq="month")


def test_a_gap_among_ends_of_months_is_filled(tmp_path: Path) -> None:
    days = [str(day) for place, day in enumerate(ENDS["workdays"]) if place not in (7, 8)]
    with pytest.raises(DataError, match="a gap of 2 steps of a month before 2015-10-30"):
        read(tmp_path, table(days))
    panel, _ = read(tmp_path, table(days), fill="previous")
    assert panel.series[0].times.astype("datetime64[D]").tolist() == ENDS["workdays"]


@pytest.mark.parametrize("hour", [0, 6])
def test_days_by_the_clocks_of_a_place_are_days(hour: int, tmp_path: Path) -> None:
    """With their offsets, which daylight saving changes; one such row, of a run that learned
    hours, is an hour."""
    days = [
        datetime(2020, 3, 1, hour, tzinfo=ZoneInfo("America/New_York")) + timedelta(n)
        for n in range(30)
    ]
    panel, told = read(tmp_path, table([day.isoformat() for day in days]))
    assert (panel.frequency.name, told) == ("day", [])
    assert panel.series[0].times.tolist() == [day.replace(tzinfo=None) for day in days]
    hours, _ = read(tmp_path, table([f"{time:%Y-%m-%dT%H:%M}-05:00" for time in HOURS]))
    row = table([(HOURS[-1] + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M-05:00")])
    settings = SeriesSettings(freq="hour")
    (tmp_path / "new.csv").write_text(row, encoding="utf-8")
    later = read_panel([tmp_path / "new.csv"], settings, like=hours)
    assert later.series[0].times.tolist() == [HOURS[-1] + timedelta(hours=6)]
    assert len(append(hours, later)[0].series[0]) == 41


@pytest.mark.parametrize(("step", "frequency"), [(1, "day"), (7, "week"), (0, "month")])
def test_days_as_spreadsheets_count_them(step: int, frequency: str, tmp_path: Path) -> None:
    """43831 is 2020-01-01; months have 28 to 31 days, which were two frequencies, and days had
    no season."""
    days = MONTHS if not step else [date(2020, 1, 1) + timedelta(step * n) for n in range(40)]
    text = table([str((day - date(1899, 12, 30)).days) for day in days]).replace("ds", "date")
    panel, told = read(tmp_path, text)
    assert panel.series[0].times.astype("datetime64[D]").tolist() == days
    assert panel.frequency.name == frequency
    (said,) = told
    assert said.startswith(
        f"the integers in 'date' are read as days of a spreadsheet, starting on {days[0]}; if they are only"
    )
    if step:
        panel, told = read(tmp_path, text, freq=f"{step} steps")
        assert (panel.frequency.base, told) == ("step", [])
        assert read(tmp_path, text.replace("date", "step"))[1] == []


def test_times_without_a_name_are_those_of_an_index(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As pandas saves a frame whose index is its times: the first column has no name."""
    rows = [f"{month},{place % 12},{place % 7}\n" for place, month in enumerate(MONTHS)]
    panel, _ = read(tmp_path, ",a,b\n" + "".join(rows))
    assert [one.name for one in panel.series] == ["a", "b"]
    assert panel.series[0].times.astype("datetime64[D]").tolist() == MONTHS
    data = tmp_path / "data.csv"
    run = str(tmp_path / "run")
    data.write_text(",a,b\n" + "".join(rows[:36]), encoding="utf-8")
    assert main(["check", str(data), "--horizon", "2"]) == 0
    assert "Checked as data for `ensue train forecast`" in capsys.readouterr().out
    assert (
        main(
            [
                "train",
                "forecast",
                str(data),
                "--out",
                run,
                "--horizon",
                "2",
                "--set",
                "baselines.statistical=[]",
            ]
        )
        == 0
    )
    data.write_text(",a,b\n" + rows[36], encoding="utf-8")
    assert [
        one.times[0].astype("datetime64[D]").item() for one in ensue.open(run).forecast(data)
    ] == [MONTHS[37]] * 2


def test_weeks_by_their_first_day_and_their_last(tmp_path: Path) -> None:
    weeks = [date(2020, 1, 6) + timedelta(7 * n) for n in range(30)]
    panel, _ = read(tmp_path, table([f"{day}/{day + timedelta(6)}" for day in weeks]))
    assert panel.series[0].times.astype("datetime64[D]").tolist() == weeks
    assert panel.frequency.name == "week"


@pytest.mark.parametrize(
    "times",
    [
        [f"2020-01-01 00:00:00.{n}" for n in range(9)],
        [str(1585267200000 + 100 * n) for n in range(9)],
    ],
)
def test_times_within_a_second_are_no_copies(times: list[str], tmp_path: Path) -> None:
    """They were called the same time, and nine of ten to be left out; numbered, as is advised,
    they are steps."""
    with pytest.raises(
        DataError, match=f"data.csv:3: '{times[0]}' and '{times[1]}' are less than a second apart"
    ):
        read(tmp_path, table(times))
    rows = "".join(f"{time},{place},{place % 4}\n" for place, time in enumerate(times, 1))
    panel, _ = read(tmp_path, "ds,number,y\n" + rows, time="number")
    assert panel.series[0].times.tolist() == list(range(1, 10))


def test_columns_have_one_use_and_those_that_have_none_are_told(tmp_path: Path) -> None:
    rows = "".join(
        f"{day},{day.day},{day.day % 3},{'yes' if day.day % 5 else 'no'}\n" for day in DAYS
    )
    text = "ds,y,price,promo\n" + rows
    for said in (
        {"target": ["y"], "known_covariates": ["y"]},
        {"known_covariates": ["price"], "past_covariates": ["price"]},
        {"past_covariates": ["ds"], "time": "ds"},
    ):
        with pytest.raises(DataError, match="is named twice; name it once"):
            read(tmp_path, text, **said)
    for said in ({"target": ["promo"]}, {"target": ["y"], "known_covariates": ["promo"]}):
        with pytest.raises(
            DataError,
            match=r"data.csv:2: the column 'promo' holds no numbers, but 'yes'; write numbers",
        ):
            read(tmp_path, text, **said)
    _, told = read(tmp_path, text.replace(",promo", "").replace(",yes", "").replace(",no", ""))
    (said,) = told
    assert said.startswith(
        "unused column: 'price'; to use columns as inputs, name them with --known-covariates, "
        "--past-covariates or --static-covariates; to forecast them"
    )
    panel, told = read(tmp_path, text, target=["y"])
    assert (len(panel.series), told) == (
        1,
        [],
    )  # yes and no, beside times that are there once, are no ids


@pytest.mark.parametrize(
    "place", ["Europe/Berlin", "America/New_York", "Australia/Sydney", "Europe/London"]
)
def test_local_midnights_in_utc_are_days(place: str, tmp_path: Path) -> None:
    days = [date(2020, 1, 1) + timedelta(n) for n in range(300)]
    zone = ZoneInfo(place)
    moments = [datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC) for day in days]
    rows = [f"{moment:%Y-%m-%dT%H:%M:%SZ}" for moment in moments]
    for settings in ({}, {"freq": "day"}):
        panel, told = read(tmp_path, table(rows), **settings)
        assert panel.series[0].times.astype("datetime64[D]").tolist() == days
        assert panel.frequency.name == "day"
        assert ["midnights of a local time" in one for one in told] == [True]
    (tmp_path / "new.csv").write_text(table([f"{moments[7] + timedelta(1)}"]), encoding="utf-8")
    like = read_panel([tmp_path / "new.csv"], SeriesSettings(), like=panel)
    assert like.series[0].times.astype("datetime64[D]").tolist() == [days[8]]


NUMBERS: dict[str, tuple[list[str], list[float], str]] = {
    "german thousands": (
        ["940", "996", "1.003"],
        [940, 996, 1003],
        "'1.003' is read as 1003, because numbers without",
    ),
    "english thousands": (
        ['"940"', '"996"', '"1,003"'],
        [940, 996, 1003],
        "'1,003' is read as 1003, because numbers without",
    ),
    "millions": (["940", "1.234.567"], [940, 1234567], ""),
    "decimal comma": (["1,5", "1,003", "2"], [1.5, 1.003, 2], ""),
    "decimal point": (["1.5", "1.003", "2"], [1.5, 1.003, 2], ""),
    "both": (["1.234,5", "1.003"], [1234.5, 1003], ""),
    "three digits": (["0.125", "1.003"], [0.125, 1.003], ""),
    "above a thousand": (
        ["1234", "1.003"],
        [1234, 1.003],
        "'1.003' is read as 1.003, because numbers without a point are above",
    ),
    "three digits everywhere": (
        ["12.125", "1.003"],
        [12.125, 1.003],
        "'12.125' is read as 12.125, because all have a point",
    ),
    "spaces": (["1 234", "900"], [1234, 900], ""),
    "narrow spaces": (["1\u202f234,5", "900"], [1234.5, 900], ""),
    "apostrophes": (["1'234.5", "900"], [1234.5, 900], ""),
    "dollars": (["$1,200.50", "-$3", "($4)"], [1200.5, -3, -4], ""),
    "euros": (["1.200,50 €", "3 €"], [1200.5, 3], ""),
    "per cent": (["12.5%", "3 %"], [12.5, 3], ""),
    "below zero": (["(1,200)", "\u22125", "1"], [-1200, -5, 1], "'1,200' is read as 1200"),
    "powers": (["1.5e3", "2E-2"], [1500, 0.02], ""),
    "truths": (["true", "False"], [1, 0], ""),
}


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers(name: str, tmp_path: Path) -> None:
    cells, values, doubt = NUMBERS[name]
    rows = [f"2020-01-{place:02d};{cell}" for place, cell in enumerate(cells, 1)]
    text = "Datum;Umsatz\n" + "\n".join(rows) + "\n"
    panel, told = read(tmp_path, text)
    assert panel.series[0].values[:, 0].tolist() == values
    assert len(told) == bool(doubt)
    for one in told:
        assert f"in the column 'Umsatz' {doubt}" in one
        advice = re.search(r"if that is wrong, give --set data.decimal=(.)$", one)
        assert advice
        other, told_then = read(tmp_path, text, decimal=advice[1])
        assert (told_then, other.series[0].values.tolist() != panel.series[0].values.tolist()) == (
            [],
            True,
        )


@pytest.mark.parametrize(
    ("cells", "line"),
    [
        (["1.5", "2.5", "1,5"], 4),
        (["1.234,5", "1,234.5"], 3),
        (["1,5", "1.50"], 3),
        (["$5", "€5"], 3),
        (["5%", "0.05"], 3),
        (["1.5", "12,34,5"], 3),
        (["1.5", "(5"], 3),
        (["1.5", "1 2"], 3),
    ],
)
def test_numbers_of_no_one_form(cells: list[str], line: int, tmp_path: Path) -> None:
    rows = [
        f"2020-01-{place:02d};{cell}"
        for place, cell in enumerate([*cells[:-1], *cells[:-1], cells[-1]], 1)
    ]
    line = len(rows) + 1
    with pytest.raises(
        DataError, match=rf"data.csv:{line}: .* is not a valid number; correct it, or leave"
    ) as caught:
        read(tmp_path, "Datum;Umsatz\n" + "\n".join(rows) + "\n")
    assert "decimal" not in str(caught.value)


def test_a_column_of_a_table_is_written_as_the_others(tmp_path: Path) -> None:
    rows = [f"2020-01-{day:02d};1,003;{day},5" for day in range(1, 9)]
    panel, told = read(tmp_path, "Datum;a;b\n" + "\n".join(rows) + "\n")
    assert panel.series[0].values[:, 0].tolist() == [1.003] * 8
    assert len(told) == 1  # that each column is a series


def test_a_run_reads_new_rows_as_it_read_those_it_learned(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    days = [date(2020, 1, 1) + timedelta(n) for n in range(80)]
    rows = [
        f"{day:%m/%d/%Y};a;{900 + 7 * place // 1000:d}{'' if place % 3 else ',5'}"
        for place, day in enumerate(days)
    ]
    (tmp_path / "data.csv").write_text(
        "Wann;Laden;Umsatz\n" + "\n".join(rows) + "\n", encoding="utf-8"
    )
    quick = ["--horizon", "2", "--set", "baselines.statistical=[]"]
    assert (
        main(
            [
                "train",
                "forecast",
                str(tmp_path / "data.csv"),
                "--out",
                str(tmp_path / "run"),
                *quick,
            ]
        )
        == 0
    )
    later = tmp_path / "later.csv"
    later.write_text("Wann;Laden;Umsatz\n03/21/2020;a;1,125\n", encoding="utf-8")
    model = ensue.open(tmp_path / "run")
    panel, reading = model.prepared.panel, model.settings.data
    assert read_later(panel, reading, later).series[0].values.tolist() == [[1.125]]
    later.write_text(
        "Laden;Umsatz;Wann\na;1,125;04/01/2020\na;1,125;04/02/2020\n", encoding="utf-8"
    )
    series = read_later(panel, reading, later).series[0]
    assert series.name == "a"
    assert series.times.astype("datetime64[D]").tolist() == [date(2020, 4, 1), date(2020, 4, 2)]
    assert main(["check", str(tmp_path / "data.csv")]) == 0
    assert "Checked as data for `ensue train forecast`" in capsys.readouterr().out


def test_new_rows_with_marks_that_were_not_there(tmp_path: Path) -> None:
    learned, _ = read(
        tmp_path, "ds;y\n" + "".join(f"2020-01-{day:02d};{900 + day}\n" for day in range(1, 20))
    )
    (tmp_path / "new.csv").write_text("ds;y\n2020-01-20;1.003\n2020-01-21;940\n", encoding="utf-8")
    found: list[Finding] = []
    panel = read_panel([tmp_path / "new.csv"], SeriesSettings(), Listener(found.append), learned)
    assert panel.series[0].values[:, 0].tolist() == [1003, 940]
    assert "'1.003' is read as 1003" in found[0].what


def test_dates_are_no_steps(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="the times are dates, not integers"):
        read(tmp_path, table(list(map(str, DAYS))), freq="step")
    assert (
        read(tmp_path, "t,y\n" + "".join(f"{n},{n}\n" for n in range(9)))[0].series[0].times.dtype
        == np.int64
    )


@pytest.mark.parametrize("role", ["ds", "y"])
def test_what_is_said_of_a_long_cell_is_short(role: str, tmp_path: Path) -> None:
    rows = [
        f"{'9' * 9000},3" if role == "ds" else f"2020-01-01,{'9' * 9000}",
        *(f"2020-01-{n:02d},3" for n in range(2, 9)),
    ]
    with pytest.raises(DataError, match=f"9 ... 9+' in the column '{role}' is no") as found:
        read(tmp_path, "ds,y\n" + "\n".join(rows) + "\n")
    assert len(str(found.value)) - len(str(tmp_path)) < 250
