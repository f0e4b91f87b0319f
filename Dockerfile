# A server without torch: encoders compute from their exports (see requirements-server.txt).
#
#     docker build -t kosim .
#     docker run -p 8000:8000 kosim
#     docker run -p 8000:8000 -v $PWD/models:/models kosim --bi /models/bi --cross /models/cross
#
# Encoders of your own need an export: kosim export MODEL, where kosim is installed in full.
FROM python:3.11-slim AS build
COPY . /src
WORKDIR /src
RUN python -m venv /opt/kosim \
    && /opt/kosim/bin/pip install --no-cache-dir -c constraints.txt -r requirements-server.txt \
    && /opt/kosim/bin/pip install --no-cache-dir --no-deps . \
    && /opt/kosim/bin/pip uninstall --yes pip setuptools

FROM python:3.11-slim
COPY --from=build /opt/kosim /opt/kosim
RUN useradd --create-home kosim
USER kosim
EXPOSE 8000
ENTRYPOINT ["/opt/kosim/bin/kosim", "serve", "--host", "0.0.0.0", "--port", "8000"]
