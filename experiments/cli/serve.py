"""``kosim serve``: the HTTP service and its page."""

from __future__ import annotations

from typing import Any

import click

from kosim.encoders.errors import MissingExtraError
from kosim.experiments.cli.console import notes
from kosim.experiments.cli.encoder_options import SAVED_ENCODER
from kosim.experiments.cli.options import add_options, setting
from kosim.index.distributed.connection import AUTO
from kosim.serving.settings import ServingSettings


def _option(field: str, *name: str, **described: Any) -> Any:
    description = str(ServingSettings.model_fields[field].description)
    return setting(
        ServingSettings, field, *name, help=description.partition(" [default:")[0], **described
    )


def _options(*fields: str) -> Any:
    return lambda command: add_options(map(_option, fields), command)


@click.command("serve")
@_option("bi", "--encoder", type=SAVED_ENCODER, metavar="MODEL", aliases=("--bi",))
@_option("cross", "--reranker", type=SAVED_ENCODER, metavar="MODEL", aliases=("--cross",))
@_option("index", metavar="INDEX")
@_options("host", "port")
@_option("root_path", metavar="PATH")
@_option("workers")
@_option("keys", metavar="FILE")
@setting(
    ServingSettings,
    "allowed_hosts",
    "--allowed-host",
    multiple=True,
    metavar="NAME",
    shown_default="",
)
@_options("backend", "precision", "refine", "device", "queue")
@_option("batching", "--batching/--no-batching", shown_default="batching")
@_options("batch_wait", "batch_tokens", "max_items", "max_characters", "max_bytes")
@_options("max_connections", "drain")
@_option("ray", metavar="[HOST:PORT]", is_flag=False, flag_value=AUTO)
@_options("shard_replicas", "reranker_replicas", "max_replicas", "shard_cpus", "reranker_cpus")
@_options("shard_seconds", "reranker_seconds")
def serve_command(**values: Any) -> None:
    """Serve encoders and an index over HTTP, with a page to try them.

    With --ray, replicas on a Ray cluster serve the shards of an index (see kosim index shard) and
    the cross-encoder.

    \b
    Examples:
      kosim serve --reranker mini-cross
      kosim serve --index corpus.index --reranker mini-cross --port 8080
    """
    given = {name: value for name, value in values.items() if value is not None}
    settings = ServingSettings.checked(**given)
    try:
        from kosim.serving.server import serve
    except ImportError as error:
        raise MissingExtraError(
            f'kosim serve needs {error.name}: pip install "kosim[serve]"'
        ) from error
    serve(settings, _announce)


def _announce(address: str, settings: ServingSettings) -> None:
    said = {"cross": settings.cross, "bi": settings.bi, "index": settings.index}
    served = ", ".join(f"{name} {path}" for name, path in said.items() if path is not None)
    notes.print(f"{address} serves {served}", soft_wrap=True)
    if not settings.is_local and settings.keys is None:
        notes.print("Other machines can ask without a key; see --keys", style="yellow")
