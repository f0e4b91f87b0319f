"""What finds: vectors in FAISS, lexical search, the store on disk, reranking."""
