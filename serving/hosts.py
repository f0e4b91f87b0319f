"""The names that a server answers to: what keeps web pages of others away from it.

A page of anybody's can make a browser send requests to this machine's own address, by letting its
name resolve to that (DNS rebinding). The browser then names that page's host in Host and Origin.
"""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.datastructures import Headers

from kosim.serving.problems import Problem
from kosim.serving.settings import ServingSettings, is_loopback

ANY = "*"
"""Stands for every name."""


class Hosts:
    """Which hosts a request may name in its Host and Origin headers.

    Args:
        names: host names without a port, beside those of this machine's loopback interface; every
            name when None.
    """

    def __init__(self, names: Iterable[str] | None) -> None:
        self._names = None if names is None else {name.lower().rstrip(".") for name in names}

    @classmethod
    def of(cls, settings: ServingSettings) -> Hosts:
        """Return what a server checks.

        Named hosts are always checked. Otherwise a key protects the server where one is asked for,
        and other machines may reach it by any name where it listens on more than the loopback
        interface.
        """
        names = settings.allowed_hosts
        if ANY in names or (not names and (settings.keys is not None or not settings.is_local)):
            return cls(None)
        return cls((*names, settings.host))

    def check(self, headers: Headers) -> None:
        """Check the Host and Origin headers of a request.

        Raises:
            Problem: 403, one of them names another host.
        """
        if self._names is None:
            return
        given = headers.getlist("host")
        if len(given) != 1 or not self._is_allowed(f"//{given[0]}"):
            raise _foreign("Host", ", ".join(given))
        for origin in headers.getlist("origin"):
            if not self._is_allowed(origin):
                raise _foreign("Origin", origin)

    def _is_allowed(self, address: str) -> bool:
        try:
            name = urlsplit(address).hostname
        except ValueError:
            return False
        if not name:
            return False
        name = name.rstrip(".")
        return is_loopback(name) or name in (self._names or ())


def _foreign(header: str, value: str) -> Problem:
    return Problem(
        403,
        f"foreign_{header.lower()}",
        f"the {header} header is {value!r:.200}, which is not this server; start kosim serve with "
        "--allowed-host NAME for each name under which it is reached, or with --keys FILE",
    )
