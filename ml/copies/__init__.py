"""Copies: which earlier video a video shows again, which seconds of it, and whether the sound too.

``features`` and ``sound`` describe a video once; ``picture_index`` and ``sound_index`` name the few
videos worth comparing; ``pairs`` compares two: ``geometry`` (through ``long_videos``),
``alignment``, ``motion`` and ``sound``, each a room of its own; ``verdicts`` says in words what the
comparison means; ``groups`` joins pairs, ``strips`` shows them, ``evaluate`` holds them against the
truth. What is known of a video is handed on as ``evidence``.
"""
