"""The original clips: what each shows, says and writes on screen, and what its catalogue row says.

Six themes of four to six clips and three clips that fit none. Each photograph is used in one clip
only, except the astronaut, who appears in two: so clips share no pictures unless the truth says
that they do. Four made-up presenters stand before drawings, each in four clips of several themes
and each time at another place, size and turn of the head; two of them meet in money-02.
"""

from __future__ import annotations

from dataclasses import dataclass

from samples.captions import Caption
from samples.shots import Guest, Shot, View

_WHOLE = View(0.5, 0.5, 1)


@dataclass(frozen=True)
class Clip:
    """One original clip. ``sound`` is a kind that `samples.sound.sound_track` knows."""

    video_id: str
    theme: str
    published_at: str
    language: str
    title: str
    description: str
    tags: str
    shots: tuple[Shot, ...]
    captions: tuple[Caption, ...] = ()
    sound: str = "speech"
    speech: tuple[str, ...] = ()
    file_type: str = "mp4"
    size: tuple[int, int] = (640, 360)
    fps: int = 25

    @property
    def seconds(self) -> float:
        return sum(shot.seconds for shot in self.shots)


def _en(text: str, start_s: float, end_s: float, place: str = "bottom") -> Caption:
    return Caption(text, start_s, end_s, "en", place)


def _ru(text: str, start_s: float, end_s: float, place: str = "bottom") -> Caption:
    return Caption(text, start_s, end_s, "ru", place)


def _photo(
    seconds: float,
    picture: str,
    start: tuple[float, float, float],
    end: tuple[float, float, float],
    tone: str = "plain",
) -> Shot:
    return Shot(seconds, picture, View(*start), View(*end), tone)


def _drawn(
    seconds: float,
    picture: str,
    close: tuple[float, float, float] | None = None,
    *guests: Guest,
) -> Shot:
    """A drawing, whole or in a close-up that creeps closer, with guests before it."""
    if close is None:
        return Shot(seconds, picture, _WHOLE, _WHOLE, guests=guests)
    x, y, zoom = close
    return Shot(seconds, picture, View(x, y, zoom), View(x, y, zoom * 1.15), guests=guests)


def _boris(x: float, height: float, turn_px: float, tone: str = "plain") -> Guest:
    return Guest("Boris Veter", x, height, turn_px, tone)


def _maria(x: float, height: float, turn_px: float, tone: str = "plain") -> Guest:
    return Guest("Maria Lindqvist", x, height, turn_px, tone)


def _nadia(x: float, height: float, turn_px: float, tone: str = "plain") -> Guest:
    return Guest("Nadia Okoro", x, height, turn_px, tone)


def _tom(x: float, height: float, turn_px: float, tone: str = "plain") -> Guest:
    return Guest("Tom Harlan", x, height, turn_px, tone)


SPACE = (
    Clip(
        "space-01", "space", "2026-03-02T09:00:00Z", "en",
        "Hubble Deep Field: thousands of galaxies in one picture",
        "What the space telescope saw when it looked at an empty patch of sky for ten days. "
        "Astronomy for beginners.",
        "Science: Space: Astronomy, Education",
        (_photo(4, "hubble", (0.5, 0.5, 1), (0.35, 0.6, 2.2)),
         _photo(4, "hubble", (0.75, 0.25, 3), (0.6, 0.4, 2))),
        (_en("Hubble Deep Field", 0.4, 3.2, "centre"), _en("10 000 galaxies", 4.2, 7.4)),
        speech=("galaxies",),
    ),
    Clip(
        "space-02", "space", "2026-03-09T09:00:00Z", "ru",
        "Луна и Земля: как движется наш спутник",
        "Луна обходит Землю за четыре недели. Астрономия для школьников. "
        "How the moon moves around the earth.",
        "Science: Space: Moon, Education",
        (_photo(3.4, "moon", (0.5, 0.7, 1.2), (0.45, 0.45, 2)), _drawn(3.6, "moon_orbit", None,
                _nadia(0.2, 0.9, -4))),
        (_ru("Луна и Земля", 0.5, 6.5),),
        speech=("moon",), file_type="mkv",
    ),
    Clip(
        "space-03", "space", "2026-03-16T09:00:00Z", "en",
        "Rocket launch at dawn",
        "From the launch pad to the stars: the rocket, the countdown and the lift-off of a "
        "space mission.",
        "Science: Space: Rockets, News",
        (_photo(3, "rocket", (0.5, 0.8, 1.8), (0.5, 0.4, 1.3)), _drawn(4, "launch")),
        (_en("Lift-off in 3 2 1", 0.3, 2.8), _en("Mission to the stars", 3.4, 6.6, "top")),
        speech=("rocket",), fps=30,
    ),
    Clip(
        "space-04", "space", "2026-03-23T09:00:00Z", "en",
        "An astronaut talks about two weeks in orbit",
        "Interview with the astronaut Eileen Collins about the view of the earth from the "
        "space shuttle.",
        "Science: Space: Astronauts, Interviews",
        (_photo(3.5, "astronaut", (0.45, 0.25, 1.0), (0.44, 0.24, 1.5)),
         _photo(3, "astronaut", (0.44, 0.22, 2.1), (0.44, 0.2, 1.8))),
        (_en("Eileen Collins, astronaut", 0.6, 6.0),),
        speech=("orbit",),
    ),
    Clip(
        "space-05", "space", "2026-04-03T09:00:00Z", "ru",
        "Подготовка к полёту: архивные кадры",
        "Астронавт перед стартом шаттла, космос и тренировки. Archive pictures of an astronaut "
        "before a space flight.",
        "Science: Space: Astronauts, History",
        (_photo(3, "astronaut", (0.5, 0.3, 1.5), (0.42, 0.22, 1.9), "archive"),
         _photo(3, "astronaut", (0.6, 0.35, 1.2), (0.43, 0.22, 2.3), "archive")),
        (_ru("Подготовка к полёту", 0.4, 5.6),),
        sound="music", file_type="webm", size=(480, 360),
    ),
    Clip(
        "space-06", "space", "2026-04-13T09:00:00Z", "ru",
        "Планеты Солнечной системы",
        "Как планеты движутся вокруг Солнца: космос для детей. The planets of the solar system "
        "and their orbits.",
        "Science: Space: Planets, Education",
        (_drawn(3.5, "planets"), _drawn(3, "planets", (0.5, 0.47, 1.8),
                _boris(0.24, 0.78, -3))),
        (_ru("Планеты вокруг Солнца", 0.5, 6.0, "top"),),
        speech=("planets",),
    ),
)  # fmt: skip

PETS = (
    Clip(
        "pets-01", "pets", "2026-03-03T10:00:00Z", "en",
        "Good morning, Chelsea the cat",
        "Our tabby cat Chelsea sits at the window and watches the birds. Cute cats every week.",
        "Animals: Pets: Cats",
        (_photo(3, "chelsea", (0.4, 0.5, 1), (0.35, 0.45, 1.7)),
         _photo(3, "chelsea", (0.55, 0.4, 2.2), (0.3, 0.4, 2.2))),
        (_en("Good morning, kitty", 0.5, 5.5),),
        speech=("window",),
    ),
    Clip(
        "pets-02", "pets", "2026-03-12T10:00:00Z", "ru",
        "Белая кошка спит на красном диване",
        "Домашняя кошка спит целый день. A white cat asleep on a red sofa.",
        "Animals: Pets: Cats, Entertainment: Humour",
        (_drawn(3.5, "cat_asleep"), _drawn(2.5, "cat_asleep", (0.42, 0.52, 1.9))),
        (_ru("Белая кошка спит", 0.5, 5.6),),
        speech=("asleep",),
    ),
    Clip(
        "pets-03", "pets", "2026-03-20T10:00:00Z", "en",
        "How often should you feed your cat?",
        "A vet's short advice: two meals a day and fresh water. Cat care for new owners.",
        "Animals: Pets: Cats, Education",
        (_drawn(4.5, "cat_walk"), _drawn(3, "cat_walk", (0.62, 0.6, 1.6),
                _maria(0.36, 0.74, 3))),
        (_en("Feed your cat twice a day", 0.8, 6.8, "top"),),
        speech=("feeding",), fps=30,
    ),
    Clip(
        "pets-04", "pets", "2026-04-01T10:00:00Z", "ru",
        "Домашний аквариум для начинающих",
        "Рыбки, растения и вода: уход за домашним аквариумом. Pet fish in a home aquarium.",
        "Animals: Pets: Fish",
        (_drawn(4, "aquarium"), _drawn(3, "aquarium", (0.55, 0.45, 1.7),
                _tom(0.52, 0.8, 4, "warm"))),
        (_ru("Домашний аквариум", 0.6, 6.4),),
        sound="speech+music", speech=("aquarium",), file_type="mkv",
    ),
    Clip(
        "pets-05", "pets", "2026-04-10T10:00:00Z", "en",
        "A horse runs across the meadow",
        "Three minutes of calm: our horse in the evening sun. Animals on the farm.",
        "Animals: Farm animals: Horses",
        (_drawn(4, "meadow"), _drawn(3, "meadow", (0.4, 0.6, 1.5))),
        (_en("Evening run", 1.0, 5.0, "top"),),
        sound="music", file_type="mp4-mpeg4",
    ),
)  # fmt: skip

COOKING = (
    Clip(
        "cooking-01", "cooking", "2026-03-04T11:00:00Z", "en",
        "How to make a perfect espresso at home",
        "Fresh beans, hot water, twenty five seconds: a barista shows how to make good coffee.",
        "Food: Drinks: Coffee, Recipes",
        (_photo(3.2, "coffee", (0.5, 0.5, 1), (0.5, 0.35, 1.8)),
         _photo(3.3, "coffee", (0.62, 0.55, 2.4), (0.45, 0.35, 2))),
        (_en("Perfect espresso", 0.5, 6.0),),
        speech=("coffee",),
    ),
    Clip(
        "cooking-02", "cooking", "2026-03-14T11:00:00Z", "ru",
        "Овощной суп за полчаса: простой рецепт",
        "Морковь, лук и соль: готовим лёгкий суп. A recipe for vegetable soup.",
        "Food: Recipes: Soups",
        (_drawn(4, "soup"), _drawn(2.5, "soup", (0.5, 0.45, 1.8))),
        (_ru("Овощной суп", 0.5, 3.6), _ru("Варить полчаса", 4.2, 6.2)),
        speech=("soup",),
    ),
    Clip(
        "cooking-03", "cooking", "2026-03-24T11:00:00Z", "en",
        "Latte art for beginners",
        "Warm milk, a white cup and a steady hand: how to draw a heart on your coffee.",
        "Food: Drinks: Coffee, Education",
        (_drawn(3.5, "latte"), _drawn(3, "latte", (0.5, 0.5, 1.4),
                _nadia(0.74, 0.88, -3))),
        (_en("Latte art", 0.4, 3.2, "top"), _en("Draw a heart", 3.8, 6.2)),
        speech=("latte",), file_type="webm",
    ),
    Clip(
        "cooking-04", "cooking", "2026-04-02T11:00:00Z", "ru",
        "Домашний хлеб в духовке",
        "Рецепт хлеба: тесто, духовка и сорок минут. How to bake bread in the oven at home.",
        "Food: Recipes: Baking",
        (_drawn(4, "oven"), _drawn(2.5, "oven", (0.5, 0.6, 1.6),
                _maria(0.78, 0.7, -4, "warm"))),
        (_ru("Хлеб в духовке 40 минут", 0.6, 6.0, "top"),),
        speech=("bread",), file_type="mov",
    ),
    Clip(
        "cooking-05", "cooking", "2026-04-14T11:00:00Z", "en",
        "Pizza in twenty minutes",
        "A quick recipe for a hot pizza with cheese, tomatoes and olives.",
        "Food: Recipes: Baking",
        (_drawn(4.5, "pizza"), _drawn(2, "pizza", (0.45, 0.5, 1.7))),
        (_en("Pizza in 20 minutes", 0.5, 6.0),),
        sound="music", file_type="mpg", size=(480, 360),
    ),
)  # fmt: skip

TRAVEL = (
    Clip(
        "travel-01", "travel", "2026-03-05T12:00:00Z", "en",
        "A day at the Summer Palace in China",
        "Travel diary: an old palace on the hill above the lake, a city walk in Beijing.",
        "Travel: Asia: China, Culture: Architecture",
        (_photo(3.5, "china", (0.5, 0.6, 1), (0.38, 0.45, 1.7)),
         _photo(3, "china", (0.37, 0.3, 2.4), (0.4, 0.6, 2.1))),
        (_en("Summer Palace, Beijing", 0.5, 6.0),),
        speech=("palace",),
    ),
    Clip(
        "travel-02", "travel", "2026-03-15T12:00:00Z", "ru",
        "Огни ночного города: прогулка по реке",
        "Путешествие по вечернему городу на теплоходе. A boat trip and the city lights at night.",
        "Travel: Cities: Night walks",
        (_drawn(3.5, "skyline"), _drawn(2.8, "skyline", (0.55, 0.45, 1.6),
                _boris(0.5, 0.68, 0, "warm"))),
        (_ru("Ночной город", 0.5, 5.8, "top"),),
        speech=("night",),
    ),
    Clip(
        "travel-03", "travel", "2026-03-26T12:00:00Z", "en",
        "By train through the mountains",
        "A railway journey: windows, valleys and villages on the way to the mountains.",
        "Travel: Railways: Mountain lines",
        (_drawn(4, "train"), _drawn(3, "train", (0.6, 0.65, 1.5),
                _tom(0.25, 0.74, -4))),
        (_en("Train to the mountains", 0.6, 6.4, "top"),),
        speech=("train",), file_type="mpg",
    ),
    Clip(
        "travel-04", "travel", "2026-04-04T12:00:00Z", "ru",
        "Поход в горы: что взять с собой",
        "Карта, обувь и рюкзак: собираемся в горный поход. A hike in the mountains.",
        "Travel: Hiking: Mountains",
        (_drawn(4, "hiking"), _drawn(2.8, "hiking", (0.55, 0.62, 1.7),
                _nadia(0.3, 0.8, 3, "warm"))),
        (_ru("Поход в горы", 0.5, 6.2, "top"),),
        speech=("hiking",), size=(480, 270),
    ),
    Clip(
        "travel-05", "travel", "2026-04-15T12:00:00Z", "ru",
        "Прогулка по ботаническому саду",
        "Путешествие на выходные: цветы и тропинки сада. A weekend trip to a botanical garden.",
        "Travel: Parks: Gardens, Nature: Flowers",
        (_photo(3.5, "flower", (0.5, 0.5, 1), (0.48, 0.45, 1.9)),
         _photo(3, "flower", (0.4, 0.4, 2.5), (0.55, 0.6, 2.2), "warm")),
        (_ru("Ботанический сад", 0.5, 6.0),),
        sound="music",
    ),
)  # fmt: skip

CARS = (
    Clip(
        "cars-01", "cars", "2026-03-06T13:00:00Z", "en",
        "Red car on the coast road: long drive",
        "A test drive of a fast red car along the sea, from noon to evening.",
        "Cars: Test drives: Sports cars",
        (_drawn(5, "coast_road"), _drawn(3.5, "coast_road", (0.47, 0.75, 1.8),
                _tom(0.7, 0.92, 2)),
         _drawn(3.5, "coast_road", (0.6, 0.45, 1.3))),
        (_en("Coast road test drive", 0.5, 4.6, "top"), _en("Speed 90", 5.4, 8.2),
         _en("Thanks for watching", 9.0, 11.6, "centre")),
        sound="speech+music", speech=("coast",),
    ),
    Clip(
        "cars-02", "cars", "2026-03-17T13:00:00Z", "ru",
        "Обзор мотоцикла: двигатель и рама",
        "Тест-драйв классического мотоцикла в гараже. A motorcycle review in the garage.",
        "Cars: Motorcycles: Reviews",
        (_photo(3.2, "motorcycle", (0.5, 0.5, 1), (0.6, 0.5, 1.8)),
         _photo(3.3, "motorcycle", (0.55, 0.6, 2.6), (0.4, 0.5, 2))),
        (_ru("Обзор мотоцикла", 0.5, 6.0),),
        speech=("motorcycle",), file_type="mkv",
    ),
    Clip(
        "cars-03", "cars", "2026-03-28T13:00:00Z", "en",
        "Final lap: the blue car wins the race",
        "Highlights of the motor race: four cars, one second between the first two.",
        "Cars: Motor sport: Racing, Sport",
        (_drawn(4.5, "race"), _drawn(3, "race", (0.62, 0.5, 1.4),
                _boris(0.76, 0.72, 4))),
        (_en("FINAL LAP", 0.5, 3.0, "centre"), _en("Winner: blue car", 4.8, 7.2, "top")),
        speech=("race",), fps=30,
    ),
    Clip(
        "cars-04", "cars", "2026-04-06T13:00:00Z", "ru",
        "Правила дорожного движения: светофор",
        "Урок для водителей: красный и зелёный сигнал. A driving lesson about traffic lights.",
        "Cars: Driving lessons: Road rules, Education",
        (_drawn(4.5, "crossing"), _drawn(2.5, "crossing", (0.68, 0.6, 1.35),
                _nadia(0.5, 0.95, 0))),
        (_ru("Правила движения", 0.5, 6.6, "bottom"),),
        speech=("lights",),
    ),
)  # fmt: skip

MONEY = (
    Clip(
        "money-01", "money", "2026-03-07T14:00:00Z", "en",
        "What are ancient silver coins worth?",
        "Old coins, their silver and their price today: collecting money as an investment.",
        "Business: Money: Coins, History",
        (_photo(3.6, "coins", (0.5, 0.5, 1), (0.25, 0.3, 2)),
         _photo(3.4, "coins", (0.85, 0.8, 2.6), (0.6, 0.75, 2.6))),
        (_en("Ancient silver coins", 0.5, 6.5),),
        speech=("coins",),
    ),
    Clip(
        "money-02", "money", "2026-03-18T14:00:00Z", "en",
        "Why prices rise: inflation and the market",
        "The economy this year in one chart: prices, the market and your money.",
        "Business: Economy: Inflation, News",
        (_drawn(4.4, "line_chart"), _drawn(2.4, "line_chart", (0.6, 0.5, 1.4),
                _boris(0.26, 0.8, 3), _maria(0.72, 0.76, -2))),
        (_en("Inflation and prices", 0.4, 6.4, "top"),),
        speech=("prices",),
    ),
    Clip(
        "money-03", "money", "2026-03-27T14:00:00Z", "ru",
        "Как копить деньги: пять простых шагов",
        "Семейный бюджет, вклад в банке и экономия. How to save money every month.",
        "Business: Money: Saving",
        (_drawn(4.2, "coin_stacks"), _drawn(2.3, "coin_stacks", (0.62, 0.55, 1.4),
                _maria(0.2, 0.8, 0))),
        (_ru("Как копить деньги", 0.5, 6.0, "top"),),
        speech=("saving",),
    ),
    Clip(
        "money-04", "money", "2026-04-07T14:00:00Z", "en",
        "Company report: sales of the second half",
        "The company sold more products than last year: the business report in a minute.",
        "Business: Economy: Company reports, News",
        (_drawn(4.4, "bar_chart"), _drawn(2.4, "bar_chart", (0.68, 0.55, 1.4),
                _tom(0.24, 0.96, 0))),
        (_en("Sales report 2025", 0.4, 6.4, "bottom"),),
        speech=("sales",), size=(480, 270),
    ),
    Clip(
        "money-05", "money", "2026-04-16T14:00:00Z", "ru",
        "Семейный бюджет: куда уходят деньги",
        "Разбираем расходы семьи на диаграмме. Where the money of a family goes.",
        "Business: Money: Saving",
        (_drawn(6.5, "pie_chart"),),
        (_ru("Бюджет семьи", 0.5, 6.0),),
        sound="none",
    ),
)  # fmt: skip

OTHER = (
    Clip(
        "other-01", "other", "2026-04-20T15:00:00Z", "en",
        "Cameraman",
        "",
        "",
        (_photo(6, "cameraman", (0.5, 0.6, 1), (0.5, 0.3, 1.6)),),
        sound="silence",
    ),
    Clip(
        "other-02", "other", "2026-04-21T15:00:00Z", "en",
        "Test card",
        "Colour bars and a tone of 1 kHz.",
        "",
        (_drawn(6, "test_card"),),
        sound="tone", file_type="avi", size=(480, 360),
    ),
    Clip(
        "other-03", "other", "2026-04-22T15:00:00Z", "ru",
        "Шум дождя для сна",
        "Rain on the window.",
        "Relaxation: Nature sounds",
        (_drawn(7, "rain"),),
        sound="noise", size=(360, 640), fps=30,
    ),
)  # fmt: skip

CLIPS = (*SPACE, *PETS, *COOKING, *TRAVEL, *CARS, *MONEY, *OTHER)
