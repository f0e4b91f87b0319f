"""What finds: search and mining over a crash-safe store, vectors in FAISS and BM25, reranking."""
