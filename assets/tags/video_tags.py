"""The assets ``clickhouse/tags`` and ``video_tags``: what each video is filed under.

A video that the catalogue has filed stays where it is. Others get their tags from the model that
was trained on those (asset ``tag_model``). Both have few tags; what a comparison with the tags
themselves adds is told after them, and is all there is where nothing can be learnt.
"""

# Dagster reads annotations as they stand, so no `from __future__ import annotations` here.
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import dagster as dg
import pyarrow as pa

from assets.stores.catalog import row_count, table_spec
from assets.stores.datasets import key_of
from assets.stores.needs import LIBRARY
from assets.stores.resources import Library, Models, Tables
from assets.tables.by_batch import fill_batches
from assets.tables.load import replace_table
from assets.tags.inputs import SOURCES, VideoTexts, fingerprint, texts_of
from assets.tags.model import StoredModel, stored_model
from assets.tags.zero_shot import MOST_TAGS, Comparison, comparison, note_filed
from ml.library_schemas import TAGS, VIDEO_TAGS
from ml.taxonomy import Taxonomy, path_key, path_text

if TYPE_CHECKING:
    from ml.tags.tree import TagTree

CATALOGUE, TRAINED, ZERO_SHOT = "catalogue", "trained", "zero_shot"
_CLEAN_CHECK = "taxonomy_is_clean"
_SHOWN_PROBLEMS = 20
# Raise when the same videos would get other tags.
VERSION = "1"


@dg.multi_asset(
    name="tags",
    op_tags=LIBRARY.op_tags,
    pool="tags",
    specs=[
        table_spec("tags", TAGS, "library", []),
        table_spec("video_tags", VIDEO_TAGS, "library", ["tag_model", *SOURCES]),
    ],
    check_specs=[
        dg.AssetCheckSpec(
            _CLEAN_CHECK,
            asset=["clickhouse", TAGS.name],
            description="Nothing had to be mended or passed over in the file of the taxonomy.",
        )
    ],
)
def tags(
    context: dg.AssetExecutionContext, library: Library, models: Models, tables: Tables
) -> Iterator[dg.MaterializeResult]:
    """File the videos that are new or changed, or all when the taxonomy or the model did."""
    say, store = context.log.info, library.datasets
    taxonomy = library.read_taxonomy()
    say(f"tags: {len(taxonomy.entries)} in the taxonomy, version {taxonomy.version}")
    with tables.session("writing tags", say) as client:
        rows = tag_rows(taxonomy).to_batches()
        yield _of_taxonomy(replace_table(client, TAGS.name, rows, taxonomy.version).rows, taxonomy)
    tagger = _Tagger.of(library, models, taxonomy)
    made = {b: key for b in library.batches.names() if (key := fingerprint(store, b))}
    wanted = {batch: key_of(tagger.identity, key) for batch, key in made.items()}

    def rows_of(batch: str) -> pa.Table:
        return tagger.rows(texts_of(store, batch, with_visual=tagger.with_visual))

    report = fill_batches(tables, VIDEO_TAGS, wanted, rows_of, say)
    say(f"tags: {report.rows} rows, {report.unchanged} batches unchanged")
    yield dg.MaterializeResult(
        asset_key=["clickhouse", VIDEO_TAGS.name],
        metadata={
            **row_count(report.rows),
            "how": tagger.how,
            "taxonomy": taxonomy.version,
            "batches_made": report.made,
            "batches_unchanged": report.unchanged,
            "of_these_without_a_tag": len(tagger.without),
        },
    )
    note_filed(library, taxonomy)


@dataclass(frozen=True)
class _Tagger:
    """Files videos.

    Attributes:
        model: learnt from the catalogue's tags; None where there are too few.
        compared: videos with the tags themselves.
        without: videos of which nothing is known that speaks for a tag, as they are met.
    """

    taxonomy: Taxonomy
    tree: "TagTree"
    model: StoredModel | None
    compared: Comparison
    without: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, library: Library, models: Models, taxonomy: Taxonomy) -> "_Tagger":
        from ml.tags.tree import TagTree

        model = stored_model(library, taxonomy)
        return cls(taxonomy, TagTree.of(taxonomy), model, comparison(library, models, taxonomy))

    @property
    def identity(self) -> str:
        """Changes when the same videos may get other tags."""
        trained = self.model.identity if self.model else ""
        return key_of(VERSION, self.taxonomy.version, trained, self.compared.identity)

    @property
    def how(self) -> str:
        """In words."""
        return "; ".join([*([self.model.how] if self.model else []), self.compared.how])

    @property
    def with_visual(self) -> bool:
        """Whether vectors of pictures are asked for."""
        return self.model is not None or self.compared.with_visual

    def rows(self, videos: VideoTexts) -> pa.Table:
        """The tags of the videos: the catalogue's or the model's, and room is filled by words."""
        from ml.tags.examples import read_labels

        if not videos.ids:  # all of the batch were replaced or failed
            return VIDEO_TAGS.schema.empty_table()
        filed, compared = read_labels(videos.tags, self.taxonomy)[0], self.compared.decode(videos)
        trained = self.model.decode(videos) if self.model else [[] for _ in videos.ids]
        rows = []
        for video, own, learnt, words in zip(videos.ids, filed, trained, compared, strict=True):
            said = [(CATALOGUE, node, 1.0) for node in sorted(own)]
            said = said or [(TRAINED, *tag) for tag in learnt]
            chosen = _filled(said, [(ZERO_SHOT, *tag) for tag in words], self.tree)
            rows += [self._row(video, rank, tag) for rank, tag in enumerate(chosen, 1)]
            if not chosen:
                self.without.append(video)
        return pa.Table.from_pylist(rows, VIDEO_TAGS.schema)

    def _row(self, video: str, rank: int, tag: "Sourced") -> dict[str, Any]:
        source, node, confidence = tag
        return {
            "video_id": video,
            "rank": rank,
            "tag_id": tag_id(self.tree.paths[node]),
            "path": self.tree.text(node),
            "level": int(self.tree.level[node]),
            "confidence": min(1.0, confidence),
            "source": source,
        }


# Source, node and confidence.
Sourced = tuple[str, int, float]


def _filled(said: list[Sourced], more: list[Sourced], tree: "TagTree") -> list[Sourced]:
    """What was said first, and of the others those that add something, while there is room."""
    own = {node for _, node, _ in said}
    told, found = tree.with_parents(own), list(said)
    for tag in more:
        adds = tag[1] not in told and not own & tree.with_parents([tag[1]])
        if len(found) < MOST_TAGS and adds:
            found.append(tag)
    return found


def tag_id(path: tuple[str, ...]) -> int:
    """The id of a path, the same in every library; 53 bits, which every client's numbers hold."""
    return int(key_of(*path_key(path)), 16) % (1 << 53)


def tag_rows(taxonomy: Taxonomy) -> pa.Table:
    """Rows of ``tags``."""
    rows = [
        {
            "tag_id": tag_id(entry.path),
            "path": path_text(entry.path),
            "level": len(entry.path),
            "parent_id": tag_id(entry.path[:-1]) if len(entry.path) > 1 else 0,
            "names": list(entry.names),
            "aliases": list(entry.aliases),
            "taxonomy": taxonomy.version,
        }
        for entry in taxonomy.entries
    ]
    return pa.Table.from_pylist(rows, TAGS.schema)


def _of_taxonomy(rows: int, taxonomy: Taxonomy) -> dg.MaterializeResult:
    problems = list(taxonomy.problems)
    check = dg.AssetCheckResult(
        check_name=_CLEAN_CHECK,
        asset_key=["clickhouse", TAGS.name],
        passed=not problems,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={
            "problems": dg.MetadataValue.json(problems[:_SHOWN_PROBLEMS]),
            "count": len(problems),
        },
    )
    return dg.MaterializeResult(
        asset_key=["clickhouse", TAGS.name],
        metadata={**row_count(rows), "version": taxonomy.version},
        check_results=[check],
    )
