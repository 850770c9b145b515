# One image for every role: `docker run loyalty-stream poll`, `… worker --name 1`, and so on.
FROM python:3.12-slim AS build
RUN pip install --no-cache-dir uv
WORKDIR /build
ENV UV_PROJECT_ENVIRONMENT=/opt/loyalty UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy
# What it is built on first: it changes less often than the code.
COPY pyproject.toml uv.lock README.md LICENSE ./
RUN uv sync --frozen --no-dev --no-install-project
COPY stream ./stream
COPY producers ./producers
RUN uv sync --frozen --no-dev --no-editable

FROM python:3.12-slim
RUN useradd --uid 10001 --home-dir /data --create-home loyalty
COPY --from=build /opt/loyalty /opt/loyalty
ENV PATH=/opt/loyalty/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    LOYALTY_DATA_DIR=/data \
    LOYALTY_LOG_FORMAT=json
USER loyalty
WORKDIR /data
VOLUME /data
ENTRYPOINT ["loyalty"]
CMD ["--help"]
