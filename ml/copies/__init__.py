"""Copies: which earlier video a video shows again, which seconds of it, and whether the sound too.

``features`` and ``sound`` describe a video once; ``picture_index`` and ``sound_index`` name the few
videos worth comparing; ``geometry`` (through ``long_videos``), ``alignment``, ``motion`` and
``sound`` compare one pair, ``pairs`` in turn; ``verdicts`` says in words what the comparison means; ``groups`` joins pairs,
``strips`` shows them, ``evaluate`` holds them against the truth.
"""
