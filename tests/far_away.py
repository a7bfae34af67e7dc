"""Other machines' hosts, played on this one: a proxy that answers for https addresses with a server of the test's own.

The client under test sees the host's real name, a valid certificate and its own key; nothing leaves this machine,
because every connection ends at the proxy. Whoever is to use it gets :attr:`FarAway.environment`.
"""

from __future__ import annotations

import contextlib
import datetime
import socket
import ssl
import threading
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DAY = datetime.timedelta(days=1)


class FarAway:
    """Runs on a free loopback port.

    Args:
        port: where the real server listens on this machine, without encryption.
        folder: takes the certificates.
        names: host names to answer for; ``*.example.com`` stands for all names below.

    Attributes:
        environment: variables that send a program's https traffic here and make it trust these certificates.
        asked: names that were connected to, in order.
    """

    def __init__(self, port: int, folder: Path, names: list[str]) -> None:
        self.port, self.asked = port, []
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(*_certificate(folder, names))
        self.listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._listen, daemon=True).start()
        address = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.environment = {
            "HTTPS_PROXY": address, "https_proxy": address, "NO_PROXY": "127.0.0.1,localhost",
            "SSL_CERT_FILE": str(folder / "authority.pem"),
        }  # fmt: skip

    def close(self) -> None:
        self.listener.close()

    def _listen(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        """One CONNECT: take the client's TLS off and carry what is inside to the server."""
        with contextlib.suppress(OSError):
            head = b""
            while b"\r\n\r\n" not in head:
                head += client.recv(4096)
            self.asked.append(head.split()[1].decode().rsplit(":", 1)[0])
            client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            inner = self.context.wrap_socket(client, server_side=True)
            server = socket.create_connection(("127.0.0.1", self.port))
            threading.Thread(target=_carry, args=(server, inner), daemon=True).start()
            _carry(inner, server)


def _carry(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    for one in (source, target):
        with contextlib.suppress(OSError):
            one.close()


def _certificate(folder: Path, names: list[str]) -> tuple[Path, Path]:
    """An authority of the test's own, and a certificate by it for these names: its file and its key's."""
    authority_key, authority = _signed("The test's own authority", [], None)
    key, certificate = _signed("far away", names, (authority_key, authority))
    plain = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    files = {
        "authority.pem": authority.public_bytes(serialization.Encoding.PEM),
        "host.pem": certificate.public_bytes(serialization.Encoding.PEM),
        "host.key": key.private_bytes(*plain),
    }
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder / "host.pem", folder / "host.key"


def _signed(common_name: str, names: list[str], by: tuple | None) -> tuple:
    """A key and its certificate, signed by another one or, as an authority, by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    signer, issuer = (by[0], by[1].subject) if by else (key, subject)
    now = datetime.datetime.now(datetime.UTC)
    build = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
    build = build.serial_number(x509.random_serial_number()).not_valid_before(now - DAY).not_valid_after(now + DAY)
    build = build.add_extension(x509.BasicConstraints(ca=by is None, path_length=None), critical=True)
    identifier = x509.SubjectKeyIdentifier.from_public_key
    build = build.add_extension(identifier(key.public_key()), critical=False)
    build = build.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
    if names:
        build = build.add_extension(x509.SubjectAlternativeName([x509.DNSName(n) for n in names]), critical=False)
    return key, build.sign(signer, hashes.SHA256())
