"""Shards and rerankers as Ray Serve deployments; Serve places, scales and replaces replicas."""
