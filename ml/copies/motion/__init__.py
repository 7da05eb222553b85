"""Whether two videos move alike along an alignment: tiny thumbnails, eight a second.

Pictures can look alike without being the same: a presenter in the same studio on another day,
another minute of the same broadcast. What changes from one eighth of a second to the next does not.
``shared_cells`` lays ``thumbnails`` of both over the region that they share; ``changes`` is what
moves there, and ``correlation`` holds it against each other over lag and speed. ``comparison`` says
whether a segment moves alike, ``offsets`` where two videos do without one, ``ends`` where they
part; ``realignment`` makes segments of all that.
"""
