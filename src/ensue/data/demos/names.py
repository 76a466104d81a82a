"""Demo of first names of many countries, from Faker."""

from ensue.errors import UserError

LOCALES = (
    "cs_CZ",
    "da_DK",
    "de_DE",
    "en_US",
    "es_ES",
    "fi_FI",
    "fr_FR",
    "hu_HU",
    "it_IT",
    "nl_NL",
    "pl_PL",
    "pt_PT",
)


def list_names() -> str:
    """Return the first names of these countries, sorted and unique.

    Raises UserError if Faker is not installed.
    """
    try:
        from faker import Faker
    except ImportError:
        what = "the names come from the package Faker, which is missing"
        hint = "pip install 'ensue[demos]'"
        raise UserError(what, where="demo names", hint=f"install it with: {hint}") from None
    found: set[str] = set()
    for locale in LOCALES:
        people = next(
            provider
            for provider in Faker(locale).get_providers()
            if hasattr(provider, "first_names")
        )
        found.update(people.first_names)
    return "\n".join(sorted(found)) + "\n"
