"""THE RULES OF THE COMMUNITY: where nodes hang, who is what, which roles exclude each other."""

from consultation.refusals import NotPermitted


class RoleNotHeld(NotPermitted):
    """The role the request says it acts under is not held, or not now."""

    code = "role-not-held"
