"""Words of a text, and the terms that set one class of texts apart from the others.

English and Russian have stop words and lemmas; words of other languages are kept as they are.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any, NamedTuple, TypeVar

import numpy as np

# Letters and digits with inner apostrophes.
_WORD = re.compile(r"\w+(?:['’]\w+)*")
_CYRILLIC = re.compile(r"[\u0400-\u04ff]")

# Function words, what every video's talk holds (subscribe, channel, hello), verbs of any theme,
# numerals and spans of time: "function takes" and "two weeks" name nothing. Short on purpose:
# longer public lists drop words such as "fire", "system" and "bill", which name topics.
_ENGLISH = """
a about above after again against ain all almost also am an and another any are aren as at away be
because been before being below between both but by can cannot could couldn did didn do does doesn
doing don down during each either else ever every few for from further get gets getting go goes
going gonna got had hadn has hasn have haven having he hello her here hers herself hey hi him
himself his how however i if in into is isn it its itself just know let like ll many may maybe me
might mine more most much must mustn my myself need neither never no nor not now of off oh ok okay
on once one only or other our ours ourselves out over own quite re really s same say says see shall
she should shouldn since so some still such t than thank thanks that the their theirs them
themselves then there these they thing things this those though through to today too under until
up upon us ve very via want was wasn way we welcome well were weren what when where whether which
while who whom whose why will with within without won would wouldn yeah yes yet you your yours
yourself yourselves
channel com comment everybody everyone forget http https please subscribe video videos watch www
ask become begin bring call come explain find follow give happen keep learn leave look put return
show start stay take tell try turn use went
two three four five six seven eight nine ten fifteen twenty thirty forty hundred thousand
hour minute week month first
"""
_RUSSIAN = """
а без более больше будем будет будете будешь буду будут будь бы был была были было быть в вам вами
вас весь во вообще вот все всё всегда всего всех всем вы где да даже для до его ее её ей ему если
есть еще ещё ж же за здесь здравствуйте и из или им ими иметь их к как какая какие какой когда
конечно который кто куда ли либо лишь меня мне мной много может можно мой мочь мы на над надо нам
нами нас наш не него нее неё ней нельзя нет ни нибудь ним ними них ничего но ну о об один однако
он она они оно от очень перед по под пока после потом потому почему почти при привет про просто
раз разве с сам самый свой себе себя сегодня сейчас со спасибо так также такая такие такой там те
тебе тебя тем теперь то тобой тогда того тоже той только том тот ту тут ты у уж уже хорошо хотеть
хоть хотя чего чей чем через что чтобы чтоб чуть эта эти это этого этой этом этот эту я
видео добро забывать забыть канал комментарий подписаться подписывайтесь пожаловать просмотр ролик
брать взять взяться выбрать дать идти узнать найти находить научить научиться начать
показать показывать показываю разбирать разбираем рассказать рассказывать смотреть стать учиться
два две три четыре пять шесть семь восемь девять десять пятнадцать двадцать тридцать сорок сто
час минута неделя месяц первый каждый
"""
STOP_WORDS = frozenset((_ENGLISH + _RUSSIAN).split())

# Letters of a word: what is longer has lost its spaces, or has a script without them.
_LONGEST = 40

Class = TypeVar("Class", bound=Hashable)


class Word(NamedTuple):
    """A word as its dictionary form, as it stands in the text (lower case), and its place."""

    lemma: str
    surface: str
    place: int


class Term(NamedTuple):
    """A word or a pair of words as shown to people, its class TF-IDF weight, and its lemmas."""

    text: str
    weight: float
    lemmas: tuple[str, ...]


def tokenise(text: str) -> list[str]:
    """The text's words in lower case; apostrophes inside words stay, punctuation goes."""
    # NFKC composes й and folds full-width letters and ligatures.
    folded = unicodedata.normalize("NFKC", text).lower()
    return [m.group().replace("’", "'") for m in _WORD.finditer(folded)]


def words(text: str, lemma: Callable[[str], str] | None = None) -> list[Word]:
    """What a text is about: its words less stop words, bare numbers and single letters.

    Args:
        text: any text.
        lemma: word to dictionary form; `lemmatiser()` where absent. Give one when there are many
            texts, so that words met before are not looked up again.
    """
    lemma = lemma or lemmatiser()
    found = []
    for place, surface in enumerate(tokenise(text)):
        # "don't" is judged by "don", "cat's" is "cat".
        stem = surface.split("'")[0]
        if not 2 <= len(stem) <= _LONGEST or stem in STOP_WORDS:
            continue
        if not any(c.isalpha() for c in stem):
            continue
        base = lemma(stem)
        if base not in STOP_WORDS:
            found.append(Word(base, stem, place))
    return found


def lemmatiser() -> Callable[[str], str]:
    """A function from a lower-case word to its dictionary form, by simplemma's word lists.

    The alphabet picks the language: Cyrillic is read as Russian, the rest as English. A word that
    is in neither list comes back as it is. A word takes 5 to 30 µs at first, then none.
    """
    from simplemma import lemmatize

    @lru_cache(maxsize=200_000)
    def lemma(word: str) -> str:
        language = "ru" if _CYRILLIC.search(word) else "en"
        return str(lemmatize(word, lang=language)).lower()

    return lemma


def class_tf_idf(
    documents_by_class: Mapping[Class, Sequence[str]], top: int = 10
) -> dict[Class, list[Term]]:
    """The terms that set each class apart, foremost first.

    BERTopic's class TF-IDF (Grootendorst 2022, arXiv:2203.05794, section 3.3):
    ``W(t, c) = tf(t, c) * log(1 + A / f(t))`` with tf the term's share of the terms of class c,
    f its count over all classes and A the mean number of terms in a class. Terms are words and
    pairs of neighbouring words, counted by lemma. In a class of four documents or more a term
    stands in at least two, so that one long transcript does not name a topic.

    Args:
        documents_by_class: class to its texts; a class may have none.
        top: at most so many terms per class.

    Returns:
        Class to terms, in the order given; of equal weights the one met first leads. A term is
        shown in the form it most often has in the texts, a Russian word as its lemma.
    """
    lemma = lemmatiser()
    surfaces: dict[str, Counter[str]] = {}
    counts = {c: _term_counts(docs, lemma, surfaces) for c, docs in documents_by_class.items()}
    vocabulary = sorted(set().union(*(kept for _, kept in counts.values())))
    if not vocabulary:
        return {c: [] for c in documents_by_class}
    weights = _weights([every for every, _ in counts.values()], vocabulary)
    result: dict[Class, list[Term]] = {}
    for row, (name, (every, kept)) in enumerate(counts.items()):
        span = slice(weights.indptr[row], weights.indptr[row + 1])
        weighed = [
            (vocabulary[column], float(weight))
            for column, weight in zip(weights.indices[span], weights.data[span], strict=True)
            if vocabulary[column] in kept
        ]
        met = {term: place for place, term in enumerate(every)}
        best = sorted(weighed, key=lambda item: (-item[1], met[item[0]]))[:top]
        result[name] = [
            Term(_shown(surfaces[term]), weight, tuple(term.split())) for term, weight in best
        ]
    return result


def distinct_terms(terms: Iterable[Term], count: int) -> list[str]:
    """The first terms that share no word, for a name: not "guitar, guitar lesson, lesson".

    A pair takes the place of its words where they were chosen before it: it says more.
    """
    chosen: list[Term] = []
    for term in terms:
        parts = set(term.lemmas)
        clash = [c for c in chosen if parts & set(c.lemmas)]
        if not clash and len(chosen) < count:
            chosen.append(term)
        elif clash and all(set(c.lemmas) < parts for c in clash):
            at = chosen.index(clash[0])
            chosen = [*chosen[:at], term, *(c for c in chosen[at:] if c not in clash)]
    return [term.text for term in chosen]


def _terms(found: Sequence[Word]) -> list[tuple[str, str]]:
    """(by lemma, as it stands) of each word and of each pair of words side by side."""
    # English plurals and names read better as they stand ("Mars" has the lemma "mar"), Russian
    # cases do not.
    single = [(w.lemma, w.lemma if _CYRILLIC.search(w.lemma) else w.surface) for w in found]
    pairs = [
        (f"{a.lemma} {b.lemma}", f"{a.surface} {b.surface}")
        for a, b in pairwise(found)
        if b.place == a.place + 1 and a.lemma != b.lemma
    ]
    return single + pairs


def _term_counts(
    documents: Sequence[str], lemma: Callable[[str], str], surfaces: dict[str, Counter[str]]
) -> tuple[Counter[str], set[str]]:
    """A class's terms with their counts, and those that may name it."""
    every: Counter[str] = Counter()
    in_documents: Counter[str] = Counter()
    for document in documents:
        terms = _terms(words(document, lemma))
        for term, surface in terms:
            every[term] += 1
            surfaces.setdefault(term, Counter())[surface] += 1
        in_documents.update({term for term, _ in terms})
    least = 2 if len(documents) >= 4 else 1
    kept = {t for t, n in in_documents.items() if n >= least}
    # Texts that share no word at all still deserve a name.
    return every, kept or set(every)


def _weights(counts: Sequence[Counter[str]], vocabulary: Sequence[str]) -> Any:
    """Class TF-IDF, a sparse (CSR) float64[classes, terms]."""
    from scipy import sparse

    column = {term: i for i, term in enumerate(vocabulary)}
    entries = [
        (count, row, column[term])
        for row, of_class in enumerate(counts)
        for term, count in of_class.items()
        if term in column
    ]
    values, rows, columns = (np.array(x) for x in zip(*entries, strict=True))
    shape = (len(counts), len(vocabulary))
    matrix = sparse.csr_array((values.astype(np.float64), (rows, columns)), shape=shape)
    totals = np.array([max(1, sum(c.values())) for c in counts], np.float64)
    idf = np.log1p(totals.mean() / matrix.sum(axis=0))
    return (sparse.diags_array(1 / totals) @ matrix @ sparse.diags_array(idf)).tocsr()


def _shown(surfaces: Counter[str]) -> str:
    return min(surfaces.items(), key=lambda item: (-item[1], item[0]))[0]
