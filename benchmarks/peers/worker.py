"""One peer doing one task, in the peer's own environment: nothing of kosim is imported here.

    python worker.py JOB.json RESULT.json

The job names the peer, the task, the model and the file of texts; the result holds the seconds,
the peak memory and the peer's version, and beside it the answer as ``.npy``. Each peer is used as
its documentation shows, with the threads that the job names.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import shutil
import sys
import time
from pathlib import Path
from typing import Any

Job = dict[str, Any]
Peer = Any
"""(job, texts) -> (bulk, single): calls without and with one text."""


def sentence_transformers_encode(job: Job, texts: dict[str, Any]) -> Peer:
    """Encode with ``SentenceTransformer.encode``."""
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(job["encoder"], device="cpu")
    return (
        lambda: model.encode(texts["sentences"], normalize_embeddings=True),
        lambda text: model.encode(text, normalize_embeddings=True),
    )


def sentence_transformers_score(job: Job, texts: dict[str, Any]) -> Peer:
    """Score with ``CrossEncoder.predict`` and rank with ``CrossEncoder.rank``."""
    from sentence_transformers import CrossEncoder

    model = CrossEncoder(job["reranker"], device="cpu")
    return (
        lambda: model.predict(texts["pairs"]),
        lambda text: model.rank(text, texts["candidates"]),
    )


def sentence_transformers_rerank(job: Job, texts: dict[str, Any]) -> Peer:
    """Retrieve and rerank as the documentation of sentence-transformers does, with FAISS."""
    import faiss
    import numpy as np
    from sentence_transformers import CrossEncoder, SentenceTransformer

    faiss.omp_set_num_threads(job["threads"])
    encoder = SentenceTransformer(job["encoder"], device="cpu")
    reranker = CrossEncoder(job["reranker"], device="cpu")
    vectors = np.load(job["vectors"])
    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(vectors)

    def search(queries: list[str]) -> Any:
        found = []
        embedded = encoder.encode(queries, normalize_embeddings=True)
        _, rows = index.search(embedded, job["candidates"])
        for query, row in zip(queries, rows, strict=True):
            scores = reranker.predict([(query, texts["corpus"][number]) for number in row])
            found.append(row[np.argsort(-scores, kind="stable")[:10]])
        return np.array(found)

    return lambda: search(texts["queries"]), lambda text: search([text])


def rerankers_score(job: Job, texts: dict[str, Any]) -> Peer:
    """Rank with ``rerankers``, one document for each pair.

    Its ``score`` reads the two texts of a pair as two inputs. Its scores are logits.
    """
    import numpy as np
    from rerankers import Reranker

    model = Reranker(job["reranker"], model_type="cross-encoder", device="cpu", verbose=0)

    def score() -> Any:
        ranked = (model.rank(query=first, docs=[second]) for first, second in texts["pairs"])
        return 1 / (1 + np.exp(-np.array([one.results[0].score for one in ranked])))

    return score, lambda text: model.rank(query=text, docs=texts["candidates"])


def flagembedding_score(job: Job, texts: dict[str, Any]) -> Peer:
    """Score with ``FlagReranker.compute_score``; it needs transformers 4."""
    from FlagEmbedding import FlagReranker

    model = FlagReranker(job["reranker"], use_fp16=False, devices="cpu")
    return (
        lambda: model.compute_score(texts["pairs"], normalize=True),
        lambda text: model.compute_score([(text, other) for other in texts["candidates"]]),
    )


def fastembed_encode(job: Job, texts: dict[str, Any]) -> Peer:
    """Encode with fastembed, on the graph that kosim exported: it makes none itself."""
    import numpy as np
    from fastembed import TextEmbedding
    from fastembed.common.model_description import ModelSource, PoolingType

    TextEmbedding.add_custom_model(
        model="local/encoder",
        pooling=PoolingType.DISABLED,
        normalization=False,
        sources=ModelSource(hf="local/encoder"),
        dim=int(np.load(job["vectors"], mmap_mode="r").shape[1]),
        model_file=job["graph"],
    )
    model = TextEmbedding(
        "local/encoder", specific_model_path=job["encoder"], threads=job["threads"]
    )
    prompted = [job["prompt"] + text for text in texts["sentences"]]
    return (
        lambda: np.array(list(model.embed(prompted))),
        lambda text: list(model.embed([job["prompt"] + text])),
    )


def light_embed_encode(job: Job, texts: dict[str, Any]) -> Peer:
    """Encode with light-embed, on the graph that kosim exported.

    It reads a file that transformers no longer writes, and which says nothing new.
    """
    from light_embed import TextEmbedding

    folder = Path(job["encoder"]).with_name("light-embed")
    if not folder.is_dir():
        shutil.copytree(job["encoder"], folder)
    settings = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    special = {name: settings[name] for name in settings if name.endswith("_token")}
    (folder / "special_tokens_map.json").write_text(json.dumps(special), encoding="utf-8")
    model = TextEmbedding(
        model_name_or_path=str(folder),
        model_config={
            "onnx_file": job["graph"],
            "onnx_output_map": {"output": "sentence_embedding"},
        },
    )
    prompted = [job["prompt"] + text for text in texts["sentences"]]
    return lambda: model.encode(prompted), lambda text: model.encode(job["prompt"] + text)


def text2vec_encode(job: Job, texts: dict[str, Any]) -> Peer:
    """Encode with text2vec's ``SentenceModel``."""
    from text2vec import SentenceModel

    model = SentenceModel(job["encoder"], device="cpu")
    prompted = [job["prompt"] + text for text in texts["sentences"]]
    return (
        lambda: model.encode(prompted, normalize_embeddings=True),
        lambda text: model.encode(job["prompt"] + text, normalize_embeddings=True),
    )


def faiss_vectors(job: Job, texts: dict[str, Any]) -> Peer:
    """Search vectors exactly with FAISS."""
    import faiss
    import numpy as np

    faiss.omp_set_num_threads(job["threads"])
    vectors, queries = np.load(job["vectors"]), np.load(job["query_vectors"])
    index = faiss.IndexFlatIP(vectors.shape[1])
    index.add(vectors)
    return lambda: index.search(queries, 10)[1], lambda text: index.search(queries[:1], 10)


def hnswlib_vectors(job: Job, texts: dict[str, Any]) -> Peer:
    """Search vectors with hnswlib."""
    import hnswlib
    import numpy as np

    vectors, queries = np.load(job["vectors"]), np.load(job["query_vectors"])
    index = hnswlib.Index(space="ip", dim=vectors.shape[1])
    index.init_index(max_elements=len(vectors), ef_construction=200, M=16)
    index.set_num_threads(job["threads"])
    index.add_items(vectors)
    index.set_ef(100)
    return lambda: index.knn_query(queries, k=10)[0], lambda text: index.knn_query(queries[:1], 10)


def usearch_vectors(job: Job, texts: dict[str, Any]) -> Peer:
    """Search vectors with usearch."""
    import numpy as np
    from usearch.index import Index

    vectors, queries = np.load(job["vectors"]), np.load(job["query_vectors"])
    index = Index(ndim=vectors.shape[1], metric="ip")
    index.add(np.arange(len(vectors)), vectors, threads=job["threads"])
    return (
        lambda: index.search(queries, 10, threads=job["threads"]).keys,
        lambda text: index.search(queries[0], 10),
    )


def main(job_path: Path, result_path: Path) -> None:
    """Do the job and write its result."""
    job = json.loads(job_path.read_text(encoding="utf-8"))
    threads = str(job["threads"])
    # Before any library is imported, which is when they read it.
    os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), threads))
    os.environ.update(HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false", TQDM_DISABLE="1")
    texts = json.loads(Path(job["texts"]).read_text(encoding="utf-8"))
    prepare = globals()[f"{job['peer'].replace('-', '_')}_{job['task']}"]
    began = time.monotonic()
    bulk, single = prepare(job, texts)
    opened = time.monotonic()
    single(texts["singles"][0])
    first = time.monotonic()
    singles = []
    for text in texts["singles"]:
        started = time.perf_counter()
        single(text)
        singles.append(time.perf_counter() - started)
    started = time.perf_counter()
    answer = bulk()
    seconds = time.perf_counter() - started
    import numpy as np

    np.save(result_path.with_suffix(".npy"), np.asarray(answer))
    status = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    peak = next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))
    result = {
        "cold_start": first - job["started"],
        "opening": opened - began,
        "bulk": seconds,
        "singles": singles,
        "peak_memory": peak,
        "versions": {name: importlib.metadata.version(name) for name in job["packages"]},
    }
    result_path.write_text(json.dumps(result), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
