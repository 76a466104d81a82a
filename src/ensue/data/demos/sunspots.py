"""Sunspot numbers of the years 1700 to 2008, from statsmodels."""

from pathlib import Path

from ensue.errors import UserError


def write_sunspots(path: Path) -> None:
    """Write year and mean number. Raises UserError if statsmodels is not installed."""
    try:
        from statsmodels.datasets import sunspots
    except ImportError:
        mend = 'install it with: pip install "ensue[demos]"'
        what = "the numbers come from the package statsmodels, which is missing"
        raise UserError(what, where="demo sunspots", mend=mend) from None
    table = sunspots.load_pandas().data
    rows = [f"{int(year)},{number}" for year, number in zip(table["YEAR"], table["SUNACTIVITY"], strict=True)]
    path.write_text("\n".join(["year,sunspots", *rows]) + "\n", encoding="utf-8", newline="\n")
