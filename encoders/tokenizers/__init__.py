"""Tokenizers trained from a corpus, each an ordinary fast Hugging Face tokenizer on disk."""
