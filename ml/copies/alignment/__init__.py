"""Which seconds of one video show which seconds of another, from pairs of frames that match.

``matches`` are taken as intervals of time, ``hough`` finds the lines that most of them lie on,
``runs`` the best stretch of a line, and ``segments`` makes the segments of these, one by one.
"""
