FROM python:3.11-slim

ENV PATH=/srv/minyi/.venv/bin:$PATH \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PYTHONUNBUFFERED=1

RUN useradd --uid 10001 --create-home --shell /usr/sbin/nologin minyi
WORKDIR /srv/minyi

COPY pyproject.toml README.md LICENSE ./
COPY tests/constraints.txt tests/constraints.txt
COPY api api
COPY consultation consultation
COPY notifications notifications
COPY client-spec/verifier client-spec/verifier
RUN python -m venv .venv \
 && pip install -q -c tests/constraints.txt -e . \
 && install -d -o minyi var photos \
 && install -d -o minyi -m 700 box-keys

USER minyi
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s \
  CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/readyz', timeout=4)"]
CMD ["minyi", "serve"]
