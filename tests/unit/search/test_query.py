"""What a typed query becomes: cleaned, corrected, looked up, or refused."""

from __future__ import annotations

import pyarrow as pa
import pytest

from ml.search.query import MOST_CHARACTERS, Correction, Query, QueryError, parse_query, query_words
from ml.search.slang import Entry, SlangTable, load_slang
from ml.search.vocabulary import Vocabulary, count_words, most_used, write_vocabulary
from ml.text.passages import passages_of, words_and_lemmas
from ml.text.words import tokenise

SHIPPED = load_slang()
NO_SLANG = SlangTable({})


class Words:
    """A vocabulary of a few words, with what it takes others for."""

    def __init__(self, *known: str, **meant: tuple[str, str]) -> None:
        self.known, self.meant = set(known), meant
        self.asked: list[str] = []

    def knows(self, word: str) -> bool:
        return word in self.known

    def correct(self, word: str) -> Correction | None:
        self.asked.append(word)
        return Correction(word, *self.meant[word]) if word in self.meant else None


def parsed(text: str, words: Words | None = None, slang: SlangTable = NO_SLANG) -> Query:
    return parse_query(text, slang, words)


def refusal(text: str) -> str:
    with pytest.raises(QueryError) as error:
        parsed(text)
    return str(error.value)


# ---------------------------------------------------------------- cleaning


def test_plain_words_stay_as_typed() -> None:
    query = parsed("White cat asleep")
    assert (query.original, query.text) == ("White cat asleep", "White cat asleep")
    assert query.words == ("white", "cat", "asleep")
    assert query.phrases == query.variants == query.corrections == query.slang == ()
    assert query.said == ""


def test_invisible_signs_and_unlike_letters_are_made_plain() -> None:
    assert parsed("  белая\tкошка\r\n спит ").text == "белая кошка спит"
    assert parsed("ро\u00adб\u200bлокс\ufeff").text == "роблокс"
    assert parsed("ｒｏｂｌｏｘ").text == "roblox"
    assert parsed("и\u0306од").text == "йод"
    assert parsed("за\u0301мок").text == "замок"
    assert parsed("a\x07b").text == "a b"


@pytest.mark.parametrize(
    "text",
    ["Ёлка и ёжик", "don’t stop", "cs:go", "C++ за 5 минут", "猫が寝ている", "на 100%", "wi-fi"],
)
def test_words_are_those_of_passages(text: str) -> None:
    assert query_words(text) == words_and_lemmas(text, str)[0]
    assert len(query_words(text)) == len(tokenise(text))


def test_a_query_of_stop_words_alone_is_searched() -> None:
    assert parsed("как").words == ("как",)
    assert parsed("to be or not to be").words == ("to", "be", "or", "not", "to", "be")


@pytest.mark.parametrize(
    "text",
    ["'; DROP TABLE videos; --", "1' OR '1'='1", "%_\\ {video_id:String}", "<b>a</b>", "-cat"],
)
def test_sql_and_markup_are_text(text: str) -> None:
    query = parsed(text)
    assert query.text == text
    assert query.words and query.phrases == ()


@pytest.mark.parametrize("quoted", ['"Белая Ёлка"', "«Белая Ёлка»", "“Белая Ёлка”", "„Белая Ёлка“"])
def test_quoted_words_are_a_phrase(quoted: str) -> None:
    query = parsed(f"где {quoted} стоит")
    assert query.phrases == (("белая", "елка"),)
    assert query.text == "где Белая Ёлка стоит"
    assert query.words == ("где", "белая", "елка", "стоит")


def test_there_may_be_several_phrases() -> None:
    assert parsed('"a b" c «d e»').phrases == (("a", "b"), ("d", "e"))


@pytest.mark.parametrize(
    "text", ['"white cat', 'white" cat', "«white cat", "white cat»", '"" white cat']
)
def test_a_mark_without_its_partner_makes_no_phrase(text: str) -> None:
    query = parsed(text)
    assert (query.text, query.phrases) == ("white cat", ())


# ---------------------------------------------------------------- corrections


def test_a_mistyped_word_is_replaced_and_the_query_says_so() -> None:
    words = Words("обзор", "роблокс", роболкс=("роблокс", "typo"))
    query = parsed("Обзор Роболкс", words)
    assert query.text == "Обзор роблокс"
    assert query.words == ("обзор", "роблокс")
    assert query.corrections == (Correction("Роболкс", "роблокс", "typo"),)
    assert query.said == "showing results for “роблокс” instead of “Роболкс”"
    assert query.original == "Обзор Роболкс"


def test_a_word_that_the_library_knows_is_not_corrected() -> None:
    words = Words("рыба", рыба=("рыбак", "typo"))
    assert parsed("Рыба", words).corrections == ()
    assert words.asked == []


def test_a_word_that_the_slang_table_knows_is_not_corrected() -> None:
    words = Words("старт", старс=("старт", "typo"), бравл=("брал", "typo"))
    query = parsed("бравл старс", words, SHIPPED)
    assert query.text == "бравл старс"
    assert words.asked == []


def test_a_quoted_word_is_not_corrected() -> None:
    words = Words(роболкс=("роблокс", "typo"))
    query = parsed('роболкс "роболкс"', words)
    assert query.text == "роблокс роболкс"
    assert query.phrases == (("роболкс",),)


def test_a_word_without_a_better_one_stays() -> None:
    assert parsed("абракадабра", Words()).text == "абракадабра"


def test_a_correction_is_told_once() -> None:
    query = parsed("работа рабата рабата", Words("работа", рабата=("работа", "typo")))
    assert len(query.corrections) == 1
    assert query.words == ("работа",) * 3


def test_the_other_keyboard_layout_is_seen_through_its_signs() -> None:
    words = Words(
        **{"hj,kjrc": ("роблокс", "keyboard layout"), "[fqg": ("хайп", "keyboard layout")}
    )
    assert parsed("hj,kjrc", words).text == "роблокс"
    assert parsed("[fqg", words).text == "хайп"
    query = parsed("j,pjh HJ,KJRC, jy", words)
    assert query.text == "j,pjh роблокс jy"
    assert query.corrections == (Correction("HJ,KJRC", "роблокс", "keyboard layout"),)


def test_signs_between_known_words_stay() -> None:
    words = Words("cats", "dogs", "don't")
    assert parsed("cats,dogs don't", words).text == "cats,dogs don't"
    assert words.asked == []


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Vocabulary:
    """The words of two videos about Roblox and two about a white cat."""
    titles = ("Обзор Роблокс", "Роблокс: обзор для новичков", "Белая кошка", "Белая кошка спит")
    rows = [
        passage.row(f"v{n}")
        for n, title in enumerate(titles)
        for passage in passages_of({"title": [(0.0, 0.0, title, "ru")]}, str)
    ]
    file = tmp_path_factory.mktemp("library") / "vocabulary.arrow"
    write_vocabulary(most_used(count_words([pa.RecordBatch.from_pylist(rows)])), file)
    return Vocabulary.open(file)


@pytest.mark.parametrize(
    ("typed", "text", "why"),
    [
        ("Обзор роболкс", "Обзор роблокс", ["typo"]),
        ("Hj,kjrc", "роблокс", ["keyboard layout"]),
        ("j,pjh hj,kjrc", "обзор роблокс", ["keyboard layout"] * 2),
        (",tkfz rjirf", "белая кошка", ["keyboard layout"] * 2),
        ("белая кошка", "белая кошка", []),
        ("«кощка»", "кощка", []),
    ],
)
def test_a_library_s_own_vocabulary_corrects(
    library: Vocabulary, typed: str, text: str, why: list[str]
) -> None:
    query = parse_query(typed, SHIPPED, library)
    assert query.text == text
    assert [correction.why for correction in query.corrections] == why


# ---------------------------------------------------------------- slang


def test_slang_gives_other_ways_to_say_it() -> None:
    query = parsed("гайд по бравл старс", slang=SHIPPED)
    assert query.text == "гайд по бравл старс"
    assert query.variants == ("guide по brawl stars",)
    assert query.slang[1] == Correction("бравл старс", "brawl stars", "slang")
    assert "“бравл старс” is looked up as “brawl stars”, too" in query.said


def test_each_meaning_is_a_variant() -> None:
    slang = SlangTable(
        {("матан",): Entry("матан", ("математика", "анализ")), ("дз",): Entry("дз", ("задание",))}
    )
    assert parsed("дз: матан!", slang=slang).variants == (
        "задание: математика!",
        "задание: анализ!",
    )


def test_variants_do_not_multiply() -> None:
    slang = SlangTable({(word,): Entry(word, ("1", "2", "3")) for word in "abcdefgh"})
    assert len(parsed("a b c d e f g h", slang=slang).variants) == 3


def test_quoted_slang_is_left_alone() -> None:
    query = parsed('"дота" и дота', slang=SHIPPED)
    assert query.variants == ("дота и dota",)
    assert query.phrases == (("дота",),)


def test_slang_is_found_in_the_corrected_text() -> None:
    words = Words("играть", роболкс=("роблокс", "typo"))
    query = parsed("роболкс", words, SHIPPED)
    assert (query.text, query.variants) == ("роблокс", ("roblox",))
    assert query.said.startswith("showing results for “роблокс”")


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize("text", ["", "   ", "\n\t", "\u200b", '""', "«»"])
def test_an_empty_query_is_refused(text: str) -> None:
    assert "type words" in refusal(text) or "can be searched" in refusal(text)


@pytest.mark.parametrize("text", ["?!", "🔥🔥", "❤️", "---", "___", '"…"', "👨‍👩‍👧"])
def test_a_query_without_letter_or_digit_is_refused(text: str) -> None:
    assert "words and numbers can be searched" in refusal(text)


@pytest.mark.parametrize("text", ["5", "猫", "ß", "ج", "२"])
def test_one_letter_or_digit_of_any_script_is_enough(text: str) -> None:
    assert parsed(text).words


def test_a_query_that_is_too_long_is_refused() -> None:
    assert "10,000 characters, 1,000 are the most" in refusal("a" * 10_000)
    assert parsed("a" * MOST_CHARACTERS).words


def test_what_is_no_text_is_refused() -> None:
    assert "no text" in refusal("cat\0dog")
    assert "no text" in refusal(b"\xff\xfe cat".decode("utf-8", "surrogateescape"))
