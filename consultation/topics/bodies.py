"""Which bodies convene a topic and hear its appeals, and how many tellers a count needs."""

from consultation.community.tables import OrgKind

DEFAULT_CONVENER = OrgKind.COMMUNITY_PARTY_ORG
SUBDISTRICT = frozenset({OrgKind.SUBDISTRICT_OFFICE, OrgKind.TOWN_GOVERNMENT})
CONVENERS = SUBDISTRICT | {
    DEFAULT_CONVENER,
    OrgKind.RESIDENTS_COMMITTEE,
    OrgKind.VILLAGERS_COMMITTEE,
}
"""Who may convene (S1): the party organisation in principle, the others with a reason."""
APPEAL_BODIES = SUBDISTRICT | {OrgKind.SUPERVISION_COMMITTEE}
TELLERS_NEEDED = 2
