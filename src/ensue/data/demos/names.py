"""People's names of many countries, from the lists of Faker."""

from pathlib import Path

from ensue.errors import UserError

LOCALES = ("cs_CZ", "da_DK", "de_DE", "en_US", "es_ES", "fi_FI", "fr_FR", "hu_HU", "it_IT", "nl_NL", "pl_PL", "pt_PT")


def write_names(path: Path) -> None:
    """Write each first name of these countries once, sorted. Raises UserError if Faker is not installed."""
    try:
        from faker import Faker
    except ImportError:
        mend = 'install it with: pip install "ensue[demos]"'
        raise UserError(
            "the names come from the package Faker, which is missing", where="demo names", mend=mend
        ) from None
    names: set[str] = set()
    for locale in LOCALES:
        people = next(provider for provider in Faker(locale).get_providers() if hasattr(provider, "first_names"))
        names.update(people.first_names)
    path.write_text("\n".join(sorted(names)) + "\n", encoding="utf-8", newline="\n")
