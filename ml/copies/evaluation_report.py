"""The figures of an evaluation of copies, for people and for programs."""

from __future__ import annotations

from typing import Any

from ml.copies.evaluate import Counts, Evaluation, KindCounts


def as_dict(result: Evaluation) -> dict[str, Any]:
    """The figures as plain numbers, lists and dicts, for JSON."""
    counts = {
        name: _plain(getattr(result, name))
        for name in ("visual", "final", "identity", "copy_seconds", "original_seconds")
    }
    verdicts = [
        {"expected": expected, "found": found, "pairs": pairs}
        for (expected, found), pairs in sorted(result.verdicts.items())
    ]
    kinds = [dict(vars(kind)) for kind in result.kinds]
    others = ("siblings", "sibling_conflicts", "ignored", "backwards")
    hardest = result.hardest
    return {
        **counts,
        "kinds": kinds,
        "hardest_kind": None if hardest is None else hardest.kind,
        "verdicts": verdicts,
        "wrong_pairs": [[one.copy_id, one.original_id, one.verdict] for one in result.wrong_pairs],
        "missed_pairs": [[one.copy_id, one.original_id, one.kind] for one in result.missed_pairs],
        **{name: getattr(result, name) for name in others},
    }


def _plain(counts: Counts) -> dict[str, float]:
    shares = {name: round(getattr(counts, name), 4) for name in ("precision", "recall", "f1")}
    return {**{name: round(value, 3) for name, value in vars(counts).items()}, **shares}


def as_text(result: Evaluation, with_pairs: bool = True) -> str:
    """The figures as a table for people; ``with_pairs`` names the pairs that are wrong."""
    lines = [f"{'':<26}precision  recall     F1    right  wrong  missed"]
    names = (
        ("visual", "pairs that share pictures"),
        ("final", "copies"),
        ("identity", "copies, original named"),
        ("copy_seconds", "seconds of the copy"),
        ("original_seconds", "seconds of the original"),
    )
    lines += [f"{title:<26}{_figures(getattr(result, name))}" for name, title in names]
    lines += ["", f"{'kind':<34}pairs  pictures   copies   wrong: pictures  copies"]
    lines += [_kind_line(kind) for kind in result.kinds]
    if result.hardest is not None:
        share = f"{result.hardest.found_copies} of {result.hardest.copies}"
        lines += [f"smallest share found: {result.hardest.kind}, {share}"]
    lines += ["", f"{'expected':<32}{'found':<32}pairs"]
    lines += [f"{a:<32}{b:<32}{n:>5}" for (a, b), n in sorted(result.verdicts.items())]
    lines += [
        "",
        f"not counted: {result.siblings} pairs of copies of one original "
        f"({result.sibling_conflicts} in conflict), {result.ignored} ignored pairs; "
        f"found backwards: {result.backwards}",
    ]
    if with_pairs:
        lines += [
            f"wrong   {o.copy_id} -> {o.original_id}  {o.verdict}" for o in result.wrong_pairs
        ]
        lines += [f"missed  {o.copy_id} -> {o.original_id}  {o.kind}" for o in result.missed_pairs]
    return "\n".join(lines)


def _figures(counts: Counts) -> str:
    shares = f"{counts.precision:>9.3f}{counts.recall:>8.3f}{counts.f1:>7.3f}"
    return f"{shares}{counts.right:>9.0f}{counts.wrong:>7.0f}{counts.missed:>8.0f}"


def _kind_line(kind: KindCounts) -> str:
    pictured = f"{kind.found_pictured}/{kind.pictured}" if kind.pictured else "-"
    copies = f"{kind.found_copies}/{kind.copies}" if kind.copies else "-"
    wrong = f"{kind.wrong_pictured:>17}{kind.wrong_copies:>8}"
    return f"{kind.kind:<34}{kind.pairs:>5}{pictured:>10}{copies:>9}{wrong}"
