"""The taxonomy: files as people have them are read, and the one that ships is in order."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from ml.taxonomy import (
    DEFAULT_FILE,
    LEVELS,
    Taxonomy,
    TaxonomyError,
    default_taxonomy,
    load_taxonomy,
    name_key,
    parse_path,
    parse_tags,
    path_text,
)

HEADINGS = "level_1,level_2,level_3,russian,aliases\n"
PETS = (
    HEADINGS
    + "Animals,,,Животные,\n"
    + "Animals,Pets,,Питомцы,\n"
    + "Animals,Pets,Cats,Кошки,kitten|котёнок\n"
)


def paths(taxonomy: Taxonomy) -> list[str]:
    return [path_text(entry.path) for entry in taxonomy.entries]


def test_rows_become_entries_with_names_and_aliases() -> None:
    taxonomy = load_taxonomy(PETS)
    assert paths(taxonomy) == ["Animals", "Animals: Pets", "Animals: Pets: Cats"]
    assert taxonomy.entries[2].names == ("Cats", "Кошки")
    assert taxonomy.entries[2].aliases == ("kitten", "котёнок")
    assert taxonomy.problems == ()


def test_entry_is_found_in_any_case_spacing_and_language() -> None:
    taxonomy = load_taxonomy(PETS + "Animals,Hedgehogs,,Ёжики,\n")
    cats = taxonomy.entries[2]
    assert taxonomy.find(("ANIMALS", "pets", " cats\u00a0")) is cats
    assert taxonomy.find(("животные", "Питомцы", "Cats")) is cats
    assert taxonomy.find(("Animals", "ежики")) is taxonomy.entries[3]
    assert taxonomy.find(("Animals", "Cats")) is None
    assert taxonomy.find(("Animals", "Pets", "Cats", "Kittens")) is None
    assert taxonomy.find(()) is None


def test_own_name_goes_before_anothers_translation() -> None:
    taxonomy = load_taxonomy("name,b,c,russian\nLuk,,,Bow\nBow,,,Лук\n")
    found = taxonomy.find(("bow",))
    assert found is not None
    assert found.path == ("Bow",)
    assert taxonomy.problems == ("Luk and Bow are both called 'Bow'",)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_comma_semicolon_and_tab_are_the_same_table(delimiter: str, line_end: str) -> None:
    text = PETS.replace(",", delimiter).replace("\n", line_end)
    assert load_taxonomy(text) == load_taxonomy(PETS)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_unicode_encodings_are_the_same_table(encoding: str, tmp_path: Path) -> None:
    path = tmp_path / "taxonomy.csv"
    path.write_bytes(PETS.encode(encoding))
    assert load_taxonomy(path) == load_taxonomy(PETS)


def test_windows_1251_is_read_and_reported() -> None:
    found = load_taxonomy(PETS.encode("cp1251"))
    assert found.entries == load_taxonomy(PETS).entries
    assert len(found.problems) == 1
    assert "Windows-1251" in found.problems[0]


def test_default_taxonomy_in_windows_1251_is_read() -> None:
    text = DEFAULT_FILE.read_text("utf-8").encode("cp1251", errors="ignore")
    assert len(load_taxonomy(text).entries) == len(default_taxonomy().entries)


@pytest.mark.parametrize("encoding", ["koi8-r", "cp866"])
def test_other_russian_encodings_are_refused_not_garbled(encoding: str) -> None:
    with pytest.raises(TaxonomyError, match="save it as CSV UTF-8"):
        load_taxonomy(PETS.encode(encoding))


def test_western_encoding_is_refused_not_garbled() -> None:
    with pytest.raises(TaxonomyError, match="save it as CSV UTF-8"):
        load_taxonomy("a,b,c\nCafé,,\nCafé,Crème brûlée,\n".encode("latin-1"))


@pytest.mark.parametrize("text", ["", "\n\n", HEADINGS, "\ufeff", ",,,\n,,\n", "taxonomy.csv"])
def test_file_without_entries_is_refused(text: str) -> None:
    with pytest.raises(TaxonomyError, match="no entries"):
        load_taxonomy(text)


def test_file_that_is_missing_or_no_text_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(TaxonomyError, match=r"nowhere\.csv"):
        load_taxonomy(tmp_path / "nowhere.csv")
    (tmp_path / "book.csv").write_bytes(b"PK\x03\x04\x14\x00\x06\x00\x08\x00")
    with pytest.raises(TaxonomyError, match=r"book\.csv: the file is not text"):
        load_taxonomy(tmp_path / "book.csv")


def test_open_quote_is_refused_with_its_line() -> None:
    with pytest.raises(TaxonomyError, match="line 5"):
        load_taxonomy(PETS + 'Animals,"Dogs,,,\n')


def test_headings_do_not_matter_for_the_levels() -> None:
    text = PETS.replace("level_1,level_2,level_3", "Раздел,Подраздел,Тема")
    assert load_taxonomy(text) == load_taxonomy(PETS)


def test_one_column_is_a_taxonomy_of_one_level() -> None:
    assert paths(load_taxonomy("topic\nCats\nDogs\n")) == ["Cats", "Dogs"]


@pytest.mark.parametrize(
    "text", ["Animals,,\nAnimals,Cats,\n", "Animals,Pets,Cats\nAnimals,Pets,Dogs\n"]
)
def test_file_without_headings_keeps_its_first_row(text: str) -> None:
    found = load_taxonomy(text)
    assert found.entries[0].path == ("Animals",)
    assert any("Cats" in entry.path for entry in found.entries)
    assert "no row of headings" in found.problems[0]


def test_columns_are_known_by_their_headings_and_others_passed_over_aloud() -> None:
    found = load_taxonomy(
        "a,b,c,Название (рус),id,Ключевые слова,\nCats,,,Кошки,17,кот; kitten,x\n"
    )
    assert found.entries[0].names == ("Cats", "Кошки")
    assert found.entries[0].aliases == ("кот", "kitten")
    assert [problem.split(" is ")[0] for problem in found.problems] == [
        "column 5 (id)",
        "column 7 (without a heading)",
    ]


def test_odd_spaces_and_invisible_characters_are_cleaned() -> None:
    decomposed = "Зверьи\u0306"
    found = load_taxonomy(f"a,b,c\n\t Wild\u00a0 \u200banimals ,,\nwild animals,{decomposed},\n")
    assert paths(found) == ["Wild animals", "Wild animals: Зверьй"]
    assert found.problems == ()


def test_repeated_row_adds_its_aliases_and_is_reported() -> None:
    found = load_taxonomy(PETS + "ANIMALS,Pets,cats,Котики,kitten|мяу\n")
    assert paths(found) == paths(load_taxonomy(PETS))
    assert found.entries[2].names == ("Cats", "Кошки", "Котики")
    assert found.entries[2].aliases == ("kitten", "котёнок", "мяу")
    assert found.problems == (
        "row 5 repeats row 4 (Animals: Pets: Cats); its names and aliases are added to that",
    )


def test_parent_without_a_row_is_added_and_reported() -> None:
    found = load_taxonomy("a,b,c\nFood,Drinks,Coffee\nFood,Drinks,Tea\n")
    assert paths(found) == ["Food", "Food: Drinks", "Food: Drinks: Coffee", "Food: Drinks: Tea"]
    assert found.problems == ("parents without a row of their own are added: Food; Food: Drinks",)


def test_parent_below_its_child_comes_first_and_decides_the_spelling() -> None:
    found = load_taxonomy("a,b,c\nfood,drinks,\nCats,,\nFood,,\n")
    assert paths(found) == ["Food", "Food: drinks", "Cats"]
    assert found.problems == ()


def test_gap_between_levels_is_passed_over_and_reported_with_its_row() -> None:
    found = load_taxonomy(PETS + "\nAnimals,,Dogs,,\n,Pets,,,\n,,,Никто,\n")
    assert paths(found) == paths(load_taxonomy(PETS))
    assert found.problems == (
        "row 6 is passed over: level 2 is empty before 'Dogs'",
        "row 7 is passed over: level 1 is empty before 'Pets'",
        "row 8 is passed over: it has no name in its first three columns",
    )


def test_colon_and_comma_in_a_name_are_replaced_aloud() -> None:
    found = load_taxonomy('a;b;c\n"Food, drinks";;\nStar Wars: Andor;;\n::;;\n')
    assert paths(found) == ["Food / drinks", "Star Wars / Andor"]
    assert len(found.problems) == 3
    assert all(parse_tags(path) == [(path,)] for path in paths(found))


def test_version_changes_with_the_content_and_not_with_the_order_of_rows() -> None:
    heading, *rows = PETS.splitlines(keepends=True)
    version = load_taxonomy(PETS).version
    assert load_taxonomy(heading + "".join(reversed(rows))).version == version
    assert load_taxonomy(PETS.replace("|", " | ")).version == version
    assert load_taxonomy(PETS.replace("kitten", "kitty")).version != version
    assert load_taxonomy(PETS.replace("Cats", "cats")).version != version


def test_written_paths_are_read_back() -> None:
    assert parse_path("a:B :\u00a0c") == ("a", "B", "c")
    assert parse_path("a:: b:") == ("a", "b")
    assert path_text(("A", "B", "C")) == "A: B: C"
    assert parse_tags("A: B: C, D: E,, a:b:c ,") == [("A", "B", "C"), ("D", "E")]
    assert parse_tags("") == []


# ---------------------------------------------------------------- the taxonomy that ships


def test_default_taxonomy_has_no_problems() -> None:
    assert default_taxonomy().problems == ()


def test_default_taxonomy_covers_what_platforms_hold() -> None:
    levels = Counter(len(entry.path) for entry in default_taxonomy().entries)
    assert levels[1] >= 40
    assert levels[2] >= 200
    assert levels[3] >= 900
    assert sum(levels[n] for n in range(1, LEVELS + 1)) == len(default_taxonomy().entries)


def test_default_file_lists_parents_before_children() -> None:
    lines = DEFAULT_FILE.read_text("utf-8").splitlines()[1:]
    listed = [tuple(cell for cell in line.split(",")[:LEVELS] if cell) for line in lines]
    assert listed == [entry.path for entry in default_taxonomy().entries]


def test_every_default_entry_has_a_russian_name_and_aliases() -> None:
    for entry in default_taxonomy().entries:
        assert len(entry.aliases) >= 2, entry
        assert any("а" <= letter <= "я" for letter in name_key(entry.names[1])), entry


def test_every_default_node_above_the_last_level_has_a_choice_of_children() -> None:
    children = Counter(entry.path[:-1] for entry in default_taxonomy().entries)
    parents = [e.path for e in default_taxonomy().entries if len(e.path) < LEVELS]
    assert all(children[path] >= 2 for path in parents)


def test_default_alias_leads_to_one_entry() -> None:
    aliases = Counter(name_key(a) for entry in default_taxonomy().entries for a in entry.aliases)
    assert [alias for alias, n in aliases.items() if n > 1] == []


def test_default_alias_is_not_the_name_of_another_entry() -> None:
    names = {name_key(name) for entry in default_taxonomy().entries for name in entry.names}
    aliases = {name_key(a) for entry in default_taxonomy().entries for a in entry.aliases}
    assert sorted(names & aliases) == []


@pytest.mark.parametrize(
    ("word", "path"),
    [
        ("роблокс", "Games: Sandbox and kids games: Roblox"),
        ("бравл", "Games: MOBA and arena games: Brawl Stars"),
        ("борщ", "Food: Recipes: Soups"),
        ("bitcoin", "Business and money: Investing: Cryptocurrency"),
        ("рассада", "Garden: Vegetables: Seedlings"),
    ],
)
def test_word_that_people_use_leads_to_its_entry(word: str, path: str) -> None:
    found = [e for e in default_taxonomy().entries if word in map(name_key, (*e.names, *e.aliases))]
    assert [path_text(entry.path) for entry in found] == [path]
