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

from assets.search.indexes import index_folder
from assets.stores.catalog import row_count, table_spec
from assets.stores.datasets import DatasetStore, key_of
from assets.stores.needs import LIBRARY
from assets.stores.progress import is_forced
from assets.stores.resources import Library, Models, Tables
from assets.tables.load import replace_table
from assets.tags.inputs import SOURCES, VideoTexts, joined, makers, texts_of
from assets.tags.zero_shot import comparison
from ml.indexes.files import checked_text, checked_values
from ml.library_schemas import TAG_EVALUATION
from ml.schemas import VIDEOS
from ml.taxonomy import Taxonomy, path_text

if TYPE_CHECKING:
    from ml.tags.decode import Decoded
    from ml.tags.evaluate import TagEvaluation
    from ml.tags.metrics import TagScores
    from ml.tags.train import TagModel

FOLDER = "tag_model"
ABOUT = "about.json"
# Cross-validation trains ten models: of more videos a random part is enough to say how good.
_MOST_EVALUATED = 2000
_KNOWN_CHECK = "catalogue_tags_are_in_the_taxonomy"
_SHOWN = 20
_MOST_PROBLEMS, _LONGEST_PROBLEM = 1000, 300
# Training files the whole library anew: a tenth of new labels is worth that.
_NEW_SHARE = 0.1
_PARTS = {"inputs", "made_by", "taxonomy", "labels", "learnt_from", "evaluation", "message"}
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
    from ml.tags.model_file import load

    with index_folder(library, FOLDER) as folder:
        about = _about(folder)
        if about is None or not about["learnt_from"] or about["taxonomy"] != _version(taxonomy):
            return None
        return StoredModel(load(folder, taxonomy), about["inputs"], about["message"])


def _about(folder: Path) -> dict[str, Any] | None:
    """What the last training was; None where there was none, or nothing that can be read."""
    try:
        about = checked_values((folder / ABOUT).read_bytes())
    except (FileNotFoundError, ValueError):
        return None
    return about if isinstance(about, dict) and about.keys() >= _PARTS else None


def model_damage(folder: Path, taxonomy: Taxonomy) -> str:
    """What is wrong with the files of the last training; empty where nothing is."""
    from ml.tags.model_file import TagModelDamaged, load

    about = _about(folder)
    if about is None:
        return f"{ABOUT} can't be read"
    if not about["learnt_from"] or about["taxonomy"] != _version(taxonomy):
        return ""
    try:
        load(folder, taxonomy)
    except TagModelDamaged as error:
        return str(error)
    return ""


def _version(taxonomy: Taxonomy) -> str:
    """Of the taxonomy with the order of its entries, by which a model knows them."""
    return key_of(taxonomy.version, *(path_text(entry.path) for entry in taxonomy.entries))


@dg.multi_asset(
    name="tag_model",
    specs=[
        dg.AssetSpec(
            FOLDER,
            deps=SOURCES,
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
    op_tags=LIBRARY.op_tags,
    pool="tags",
)
def tag_model(
    context: dg.AssetExecutionContext, library: Library, models: Models, tables: Tables
) -> Iterator[dg.MaterializeResult]:
    """Train on the videos that the catalogue has filed, and cross-validate."""
    say, taxonomy = context.log.info, library.read_taxonomy()
    labelled = _Labelled.of(library.datasets, library.batches.names(), taxonomy)
    made_by = key_of(VERSION, _version(taxonomy), *makers(library))
    with index_folder(library, FOLDER) as folder:
        about = None if is_forced(context) else _usable(folder, taxonomy, made_by, labelled)
        if about is None:
            say(f"tag_model: {len(labelled.labels)} videos with tags of the catalogue")
            about = _trained(folder, library, models, taxonomy, labelled, made_by)
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


def _usable(
    folder: Path, taxonomy: Taxonomy, made_by: str, labelled: "_Labelled"
) -> dict[str, Any] | None:
    """The last training, if its model is whole and labels are mostly as they were."""
    from ml.tags.model_file import TagModelDamaged, load

    about = _about(folder)
    if about is None or about["made_by"] != made_by or labelled.differ_from(about["labels"]):
        return None
    try:
        if about["learnt_from"]:
            load(folder, taxonomy)
    except TagModelDamaged:
        return None
    return about


@dataclass(frozen=True)
class _Labelled:
    """Videos that the catalogue has filed.

    Attributes:
        labels: video id to nodes of the taxonomy.
        of_batch: batch to its labelled videos.
        problems: sentences on tags that are not in the taxonomy, the first of them.
    """

    labels: Mapping[str, frozenset[int]]
    of_batch: Mapping[str, Sequence[str]]
    problems: Sequence[str]

    @classmethod
    def of(cls, store: DatasetStore, batches: Sequence[str], taxonomy: Taxonomy) -> "_Labelled":
        from ml.tags.examples import read_labels

        found: dict[str, frozenset[int]] = {}
        of_batch: dict[str, list[str]] = {}
        problems: list[str] = []
        for batch in batches:
            if store.ledger(VIDEOS.name, batch) is None:
                continue
            rows = store.table(VIDEOS, batch, ["video_id", "status", "tags"]).to_pylist()
            rows = [r for r in rows if r["status"] == "ok" and (r["tags"] or "").strip()]
            labels, said = read_labels([row["tags"] for row in rows], taxonomy)
            few = said[: max(0, _MOST_PROBLEMS - len(problems))]
            problems += [f"{batch}: {problem}"[:_LONGEST_PROBLEM] for problem in few]
            known = {r["video_id"]: of for r, of in zip(rows, labels, strict=True) if of}
            found |= known
            of_batch |= {batch: sorted(known)} if known else {}
        return cls(found, of_batch, problems)

    @property
    def digests(self) -> dict[str, str]:
        """What is learnt from: video id to its nodes, of at most so many as are learnt from."""
        from ml.tags.train import MOST_EXAMPLES

        some = sorted(self.labels, key=key_of)[:MOST_EXAMPLES]
        return {video: " ".join(map(str, sorted(self.labels[video]))) for video in some}

    def differ_from(self, before: Mapping[str, str]) -> bool:
        """Whether a tenth of what is learnt from is new, gone or filed otherwise."""
        now = self.digests
        changed = sum(before.get(video) != of for video, of in now.items())
        changed += len(before.keys() - now.keys())
        return changed > 0 and changed >= _NEW_SHARE * len(before)

    def some(self, most: int) -> "_Labelled":
        """At most so many videos, chosen by their ids' hash."""
        chosen = set(sorted(self.labels, key=key_of)[:most])
        of_batch = {b: [v for v in videos if v in chosen] for b, videos in self.of_batch.items()}
        labels = {video: of for video, of in self.labels.items() if video in chosen}
        return _Labelled(labels, {b: v for b, v in of_batch.items() if v}, self.problems)

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
    made_by: str,
) -> dict[str, Any]:
    """Train, evaluate, and keep the model with its card; of too few labels nothing is learnt."""
    from ml.tags.model_file import save
    from ml.tags.train import FEWEST_EXAMPLES, MOST_EXAMPLES, train
    from ml.tags.tree import TagError

    (folder / ABOUT).unlink(missing_ok=True)
    count, labels_now = len(labelled.labels), labelled.digests
    inputs = key_of(made_by, json.dumps(labels_now, sort_keys=True))
    about: dict[str, Any] = {"inputs": inputs, "made_by": made_by, "taxonomy": _version(taxonomy)}
    about |= {"labels": labels_now, "learnt_from": 0, "evaluation": []}
    if count < FEWEST_EXAMPLES:
        few = f"no model: {count} videos have tags of the catalogue, {FEWEST_EXAMPLES} are needed"
        return _kept(folder, {**about, "message": few})
    if len(set(labelled.labels.values())) < 2:
        return _kept(folder, {**about, "message": f"no model: all {count} have the same tags"})
    store, learnt = library.datasets, labelled.some(MOST_EXAMPLES)
    texts = learnt.texts(store)
    try:
        model = train(texts.examples([learnt.labels[video] for video in texts.ids]), taxonomy)
    except TagError as error:
        return _kept(folder, {**about, "message": f"no model: {error}"})
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
    # A card holds the taxonomy's paths too: they are in the model's own file.
    card = {name: value for name, value in card.items() if name != "paths"}
    message = f"trained on {len(texts.ids)} videos: {' '.join(model.choice.notes)}"
    about |= {"learnt_from": len(texts.ids), "evaluation": rows, "notes": notes, "card": card}
    return _kept(folder, {**about, "message": message})


def _kept(folder: Path, about: dict[str, Any]) -> dict[str, Any]:
    """Written last, so that it never tells of a model that is not there."""
    folder.mkdir(parents=True, exist_ok=True)
    fresh = folder / f"{ABOUT}.new"
    fresh.write_text(checked_text(about), encoding="utf-8")
    fresh.replace(folder / ABOUT)
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
    from ml.tags.evaluate import evaluate
    from ml.tags.metrics import tag_scores
    from ml.tags.tree import TagError, TagTree

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
