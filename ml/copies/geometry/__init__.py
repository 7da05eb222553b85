"""Which frames of two videos show the same picture, and the plane transform between them.

``frames`` asks in turn: ``partners`` which frames are worth comparing, ``tentative`` which of their
features look alike, ``verification`` which of those agree on one transform, ``confidence`` how sure
that is, and ``hashes`` whether the whole pictures are alike. ``transforms`` reads a transform.
"""
