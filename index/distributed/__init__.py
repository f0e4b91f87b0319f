"""Encoding and search on a cluster; Ray schedules, places, retries and transports."""
