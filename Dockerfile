# The platform as an image: `docker build -t analytics-platform .`
# One image serves every process: the command line is the entry point, Dagster's commands are on the PATH too.
FROM python:3.11.14-slim-bookworm AS build
WORKDIR /src
COPY deploy/install.sh deploy/requirements.lock deploy/
COPY pyproject.toml setup.py README.md LICENSE ./
COPY analytics_platform analytics_platform
RUN deploy/install.sh /opt/analytics

# A server of Spark Connect for SPARK_REMOTE: `docker build --target spark -t analytics-spark .`
FROM python:3.11.14-slim-bookworm AS spark
COPY deploy/sail.lock /tmp/
RUN pip install --no-cache-dir --no-deps --require-hashes -r /tmp/sail.lock \
    && useradd --uid 10001 --create-home analytics
USER 10001
EXPOSE 15002
ENTRYPOINT ["sail", "spark", "server", "--ip", "0.0.0.0", "--port", "15002"]

FROM python:3.11.14-slim-bookworm
# A fixed number, so that the rights of a mounted folder can be given before the container starts.
RUN useradd --uid 10001 --create-home analytics \
    && install --directory --owner=analytics --mode=0700 /data /srv/dagster /srv/dagster/storage
COPY --from=build /opt/analytics /opt/analytics
# DAGSTER_HOME of several processes, as in compose.yaml; a single `materialize` keeps its runs in /data/dagster.
COPY deploy/dagster.yaml deploy/workspace.yaml /srv/dagster/
# Without the MALLOC settings glibc keeps what was freed: a file of 10 GB took 1.7 GB of memory instead of 1.45.
ENV PATH="/opt/analytics/bin:$PATH" DATA_DIR=/data MALLOC_ARENA_MAX=2 MALLOC_MMAP_THRESHOLD_=1048576 \
    MALLOC_TRIM_THRESHOLD_=1048576
USER 10001
WORKDIR /data
VOLUME /data
ENTRYPOINT ["analytics-platform"]
CMD ["--help"]
