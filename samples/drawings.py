"""All drawings of the sample library, by name; `samples.themes` draws them."""

from __future__ import annotations

from samples.themes.abstract import confetti, ribbons, tiles
from samples.themes.brush import Drawing
from samples.themes.cars import coast_road, crossing, race
from samples.themes.cooking import latte, oven, pizza, soup
from samples.themes.money import bar_chart, coin_stacks, line_chart, pie_chart
from samples.themes.other import meadow, rain, test_card
from samples.themes.pets import aquarium, cat_asleep, cat_walk
from samples.themes.space import launch, moon_orbit, planets
from samples.themes.travel import hiking, skyline, train

DRAWINGS: dict[str, Drawing] = {
    paint.__name__: paint
    for paint in (
        launch, moon_orbit, planets,
        cat_asleep, cat_walk, aquarium, meadow,
        soup, latte, oven, pizza,
        skyline, train, hiking,
        coast_road, race, crossing,
        line_chart, coin_stacks, bar_chart, pie_chart,
        rain, test_card, ribbons, tiles, confetti,
    )
}  # fmt: skip
