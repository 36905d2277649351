"""Names of this machine, and the name in a Host header."""

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")


def host_name(host: str) -> str:
    """Return a Host header without its port, in small letters."""
    return (host.rsplit(":", 1)[0] if host.rpartition(":")[2].isdigit() else host).lower()
