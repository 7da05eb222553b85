"""Topics: videos that are about the same thing, found without being told what there is.

`space` places videos by everything known of them, and stays as it was learnt, so that the
centroids of two nights compare and a new video can be placed; `clustering` finds the topics;
`naming` says what they are about; `map` lays them out for a picture.
"""
