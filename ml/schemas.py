"""The datasets: what a row is, and what every column means.

Declared once. Parquet files, column metadata in the UI, blocking checks and the test that holds
these schemas against the ClickHouse DDL all read them here. Times are seconds from the start of
the video's presentation timeline; boxes are shares of the picture's width and height.
"""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

STATUSES = ("ok", "failed", "filtered")
FAILURE_KINDS = ("", "permanent", "retryable", "filtered")
TEXT_CHANNELS = ("title", "description", "asr", "ocr")


@dataclass(frozen=True)
class Dataset:
    """One Parquet file per batch: rows sorted by the video's place in the batch, then by key."""

    name: str
    row_is: str
    schema: pa.Schema
    key: tuple[str, ...]

    @property
    def descriptions(self) -> dict[str, str]:
        """Column name to its meaning."""
        return {field.name: field.metadata[b"description"].decode() for field in self.schema}


def column(name: str, kind: pa.DataType, description: str, nullable: bool = False) -> pa.Field:
    return pa.field(name, kind, nullable=nullable, metadata={"description": description})


def _dataset(name: str, row_is: str, key: str, *columns: pa.Field) -> Dataset:
    video = column("video_id", pa.string(), "the video, as in `videos`")
    return Dataset(name, row_is, pa.schema([video, *columns]), ("video_id", *key.split()))


_TIME = pa.timestamp("ms", tz="UTC")
VECTOR = pa.list_(pa.field("item", pa.float32(), nullable=False))
MODEL = column("model", pa.string(), "name and revision of the model that made the row")
_PART = (
    column("part_no", pa.int32(), "0, 1, ... within the video; a part is at most 300 s"),
    column("start_s", pa.float64(), "where the part starts in the video"),
)

VIDEOS = _dataset(
    "videos",
    "a video of the batch, also one that failed",
    "",
    column("uri", pa.string(), "where the file lies"),
    column("published_at", _TIME, "when it was published, from the catalogue", nullable=True),
    column("title", pa.string(), "title from the catalogue, or the file's name"),
    column("description", pa.string(), "description from the catalogue"),
    column("tags", pa.string(), "the catalogue's tags, as they stand there"),
    column("licensed", pa.bool_(), "whether it is of the licensed base, as its source said last"),
    column("status", pa.string(), "ok, failed or filtered"),
    column("failure_kind", pa.string(), "permanent, retryable, filtered, or empty"),
    column("error", pa.string(), "why it failed or was filtered; empty when ok"),
    column("warning", pa.string(), "what is odd about an ok file, such as a truncated end"),
    column("content_hash", pa.string(), "BLAKE2b-128 of the file's bytes, hex"),
    column("source_version", pa.string(), "size and mtime or etag of the bytes that were read"),
    column("source_bytes", pa.int64(), "size of the file"),
    column("container", pa.string(), "container format, as FFmpeg names it"),
    column("video_codec", pa.string(), "video codec"),
    column("audio_codec", pa.string(), "audio codec; empty without sound"),
    column("pixel_format", pa.string(), "pixel format of the video stream"),
    column("width", pa.int32(), "pixels across, as displayed (after rotation)"),
    column("height", pa.int32(), "pixels down, as displayed (after rotation)"),
    column("rotation_deg", pa.int32(), "clockwise rotation the display matrix asks for"),
    column("fps", pa.float64(), "mean frames per second of what was decoded"),
    column("duration_s", pa.float64(), "length of the picture track"),
    column("has_audio", pa.bool_(), "whether any sound was decoded"),
    column("frame_count", pa.int64(), "frames decoded"),
    column("kept_frame_count", pa.int32(), "rows in `frames`"),
    column("plain_1fps_frame_count", pa.int32(), "rows that one frame per second would give"),
    column("decoder", pa.string(), "reader and its version"),
)

FRAMES = _dataset(
    "frames",
    "a kept frame",
    "frame_no",
    column("frame_no", pa.int64(), "0-based number among the decoded frames"),
    column("start_s", pa.float64(), "when the frame is shown"),
    column("duration_s", pa.float64(), "how long it stands for, up to the next kept frame"),
    column("is_shot_start", pa.bool_(), "first kept frame of a shot"),
    column("width", pa.int32(), "pixels across, of the JPEG"),
    column("height", pa.int32(), "pixels down, of the JPEG"),
    column("jpeg", pa.binary(), "the picture, upright, RGB JPEG"),
)

MOTION = _dataset(
    "motion",
    "up to 300 s of a video's tiny luma thumbnails",
    "part_no",
    *_PART,
    column("fps", pa.float32(), "thumbnails per second"),
    column("size", pa.int32(), "thumbnails are size x size"),
    column("thumbnail_count", pa.int32(), "thumbnails in this part"),
    column("luma_zstd", pa.binary(), "zstd of uint8[thumbnail_count, size, size]"),
)

AUDIO = _dataset(
    "audio",
    "up to 300 s of a video's sound",
    "part_no",
    *_PART,
    column("sample_rate_hz", pa.int32(), "16000"),
    column("sample_count", pa.int64(), "mono samples in this part"),
    column("rms_dbfs", pa.float32(), "root-mean-square level against full scale; -120 if silent"),
    column("flac", pa.binary(), "16 bit mono FLAC"),
)

ASR = _dataset(
    "asr",
    "a spoken segment",
    "segment_no",
    column("segment_no", pa.int32(), "0, 1, ... within the video"),
    column("start_s", pa.float64(), "where it starts"),
    column("end_s", pa.float64(), "where it ends"),
    column("text", pa.string(), "what is said"),
    column("language", pa.string(), "ISO 639-1, as detected; empty when unknown"),
    column("confidence", pa.float32(), "0 to 1, the recogniser's own"),
    MODEL,
)

OCR = _dataset(
    "ocr",
    "a line of text on screen, merged over time",
    "line_no",
    column("line_no", pa.int32(), "0, 1, ... within the video, by start and then position"),
    column("start_s", pa.float64(), "when it appears"),
    column("end_s", pa.float64(), "when it is gone"),
    column("text", pa.string(), "the line"),
    column("confidence", pa.float32(), "0 to 1, the recogniser's own"),
    column("x0", pa.float32(), "left edge, share of the width"),
    column("y0", pa.float32(), "top edge, share of the height"),
    column("x1", pa.float32(), "right edge, share of the width"),
    column("y1", pa.float32(), "bottom edge, share of the height"),
    MODEL,
)

VISUAL = _dataset(
    "visual",
    "a kept frame's embedding",
    "frame_no",
    column("frame_no", pa.int64(), "the frame, as in `frames`"),
    column("start_s", pa.float64(), "when the frame is shown"),
    column("duration_s", pa.float64(), "how long it stands for"),
    column("embedding", VECTOR, "unit-length vector"),
    MODEL,
)

TEXT = _dataset(
    "text",
    "an embedding of one text channel of a video",
    "channel",
    column("channel", pa.string(), "title, description, asr or ocr"),
    column("text", pa.string(), "the text that was embedded, whole"),
    column("word_count", pa.int32(), "words in it"),
    column("language", pa.string(), "ISO 639-1, as detected; empty when unknown"),
    column("embedding", VECTOR, "unit-length vector"),
    MODEL,
)

COPY_DESCRIPTORS = _dataset(
    "copy_descriptors",
    "a kept frame's local features, for finding copies",
    "frame_no",
    column("frame_no", pa.int64(), "the frame, as in `frames`"),
    column("start_s", pa.float64(), "when the frame is shown"),
    column("duration_s", pa.float64(), "how long it stands for"),
    column("aspect", pa.float32(), "width / height of the picture"),
    column("detail", pa.float32(), "0 for a flat picture, to 1: how much the hash can be trusted"),
    column("hash", pa.binary(32), "256-bit DCT hash of the whole picture"),
    column("feature_count", pa.int32(), "local features found, strongest first"),
    column(
        "geometry",
        pa.binary(),
        "uint16[feature_count, 4]: x, y, size in 1/65535 of the longer side; angle in 1/65536 turn",
    ),
    column("descriptors", pa.binary(), "uint8[feature_count, 128]: RootSIFT times 512"),
    MODEL,
)

AUDIO_FINGERPRINTS = _dataset(
    "audio_fingerprints",
    "up to 300 s of a video's sound, as fingerprints",
    "part_no",
    *_PART,
    column("rate_hz", pa.float32(), "fingerprint frames per second"),
    column("frame_count", pa.int32(), "fingerprint frames in this part"),
    column("band_count", pa.int32(), "frequency bands"),
    column("bands_zstd", pa.binary(), "zstd of uint8[frame_count, band_count]: log energy"),
    column("hashes", pa.binary(), "uint32[frame_count], little-endian: signs of band differences"),
    column("levels", pa.binary(), "uint8[frame_count]: loudness, minus dB against full scale"),
    MODEL,
)

FACE_FLAWS = ("", "small", "blurred", "turned", "cut", "unsure")
FACES = _dataset(
    "faces",
    "a face in a kept frame",
    "frame_no face_no",
    column("frame_no", pa.int64(), "the frame, as in `frames`"),
    column("face_no", pa.int32(), "0, 1, ... within the frame, the largest first"),
    column("start_s", pa.float64(), "when the frame is shown"),
    column("duration_s", pa.float64(), "how long it stands for"),
    column("x0", pa.float32(), "left edge, share of the width"),
    column("y0", pa.float32(), "top edge, share of the height"),
    column("x1", pa.float32(), "right edge, share of the width"),
    column("y1", pa.float32(), "bottom edge, share of the height"),
    column("score", pa.float32(), "0 to 1, how sure the detector is"),
    column("size_px", pa.int32(), "shorter side of the box, in pixels of the kept frame"),
    column("quality", pa.float32(), "0 to 1, of size, sharpness, pose and light"),
    column("flaw", pa.string(), "why it is kept out of clustering; empty for a clear face"),
    column("embedding", VECTOR, "unit-length vector"),
    column("crop", pa.binary(), "the face with a margin, RGB JPEG of at most 160 px"),
    MODEL,
)

CAPTIONS = _dataset(
    "captions",
    "what a video shows, described from its frames",
    "",
    column("caption", pa.string(), "what the video shows, as the model tells it: one paragraph"),
    column("language", pa.string(), "ISO 639-1, the language that was asked for"),
    column("frame_count", pa.int32(), "kept frames that the model was shown"),
    MODEL,
)

STRINGS = pa.list_(pa.field("item", pa.string(), nullable=False))
PASSAGE_CHANNELS = ("title", "description", "tags", "caption", "asr", "ocr")
_PASSAGE = (
    column("channel", pa.string(), ", ".join(PASSAGE_CHANNELS)),
    column("passage_no", pa.int32(), "0, 1, ... within the channel of the video"),
    column("start_s", pa.float64(), "where it starts; 0 for what has no place in the video"),
    column("end_s", pa.float64(), "where it ends; 0 for what has no place in the video"),
)
PASSAGES = _dataset(
    "passages",
    "a piece of a video's text short enough to name a moment",
    "channel passage_no",
    *_PASSAGE,
    column("text", pa.string(), "as it stands"),
    column("words", STRINGS, "every word in order, in lower case, with е for ё"),
    column("lemmas", STRINGS, "the dictionary form of each of the words"),
    column("language", pa.string(), "ISO 639-1, as detected; empty when unknown"),
)

PASSAGE_EMBEDDINGS = _dataset(
    "passage_embeddings",
    "an embedding of a spoken or written passage",
    "channel passage_no",
    *_PASSAGE,
    column("embedding", VECTOR, "unit-length vector"),
    MODEL,
)

SECONDS = pa.list_(pa.field("item", pa.float64(), nullable=False))
PERSONS = _dataset(
    "persons",
    "a person of a video: clear faces that are one and the same",
    "person_no",
    column("person_no", pa.int32(), "0, 1, ... within the video, longest on screen first"),
    column("face_count", pa.int32(), "faces in kept frames"),
    column("screen_s", pa.float64(), "seconds on screen"),
    column("screen_share", pa.float32(), "share of the video's length on screen, 0 to 1"),
    column("starts_s", SECONDS, "by appearance, in the video's time"),
    column("ends_s", SECONDS, "by appearance, in the video's time"),
    column("first_s", pa.float64(), "when first seen"),
    column("best_s", pa.float64(), "when the face of the best quality is shown"),
    column("best_frame_no", pa.int64(), "the frame of that face, as in `frames`"),
    column("quality", pa.float32(), "of that face, 0 to 1"),
    column("spread", pa.float32(), "largest distance of its faces' vectors to its own, Euclidean"),
    column("embedding", VECTOR, "unit-length vector: its faces' mean, weighted by quality"),
    column("crop", pa.binary(), "that face with a margin, RGB JPEG of at most 160 px"),
    MODEL,
)

VERDICTS = (
    "duplicate",
    "partial",
    "hard_same_video_other_audio",
    "hard_other_video_same_audio",
)
SOUND_STATES = ("same", "different", "missing", "silent", "unclear")
PAIR_COLUMNS = (
    column("copy_id", pa.string(), "the later of the two videos"),
    column("original_id", pa.string(), "the earlier one, by published_at and then by id"),
    column("verdict", pa.string(), ", ".join(VERDICTS)),
    column("score", pa.float32(), "0 to 1, how sure the verdict is; the worst pairs come last"),
    column("visual_score", pa.float32(), "0 to 1, how surely pictures are shared"),
    column("audio_score", pa.float32(), "0 to 1, how alike the sound is along the match"),
    column("sound", pa.string(), ", ".join(SOUND_STATES)),
    column("copy_share", pa.float32(), "share of the copy's length that is matched"),
    column("original_share", pa.float32(), "share of the original's length that is matched"),
    column("mirrored", pa.bool_(), "shown left for right"),
    column("rotated_deg", pa.int32(), "degrees the copy's picture is turned clockwise, 0 to 359"),
    column("speed", pa.float32(), "how fast the copy runs; 1 is the original's tempo"),
    column("copy_starts_s", SECONDS, "by segment, in the copy's time"),
    column("copy_ends_s", SECONDS, "by segment, in the copy's time"),
    column("original_starts_s", SECONDS, "by segment, in the original's time"),
    column("original_ends_s", SECONDS, "by segment, in the original's time"),
    column("reason", pa.string(), "why, in words"),
)

FOUND_PAIRS = _dataset(
    "duplicate_pairs",
    "a pair that a video of the batch is in, verified, when its batch was compared",
    "copy_id original_id",
    *PAIR_COLUMNS,
    column("other_key", pa.string(), "what the other video's descriptors were made from, then"),
)

DATASETS: dict[str, Dataset] = {
    d.name: d
    for d in (
        *(VIDEOS, FRAMES, MOTION, AUDIO, ASR, OCR, VISUAL, TEXT),
        *(FACES, PERSONS, CAPTIONS),
        *(PASSAGES, PASSAGE_EMBEDDINGS),
        *(COPY_DESCRIPTORS, AUDIO_FINGERPRINTS, FOUND_PAIRS),
    )
}
