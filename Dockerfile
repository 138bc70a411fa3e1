# One image for every process of Perdure: web, relay, workers, Flower, migration. docker-compose.yml runs them.
FROM python:3.13-slim AS packages

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/perdure
# First what changes seldom. Wheels only, each with the hash in the lock file.
COPY requirements.lock /src/
RUN /opt/perdure/bin/pip install --require-hashes --only-binary :all: -r /src/requirements.lock


# The page. Its types come from the API's own description, so the project is installed first; Node comes as a wheel.
FROM packages AS page

COPY . /src/
RUN /opt/perdure/bin/pip install --no-build-isolation --no-deps --no-index -e /src \
 && VENV=/opt/perdure sh /src/scripts/web.sh


FROM packages AS build

COPY . /src/
COPY --from=page /src/api/static/app /src/api/static/app
# Its build backend is in the lock file too, so nothing is fetched for it.
RUN /opt/perdure/bin/pip install --no-build-isolation --no-deps --no-index /src


FROM python:3.13-slim

RUN useradd --uid 10001 --user-group --home-dir /var/lib/perdure --no-create-home --shell /usr/sbin/nologin perdure \
 && install -d -o perdure -g perdure -m 0700 /var/lib/perdure
COPY --from=build /opt/perdure /opt/perdure

ENV PATH=/opt/perdure/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PERDURE_LOG_FORMAT=json \
    PYTHONDONTWRITEBYTECODE=1 \
    PERDURE_DATA_DIR=/var/lib/perdure \
    PERDURE_HOST=0.0.0.0
USER perdure
WORKDIR /var/lib/perdure
VOLUME /var/lib/perdure
EXPOSE 8400

# Of the web process, which this image runs by default. The other services bring their own.
HEALTHCHECK --interval=15s --timeout=5s --start-period=20s \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8400/readyz', timeout=4)"]

# The control socket would be a file in the home directory that all containers of the volume share.
CMD ["gunicorn", "--no-control-socket", "--logger-class", "api.server_log.ServerLog", "-k", "gthread", "--workers", "1", "--threads", "16", \
     "--graceful-timeout", "5", "-b", "0.0.0.0:8400", "api.wsgi:app"]
