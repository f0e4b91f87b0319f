# Two images: `server` (the default) has no torch, and encoders compute from their exports;
# `full` has everything that trains and exports.
#
#     docker build -t kosim .
#     docker run -p 8000:8000 kosim
#     docker run -p 8000:8000 -v $PWD/models:/models kosim --encoder /models/bi --reranker /models/cross
#
#     docker build --target full -t kosim-full .
#     docker run --user $(id -u) -e HOME=/tmp -v $PWD:/work kosim-full compare pairs.csv --out runs/mine
#
# To serve an encoder of your own without torch, export it with the full image: kosim export MODEL.
FROM python:3.11-slim AS source
COPY . /src
WORKDIR /src
RUN python -m venv /opt/kosim

FROM source AS full-build
RUN /opt/kosim/bin/pip install --no-cache-dir -c constraints.txt ".[serve,lexical,excel,onnx,tune]" \
        --extra-index-url https://download.pytorch.org/whl/cpu

FROM python:3.11-slim AS full
COPY --from=full-build /opt/kosim /opt/kosim
RUN useradd --create-home --uid 10001 kosim
USER 10001
WORKDIR /work
ENTRYPOINT ["/opt/kosim/bin/kosim"]

FROM source AS server-build
RUN /opt/kosim/bin/pip install --no-cache-dir -c constraints.txt -r requirements-server.txt \
    && /opt/kosim/bin/pip install --no-cache-dir --no-deps . \
    && /opt/kosim/bin/pip uninstall --yes pip setuptools

FROM python:3.11-slim AS server
COPY --from=server-build /opt/kosim /opt/kosim
RUN useradd --create-home --uid 10001 kosim
USER 10001
EXPOSE 8000
ENTRYPOINT ["/opt/kosim/bin/kosim", "serve", "--host", "0.0.0.0", "--port", "8000"]
