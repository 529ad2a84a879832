"""Every event that can happen, as a fact in the past tense: one file for each area.

An event is small and safe to read: its fields go to everybody who may follow its streams, so it
holds ids, states and counts, never a name, a reason about a person, or a choice.

``event`` says what an event is and on which streams it is told, ``streams`` what these are called,
``people`` has what one person is told, ``every`` is the list.
"""
