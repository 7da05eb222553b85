"""How well topics are found in small libraries, half of whose titles are Russian.

    python -m benchmarks.topics [--subsets 10]

Texts go through the packaged text model and the clustering of the asset `topics`, before (the
channels as they are) and after (languages levelled, and the words as a channel of their own). No
video is decoded. ``sample`` is the sample library with its truth as what was said and written;
``tuning`` chose between variants together with it; ``fresh`` was written afterwards and changed
nothing. ARI is the adjusted Rand index against the theme, with every video that has none, or got
no topic, as a group of its own; beside it the mean over random subsets of 85 % of the videos,
which differs less by chance. Every figure is computed twice, with the videos in another order.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from assets.topics import CHANNEL_WEIGHTS, documents_of, topic_vectors
from ml.channels import CHANNEL_TEXT

if TYPE_CHECKING:
    from ml.clusters import Topics

NO_THEME = "other"
SUBSET_SHARE = 0.85
TEXT_CHANNELS = ("title", "description", "asr", "ocr")

# theme | title | description | what is said | what is written
TUNING = """
football|Top ten goals of the season|Long shots, free kicks and a bicycle kick: the best goals
    of the league this season.|what a goal the keeper had no chance at all|Goal of the season
football|How to take a free kick like a professional|A football coach explains the run up, the
    foot and where to hit the ball.|place the ball take three steps back and look at the
    goalkeeper|
football|Derby highlights: two red cards and a late winner|The match had everything: a penalty,
    two red cards and a goal in the last minute.|the referee shows the red card and the stadium
    explodes|90+3 GOAL
football|Обзор матча: Спартак – Зенит|Голы, удаления и опасные моменты. Главный матч тура
    чемпионата России по футболу.||Спартак 2:1 Зенит
football|Тренировка вратаря: реакция и прыжки|Упражнения для футбольного вратаря: как отбивать
    мяч в углу ворот. Goalkeeper training drills.||
football|Почему судья не назначил пенальти|Разбираем спорный момент матча: игра рукой, мяч и
    решение арбитра. Новости футбола.||Пенальти или нет?
chess|The Sicilian Defence for club players|Opening theory made easy: the main lines of the
    Sicilian and typical plans for black.|black gives up a pawn in the centre to open the queen
    side|Sicilian Defence
chess|Endgame lesson: king and pawn against king|The opposition, the square of the pawn and why
    the king must go first. Chess for beginners.|the white king takes the opposition and the
    pawn becomes a queen|
chess|World championship game 6 analysis|A grandmaster comments every move of the longest game
    in the history of chess matches.|here white could win with rook to e seven|Game 6: 136 moves
chess|Шахматы: ловушки в дебюте|Пять дебютных ловушек, в которые попадают начинающие. Мат в
    восемь ходов.||Мат в 8 ходов
chess|Как играть эндшпиль: ладья и пешка|Урок гроссмейстера для шахматистов первого разряда.
    Rook endings in chess, explained.||
chess|Партия бессмертия: жертва ферзя|Самая красивая партия в истории шахмат, разбор каждого
    хода.||Жертва ферзя
garden|Growing tomatoes from seed|When to sow, how to plant out and how much water tomatoes need
    in a greenhouse.|put two seeds in each pot and keep the soil warm|Sow in March
garden|Pruning roses in spring|Where to cut, which shears to use and how to feed the roses
    afterwards.|cut just above a bud that looks outwards|
garden|A vegetable garden for lazy people|Mulch, raised beds and plants that need no weeding.
    Potatoes, beans and pumpkins.|cover the soil with straw and forget the weeds|No digging!
garden|Рассада помидоров: когда сеять|Сроки посева томатов на рассаду, грунт, свет и полив.
    Growing tomato seedlings on a window sill.||
garden|Обрезка яблони весной|Показываю на старой яблоне, какие ветки удалить, чтобы сад дал
    урожай.||Обрезка яблони
garden|Огород без прополки|Мульча, тёплые грядки и полив: урожай овощей на даче без лишней
    работы.||Тёплая грядка
guitar|Your first three guitar chords|Learn G, C and D on the acoustic guitar and play a hundred
    songs.|press the strings close to the fret and strum slowly|G C D
guitar|Blues solo lesson: the pentatonic scale|Five licks in A minor for electric guitar, slow
    and with a backing track.|bend the string a full tone and let the note ring|
guitar|Changing strings on a classical guitar|Nylon strings, knots and tuning: how to restring
    your instrument in ten minutes.|turn the peg until the string is in tune|
guitar|Как настроить гитару на слух|Настройка шестиструнной гитары без тюнера: пятый лад и
    флажолеты.||Пятый лад
guitar|Три аккорда: первая песня на гитаре|Урок для начинающих: аккорды Am, Dm, E и бой
    шестёрка. First song on the guitar.||Am Dm E
guitar|Соло на электрогитаре: пентатоника|Учимся играть блюз: гамма, бенды и вибрато. Табы под
    видео.||
code|Python in one hour|Variables, lists, functions and loops: write your first program in
    Python.|a function takes arguments and returns a value|print("hello")
code|Why your SQL query is slow|Indexes, joins and query plans: how a database reads a table,
    with examples in Postgres.|the database scans the whole table because there is no
    index|EXPLAIN ANALYZE
code|Writing unit tests that help|A software developer shows what to test, how to name tests and
    how to refactor code safely.|first write a failing test then write the code|
code|Программирование на Python с нуля|Переменные, списки, функции и циклы: пишем первую
    программу. Python course for beginners.||def main():
code|Базы данных: индексы в SQL|Почему запрос медленный и как индекс ускоряет чтение таблицы.
    Курс для разработчиков.||CREATE INDEX
code|Собеседование разработчика: алгоритмы|Решаем задачу на собеседовании: сортировка,
    хеш-таблица и сложность кода.||
yoga|Morning yoga, fifteen minutes|Gentle stretching for the back and the hips. Breathe in,
    breathe out, no equipment.|breathe in and raise your arms breathe out and fold forward|
yoga|Home workout without equipment|Squats, push ups and planks: a full body training for
    beginners.|keep your back straight and hold the plank|30 seconds
yoga|Stretching after a run|Calves, hips and hamstrings: five exercises that keep muscles
    healthy.|stretch the muscle slowly and never bounce|
yoga|Йога для начинающих: утренний комплекс|Мягкая растяжка спины, дыхание и баланс. Пятнадцать
    минут каждое утро.||Вдох – выдох
yoga|Тренировка дома без инвентаря|Приседания, отжимания и планка: упражнения на всё тело. Full
    body workout at home.||
yoga|Упражнения для спины|Растяжка и укрепление мышц, если болит спина от сидячей работы.||10
    повторений
repair|How to lay laminate flooring|Underlay, first row, cutting around pipes: a room floor in
    one weekend.|leave a gap of one centimetre along the wall|
repair|Painting a wall without streaks|Roller, primer and paint: how to prepare plaster and
    paint a room like a pro.|roll the paint from the top of the wall to the bottom|Two coats
repair|Tiling a bathroom: adhesive and grout|A builder shows how to level the wall, set tiles
    and seal the joints.|spread the adhesive with a notched trowel|
repair|Ремонт в ванной: кладём плитку|Выравнивание стен, плиточный клей и затирка швов своими
    руками.||Затирка швов
repair|Укладка ламината своими руками|Подложка, первый ряд и плинтус: пол в комнате за выходные.
    Laying a laminate floor.||
repair|Как покрасить стены без полос|Валик, грунтовка и краска: ремонт комнаты без мастера.||Два
    слоя краски
history|The fall of the Roman Empire|Emperors, barbarians and taxes: why Rome fell in the fifth
    century.|in the year four hundred and ten the goths entered rome|Rome, AD 410
history|How the pyramids of Egypt were built|Pharaohs, workers and ramps: what archaeologists
    found at Giza.|thousands of workers pulled the blocks up a ramp|
history|Medieval castles: life behind the walls|Knights, kings and sieges: a historian walks
    through a castle of the twelfth century.|the king gave the castle to his knight|
history|Древний Рим: легионы и императоры|История Римской империи от Августа до падения Рима.
    Ancient Rome in twenty minutes.||Легион
history|Тайны египетских пирамид|Фараоны, гробницы и находки археологов: как строили пирамиды
    Древнего Египта.||
history|Рыцари и замки средневековья|Как жили рыцари, сколько весили доспехи и как брали замок
    осадой. Рассказ историка.||Осада замка
other|Unboxing a mystery parcel|Nobody knows what is inside.|so it is just a box of socks|
other|Rain on a tin roof, three hours||
other|Поздравление бабушке|С юбилеем!||80 лет
other|Timelapse of clouds|Shot on a balcony.||
football|best goals!!! (reupload)|from another account|what a goal the keeper had no chance at
    all|Goal of the season
chess|Жертва ферзя, нарезка|Красивая шахматная партия.||Жертва ферзя
repair|ламинат за выходные|Повтор.||
code|python tutorial short||a function takes arguments and returns a value|
"""

FRESH = """
photo|Portrait lighting with one lamp|A photographer shows where to put the lamp, the reflector
    and the camera.|move the lamp to the side and look at the shadow of the nose|One light
photo|Aperture, shutter and ISO explained|The exposure triangle for people who bought their
    first camera.|a wide aperture makes the background soft|f/2.8 1/250
photo|Editing landscape photos in Lightroom|Colours, contrast and the sky: how I process a raw
    photo after a trip.|pull the highlights down and open the shadows|
photo|Портрет при одном источнике света|Фотограф показывает, где поставить лампу и отражатель,
    чтобы портрет получился объёмным.||Один свет
photo|Выдержка, диафрагма и ISO|Экспозиция простыми словами для тех, кто купил первую камеру.
    Exposure basics.||1/250
photo|Какой объектив купить новичку|Сравниваю резкость и цену: портретный, широкоугольный и зум
    для камеры.||50 мм
ski|How to carve on skis|Edges, knees and balance: a ski instructor teaches clean turns on the
    slope.|press the outside ski and keep your knees bent|
ski|Best ski resorts in the Alps|Slopes, lifts and snow: where to ski this winter and what a
    lift pass costs.|the snow up here lasts until may|Alps 2026
ski|Waxing your skis at home|Iron, wax and brush: how to make old skis glide on cold snow.|melt
    the wax and let it cool before you brush|
ski|Горные лыжи: первый урок|Инструктор учит тормозить плугом и поворачивать на учебном склоне.
    First ski lesson.||Плуг
ski|Лучшие горнолыжные курорты Кавказа|Склоны, подъёмники, снег и цены на ски-пасс этой
    зимой.||Эльбрус
ski|Как выбрать лыжи и ботинки|Длина лыж, жёсткость ботинка и крепления: советы инструктора.||
vote|Election night: the results|Votes are counted, the president speaks and the parliament gets
    a new majority.|the party has won more than half of the votes|ELECTION 2026
vote|How a parliament passes a law|The bill, the committee and the vote: politics explained in
    ten minutes.|the president may sign the law or send it back|
vote|Debate of the candidates|Taxes, schools and pensions: two candidates for president answer
    voters.|my party will not raise taxes|Live debate
vote|Итоги выборов: подсчёт голосов|Явка, голоса и места партий в парламенте. Главные новости
    политики.||Выборы 2026
vote|Как принимают законы|Депутаты, комитеты и голосование в парламенте: политика простыми
    словами.||Закон
vote|Дебаты кандидатов в президенты|Налоги, школы и пенсии: кандидаты отвечают избирателям.
    Presidential debate.||Прямой эфир
sew|Sewing a simple skirt|Fabric, pattern and zip: a skirt in one evening on a home sewing
    machine.|pin the pattern to the fabric and cut along the line|
sew|Threading a sewing machine|Needle, bobbin and thread tension for beginners.|pull the thread
    through the eye of the needle|
sew|Knitting a scarf: first stitches|Yarn, needles and the knit stitch: a warm scarf made by
    hand.|slide the stitch from the left needle to the right|Knit, purl
sew|Шьём юбку за вечер|Ткань, выкройка и молния: простая юбка на домашней швейной
    машинке.||Выкройка
sew|Швейная машинка: как заправить нить|Игла, шпулька и натяжение нити. Sewing machine threading
    for beginners.||
sew|Вяжем шарф спицами|Пряжа, петли и узор: тёплый шарф своими руками.||Лицевая петля
bee|Beekeeping through the year|Hives, frames and swarms: what a beekeeper does from spring to
    autumn.|the queen lays two thousand eggs a day in the hive|
bee|How bees make honey|Nectar, wax and the dance of the bees: inside a hive with a small
    camera.|the bees fan the honey with their wings|Inside the hive
bee|Harvesting honey at home|Uncapping the frames, the extractor and the jars: forty kilos of
    honey.|cut the wax off and spin the frame|40 kg
bee|Пасека весной: осмотр ульев|Пчеловод проверяет рамки, матку и запасы мёда после зимы.
    Beekeeping in spring.||Осмотр улья
bee|Как пчёлы делают мёд|Нектар, воск и танец пчёл: жизнь внутри улья.||Улей
bee|Качаем мёд: медогонка и рамки|Сорок килограммов мёда за день на домашней пасеке.||40 кг
other|Aquarium fireplace, ten hours||
other|Мой день без телефона|Просто попробовал.||
other|Two lost gloves|A very short film.||The end
"""


@dataclass(frozen=True)
class TextLibrary:
    """A library's texts by channel and video, its themes, and what was cut from it."""

    name: str
    texts: Mapping[str, Mapping[str, str]]
    themes: Mapping[str, str]


@dataclass(frozen=True)
class Score:
    """Agreement with the themes, share of videos without a topic, and topics."""

    ari: float
    noise: float
    topics: int


def written_library(name: str, lines: str) -> TextLibrary:
    """A library of this file, a line a video; lines that are set in go on."""
    texts: dict[str, dict[str, str]] = {channel: {} for channel in TEXT_CHANNELS}
    themes = {}
    joined = re.sub(r"\n +", " ", lines).strip()
    for number, line in enumerate(joined.splitlines()):
        video = f"{name}-{number:02d}"
        themes[video], *rest = line.split("|")
        for channel, text in zip(TEXT_CHANNELS, rest, strict=False):
            if text:
                texts[channel][video] = text
    return TextLibrary(name, texts, themes)


def sample_library() -> TextLibrary:
    """The sample library's catalogue, and its truth as what is said and written in it."""
    from samples.clips import CLIPS
    from samples.copies import COPIES
    from samples.sound import sentence_texts, speech
    from samples.truth import clip_facts, copy_facts

    facts = {c.video_id: clip_facts(c, speech(c.speech, c.seconds)[1]) for c in CLIPS}
    facts |= {c.video_id: copy_facts(c, facts, []) for c in COPIES}
    said = {v: " ".join(s.text for s in fact.speech) for v, fact in facts.items()}
    said |= {c.video_id: sentence_texts().get(c.sound, said[c.video_id]) for c in COPIES}
    texts = {
        "title": {v.video_id: v.title for v in (*CLIPS, *COPIES)},
        "description": {v.video_id: v.description for v in (*CLIPS, *COPIES)},
        "asr": said,
        "ocr": {v: "\n".join(line.text for line in fact.captions) for v, fact in facts.items()},
    }
    kept = {channel: {v: t for v, t in of.items() if t} for channel, of in texts.items()}
    return TextLibrary("sample", kept, {v: fact.theme for v, fact in facts.items()})


def embedded(library: TextLibrary) -> tuple[dict[str, tuple[list[str], np.ndarray]], str]:
    """The text model's vectors by channel, and the model's name."""
    from ml.text import PACKAGED, load_text_embedder
    from ml.vectors import list_matrix

    embedder = load_text_embedder(PACKAGED, profile="embedded")
    channels = {}
    for channel, texts in library.texts.items():
        rows = [{"video_id": v, "channel": channel, "text": t} for v, t in sorted(texts.items())]
        made = embedder.embed([pa.RecordBatch.from_pylist(rows, CHANNEL_TEXT)])
        found = pa.Table.from_batches(list(made)).combine_chunks()
        matrix = list_matrix(found.column("embedding").combine_chunks())
        channels[channel] = (found.column("video_id").to_pylist(), matrix)
    return channels, embedder.model


class Bench:
    """One library with its vectors, clustered as often as asked."""

    def __init__(self, library: TextLibrary) -> None:
        self._library = library
        self._channels, self._model = embedded(library)

    def topics(self, videos: Sequence[str], *, lexical: bool) -> Topics:
        """Topics of some of the videos.

        Raises:
            RuntimeError: the same videos in another order have other topics.
        """
        one, other = (self._topics(order, lexical) for order in (videos, videos[::-1]))
        if not one.video_topics.equals(other.video_topics):
            raise RuntimeError(f"{self._library.name}: topics depend on the order of the videos")
        return one

    def score(self, videos: Sequence[str], *, lexical: bool) -> Score:
        """Agreement with the themes."""
        table = self.topics(videos, lexical=lexical).video_topics.to_pydict()
        found = np.array(table["topic_id"])
        themes = [self._library.themes[v] for v in table["video_id"]]
        ari = agreement(found, themes)
        return Score(ari, float((found < 0).mean()), int(found.max(initial=-1)) + 1)

    def _topics(self, videos: Sequence[str], lexical: bool) -> Topics:
        from ml.clusters import cluster_topics
        from ml.vectors import joint_vectors

        channels = {name: _rows(*pair, videos) for name, pair in self._channels.items()}
        texts = {
            name: {v: of[v] for v in videos if v in of} for name, of in self._library.texts.items()
        }
        if lexical:
            models = dict.fromkeys(channels, self._model)
            ids, vectors = topic_vectors(channels, models, texts)
        else:
            ids, vectors = joint_vectors(channels, CHANNEL_WEIGHTS)
        documents = documents_of(texts)
        return cluster_topics(vectors, ids, [documents[v] for v in ids], model=self._model)


def agreement(found: np.ndarray, themes: Sequence[str]) -> float:
    """Adjusted Rand index; videos without a topic, or without a theme, are groups of their own."""
    from sklearn.metrics import adjusted_rand_score

    count = len(themes)
    truth = np.unique(np.array(themes), return_inverse=True)[1]
    lone = np.array([theme == NO_THEME for theme in themes])
    truth = np.where(lone, count + np.arange(count), truth)
    return float(adjusted_rand_score(truth, np.where(found < 0, count + np.arange(count), found)))


def subsets(videos: Sequence[str], count: int) -> list[list[str]]:
    """Random subsets, the same each time."""
    draw = np.random.default_rng(5)
    size = round(SUBSET_SHARE * len(videos))
    return [[str(v) for v in draw.choice(videos, size, replace=False)] for _ in range(count)]


def _rows(
    ids: Sequence[str], matrix: np.ndarray, videos: Sequence[str]
) -> tuple[list[str], np.ndarray]:
    place = {v: row for row, v in enumerate(ids)}
    kept = [v for v in videos if v in place]
    return kept, matrix[[place[v] for v in kept]]


def measure(library: TextLibrary, count: int) -> None:
    """Print a library's rows of the table, and its topics' names."""
    bench, videos = Bench(library), sorted(library.themes)
    for lexical in (False, True):
        whole = bench.score(videos, lexical=lexical)
        of = [bench.score(some, lexical=lexical) for some in subsets(videos, count)]
        ari, noise = (np.mean([getattr(s, name) for s in of]) for name in ("ari", "noise"))
        print(
            f"| {library.name}, {len(videos)} videos | {'after' if lexical else 'before'} "
            f"| {whole.ari:.2f} | {whole.noise:.0%} | {whole.topics} | {ari:.2f} | {noise:.0%} |"
        )
    for row in bench.topics(videos, lexical=True).topics.to_pylist():
        print(f"<!-- {row['size']} videos: {row['name']} -->")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--subsets", type=int, default=10)
    count = parser.parse_args().subsets
    print("| library | | ARI | no topic | topics | ARI, subsets | no topic, subsets |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    libraries = [written_library("tuning", TUNING), written_library("fresh", FRESH)]
    for library in [sample_library(), *libraries]:
        measure(library, count)


if __name__ == "__main__":
    main()
