"""Density clustering at any size, joining clusters later, and ids that outlive a clustering.

`density` is exact and for a few 10,000 rows, `graph` and `sampled` are for more; `assigning` puts
new rows into clusters found earlier, and `matching` tells which of them are those of before.
"""
