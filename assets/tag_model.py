"""The assets ``tag_model`` and ``tag_evaluation``: tags learnt from the catalogue's own.

The model lies in ``indexes/tag_model`` with its card: what it learnt from, how it was split, how
well it does. It is trained anew when labelled videos, their texts or the taxonomy changed.
"""

# Dagster reads annotations as they stand, so no `from __future__ import annotations` here.
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
import pyarrow as pa

from assets.catalog import row_count, table_spec
from assets.datasets import DatasetStore, key_of
from assets.indexes import index_folder
from assets.progress import is_forced
from assets.resources import Library, Models, Tables
from assets.tables import replace_table
from assets.tag_inputs import VideoTexts, fingerprint, joined, texts_of
from assets.zero_shot import comparison
from ml.library_schemas import TAG_EVALUATION
from ml.schemas import TEXT, VIDEOS
from ml.taxonomy import Taxonomy

if TYPE_CHECKING:
    from ml.tagging.decode import Decoded
    from ml.tagging.evaluate import TagEvaluation
    from ml.tagging.metrics import TagScores
    from ml.tagging.train import TagModel

FOLDER = "tag_model"
_ABOUT = "about.json"
# Cross-validation trains ten models: of more videos a random part is enough to say how good.
_MOST_EVALUATED = 2000
_KNOWN_CHECK = "catalogue_tags_are_in_the_taxonomy"
_SHOWN = 20
_LEVELS = ("level 1", "level 2", "level 3")
# Raise when the same labels would give another model.
VERSION = "1"


@dataclass(frozen=True)
class StoredModel:
    """The trained model, ready to file videos."""

    model: "TagModel"
    identity: str
    how: str
    with_visual: bool = True

    def decode(self, videos: VideoTexts) -> "Decoded":
        """The tags of each video, at least one."""
        return self.model.decode(videos.examples())


def stored_model(library: Library, taxonomy: Taxonomy) -> StoredModel | None:
    """The model of the last training; None where there are too few labelled videos."""
    from ml.tagging.model_file import load

    with index_folder(library, FOLDER) as folder:
        about = _about(folder)
        if about is None or not about["learnt_from"] or about["taxonomy"] != taxonomy.version:
            return None
        return StoredModel(load(folder, taxonomy), about["inputs"], about["message"])


def _about(folder: Path) -> dict[str, Any] | None:
    """What the last training was; None where there was none."""
    path = folder / _ABOUT
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


@dg.multi_asset(
    name="tag_model",
    specs=[
        dg.AssetSpec(
            FOLDER,
            deps=[VIDEOS.name, TEXT.name],
            group_name="library",
            kinds={"torch"},
            description="Files videos as the catalogue's own tags do; with a card beside it.",
        ),
        table_spec("tag_evaluation", TAG_EVALUATION, "library", [FOLDER]),
    ],
    check_specs=[
        dg.AssetCheckSpec(
            _KNOWN_CHECK,
            asset=FOLDER,
            description="Every tag of the catalogue is in the taxonomy.",
        )
    ],
)
def tag_model(
    context: dg.AssetExecutionContext, library: Library, models: Models, tables: Tables
) -> Iterator[dg.MaterializeResult]:
    """Train on the videos that the catalogue has filed, and cross-validate."""
    say, taxonomy = context.log.info, library.read_taxonomy()
    labelled = _Labelled.of(library.datasets, library.batches.names(), taxonomy)
    inputs = key_of(VERSION, taxonomy.version, *labelled.keys)
    with index_folder(library, FOLDER) as folder:
        about = _about(folder)
        if is_forced(context) or about is None or about["inputs"] != inputs:
            say(f"tag_model: {len(labelled.labels)} videos with tags of the catalogue")
            about = _trained(folder, library, models, taxonomy, labelled, inputs)
    evaluation = pa.Table.from_pylist(_typed(about["evaluation"]), TAG_EVALUATION.schema)
    say(f"tag_model: {about['message']}")
    yield _model_result(about, labelled.problems)
    with tables.session("writing the evaluation of tags", say) as client:
        rows = replace_table(
            client, TAG_EVALUATION.name, evaluation.to_batches(), about["inputs"]
        ).rows
    yield dg.MaterializeResult(
        asset_key=["clickhouse", TAG_EVALUATION.name],
        metadata={**row_count(rows), "figures": dg.MetadataValue.md(_as_markdown(about))},
    )


@dataclass(frozen=True)
class _Labelled:
    """Videos that the catalogue has filed.

    Attributes:
        labels: video id to nodes of the taxonomy.
        of_batch: batch to its labelled videos.
        keys: change with them and their texts.
        problems: sentences on tags that are not in the taxonomy.
    """

    labels: Mapping[str, frozenset[int]]
    of_batch: Mapping[str, Sequence[str]]
    keys: Sequence[str]
    problems: Sequence[str]

    @classmethod
    def of(cls, store: DatasetStore, batches: Sequence[str], taxonomy: Taxonomy) -> "_Labelled":
        from ml.tagging.examples import read_labels

        found: dict[str, frozenset[int]] = {}
        of_batch: dict[str, list[str]] = {}
        problems: list[str] = []
        for batch in batches:
            if store.ledger(VIDEOS.name, batch) is None:
                continue
            rows = store.table(VIDEOS, batch, ["video_id", "status", "tags"]).to_pylist()
            rows = [r for r in rows if r["status"] == "ok" and (r["tags"] or "").strip()]
            labels, said = read_labels([row["tags"] for row in rows], taxonomy)
            problems += [f"{batch}: {problem}" for problem in said]
            known = {r["video_id"]: of for r, of in zip(rows, labels, strict=True) if of}
            found |= known
            of_batch |= {batch: sorted(known)} if known else {}
        keys = [key_of(batch, fingerprint(store, batch)) for batch in of_batch]
        return cls(found, of_batch, keys, problems)

    def some(self, most: int) -> "_Labelled":
        """At most so many videos, chosen by their ids' hash."""
        chosen = set(sorted(self.labels, key=key_of)[:most])
        of_batch = {b: [v for v in videos if v in chosen] for b, videos in self.of_batch.items()}
        labels = {video: of for video, of in self.labels.items() if video in chosen}
        return _Labelled(labels, {b: v for b, v in of_batch.items() if v}, self.keys, self.problems)

    def texts(self, store: DatasetStore) -> VideoTexts:
        """What is known of them."""
        parts = [texts_of(store, b, of, with_visual=True) for b, of in self.of_batch.items()]
        return joined(parts)


def _trained(
    folder: Path,
    library: Library,
    models: Models,
    taxonomy: Taxonomy,
    labelled: _Labelled,
    inputs: str,
) -> dict[str, Any]:
    """Train, evaluate, and keep the model with its card; of too few labels nothing is learnt."""
    from ml.tagging.model_file import save
    from ml.tagging.train import FEWEST_EXAMPLES, MOST_EXAMPLES, train

    count = len(labelled.labels)
    about = {"inputs": inputs, "taxonomy": taxonomy.version, "learnt_from": 0, "evaluation": []}
    if count < FEWEST_EXAMPLES:
        few = f"no model: {count} videos have tags of the catalogue, {FEWEST_EXAMPLES} are needed"
        return _kept(folder, {**about, "message": few})
    store, learnt = library.datasets, labelled.some(MOST_EXAMPLES)
    texts = learnt.texts(store)
    model = train(texts.examples([learnt.labels[video] for video in texts.ids]), taxonomy)
    evaluated = labelled.some(_MOST_EVALUATED)
    held = evaluated.texts(store)
    labels = [evaluated.labels[video] for video in held.ids]
    rows, notes = _evaluation(held, labels, taxonomy, comparison(library, models, taxonomy))
    card = save(
        model,
        folder,
        date=_today(),
        data=f"{len(texts.ids)} of {count} videos that the catalogue has filed",
        evaluations={"rows": rows, "notes": notes},
    )
    message = f"trained on {len(texts.ids)} videos: {' '.join(model.choice.notes)}"
    about |= {"learnt_from": len(texts.ids), "evaluation": rows, "notes": notes, "card": card}
    return _kept(folder, {**about, "message": message})


def _kept(folder: Path, about: dict[str, Any]) -> dict[str, Any]:
    """Written last, so that it never tells of a model that is not there."""
    folder.mkdir(parents=True, exist_ok=True)
    fresh = folder / f"{_ABOUT}.new"
    fresh.write_text(json.dumps(about, ensure_ascii=False), encoding="utf-8")
    fresh.replace(folder / _ABOUT)
    return about


def _today() -> str:
    return datetime.now(UTC).date().isoformat()


# What is measured ---------------------------------------------------------------------------------


def _evaluation(
    videos: VideoTexts,
    labels: Sequence[frozenset[int]],
    taxonomy: Taxonomy,
    compared: Any,
) -> tuple[list[dict[str, Any]], list[str]]:
    """Rows of ``tag_evaluation``, and why some are missing."""
    from ml.tagging.evaluate import evaluate
    from ml.tagging.metrics import tag_scores
    from ml.tagging.tree import TagError, TagTree

    rows: list[dict[str, Any]] = []
    notes: list[str] = []
    examples = videos.examples(labels)
    for grouped in (False, True):
        try:
            found = evaluate(examples, taxonomy, grouped=grouped)
        except TagError as error:
            notes.append(f"{'grouped' if grouped else 'random'} folds: {error}")
            continue
        for method, scores in _methods(found).items():
            rows += _rows(found.split, method, scores, len(labels))
    zero_shot = [{node for node, _ in tags} for tags in compared.decode(videos)]
    scores = tag_scores(zero_shot, labels, TagTree.of(taxonomy))
    return rows + _rows("none", "zero_shot", scores, len(labels)), notes


def _methods(found: "TagEvaluation") -> dict[str, "TagScores"]:
    return {"trained": found.model, "nearest": found.nearest, "constant": found.constant}


def _rows(split: str, method: str, scores: "TagScores", videos: int) -> list[dict[str, Any]]:
    scopes = {"all": scores.overall, **dict(zip(_LEVELS, scores.levels, strict=False))}
    scopes["rare"] = scores.rare
    return [
        {
            "split": split,
            "method": method,
            "scope": scope,
            "iou": scores.mean_iou if scope == "all" else None,
            "precision": of.precision,
            "recall": of.recall,
            "tags": of.tags,
            "videos": videos,
            "evaluated_on": _today(),
        }
        for scope, of in scopes.items()
    ]


def _typed(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [{**row, "evaluated_on": date.fromisoformat(row["evaluated_on"])} for row in rows]


# For Dagster's pages ------------------------------------------------------------------------------


def _model_result(about: Mapping[str, Any], problems: Sequence[str]) -> dg.MaterializeResult:
    card = {k: v for k, v in about.get("card", {}).items() if k != "evaluations"}
    check = dg.AssetCheckResult(
        check_name=_KNOWN_CHECK,
        asset_key=FOLDER,
        passed=not problems,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={
            "problems": dg.MetadataValue.json(list(problems[:_SHOWN])),
            "count": len(problems),
        },
    )
    return dg.MaterializeResult(
        asset_key=FOLDER,
        metadata={"message": about["message"], "card": dg.MetadataValue.json(card)},
        check_results=[check],
    )


def _as_markdown(about: Mapping[str, Any]) -> str:
    lines = ["| folds | method | scope | IoU | precision | recall |", "| --- " * 6 + "|"]
    lines += [
        f"| {r['split']} | {r['method']} | {r['scope']} "
        f"| {'' if r['iou'] is None else format(r['iou'], '.3f')} "
        f"| {r['precision']:.3f} | {r['recall']:.3f} |"
        for r in about["evaluation"]
    ]
    return "\n".join([*lines, "", *about.get("notes", [])])
