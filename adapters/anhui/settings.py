"""The `source` section of Anhui's adapter settings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, field_validator, model_validator

from adapters.anhui.mapping import CODES, DIVISION
from adapters.runtime.given import Given
from adapters.runtime.workbook import Limits
from hub.domain.divisions import contains

CITIES = {code: name for name, code in CODES.lists["division"].items() if contains(DIVISION, code) and code != DIVISION}
"""Names of the cities that hand in workbooks, by division code."""


class LimitsGiven(Given):
    """How much of a workbook is read (`workbook.Limits`)."""

    packed_bytes: Annotated[int, Field(gt=0)] = Limits().packed_bytes
    unpacked_bytes: Annotated[int, Field(gt=0)] = Limits().unpacked_bytes


class AnhuiGiven(Given):
    """One `inbox` with workbooks called `<city's code>…xlsx`, or a folder for each city under `cities`; and where things go.

    A workbook is taken when it looked the same for `settle_seconds`, and told of when it could not be taken for `stuck_after_seconds`.
    """

    inbox: Path | None = None
    cities: dict[str, Path] = Field(default_factory=dict)
    archive: Path
    results: Path
    history: Path | None = None
    settle_seconds: Annotated[float, Field(ge=0)] = 10.0
    stuck_after_seconds: Annotated[float, Field(ge=0)] = 3600.0
    limits: LimitsGiven = LimitsGiven()

    @field_validator("cities")
    @classmethod
    def _known(cls, cities: dict[str, Path]) -> dict[str, Path]:
        unknown = sorted(set(cities) - set(CITIES))
        if unknown:
            raise ValueError(f"{', '.join(unknown)} is no city that hands in workbooks; known are {', '.join(sorted(CITIES))}")
        return cities

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.inbox is None) == (not self.cities):
            raise ValueError("give either inbox or cities")
        folders = [*([self.inbox] if self.inbox else []), *self.cities.values(), self.archive, self.results]
        if len({folder.absolute() for folder in folders}) != len(folders):
            raise ValueError("inbox, cities, archive and results must be different folders")
        return self
