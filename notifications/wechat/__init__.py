"""WeChat, as far as the product uses it: one client, a module for each noun of its interfaces.

``client`` carries requests and the access token; ``login``, ``phone``, ``oauth``, ``subscribe``,
``content``, ``codes`` and ``links`` say what may be asked; ``crypto`` and ``pushes`` read what
WeChat sends to us. Nothing here decides anything about the community.
"""
