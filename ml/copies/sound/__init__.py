"""What a video's sound is for finding copies, and whether two videos sound alike.

``bands`` describes a sound, ``audibility`` says what of it can be told, ``landmarks`` are the words
by which an index finds it. ``correlation`` lays two sounds over each other; ``along`` does so where
pictures match, ``alone`` without them.
"""
