"""Demo of the sunspot numbers of the years 1700 to 2008, from statsmodels."""

from ensue.errors import UserError


def load_sunspots() -> str:
    """Return year and mean number. Raises UserError if statsmodels is not installed."""
    try:
        from statsmodels import datasets
    except ImportError:
        hint = "install it with: pip install 'ensue[demos]'"
        what = "the numbers come from the package statsmodels, which is missing"
        raise UserError(what, where="demo sunspots", hint=hint) from None
    table = datasets.sunspots.load_pandas().data
    rows = [
        f"{int(year)},{number}"
        for year, number in zip(table["YEAR"], table["SUNACTIVITY"], strict=True)
    ]
    return "\n".join(["year,sunspots", *rows]) + "\n"
