"""When and where things run: settings from the environment, definitions, jobs, the command line.

Importing it imports no torch, transformers, faiss or chdb: a code location loads in seconds.
"""
