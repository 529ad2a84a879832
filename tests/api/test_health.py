import httpx


async def test_health_and_readiness(client: httpx.AsyncClient) -> None:
    assert (await client.get("/healthz")).json() == {"status": "ok"}
    assert (await client.get("/readyz")).json() == {"status": "ready"}


async def test_an_unknown_address_is_a_problem_in_the_callers_language(
    client: httpx.AsyncClient,
) -> None:
    answer = await client.get("/v1/nothing", headers={"accept-language": "en"})

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "not-found"
    assert answer.json()["title"] == "Not found"
