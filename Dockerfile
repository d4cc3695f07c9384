# One image for every process: `keyturn api`, `worker`, `beat`, `migrate`.
FROM python:3.12-slim AS build

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /build

# The locked dependencies, in a layer of their own: they change less often than the code.
COPY requirements/runtime.txt requirements/build.txt requirements/
RUN python -m venv /opt/keyturn \
    && /opt/keyturn/bin/pip install --require-hashes -r requirements/runtime.txt \
    && python -m venv /opt/build \
    && /opt/build/bin/pip install --require-hashes -r requirements/build.txt

COPY . .
RUN /opt/build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /wheels ./client . \
    && /opt/keyturn/bin/pip install --no-deps --no-index /wheels/*.whl

FROM python:3.12-slim

RUN useradd --system --uid 10001 --user-group --no-create-home --home-dir /nonexistent keyturn
COPY --from=build /opt/keyturn /opt/keyturn

# Whoever runs it (`docker compose run --user`) has a home that is there; nothing is kept in it.
ENV HOME=/tmp PATH=/opt/keyturn/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
USER 10001:10001
EXPOSE 8400
ENTRYPOINT ["keyturn"]
CMD ["--help"]
