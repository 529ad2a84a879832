"""Loads what the gates look at, group by group, only what a transition needs.

Each group costs one or two statements, independent of how many people, posts or ballots there
are: numbers that grow are counted by the database or kept on the row. The files are those of
``gates``.
"""
