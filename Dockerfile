# One image, every role: `deltahub serve hub|web|relay|consumer|scheduler`, `deltahub migrate`, `deltahub adapter run PROVINCE`.
# The embedded PostgreSQL and Kafka are left out: in a cluster both are servers of their own.

FROM python:3.11-slim AS build
ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never UV_PROJECT_ENVIRONMENT=/opt/deltahub
# The C compiler stays in this stage.
RUN apt-get update \
    && apt-get install -y --no-install-recommends gcc libc6-dev \
    && rm -rf /var/lib/apt/lists/* \
    && pip install --no-cache-dir uv==0.13.9
WORKDIR /src
# Dependencies first: they change less often than the code, and this layer is kept while they do not.
COPY pyproject.toml uv.lock README.md ./
RUN uv sync --frozen --no-dev --group engine --no-install-project
COPY hub hub
COPY registry registry
COPY adapters adapters
COPY proto proto
COPY data data
COPY docs/openapi.json docs/
COPY tools/compile_engine.py tools/
COPY hatch_build.py ./
# Every command passes what this compiles; without it the image would run the same at two thirds of the speed.
RUN /opt/deltahub/bin/python tools/compile_engine.py
RUN uv sync --frozen --no-dev --no-editable \
    && cd / && DELTAHUB_ENGINE=compiled /opt/deltahub/bin/deltahub --help >/dev/null

FROM python:3.11-slim
LABEL org.opencontainers.image.title="deltahub" \
      org.opencontainers.image.description="Clearing hub for science and technology innovation vouchers" \
      org.opencontainers.image.licenses="Apache-2.0"
# A number, so that a cluster can see without the image's passwd file that it is not root.
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin deltahub \
    && install -d -o 10001 -g 10001 /var/lib/deltahub
COPY --from=build /opt/deltahub /opt/deltahub
ENV PATH=/opt/deltahub/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 DELTAHUB_DATA_DIR=/var/lib/deltahub
USER 10001:10001
WORKDIR /var/lib/deltahub
EXPOSE 8443 8080
ENTRYPOINT ["deltahub"]
CMD ["--help"]
