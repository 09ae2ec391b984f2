"""Prices of a parcel inside the country.

Returns
=======
All the functions return whole cents.
"""

TITLE = """
Tariff 2025, valid from 1 July
==============================
"""
FIRST_BAND_CENTS = 549
SECOND_BAND_CENTS = 749
BANDS = [
    (2_000, FIRST_BAND_CENTS),
    (5_000, SECOND_BAND_CENTS),
    (10_000, 999),
    (31_500, 1_699),
]
BULKY_SURCHARGE = 2_200


def price(grams: int, bulky: bool = False) -> int:
    """The price of one parcel."""
    for limit, cents in BANDS:
        if grams <= limit:
            return cents + (BULKY_SURCHARGE if bulky else 0)
    raise ValueError(f"{grams} g is too heavy for a parcel")


def price_list() -> str:
    lines = [f"up to {limit / 1000:g} kg: {cents / 100:.2f}" for limit, cents in BANDS]
    return TITLE + "\n".join(lines)
