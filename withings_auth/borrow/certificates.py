"""The certificates by which the proxy is Withings to one program, and nobody else to it.

An authority is made for each run. It vouches for Withings' hosts alone, signs one certificate, and then its key is
forgotten: nothing can be signed with it any more.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path

from withings_auth.errors import ConfigurationError

try:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
except ImportError as error:
    raise ConfigurationError(
        "run --as and run --proxy need the package cryptography, which is not installed",
        hint="install it in the checkout of withings-auth: pipx install --force '.[run-as]'",
    ) from error

LIFE = timedelta(days=397)  # the longest that every platform accepts; a run must not outlive it
CLOCKS_DIFFER_BY = timedelta(days=1)
_EVERY_ADDRESS = (ip_network("0.0.0.0/0"), ip_network("::/0"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificates:
    """An authority's certificate, and one that it signed, with its key; all in PEM."""

    authority: bytes
    server: bytes
    server_key: bytes = field(repr=False)


def issue_certificates(hosts: Sequence[str], now: datetime | None = None) -> Certificates:
    """Makes an authority that can vouch for these hosts only, and its one certificate, which is for all of them."""
    now = now or datetime.now(UTC)
    authority_key, server_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    names = [x509.DNSName(host) for host in hosts]
    authority_name = _name("withings-auth run --as")
    authority_id = x509.SubjectKeyIdentifier.from_public_key(authority_key.public_key())
    authority = (
        _builder(authority_name, authority_name, authority_key.public_key(), now)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(
            # Without the excluded addresses, a constraint on names would leave every address allowed.
            x509.NameConstraints(names, [x509.IPAddress(network) for network in _EVERY_ADDRESS]),
            critical=True,
        )
        .add_extension(authority_id, critical=False)
        .sign(authority_key, SHA256())
    )
    server = (
        _builder(_name(hosts[0]), authority_name, server_key.public_key(), now)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(server_key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(authority_id), critical=False)
        .sign(authority_key, SHA256())
    )
    return Certificates(
        authority=authority.public_bytes(Encoding.PEM),
        server=server.public_bytes(Encoding.PEM),
        server_key=server_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
    )


def make_server_context(certificates: Certificates) -> ssl.SSLContext:
    """Returns the TLS of a server with this certificate. Its key goes through a pipe, never through a file."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.set_alpn_protocols(["http/1.1"])
    certificate_end, key_end = _pipe_with(certificates.server), _pipe_with(certificates.server_key)
    try:
        context.load_cert_chain(f"/dev/fd/{certificate_end}", f"/dev/fd/{key_end}")
    finally:
        os.close(certificate_end)
        os.close(key_end)
    return context


def write_bundle(path: Path, certificates: Certificates, *, more: Sequence[str | None]) -> None:
    """Writes the authority's certificate beside those that this machine trusts, and those in the places of `more`."""
    default = ssl.get_default_verify_paths()
    known = b"".join(map(_read_certificates, dict.fromkeys(filter(None, [default.cafile or default.capath, *more]))))
    if not known:  # Python from python.org on macOS, for one, knows no file
        context = ssl.create_default_context()
        known = b"".join(ssl.DER_cert_to_PEM_cert(each).encode() for each in context.get_ca_certs(binary_form=True))
    path.write_bytes(known + certificates.authority)


def _read_certificates(place: str) -> bytes:
    """Returns the certificates in a file, or in the files of a directory, as OpenSSL and requests take both."""
    texts = []
    for file in sorted(Path(place).iterdir()) if Path(place).is_dir() else [Path(place)]:
        with suppress(OSError):
            texts.append(file.read_bytes().strip() + b"\n")
    return b"".join(text for text in dict.fromkeys(texts) if b"-----BEGIN CERTIFICATE-----" in text)


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCKS_DIFFER_BY)
        .not_valid_after(now - CLOCKS_DIFFER_BY + LIFE)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


def _pipe_with(data: bytes) -> int:
    """Returns the reading end of a pipe that holds the data, which must be small enough for it."""
    read_end, write_end = os.pipe()
    os.write(write_end, data)
    os.close(write_end)
    return read_end
