"""Places and organisations by their code, found over the public API as a client would."""

from dataclasses import dataclass, field

import httpx


@dataclass
class Places:
    http: httpx.AsyncClient
    _communities: dict[str, str] = field(default_factory=dict)
    _nodes: dict[str, str] = field(default_factory=dict)
    _orgs: dict[str, dict[str, str]] = field(default_factory=dict)

    async def node(self, community: str, code: str) -> str:
        """The community itself, or a place in it: 桐荫苑-3-2 (estate, building, entrance)."""
        if not self._communities:
            self._communities = await self._page("/v1/communities", {})
        if code == community:
            return self._communities[community]
        if code not in self._nodes:
            inside = f"/v1/communities/{self._communities[community]}/nodes"
            above = code.rpartition("-")[0]
            parent = {"parent": await self.node(community, above)} if above else {}
            self._nodes |= await self._page(inside, parent)
        return self._nodes[code]

    async def organisation(self, community: str, code: str) -> str:
        if community not in self._orgs:
            place = await self.node(community, community)
            self._orgs[community] = await self._page(f"/v1/communities/{place}/organisations", {})
        return self._orgs[community][code]

    async def _page(self, path: str, params: dict[str, str]) -> dict[str, str]:
        found: dict[str, str] = {}
        cursor: str | None = None
        while True:
            more = {} if cursor is None else {"cursor": cursor}
            answer = await self.http.get(path, params=params | more)
            answer.raise_for_status()
            page = answer.json()
            found |= {row["code"]: row["id"] for row in page["items"]}
            cursor = page["next_cursor"]
            if cursor is None:
                return found
