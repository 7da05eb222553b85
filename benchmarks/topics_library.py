"""A made-up library of videos with known themes, in Russian and English, for `benchmarks.topics`.

Texts are put together from a theme's phrases and from turns of speech that any video has. Themes
are of very different sizes (Zipf), a tenth of the videos has none, and most lack some channel.
Half of a theme's videos are Russian, some mix both languages, as real ones do.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ml.schemas import TEXT_CHANNELS

NO_THEME = "other"
STRAY_SHARE = 0.1
# The k-th theme has k ** -ZIPF of the first one's videos: 26 themes of 1,500 videos have 22 to 190.
ZIPF = 0.7

# theme | where it belongs in the default taxonomy, as far as that is beyond dispute | phrases in
# English | in Russian
THEMES = """
cats|Animals: Pets: Cats|kitten; cat food; litter box; maine coon; purring cat; cat breeds;
    scratching post; the vet and my cat; whiskers and tail; a cat on the sofa; feeding a kitten
    |котёнок; кормление кошки; кошачий лоток; мейн-кун; кот мурлычет; породы кошек; когтеточка;
    кошка на диване; усы и хвост; прививки котёнку; игрушки для кота
electric cars|Cars and transport: Cars: Electric cars|electric car; charging station; battery range;
    tesla model; kilowatt hours; fast charger; electric motor; range in winter; hybrid or electric;
    charging at home
    |электромобиль; зарядная станция; запас хода; тесла; киловатт-часы; быстрая зарядка;
    электродвигатель; запас хода зимой; батарея электромобиля; гибрид
car repair|Cars and transport: Cars: Car repair|oil change; brake pads; engine rebuild; gearbox; car
    mechanic; timing belt; spark plugs; suspension arm; leaking radiator; garage tools
    |замена масла; тормозные колодки; ремонт двигателя; коробка передач; автосервис; ремень ГРМ;
    свечи зажигания; рычаг подвески; радиатор течёт; гаражный ремонт
minecraft|Games: Sandbox and kids games: Minecraft|minecraft; redstone; survival world; creeper;
    diamond pickaxe; building a castle of blocks; nether portal; ender dragon; minecraft mods;
    villagers
    |майнкрафт; редстоун; выживание в майнкрафте; крипер; алмазная кирка; портал в ад; эндер дракон;
    моды на майнкрафт; жители деревни; постройка из блоков
shooters|Games: Shooters|counter strike; headshot; ranked match; sniper rifle; clutch round; best
    crosshair; sensitivity settings; esports tournament; dust two; weapon skins
    |контр страйк; хедшот; рейтинговый матч; снайперская винтовка; клатч; настройка прицела;
    чувствительность мыши; киберспортивный турнир; скины на оружие; раунд на дасте
guitar|Music: Playing instruments|guitar chords; fingerstyle; electric guitar; strumming pattern;
    guitar solo; barre chord; tuning the strings; capo; acoustic guitar; blues scale
    |аккорды на гитаре; перебор; электрогитара; бой на гитаре; гитарное соло; баррэ; настройка
    струн; каподастр; акустическая гитара; блюзовая гамма
piano|Music|piano lesson; piano keys; left hand chords; sonata; sheet music; sight reading;
    metronome; scales and arpeggios; grand piano; chopin nocturne
    |урок фортепиано; клавиши пианино; аккорды левой рукой; соната; ноты; чтение с листа; метроном;
    гаммы и арпеджио; рояль; ноктюрн шопена
baking|Food: Recipes|sourdough bread; yeast dough; oven temperature; puff pastry; whipped cream;
    sponge cake; flour and butter; cinnamon rolls; rye loaf; kneading
    |хлеб на закваске; дрожжевое тесто; температура духовки; слоёное тесто; взбитые сливки; бисквит;
    мука и масло; булочки с корицей; ржаной хлеб; замес теста
grilling|Food: Recipes|barbecue; charcoal grill; marinade; ribs; smoked brisket; skewers; steak
    medium rare; burger patty; hot coals; grilled vegetables
    |шашлык; мангал; маринад для мяса; рёбрышки на углях; копчёная грудинка; шампуры; стейк
    прожарка; котлета для бургера; угли; овощи на гриле
fishing|Outdoors: Fishing|fishing rod; pike; spinning lure; carp bait; ice fishing; perch; reel and
    line; float fishing; catfish; trout river
    |удочка; щука; спиннинг; приманка на карпа; зимняя рыбалка; окунь; катушка и леска; поплавок;
    сом; форель на реке
football|Sport: Football|football match; penalty kick; goalkeeper; midfielder; premier league;
    offside; free kick; transfer window; champions league; hat trick
    |футбольный матч; пенальти; вратарь; полузащитник; премьер-лига; офсайд; штрафной удар;
    трансферное окно; лига чемпионов; хет-трик
hockey|Sport: Hockey|ice hockey; puck; power play; slap shot; hockey stick; stanley cup; face off;
    goalie mask; third period; skates on ice
    |хоккей; шайба; большинство; щелчок; клюшка; кубок гагарина; вбрасывание; маска вратаря; третий
    период; коньки на льду
yoga|Fitness|yoga; sun salutation; downward dog; stretching; breathing practice; yoga mat; hip
    opening; flexibility; lotus pose; morning practice
    |йога; приветствие солнцу; собака мордой вниз; растяжка; дыхательная практика; коврик для йоги;
    раскрытие таза; гибкость; поза лотоса; утренняя практика
gym|Fitness: Strength training|bench press; squat; deadlift; biceps; protein; muscle mass;
    dumbbells; barbell; training split; pull ups
    |жим лёжа; приседания; становая тяга; бицепс; протеин; мышечная масса; гантели; штанга; сплит
    тренировка; подтягивания
astronomy|Science: Space|telescope; black hole; galaxy; nebula; mars rover; exoplanet; supernova;
    jupiter moons; solar eclipse; space station
    |телескоп; чёрная дыра; галактика; туманность; марсоход; экзопланета; сверхновая; спутники
    юпитера; солнечное затмение; космическая станция
python|Programming|python code; list comprehension; pandas dataframe; function arguments; decorator;
    django; async await; virtual environment; unit tests; web scraping
    |код на питоне; списковые включения; датафрейм pandas; аргументы функции; декоратор; django;
    асинхронность; виртуальное окружение; юнит-тесты; парсинг сайтов
smartphones|Technology: Smartphones and tablets|smartphone; iphone; android; phone camera; battery
    life; screen refresh rate; wireless earbuds; samsung galaxy; unboxing a phone; phone processor
    |смартфон; айфон; андроид; камера телефона; автономность; частота экрана; беспроводные наушники;
    самсунг галакси; распаковка телефона; процессор смартфона
makeup|Beauty and fashion: Makeup|makeup; lipstick; foundation; eyeshadow palette; mascara;
    eyeliner; concealer; highlighter; brow gel; smoky eyes
    |макияж; помада; тональный крем; палетка теней; тушь; подводка; консилер; хайлайтер; гель для
    бровей; смоки айс
garden|Garden|tomato seedlings; greenhouse; vegetable bed; pruning roses; compost; cucumbers;
    watering; fertiliser; potato harvest; apple tree
    |рассада томатов; теплица; грядка; обрезка роз; компост; огурцы; полив; удобрение; урожай
    картофеля; яблоня
renovation|Home and repair: Renovation|laminate flooring; drywall; wallpaper; tiling a bathroom;
    plaster; painting walls; electric wiring; plumbing; kitchen renovation; levelling the floor
    |укладка ламината; гипсокартон; обои; плитка в ванной; штукатурка; покраска стен;
    электропроводка; сантехника; ремонт кухни; стяжка пола
crypto|Business and money: Investing: Cryptocurrency|bitcoin; ethereum; crypto wallet; blockchain;
    mining rig; altcoins; stablecoin; crypto exchange; halving; smart contract
    |биткоин; эфириум; криптокошелёк; блокчейн; майнинг ферма; альткоины; стейблкоин; криптобиржа;
    халвинг; смарт-контракт
second war|History: World wars and modern history|second world war; tank battle; normandy landing;
    eastern front; stalingrad; infantry division; submarine; air raid; partisans; surrender in
    berlin
    |вторая мировая война; танковое сражение; высадка в нормандии; восточный фронт; сталинград;
    пехотная дивизия; подводная лодка; авианалёт; партизаны; капитуляция в берлине
mountains|Outdoors: Hiking and camping|mountain hiking; summit; backpack; base camp; glacier; trail
    map; tent in the wind; altitude; waterfall route; national park
    |поход в горы; вершина; рюкзак; базовый лагерь; ледник; карта тропы; палатка; высота; маршрут к
    водопаду; национальный парк
knitting|Crafts and hobbies: Needlework|knitting; crochet; yarn; knitting needles; sweater pattern;
    wool socks; granny square; purl stitch; amigurumi; casting on
    |вязание; крючок; пряжа; спицы; схема свитера; шерстяные носки; бабушкин квадрат; изнаночная
    петля; амигуруми; набор петель
elections|News and politics: Domestic news|election; parliament; president; voters; candidate
    debate; ballot; coalition; opposition party; polling station; new law
    |выборы; парламент; президент; избиратели; дебаты кандидатов; бюллетень; коалиция; оппозиционная
    партия; избирательный участок; законопроект
tales|Family and children|fairy tale; cartoon for kids; lullaby; bedtime story; counting song;
    little bear; alphabet song; toy train; princess; learning colours
    |сказка; мультик для детей; колыбельная; сказка на ночь; считалочка; медвежонок; песенка про
    алфавит; игрушечный паровозик; принцесса; учим цвета
"""
TITLES = {
    "en": "{}: what you should know|{} for beginners|My honest review: {}|Top five: {}|{} and {}"
    "|Why {} matters|How I failed with {}|{} - full guide|{} vs {}|The truth about {}|{} at home"
    "|{}, part 2|I tried {} for a month",
    "ru": "{}: что нужно знать|{} для начинающих|Честный обзор: {}|Топ пять: {}|{} и {}"
    "|Почему важно: {}|Мои ошибки: {}|{} - полный гид|{} или {}|Вся правда: {}|{} дома|{}, часть 2"
    "|Месяц без перерыва: {}",
}
TURNS = {
    "en": "hello everyone and welcome back to my channel|today i want to talk about {}"
    "|let's look at {} a little closer|and then there is {}|as you can see here"
    "|a lot of people ask me about {}|so this is {}|i think {} is the most important part"
    "|write in the comments what you think|don't forget to subscribe"
    "|last week everything went wrong with {}|compare it with {}"
    "|thanks for watching and see you next time|it took me about three hours"
    "|my friend showed me {}",
    "ru": "всем привет и добро пожаловать на мой канал|сегодня поговорим про {}|давайте посмотрим"
    " поближе: {}|а потом будет {}|как видите|меня часто спрашивают про {}|вот это {}"
    "|я думаю, главное здесь - {}|пишите в комментариях, что думаете|не забудьте подписаться"
    "|на прошлой неделе всё пошло не так: {}|сравним с этим: {}|спасибо за просмотр, до встречи"
    "|это заняло часа три|друг показал мне {}",
}
# How often a video has a channel, and how many turns of speech it holds.
HAS = {"title": 0.95, "description": 0.7, "asr": 0.6, "ocr": 0.35}
TURNS_OF = {"description": (1, 4), "asr": (4, 16)}
# Share of a theme's videos in Russian, and of phrases taken from the other language.
RUSSIAN, MIXED = 0.5, 0.06
# Nobody speaks of all of a theme: a video has its own few of the phrases.
OWN_PHRASES = 4
# Share of phrases that belong to another theme: a review of a car mentions the phone.
OFF_THEME = 0.08


@dataclass(frozen=True)
class Theme:
    """What videos of a theme speak of, by language, and its place in the default taxonomy."""

    name: str
    path: tuple[str, ...]
    phrases: Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class TextLibrary:
    """A library's texts by channel and video, its themes, and what was cut from it."""

    name: str
    texts: Mapping[str, Mapping[str, str]]
    themes: Mapping[str, str]


def themes() -> list[Theme]:
    """Every theme, the largest first."""
    made = []
    for line in re.sub(r"\n +", " ", THEMES).strip().splitlines():
        name, path, english, russian = line.split("|")
        phrases = {"en": _phrases(english), "ru": _phrases(russian)}
        made.append(Theme(name, tuple(path.split(": ")), phrases))
    return made


def generated_library(count: int, seed: int = 0) -> TextLibrary:
    """A library of so many videos; the same for the same arguments."""
    draw = np.random.default_rng(seed)
    every = themes()
    shares = np.arange(1, len(every) + 1) ** -ZIPF
    of = draw.choice(len(every), count, p=shares / shares.sum())
    of[draw.random(count) < STRAY_SHARE] = -1
    stray = stray_words()
    texts: dict[str, dict[str, str]] = {channel: {} for channel in TEXT_CHANNELS}
    truth = {}
    for number, theme in enumerate(of):
        video = f"g{number:05d}"
        truth[video] = every[theme].name if theme >= 0 else NO_THEME
        speak = _Speaker(draw, every, int(theme), stray)
        for channel, text in speak.channels().items():
            texts[channel][video] = text
    return TextLibrary(f"generated {seed}", texts, truth)


def stray_words() -> dict[str, list[str]]:
    """Words of the dictionary by language, for videos without a theme: no two say the same."""
    from simplemma.strategies.dictionaries.dictionary_factory import DefaultDictionaryFactory

    found = {}
    for language in ("en", "ru"):
        lemmas = DefaultDictionaryFactory().get_dictionary(language).values()
        words = {lemma if isinstance(lemma, str) else lemma.decode() for lemma in lemmas}
        found[language] = sorted(w for w in words if w.isalpha() and w.islower() and len(w) > 4)
    return found


class _Speaker:
    """Makes one video's texts."""

    def __init__(
        self,
        draw: np.random.Generator,
        every: Sequence[Theme],
        theme: int,
        stray: Mapping[str, Sequence[str]],
    ) -> None:
        self._draw, self._every, self._theme = draw, every, theme
        self._language = "ru" if draw.random() < RUSSIAN else "en"
        # Nobody speaks of all of a theme: a video has its own few of the phrases.
        among = every[theme].phrases if theme >= 0 else stray
        self._own = {
            language: [self._one(phrases) for _ in range(OWN_PHRASES)]
            for language, phrases in among.items()
        }

    def channels(self) -> dict[str, str]:
        """Text by channel; at least one."""
        has = [c for c in TEXT_CHANNELS if self._draw.random() < HAS[c]] or ["title"]
        return {channel: self._text(channel) for channel in has}

    def _text(self, channel: str) -> str:
        if channel == "title":
            made = self._filled(self._one(TITLES[self._language].split("|")))
            return made[0].upper() + made[1:]
        if channel == "ocr":
            return "\n".join(self._phrase() for _ in range(self._draw.integers(1, 4)))
        turns = TURNS[self._language].split("|")
        count = self._draw.integers(*TURNS_OF[channel])
        return " ".join(self._filled(self._one(turns)) for _ in range(count))

    def _filled(self, template: str) -> str:
        return template.format(*(self._phrase() for _ in range(template.count("{}"))))

    def _phrase(self) -> str:
        language = self._language
        if self._draw.random() < MIXED:
            language = "en" if language == "ru" else "ru"
        if self._theme >= 0 and self._draw.random() < OFF_THEME:
            other = self._every[int(self._draw.integers(len(self._every)))]
            return self._one(other.phrases[language])
        return self._one(self._own[language])

    def _one(self, among: Sequence[str]) -> str:
        return str(among[int(self._draw.integers(len(among)))])


def _phrases(text: str) -> list[str]:
    return [phrase for part in text.split(";") if (phrase := " ".join(part.split()))]
