-- What search reads in SQL: pieces of text with word, form and letter indexes, and the vocabulary.
-- `has`, `hasAny` and `hasAll` on words and lemmas are answered from their indexes. A piece of a
-- word is found by its triples of letters: replaceAll(lowerUTF8(text), 'ё', 'е') LIKE '%piece%'.
CREATE TABLE IF NOT EXISTS passages
(
    video_id String COMMENT 'the video, as in `videos`',
    channel LowCardinality(String) COMMENT 'title, description, tags, caption, asr, ocr',
    passage_no Int32 COMMENT '0, 1, ... within the channel of the video',
    start_s Float64 COMMENT 'where it starts; 0 for what has no place in the video',
    end_s Float64 COMMENT 'where it ends; 0 for what has no place in the video',
    text String COMMENT 'as it stands',
    words Array(String) COMMENT 'every word in order, in lower case, with е for ё',
    lemmas Array(String) COMMENT 'the dictionary form of each of the words',
    language LowCardinality(String) COMMENT 'ISO 639-1, as detected; empty when unknown',
    batch LowCardinality(String) COMMENT 'the batch the video belongs to',
    INDEX words_index words TYPE text(tokenizer = 'array'),
    INDEX lemmas_index lemmas TYPE text(tokenizer = 'array'),
    INDEX letters_index replaceAll(lowerUTF8(text), 'ё', 'е') TYPE text(tokenizer = ngrams(3))
)
ENGINE = MergeTree
PARTITION BY batch
ORDER BY (video_id, channel, passage_no)
COMMENT 'a piece of a video''s text short enough to name a moment';

-- CODEC(NONE) as in 008_embeddings. sql/queries/vector_index.sql says how to add a vector index.
CREATE TABLE IF NOT EXISTS passage_embeddings
(
    video_id String COMMENT 'the video, as in `videos`',
    channel LowCardinality(String) COMMENT 'title, description, tags, caption, asr, ocr',
    passage_no Int32 COMMENT '0, 1, ... within the channel of the video',
    start_s Float64 COMMENT 'where it starts; 0 for what has no place in the video',
    end_s Float64 COMMENT 'where it ends; 0 for what has no place in the video',
    embedding Array(Float32) COMMENT 'unit-length vector' CODEC(NONE),
    model LowCardinality(String) COMMENT 'name and revision of the model that made the row',
    batch LowCardinality(String) COMMENT 'the batch the video belongs to'
)
ENGINE = MergeTree
PARTITION BY batch
ORDER BY (video_id, channel, passage_no)
COMMENT 'an embedding of a spoken or written passage';

-- Library-wide: made anew from the whole library and swapped in. In the order of words, so that
-- those that start with some letters lie side by side.
CREATE TABLE IF NOT EXISTS search_vocabulary
(
    word String COMMENT 'in lower case, with е for ё; two are joined by a space',
    lemma String COMMENT 'dictionary form, of each word',
    words Int32 COMMENT '1 or 2',
    videos Int64 COMMENT 'videos that have it in any text',
    title_videos Int64 COMMENT 'videos that have it in their title'
)
ENGINE = MergeTree
ORDER BY word
COMMENT 'a word of the library, or two that stand side by side';
