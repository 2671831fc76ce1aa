"""Duplicates on purpose: the same institution or instrument once more, from another province, written as another clerk would write it."""

from __future__ import annotations

from dataclasses import replace

from hub.cli.pool_making import Maker, Provider, Row
from hub.cli.pool_words import between, pick
from hub.domain.divisions import province_of

_WIDE = str.maketrans({chr(code): chr(code + 0xFEE0) for code in range(0x21, 0x7F)})


def twin_provider(maker: Maker, provider: Provider) -> Provider:
    """Return a provider once more, registered in another province; half of them keep the organisation part of their credit code."""
    rng = maker.rng
    elsewhere = [place for place in maker.places if province_of(place.code) != province_of(provider.place.code)]
    place = pick(rng, elsewhere)
    organisation = provider.uscc[8:17] if rng.random() < 0.5 else ""
    return replace(
        provider,
        uscc=maker.code(provider.uscc[:2] + place.code, organisation),
        name=_rewritten(maker, provider.name),
        place=place,
        admitted_on=maker.day(),
        address=_address(maker, provider.address),
    )


def twin_instrument(maker: Maker, row: Row, host: Provider, number: int) -> Row:
    """Return an instrument once more, as a provider of another province that offers it for its owner lists it."""
    rng = maker.rng
    twin = dict(row)
    value = float(row["original_value_yuan"])
    twin |= {
        "provider": host.uscc,
        "code": f"YQ{number:06d}",
        "institution": _rewritten(maker, row["institution"]),
        "owner": row["owner"] if rng.random() < 0.5 else "",
        "model": _model(maker, row["model"]),
        "serial_no": row["serial_no"] if rng.random() < 0.7 else "",
        "place": _address(maker, row["place"]),
        "original_value_yuan": f"{round(value * (0.99 + 0.02 * rng.random()))}.00",
        "hours_per_year": str(between(rng, 200, 4_000)),
    }
    return twin


def _rewritten(maker: Maker, name: str) -> str:
    """Return a name with one or two of the differences that do not make another institution."""
    rng = maker.rng
    for _ in range(between(rng, 1, 2)):
        way = rng.random()
        if way < 0.25 and name.endswith("有限公司"):
            name = name.removesuffix("股份有限公司").removesuffix("有限公司") + pick(rng, ("有限责任公司", "股份有限公司"))
        elif way < 0.45 and name.endswith(("研究院", "研究所")):
            name = name[:-1] + ("所" if name.endswith("院") else "院")
        elif way < 0.6:
            name = name.translate(_WIDE)
        elif way < 0.75:
            name = f"{name[:2]}市{name[2:]}" if name[:2] in {place.word for place in maker.places} else name
        elif way < 0.9:
            at = between(rng, 2, len(name) - 1)
            name = f"{name[:at]} {name[at:]}"
        else:
            # A slip: one character is lost.
            at = between(rng, 3, len(name) - 3)
            name = name[:at] + name[at + 1 :]
    return name


def _model(maker: Maker, model: str) -> str:
    ways = (model, model.upper(), model.replace(" ", ""), model.replace("-", " "), model.translate(_WIDE))
    return pick(maker.rng, ways)


def _address(maker: Maker, address: str) -> str:
    """Return an address with a detail less, or written wide."""
    way = maker.rng.random()
    if way < 0.4:
        return address
    if way < 0.7:
        return address[: address.index("号") + 1]
    return address.translate(_WIDE)
