"""TLS: the certificate of our ports, and whose certificates of deployments we trust."""

from __future__ import annotations

import ssl
from importlib.util import find_spec
from pathlib import Path

from rtour.errors import RtourError
from rtour.server.tokens import warn_if_shared


class BadCertificate(RtourError):  # noqa: N818 - reads as the fact it reports
    """A file of certificates or keys that cannot be used."""


def of_ports(cert: str | None, key: str | None, *, http: bool) -> ssl.SSLContext | None:
    """The context of a port, TLS 1.2 or newer; None where TLS is not configured.

    With `http` the client is offered HTTP/2 and HTTP/1.1.
    """
    if cert is None and key is None:
        return None
    if cert is None or key is None:
        missing = "tls_cert" if cert is None else "tls_key"
        raise BadCertificate(f"TLS needs a certificate and its key: {missing} is not set")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        # Without a password of its own OpenSSL would ask the terminal for one.
        context.load_cert_chain(cert, key, password=lambda: "")
    except (OSError, ValueError) as error:
        raise BadCertificate(f"cannot use tls_cert {cert} with tls_key {key}: {error}") from error
    warn_if_shared(Path(key), "tls_key")
    if http:
        context.set_alpn_protocols((["h2"] if find_spec("ngh2") else []) + ["http/1.1"])
    return context


def check_authorities(file: str | None) -> None:
    """Refuse a bundle of authorities that no connection could use, at the start."""
    if file is None:
        return
    try:
        ssl.create_default_context(cafile=file)
    except OSError as error:
        raise BadCertificate(f"cannot use deployment_ca_file {file}: {error}") from error
