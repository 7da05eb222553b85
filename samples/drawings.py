"""Drawn scenes: each takes a random generator and gives ``paint(canvas, time_s)``.

A canvas is 16 units wide and 9 high, y grows downwards. What the generator decides (stars,
waves, prices) is decided once, so all shots of a clip that share a generator's seed agree.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from samples.scenes import Canvas, Colour

Paint = Callable[[Canvas, float], None]

WHITE: Colour = (245, 245, 240)
DARK: Colour = (35, 35, 45)


def _wave(x: np.ndarray, phases: np.ndarray) -> np.ndarray:
    """A smooth random line: a sum of sines that ``phases`` decides, within about -1..1."""
    count = np.arange(1, len(phases) + 1)
    return (np.sin(np.outer(x, count * 0.55) + phases) / count).sum(axis=1) / 1.6


def _ground(canvas: Canvas, heights: np.ndarray, colour: Colour) -> None:
    """Fill below a line of heights that spans x = -2..18."""
    x = np.linspace(-2, 18, len(heights))
    canvas.polygon(np.vstack([np.stack([x, heights], axis=1), [(18, 12), (-2, 12)]]), colour)


def _stars(canvas: Canvas, stars: np.ndarray, time_s: float) -> None:
    for x, y, size, phase in stars:
        glow = int(150 + 90 * np.sin(2 * time_s + 6 * phase))
        canvas.disc(x, y, 0.03 + 0.05 * size, (glow, glow, min(255, glow + 15)))


def _star_field(rng: np.random.Generator, count: int) -> np.ndarray:
    return rng.random((count, 4)) * [20, 11, 1, 1] - [2, 1, 0, 0]


# Space


def launch(rng: np.random.Generator) -> Paint:
    stars = _star_field(rng, 60)

    def paint(canvas: Canvas, time_s: float) -> None:
        canvas.sky((12, 16, 60), (210, 120, 90))
        _stars(canvas, stars[stars[:, 1] < 4], time_s)
        canvas.polygon([(-2, 8.2), (18, 7.9), (18, 12), (-2, 12)], (40, 45, 40))
        y = 6.6 - 0.35 * time_s**1.7
        for puff in range(14):
            age = time_s * 1.5 - puff * 0.25
            if age > 0:
                side = np.sin(2.4 * puff) * (0.3 + 0.45 * age)
                grey = 235 - 7 * puff
                canvas.disc(8 + side, 8.0 + 0.2 * np.sin(puff), 0.25 + 0.12 * age, (grey,) * 3)
        flame = 1.0 + 0.25 * np.sin(40 * time_s)
        canvas.polygon([(7.6, y + 1.4), (8.4, y + 1.4), (8, y + 1.6 + flame)], (255, 190, 60))
        canvas.polygon([(7.1, y + 1.5), (7.6, y + 0.6), (7.6, y + 1.5)], (200, 50, 50))
        canvas.polygon([(8.9, y + 1.5), (8.4, y + 0.6), (8.4, y + 1.5)], (200, 50, 50))
        canvas.box(7.55, y - 1, 8.45, y + 1.5, WHITE)
        canvas.polygon([(7.55, y - 1), (8, y - 2), (8.45, y - 1)], (200, 50, 50))
        canvas.disc(8, y - 0.3, 0.25, (80, 140, 200))

    return paint


def moon_orbit(rng: np.random.Generator) -> Paint:
    stars = _star_field(rng, 70)
    land = rng.random((7, 4))

    def paint(canvas: Canvas, time_s: float) -> None:
        canvas.sky((4, 6, 20), (10, 14, 40))
        _stars(canvas, stars, time_s)
        angle = 0.8 * time_s + 2.3
        x, y = 8 + 5.4 * np.cos(angle), 4.3 + 1.5 * np.sin(angle)
        moon_first = np.sin(angle) < 0
        if moon_first:
            canvas.disc(x, y, 0.55, (190, 190, 185))
        canvas.disc(8, 4.3, 2.2, (45, 105, 190))
        for a, b, c, d in land:
            across = (a * 4 + 0.5 * time_s) % 4 - 2
            canvas.ellipse(
                8 + across * 0.75, 3 + 2.6 * b, 0.25 + 0.4 * c, 0.3 + 0.2 * d, (70, 150, 80)
            )
        if not moon_first:
            canvas.disc(x, y, 0.62, (205, 205, 200))
            canvas.disc(x + 0.2, y - 0.1, 0.12, (165, 165, 160))

    return paint


def planets(rng: np.random.Generator) -> Paint:
    stars = _star_field(rng, 60)
    phases = rng.random(5) * 6.3
    sizes = (0.18, 0.3, 0.33, 0.24, 0.6)
    colours = ((170, 150, 130), (225, 180, 110), (80, 140, 220), (205, 90, 60), (215, 170, 130))

    def paint(canvas: Canvas, time_s: float) -> None:
        canvas.sky((8, 4, 24), (18, 10, 46))
        _stars(canvas, stars, time_s)
        canvas.disc(8, 4.2, 1.0, (255, 205, 80))
        canvas.disc(8, 4.2, 0.8, (255, 230, 140))
        for number, (size, colour) in enumerate(zip(sizes, colours, strict=True)):
            radius = 1.7 + 1.15 * number
            turn = np.linspace(0, 6.3, 90)
            ring = np.stack([8 + radius * np.cos(turn), 4.2 + 0.5 * radius * np.sin(turn)], axis=1)
            canvas.line(ring, 0.02, (70, 70, 105))
            angle = phases[number] + 1.6 * time_s / (number + 1)
            place = 8 + radius * np.cos(angle), 4.2 + 0.5 * radius * np.sin(angle)
            canvas.disc(*place, size, colour)

    return paint


# Pets


def _cat_head(canvas: Canvas, x: float, y: float, size: float, fur: Colour, awake: bool) -> None:
    for side in (-1, 1):
        ear = [(x + side * 0.85 * size, y - 0.3 * size), (x + side * 0.75 * size, y - 1.3 * size)]
        canvas.polygon([*ear, (x + side * 0.15 * size, y - 0.8 * size)], fur)
    canvas.disc(x, y, size, fur)
    for side in (-1, 1):
        eye = x + side * 0.4 * size
        if awake:
            canvas.ellipse(eye, y - 0.15 * size, 0.17 * size, 0.22 * size, (60, 140, 70))
            canvas.ellipse(eye, y - 0.15 * size, 0.06 * size, 0.2 * size, DARK)
        else:
            canvas.line(
                [(eye - 0.2 * size, y), (eye, y + 0.1 * size), (eye + 0.2 * size, y)], 0.06, DARK
            )
        for lift in (-0.1, 0.1):
            whisker = [(x + side * 0.3 * size, y + 0.35 * size)]
            canvas.line(
                [*whisker, (x + side * 1.3 * size, y + (0.35 + 2 * lift) * size)], 0.03, DARK
            )
    canvas.polygon([(x - 0.12 * size, y + 0.2 * size), (x + 0.12 * size, y + 0.2 * size),
                    (x, y + 0.36 * size)], (220, 120, 120))  # fmt: skip


def cat_asleep(rng: np.random.Generator) -> Paint:
    stripes = rng.random(12)

    def paint(canvas: Canvas, time_s: float) -> None:
        canvas.sky((205, 190, 160), (180, 160, 130))
        for number, shade in enumerate(stripes):
            tone = int(170 + 25 * shade)
            canvas.box(number * 1.6 - 1, -1, number * 1.6 - 0.2, 7, (tone, tone - 12, tone - 45))
        canvas.box(-2, 7.6, 18, 11, (120, 80, 55))
        canvas.box(1.5, 2.6, 14.5, 6.4, (165, 30, 35))
        canvas.box(1.0, 5.4, 15, 8.0, (190, 40, 45))
        for x in (1.2, 14.8):
            canvas.ellipse(x, 5.9, 1.0, 2.0, (150, 25, 30))
        breath = 0.12 * np.sin(2.2 * time_s)
        canvas.ellipse(8.6, 5.0 - breath / 2, 3.2, 1.35 + breath, (240, 238, 232))
        tail = np.linspace(0, 1, 12)
        wag = 0.3 * np.sin(1.3 * time_s)
        curve = np.stack([11.4 + 1.5 * tail, 5.3 - wag * tail + np.sin(3 * tail) * 0.5], axis=1)
        canvas.line(curve, 0.45, (232, 230, 224))
        _cat_head(canvas, 5.6, 5.0, 1.15, (246, 244, 238), awake=False)
        for number in range(3):
            rise = (time_s * 0.5 + number / 3) % 1
            x, y, size = 5.5 - 1.4 * rise, 3.2 - 2.2 * rise, 0.2 + 0.25 * rise
            letter = [(x, y), (x + size, y), (x, y + size), (x + size, y + size)]
            canvas.line(letter, 0.06, (90, 90, 130))

    return paint


def cat_walk(rng: np.random.Generator) -> Paint:
    tiles = rng.random((4, 12))

    def paint(canvas: Canvas, time_s: float) -> None:
        canvas.sky((190, 215, 215), (160, 195, 200))
        for row in range(4):
            for column in range(12):
                tone = int(185 + 40 * tiles[row, column])
                left, top = column * 1.7 - 2, row * 1.5 - 0.5
                canvas.box(left, top, left + 1.6, top + 1.4, (tone - 40, tone - 8, tone))
        canvas.box(-2, 6.4, 18, 11, (205, 170, 125))
        canvas.ellipse(12.8, 7.7, 1.3, 0.45, (60, 90, 170))
        canvas.ellipse(12.8, 7.5, 1.1, 0.3, (130, 80, 45))
        x = min(2.0 + 1.35 * time_s, 9.4)
        swing = np.sin(7 * time_s) if x < 9.4 else 0.0
        fur: Colour = (75, 75, 85)
        for leg, phase in ((-1.5, 1), (-1.0, -1), (0.9, 1), (1.4, -1)):
            canvas.line([(x + leg, 6.0), (x + leg + 0.4 * phase * swing, 7.8)], 0.35, fur)
        canvas.ellipse(x, 5.7, 2.1, 0.95, fur)
        canvas.line([(x - 1.9, 5.3), (x - 2.7, 4.3 + 0.2 * swing), (x - 2.5, 3.2)], 0.3, fur)
        dip = 0.0 if x < 9.4 else 0.7 + 0.12 * np.sin(8 * time_s)
        _cat_head(canvas, x + 2.3, 4.9 + dip, 0.9, (85, 85, 95), awake=True)

    return paint


def aquarium(rng: np.random.Generator) -> Paint:
    fish = rng.random((7, 5))
    colours = ((250, 140, 40), (245, 210, 60), (230, 80, 80), (140, 200, 250), (220, 130, 220))

    def paint(canvas: Canvas, time_s: float) -> None:
        canvas.sky((40, 150, 190), (10, 60, 110))
        canvas.box(-2, 8.2, 18, 11, (200, 180, 130))
        for plant in range(9):
            x = 0.8 + plant * 1.9
            height = 2.0 + (plant * 37 % 5) * 0.5
            up = np.linspace(0, 1, 9)
            sway = 0.35 * np.sin(1.5 * time_s + plant + 3 * up) * up
            canvas.line(np.stack([x + sway, 8.6 - height * up], axis=1), 0.22, (40, 150, 80))
        for number, (a, b, c, d, e) in enumerate(fish):
            way = 1 if a < 0.5 else -1
            x = (20 * b + way * (0.9 + c) * time_s) % 20 - 2
            y, size = 1.2 + 5.6 * d + 0.2 * np.sin(2 * time_s + 9 * e), 0.5 + 0.5 * e
            colour = colours[number % 5]
            flap = 0.25 * np.sin(9 * time_s + number)
            tail = [(x - way * size, y), (x - way * 1.9 * size, y - (0.6 + flap) * size)]
            canvas.polygon([*tail, (x - way * 1.9 * size, y + (0.6 - flap) * size)], colour)
            canvas.ellipse(x, y, 1.25 * size, 0.7 * size, colour)
            canvas.disc(x + way * 0.7 * size, y - 0.15 * size, 0.13 * size, DARK)
        for number in range(10):
            rise = (time_s * 0.35 + number * 0.137) % 1
            canvas.disc(3.2 + 0.2 * np.sin(9 * rise + number), 8 - 8 * rise, 0.1, (190, 225, 240))

    return paint


# Cooking


def soup(rng: np.random.Generator) -> Paint:
    pieces = rng.random((16, 3))
    colours = ((240, 130, 40), (235, 225, 190), (90, 160, 60))

    def paint(canvas: Canvas, time_s: float) -> None:
        canvas.sky((235, 225, 205), (215, 200, 170))
        canvas.box(-2, 7.6, 18, 11, (90, 85, 85))
        for number, (a, b, _) in enumerate(pieces):
            fall = (time_s * 1.1 - number * 0.42) % 6.8
            if fall < 1.5:
                x, y = 5.5 + 5 * a, -0.6 + 3.0 * fall**1.3
                canvas.ellipse(x, y, 0.35, 0.2, colours[number % 3], turn_deg=200 * fall + 90 * b)
        for x in (3.4, 12.6):
            canvas.ellipse(x, 5.2, 0.7, 0.3, (60, 60, 70))
        canvas.box(3.7, 4.0, 12.3, 7.4, (105, 110, 125))
        canvas.ellipse(8, 7.4, 4.3, 0.5, (105, 110, 125))
        canvas.ellipse(8, 4.0, 4.3, 0.85, (70, 72, 82))
        canvas.ellipse(8, 4.05, 4.0, 0.7, (205, 120, 40))
        for number, (a, b, c) in enumerate(pieces):
            turn = 6.3 * a + 0.9 * time_s
            x, y = 8 + 3.4 * b * np.cos(turn), 4.05 + 0.5 * b * np.sin(turn)
            canvas.ellipse(x, y, 0.28, 0.13, colours[number % 3], turn_deg=180 * c)
        spoon = 8 + 2.2 * np.cos(2.0 * time_s), 4.1 + 0.3 * np.sin(2.0 * time_s)
        canvas.line([spoon, (spoon[0] + 2.4, spoon[1] - 3.9)], 0.25, (150, 105, 60))

    return paint


def latte(rng: np.random.Generator) -> Paint:
    grain = rng.random(9) * 6.3

    def paint(canvas: Canvas, time_s: float) -> None:
        canvas.sky((60, 40, 35), (95, 65, 50))
        for number, phase in enumerate(grain):
            x = np.linspace(-2, 18, 30)
            y = number * 1.2 + 0.12 * np.sin(x + phase)
            canvas.line(np.stack([x, y], axis=1), 0.04, (115, 80, 60))
        canvas.disc(8, 4.5, 3.9, (225, 222, 215))
        canvas.disc(8, 4.5, 2.95, (250, 248, 244))
        canvas.ellipse(11.4, 4.5, 0.9, 0.35, (250, 248, 244))
        canvas.disc(8, 4.5, 2.65, (110, 62, 30))
        grown = min(0.35 + time_s / 10, 1.0)
        for ring in range(5):
            size = grown * (2.3 - 0.42 * ring)
            colour: Colour = (240, 225, 200) if ring % 2 == 0 else (150, 95, 55)
            lift = 0.25 * ring * grown
            canvas.disc(8 - 0.42 * size, 4.2 + lift, 0.6 * size, colour)
            canvas.disc(8 + 0.42 * size, 4.2 + lift, 0.6 * size, colour)
            tip = [(8 - 0.97 * size, 4.4 + lift), (8 + 0.97 * size, 4.4 + lift)]
            canvas.polygon([*tip, (8, 4.6 + lift + 0.9 * size)], colour)
        sway = 0.5 * np.sin(3 * time_s)
        canvas.line([(8 + sway, 4.0), (9.6 + sway, 0.6)], 0.16, (250, 245, 235))
        canvas.polygon([(9.2 + sway, 1.2), (10.0 + sway, -0.4), (13.2 + sway, -1.4),
                        (14 + sway, 1.4)], (170, 175, 185))  # fmt: skip

    return paint


def oven(rng: np.random.Generator) -> Paint:
    coals = rng.random((30, 3))

    def paint(canvas: Canvas, time_s: float) -> None:
        canvas.sky((70, 75, 85), (45, 48, 55))
        for number in range(5):
            canvas.disc(3.2 + 2.4 * number, 0.8, 0.36, (200, 200, 205))
            turn = 0.6 * time_s + number
            tip = 3.2 + 2.4 * number + 0.3 * np.cos(turn), 0.8 + 0.3 * np.sin(turn)
            canvas.line([(3.2 + 2.4 * number, 0.8), tip], 0.08, DARK)
        canvas.box(1.8, 1.9, 14.2, 8.3, (30, 28, 30))
        glow = int(25 * np.sin(3 * time_s))
        canvas.box(2.2, 2.3, 13.8, 7.9, (150 + glow, 70 + glow // 2, 25))
        for a, b, c in coals:
            heat = int(200 + 50 * np.sin(5 * time_s + 20 * c))
            canvas.disc(2.6 + 10.8 * a, 7.4 + 0.4 * b, 0.18, (heat, heat // 2, 20))
        rise = min(time_s / 6.5, 1.0)
        brown = (int(225 - 45 * rise), int(185 - 70 * rise), int(130 - 80 * rise))
        canvas.ellipse(8, 6.6, 3.6, 1.1 + 1.4 * rise, brown, arc_deg=(180, 360))
        canvas.ellipse(8, 6.6, 3.6, 0.35, brown)
        for cut in (-1.6, 0, 1.6):
            top = 6.3 - 1.6 * rise - 0.3 + abs(cut) * 0.2
            canvas.line([(8 + cut - 0.4, top + 0.5), (8 + cut + 0.4, top)], 0.14, (120, 70, 35))
        for y in (6.95, 7.15):
            canvas.line([(2.2, y), (13.8, y)], 0.06, (120, 120, 125))

    return paint


def pizza(rng: np.random.Generator) -> Paint:
    toppings = rng.random((26, 3))
    colours = ((190, 40, 35), (60, 120, 50), (50, 45, 50))

    def paint(canvas: Canvas, time_s: float) -> None:
        canvas.sky((70, 110, 120), (50, 85, 95))
        canvas.disc(8, 4.5, 4.1, (235, 235, 230))
        canvas.disc(8, 4.5, 3.7, (205, 150, 85))
        canvas.disc(8, 4.5, 3.3, (245, 205, 95))
        shown = int(4 + time_s * 5)
        for number, (a, b, c) in enumerate(toppings[:shown]):
            turn, far = 6.3 * a + 0.5 * time_s, 3.0 * np.sqrt(b)
            x, y = 8 + far * np.cos(turn), 4.5 + far * np.sin(turn)
            size = (0.45, 0.28, 0.2)[number % 3]
            canvas.ellipse(x, y, size, size * (0.6 + 0.4 * c), colours[number % 3], 57 * turn)
        for slice_no in range(4):
            turn = slice_no * np.pi / 4 + 0.5 * time_s
            reach = 3.7 * np.array([np.cos(turn), np.sin(turn)])
            canvas.line(
                np.array([8, 4.5]) + np.array([-1, 1])[:, None] * reach, 0.04, (190, 130, 60)
            )

    return paint


# Travel


def skyline(rng: np.random.Generator) -> Paint:
    towers = rng.random((15, 3))
    lamps = rng.random((15, 12, 4))

    def paint(canvas: Canvas, time_s: float) -> None:
        canvas.sky((15, 15, 50), (90, 50, 95))
        canvas.disc(12.8, 1.5, 0.7, (240, 235, 210))
        for number, (a, b, c) in enumerate(towers):
            left, top = number * 1.3 - 1.8, 5.0 - 3.6 * a
            tone = int(25 + 25 * b)
            canvas.box(left, top, left + 0.8 + 0.5 * c, 6.3, (tone, tone, tone + 25))
            for row in range(12):
                for column in range(3):
                    lit = lamps[number, row, column] > 0.45 + 0.2 * np.sin(
                        time_s + 9 * lamps[number, row, 3]
                    )
                    y = top + 0.2 + 0.38 * row
                    if lit and y < 5.9:
                        x = left + 0.12 + 0.25 * column
                        canvas.box(x, y, x + 0.14, y + 0.2, (250, 215, 120))
        canvas.box(-2, 6.3, 18, 11, (20, 25, 60))
        for number in range(34):
            x = number * 0.55 - 1.5 + 0.15 * np.sin(3 * time_s + number)
            y = 6.5 + (number * 29 % 23) / 10
            canvas.line([(x, y), (x + 0.7, y)], 0.05, (220, 180, 110))
        boat = -1 + 1.3 * time_s
        canvas.polygon(
            [(boat, 7.2), (boat + 2.4, 7.2), (boat + 2, 7.8), (boat + 0.4, 7.8)], (200, 60, 60)
        )
        canvas.box(boat + 0.7, 6.7, boat + 1.7, 7.2, WHITE)

    return paint


def train(rng: np.random.Generator) -> Paint:
    ridges = rng.random((2, 5)) * 6.3

    def paint(canvas: Canvas, time_s: float) -> None:
        canvas.sky((130, 190, 235), (235, 240, 240))
        x = np.linspace(-2, 18, 80)
        _ground(canvas, 3.6 - 1.6 * _wave(x * 1.3 + 0.2 * time_s, ridges[0]), (140, 150, 185))
        _ground(canvas, 5.2 - 0.7 * _wave(x + 0.7 * time_s, ridges[1]), (95, 150, 90))
        _ground(canvas, np.full(80, 7.4), (120, 105, 90))
        for sleeper in range(30):
            left = (sleeper * 0.8 - 5 * time_s) % 22 - 3
            canvas.box(left, 7.75, left + 0.35, 7.95, (80, 60, 45))
        canvas.line([(-2, 7.7), (18, 7.7)], 0.07, (60, 60, 65))
        shake = 0.03 * np.sin(20 * time_s)
        for car in range(4):
            left = 11.2 - car * 4.2 + 0.25 * time_s
            body: Colour = (190, 40, 45) if car == 0 else (45, 85, 150)
            canvas.box(left, 5.3 + shake, left + 4, 7.3 + shake, body)
            canvas.box(left, 6.5 + shake, left + 4, 6.7 + shake, WHITE)
            for window in range(4):
                start = left + 0.3 + 0.92 * window
                canvas.box(start, 5.6 + shake, start + 0.65, 6.3 + shake, (190, 225, 240))
            for wheel in (0.8, 3.2):
                canvas.disc(left + wheel, 7.4, 0.32, DARK)
        for pole in range(3):
            left = (pole * 7.5 - 7 * time_s) % 22 - 3
            canvas.line([(left, 9), (left, 2.5)], 0.12, (75, 65, 60))

    return paint


def hiking(rng: np.random.Generator) -> Paint:
    ridges = rng.random((3, 6)) * 6.3
    trees = rng.random((14, 2))

    def paint(canvas: Canvas, time_s: float) -> None:
        canvas.sky((250, 170, 110), (255, 235, 190))
        canvas.disc(4.2, 4.6 - 0.35 * time_s, 0.9, (255, 250, 215))
        x = np.linspace(-2, 18, 90)
        layers = ((3.4, 1.7, 0.1, (170, 120, 130)), (5.0, 1.1, 0.3, (110, 90, 110)),
                  (6.8, 0.5, 0.7, (60, 75, 60)))  # fmt: skip
        for ridge, (level, height, speed, colour) in zip(ridges, layers, strict=True):
            _ground(canvas, level - height * _wave(x * 1.2 + speed * time_s, ridge), colour)
        for a, b in trees:
            left = (20 * a - 0.8 * time_s) % 20 - 2
            foot = 7.9 + 0.8 * b
            for tier in range(3):
                wide, top = 0.6 - 0.12 * tier, foot - 0.7 - 0.5 * tier
                canvas.polygon([(left - wide, top + 0.5), (left + wide, top + 0.5),
                                (left, top - 0.5)], (35, 70, 50))  # fmt: skip
        step = np.sin(6 * time_s)
        canvas.disc(9.0, 4.75, 0.3, (235, 190, 150))
        canvas.line([(9.0, 5.1), (9.0, 6.1)], 0.5, (200, 60, 50))
        canvas.box(8.3, 5.0, 8.75, 5.9, (60, 80, 140))
        for side in (-1, 1):
            canvas.line([(9.0, 6.1), (9.0 + 0.35 * side * step, 7.0)], 0.22, (50, 50, 70))
        canvas.line(
            [(9.1, 5.3), (9.7 + 0.2 * step, 5.9), (9.9 + 0.2 * step, 7.0)], 0.1, (90, 60, 40)
        )

    return paint


# Cars


def _car(canvas: Canvas, x: float, y: float, size: float, body: Colour, turn: float) -> None:
    cabin = [(-1.2, -0.55), (-0.7, -1.2), (0.6, -1.2), (1.2, -0.55)]
    canvas.polygon([(x + size * a, y + size * b) for a, b in cabin], body)
    glass = [(-0.95, -0.6), (-0.6, -1.05), (0.5, -1.05), (0.95, -0.6)]
    canvas.polygon([(x + size * a, y + size * b) for a, b in glass], (190, 220, 235))
    canvas.box(x - 2 * size, y - 0.6 * size, x + 2.1 * size, y + 0.15 * size, body)
    canvas.disc(x + 2.0 * size, y - 0.3 * size, 0.15 * size, (255, 240, 160))
    for wheel in (-1.2, 1.3):
        canvas.disc(x + wheel * size, y + 0.15 * size, 0.46 * size, DARK)
        canvas.disc(x + wheel * size, y + 0.15 * size, 0.24 * size, (190, 190, 195))
        spoke = 0.22 * size * np.array([np.cos(turn), np.sin(turn)])
        hub = np.array([x + wheel * size, y + 0.15 * size])
        canvas.line([tuple(hub - spoke), tuple(hub + spoke)], 0.07 * size, DARK)


def coast_road(rng: np.random.Generator) -> Paint:
    hills = rng.random(5) * 6.3

    def paint(canvas: Canvas, time_s: float) -> None:
        canvas.sky((90, 175, 235), (215, 235, 245))
        canvas.disc(13.2, 1.5, 0.8, (255, 240, 150))
        canvas.box(-2, 3.6, 18, 6.2, (40, 120, 185))
        for glint in range(14):
            left = (glint * 1.7 - 0.6 * time_s) % 20 - 2
            canvas.line(
                [(left, 4 + glint % 5 * 0.35), (left + 0.6, 4 + glint % 5 * 0.35)], 0.04, WHITE
            )
        x = np.linspace(-2, 18, 70)
        _ground(canvas, 5.5 - 0.5 * _wave(x + 1.6 * time_s, hills), (110, 165, 80))
        canvas.box(-2, 6.3, 18, 11, (80, 80, 88))
        for dash in range(8):
            left = (dash * 2.8 - 8 * time_s) % 22.4 - 3
            canvas.box(left, 7.6, left + 1.3, 7.75, (240, 240, 235))
        for palm in range(3):
            left = (palm * 8 - 4 * time_s) % 24 - 4
            canvas.line([(left, 6.4), (left + 0.3, 3.4)], 0.25, (120, 85, 55))
            for leaf in range(5):
                turn = 2.4 + leaf * 0.9
                tip = left + 0.3 + 1.5 * np.cos(turn), 3.4 + 0.8 * np.sin(turn) + 0.3
                canvas.line([(left + 0.3, 3.4), tip], 0.22, (45, 130, 60))
        _car(canvas, 7.2 + 0.5 * np.sin(time_s), 7.3, 1.15, (205, 30, 35), 9 * time_s)

    return paint


def race(rng: np.random.Generator) -> Paint:
    wobble = rng.random(4) * 6.3
    colours = ((40, 90, 220), (220, 50, 50), (245, 200, 40), (240, 240, 240))

    def place(turn: float, lane: float) -> tuple[float, float]:
        far = 1 + 0.12 * np.sin(2 * turn + 1)
        return 8 + (5.4 + lane) * far * np.cos(turn), 4.4 + (2.6 + lane) * far * np.sin(turn)

    track = [place(turn, 0) for turn in np.linspace(0, 6.32, 120)]

    def paint(canvas: Canvas, time_s: float) -> None:
        canvas.sky((70, 140, 65), (60, 125, 60))
        canvas.line(track, 1.9, (225, 225, 220))
        canvas.line(track, 1.7, (75, 75, 82))
        for row in range(6):
            for column in range(2):
                tone = WHITE if (row + column) % 2 else DARK
                left, top = 8 + 0.28 * column, 5.75 + 0.28 * row
                canvas.box(left, top + 0.2, left + 0.28, top + 0.48, tone)
        for number, colour in enumerate(colours):
            turn = 1.0 + (0.95 - 0.06 * number) * time_s + 0.1 * np.sin(time_s + wobble[number])
            x, y = place(turn, 0.42 * (number % 2 * 2 - 1))
            ahead = place(turn + 0.05, 0.42 * (number % 2 * 2 - 1))
            heading = np.degrees(np.arctan2(ahead[1] - y, ahead[0] - x))
            canvas.ellipse(x, y, 0.62, 0.3, colour, turn_deg=heading)
            canvas.ellipse(x, y, 0.25, 0.2, DARK, turn_deg=heading)
        for tree in range(7):
            canvas.disc(5.6 + tree * 0.8, 3.9 + 0.5 * (tree % 3), 0.4, (40, 105, 50))

    return paint


def crossing(rng: np.random.Generator) -> Paint:
    walls = rng.random((8, 3))

    def paint(canvas: Canvas, time_s: float) -> None:
        canvas.sky((175, 205, 225), (225, 230, 230))
        for number, (a, b, c) in enumerate(walls):
            tone = (int(150 + 60 * a), int(130 + 60 * b), int(120 + 50 * c))
            canvas.box(number * 2.4 - 2, 2.8 - 1.8 * a, number * 2.4 + 0.1, 6.2, tone)
        canvas.box(-2, 6.2, 18, 11, (85, 85, 92))
        for stripe in range(5):
            canvas.box(8.3 + stripe * 0.9, 6.3, 8.8 + stripe * 0.9, 9.0, WHITE)
        green = time_s > 2.6
        colours: tuple[Colour, ...] = ((70, 25, 25), (70, 60, 20), (40, 220, 80))
        if not green:
            colours = ((240, 45, 40), (70, 60, 20), (20, 60, 25))
        canvas.line([(14.2, 8.4), (14.2, 3.4)], 0.2, (60, 60, 65))
        canvas.box(13.6, 0.9, 14.8, 3.9, (40, 40, 45))
        for lamp, colour in enumerate(colours):
            canvas.disc(14.2, 1.45 + 0.95 * lamp, 0.38, colour)
        gone = 3.2 * max(time_s - 2.9, 0.0) ** 1.5
        arriving = 4.6 - 3.5 * max(1.4 - time_s, 0.0)
        _car(canvas, arriving + gone, 7.6, 1.0, (235, 190, 50), 3 * (arriving + gone))
        _car(canvas, arriving + gone - 4.8, 7.6, 1.0, (70, 130, 90), 3 * (arriving + gone))

    return paint


# Money


def _mixed(one: Colour, other: Colour) -> Colour:
    red, green, blue = ((a + b) // 2 for a, b in zip(one, other, strict=True))
    return red, green, blue


def _axes(canvas: Canvas, paper: Colour, ink: Colour) -> None:
    canvas.sky(paper, paper)
    faint = _mixed(paper, ink)
    for row in range(6):
        canvas.line(
            [(1.5, 1.3 + row * 1.1), (15, 1.3 + row * 1.1)],
            0.02,
            faint,
        )
    canvas.line([(1.5, 0.8), (1.5, 6.8), (15, 6.8)], 0.08, ink)


def line_chart(rng: np.random.Generator) -> Paint:
    steps = np.cumsum(rng.normal(0.05, 0.28, 80))
    values = (steps - steps.min()) / np.ptp(steps)

    def paint(canvas: Canvas, time_s: float) -> None:
        _axes(canvas, (18, 24, 40), (150, 160, 180))
        shown = max(2, min(int(8 + 10 * time_s), 80))
        x = 1.6 + np.arange(shown) * 0.165
        y = 6.4 - 4.6 * values[:shown]
        area = np.vstack([np.stack([x, y], axis=1), [(x[-1], 6.75), (x[0], 6.75)]])
        canvas.polygon(area, (25, 70, 80))
        canvas.line(np.stack([x, y], axis=1), 0.1, (70, 220, 170))
        canvas.disc(x[-1], y[-1], 0.18 + 0.06 * np.sin(8 * time_s), (245, 245, 120))

    return paint


def coin_stacks(rng: np.random.Generator) -> Paint:
    heights = np.sort(rng.integers(4, 15, 5))

    def paint(canvas: Canvas, time_s: float) -> None:
        canvas.sky((35, 95, 85), (20, 60, 60))
        canvas.box(-2, 7.3, 18, 11, (95, 65, 45))
        for stack, height in enumerate(heights):
            x = 2.4 + stack * 2.8
            grown = min(2.2 * time_s + 1 - 0.8 * stack, float(height))
            for coin in range(max(int(grown), 0)):
                y = 7.2 - 0.36 * coin
                canvas.ellipse(x, y, 1.0, 0.32, (170, 120, 30))
                canvas.ellipse(x, y - 0.12, 1.0, 0.32, (240, 195, 70))
            if 0 < grown < height:
                fall = grown % 1
                y = 7.2 - 0.36 * int(grown) - 3.0 * (1 - fall)
                canvas.ellipse(x, y, 1.0, 0.2 + 0.15 * abs(np.sin(9 * fall)), (255, 215, 90))

    return paint


def bar_chart(rng: np.random.Generator) -> Paint:
    values = rng.random(8) * 0.35 + np.linspace(0.2, 0.65, 8)

    def paint(canvas: Canvas, time_s: float) -> None:
        _axes(canvas, (245, 245, 240), (90, 90, 100))
        for number, value in enumerate(values):
            grown = np.clip(time_s * 0.6 - 0.35 * number + 0.6, 0, 1) * value
            sway = 1 + 0.03 * np.sin(3 * time_s + number)
            left = 2.1 + number * 1.6
            colour: Colour = (60, 120, 200) if number < 4 else (230, 120, 50)
            canvas.box(left, 6.75 - 5.6 * grown * sway, left + 1.1, 6.75, colour)

    return paint


def pie_chart(rng: np.random.Generator) -> Paint:
    shares = rng.random(5) + 0.5
    edges = np.concatenate([[0], np.cumsum(shares / shares.sum())]) * 360
    colours = ((230, 90, 80), (250, 190, 70), (90, 180, 120), (70, 140, 210), (150, 110, 190))

    def paint(canvas: Canvas, time_s: float) -> None:
        canvas.sky((250, 248, 240), (235, 230, 220))
        chosen = int(time_s / 1.2) % 5
        for number, colour in enumerate(colours):
            start, end = edges[number] + 18 * time_s, edges[number + 1] + 18 * time_s
            middle = np.radians((start + end) / 2)
            out = 0.45 if number == chosen else 0.05
            x, y = 8 + out * np.cos(middle), 3.9 + out * np.sin(middle)
            canvas.ellipse(x, y, 3.1, 3.1, colour, arc_deg=(start, end))
        canvas.disc(8, 3.9, 1.1, (245, 242, 233))

    return paint


# Other


def meadow(rng: np.random.Generator) -> Paint:
    """A black horse (a silhouette from scikit-image) gallops over a meadow."""
    import cv2

    from samples.scenes import photograph

    hills = rng.random(5) * 6.3
    dark = (photograph("horse")[..., 0] < 128).astype(np.uint8)
    found = cv2.findContours(dark, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_TC89_L1)[0]
    outline = max(found, key=cv2.contourArea)[:, 0, :] / 400.0

    def paint(canvas: Canvas, time_s: float) -> None:
        canvas.sky((250, 200, 130), (255, 235, 200))
        canvas.disc(12.5, 2.2, 1.0, (255, 245, 215))
        x = np.linspace(-2, 18, 70)
        _ground(canvas, 5.6 - 0.8 * _wave(x + 0.9 * time_s, hills), (120, 160, 80))
        _ground(canvas, 7.5 - 0.3 * _wave(2 * x + 3 * time_s, hills), (80, 125, 60))
        bounce = 0.3 * abs(np.sin(5 * time_s))
        lean = 0.06 * np.sin(5 * time_s)
        shape = outline * 6.2
        shape = shape + np.stack([lean * (3 - shape[:, 1]), -lean * (3 - shape[:, 0])], axis=1)
        canvas.polygon(shape + np.array([2.0 + 0.9 * time_s, 2.9 - bounce]), (40, 28, 22))
        for blade in range(40):
            left = (blade * 0.53 - 6 * time_s) % 21 - 2
            canvas.line([(left, 9.2), (left + 0.15, 8.2 + blade % 4 * 0.15)], 0.06, (60, 105, 45))

    return paint


def rain(rng: np.random.Generator) -> Paint:
    drops = rng.random((120, 3))
    lights = rng.random((12, 4))

    def paint(canvas: Canvas, time_s: float) -> None:
        canvas.sky((50, 60, 75), (75, 85, 100))
        for a, b, c, d in lights:
            glow = (int(120 + 80 * c), int(110 + 60 * d), 90)
            canvas.disc(17 * a - 0.5, 4 + 4 * b, 0.4 + 0.5 * d, glow)
        for a, b, c in drops:
            y = (11 * b + (7 + 5 * c) * time_s) % 11 - 1
            canvas.line([(18 * a - 1, y), (18 * a - 1.1, y + 0.5)], 0.03, (170, 185, 205))
        for number in range(18):
            y = (number * 0.61 + 0.5 * time_s * (0.3 + number % 3)) % 10 - 0.5
            canvas.ellipse(number * 0.93 + 0.2, y, 0.1, 0.16, (200, 210, 225))
        for x in (-0.1, 7.8, 15.7):
            canvas.box(x, -1, x + 0.4, 10, (60, 45, 40))
        canvas.box(-2, 4.2, 18, 4.5, (60, 45, 40))

    return paint


def test_card(rng: np.random.Generator) -> Paint:
    order = rng.permutation(7)
    bars = ((235, 235, 235), (235, 235, 20), (20, 235, 235), (20, 235, 20), (235, 20, 235),
            (235, 20, 20), (20, 20, 235))  # fmt: skip

    def paint(canvas: Canvas, time_s: float) -> None:
        canvas.sky((20, 20, 20), (20, 20, 20))
        for place, number in enumerate(order):
            canvas.box(place * 16 / 7, 0, (place + 1) * 16 / 7, 6.5, bars[number])
        canvas.disc(8, 4.2, 2.1, (30, 30, 30))
        canvas.ellipse(8, 4.2, 1.9, 1.9, WHITE, arc_deg=(-90, -89.9 + 72 * (time_s % 5)))
        canvas.disc(8, 4.2, 1.0, (30, 30, 30))
        across = (3 * time_s) % 16
        canvas.box(across, 7.2, across + 1.5, 8.2, (200, 200, 200))

    return paint


# Abstract pictures, for the parts of a copy that come from elsewhere


def ribbons(rng: np.random.Generator) -> Paint:
    phases = rng.random((6, 4)) * 6.3
    colours = rng.integers(60, 240, (6, 3))

    def paint(canvas: Canvas, time_s: float) -> None:
        canvas.sky((30, 20, 50), (60, 30, 80))
        x = np.linspace(-2, 18, 50)
        for number, (phase, colour) in enumerate(zip(phases, colours, strict=True)):
            y = 1.2 + 1.3 * number + 0.9 * _wave(x + (0.7 + 0.3 * number) * time_s, phase)
            canvas.line(np.stack([x, y], axis=1), 0.7, tuple(int(c) for c in colour))  # type: ignore[arg-type]

    return paint


def tiles(rng: np.random.Generator) -> Paint:
    phases = rng.random((10, 17)) * 6.3
    warm, cold = rng.integers(120, 255, 3), rng.integers(0, 110, 3)

    def paint(canvas: Canvas, time_s: float) -> None:
        canvas.sky((15, 15, 18), (15, 15, 18))
        for row, line in enumerate(phases):
            for column, phase in enumerate(line):
                share = 0.5 + 0.5 * np.sin(1.7 * time_s + phase)
                colour = tuple(int(c) for c in warm * share + cold * (1 - share))
                canvas.box(column, row, column + 0.92, row + 0.92, colour)  # type: ignore[arg-type]

    return paint


def confetti(rng: np.random.Generator) -> Paint:
    flakes = rng.random((90, 4))
    colours = rng.integers(40, 250, (90, 3))

    def paint(canvas: Canvas, time_s: float) -> None:
        canvas.sky((245, 240, 225), (225, 225, 240))
        for (a, b, c, d), colour in zip(flakes, colours, strict=True):
            x = 18 * a - 1 + 0.5 * np.sin(2 * time_s + 9 * d)
            y = (11 * b + (1 + 2 * c) * time_s) % 11 - 1
            size = 0.2 + 0.25 * d
            tilt = abs(np.sin(4 * time_s + 9 * c)) + 0.15
            canvas.ellipse(x, y, size, size * tilt, tuple(int(v) for v in colour), 360 * c)  # type: ignore[arg-type]

    return paint


DRAWINGS: dict[str, Callable[[np.random.Generator], Paint]] = {
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
