"""Adaptive reranking: a policy that says when the remaining candidates may be left out."""
