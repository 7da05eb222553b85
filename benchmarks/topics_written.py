"""Small libraries of titles with known themes, half of them Russian, for `benchmarks.topics`."""

from __future__ import annotations

import re

from benchmarks.topics_library import TextLibrary
from ml.schemas import TEXT_CHANNELS

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


def written_library(name: str, lines: str) -> TextLibrary:
    """A library of this file, a line a video; lines that are set in go on."""
    texts: dict[str, dict[str, str]] = {channel: {} for channel in TEXT_CHANNELS}
    truth = {}
    joined = re.sub(r"\n +", " ", lines).strip()
    for number, line in enumerate(joined.splitlines()):
        video = f"{name}-{number:02d}"
        truth[video], *rest = line.split("|")
        for channel, text in zip(TEXT_CHANNELS, rest, strict=False):
            if text:
                texts[channel][video] = text
    return TextLibrary(name, texts, truth)
