"""Statement 52: the authority of a run vouches for Withings' hosts only, and its key is gone at once."""

from __future__ import annotations

import ssl
import sys
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from tests.support.logins import Desk
from withings_auth.borrow.calls import HOSTS
from withings_auth.borrow.certificates import Certificates, issue_certificates, make_server_context, write_bundle


def shake_hands(server: ssl.SSLContext, authority: bytes, host: str) -> None:
    """Lets a client that trusts the authority connect to the server by this name. Raises `SSLError` if it will not."""
    client = ssl.create_default_context(cadata=authority.decode())
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        client.wrap_bio(to_client, to_server, server_hostname=host),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]
    for _ in range(10):
        for end in ends:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue


@pytest.mark.parametrize("host", HOSTS)
def test_a_program_accepts_the_certificate_for_withings(host: str) -> None:
    certificates = issue_certificates(HOSTS)
    shake_hands(make_server_context(certificates), certificates.authority, host)


def test_a_clock_that_is_hours_behind_accepts_it() -> None:
    now = datetime.now(UTC)
    certificates = issue_certificates(HOSTS, now)
    for each in (certificates.authority, certificates.server):
        certificate = x509.load_pem_x509_certificate(each)
        assert certificate.not_valid_before_utc < now - timedelta(hours=12)
        assert certificate.not_valid_after_utc > now + timedelta(days=365)


def test_nobody_else_accepts_it() -> None:
    certificates, others = issue_certificates(HOSTS), issue_certificates(HOSTS)
    with pytest.raises(ssl.SSLCertVerificationError, match=r"signature failure|unable to get|self-signed|issuer"):
        shake_hands(make_server_context(certificates), others.authority, HOSTS[0])
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        shake_hands(make_server_context(certificates), certificates.authority, "api.example.com")


@pytest.mark.parametrize(
    "name",
    [
        x509.DNSName("intervals.icu"),
        x509.DNSName("withings.net"),
        x509.IPAddress(ip_address("192.0.2.1")),
        x509.IPAddress(ip_address("2001:db8::1")),
    ],
    ids=lambda name: str(name.value),
)
def test_with_its_key_it_could_vouch_for_no_other_host(name: x509.GeneralName, monkeypatch: pytest.MonkeyPatch) -> None:
    """Statement 52: even if the key of the authority were kept, nobody would believe what it signs."""
    made: list[ec.EllipticCurvePrivateKey] = []
    generate = ec.generate_private_key

    def keep(curve: ec.EllipticCurve) -> ec.EllipticCurvePrivateKey:
        made.append(generate(curve))
        return made[-1]

    monkeypatch.setattr(ec, "generate_private_key", keep)
    certificates = issue_certificates(HOSTS)
    authority, server = map(x509.load_pem_x509_certificate, (certificates.authority, certificates.server))
    authority_key, server_key = made
    forged = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "forged")]))
        .issuer_name(authority.subject)
        .public_key(server_key.public_key())
        .serial_number(1)
        .not_valid_before(server.not_valid_before_utc)
        .not_valid_after(server.not_valid_after_utc)
        .add_extension(x509.SubjectAlternativeName([name]), critical=False)
    )
    for extension in server.extensions:
        if not isinstance(extension.value, x509.SubjectAlternativeName):
            forged = forged.add_extension(extension.value, critical=extension.critical)
    pem = forged.sign(authority_key, SHA256()).public_bytes(Encoding.PEM)
    key = server_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    context = make_server_context(Certificates(authority=certificates.authority, server=pem, server_key=key))
    with pytest.raises(ssl.SSLCertVerificationError, match=r"permitted subtree violation|excluded subtree violation"):
        shake_hands(context, certificates.authority, str(name.value))


def test_the_authority_can_make_no_other_authority() -> None:
    authority = x509.load_pem_x509_certificate(issue_certificates(HOSTS).authority)
    assert authority.extensions.get_extension_for_class(x509.BasicConstraints).value.path_length == 0


def test_no_key_is_in_a_repr() -> None:
    assert "PRIVATE KEY" not in repr(issue_certificates(HOSTS))


def test_the_bundle_holds_the_machines_own_authorities_as_well(tmp_path: Path) -> None:
    """What a variable names already is kept, a file or a directory; one that is missing is not in the way."""
    in_file, in_directory = (issue_certificates([f"{name}.example"]) for name in ("file", "directory"))
    certificates = issue_certificates(HOSTS)
    (tmp_path / "own.pem").write_bytes(in_file.authority)
    directory = tmp_path / "directory"
    directory.mkdir()
    (directory / "0a1b2c3d.0").write_bytes(in_directory.authority)
    (directory / "README").write_bytes(b"no certificate")
    (directory / "dangling").symlink_to("nowhere")
    more = [str(tmp_path / "own.pem"), str(directory), str(tmp_path / "missing.pem"), "", None]
    write_bundle(tmp_path / "bundle.pem", certificates, more=more)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(tmp_path / "bundle.pem")
    found = set(context.get_ca_certs(binary_form=True))
    machine = ssl.create_default_context().get_ca_certs(binary_form=True)
    ours = [ssl.PEM_cert_to_DER_cert(each.authority.decode()) for each in (in_file, in_directory, certificates)]
    assert found >= {*machine, *ours}


def test_a_machine_without_a_file_of_authorities_is_asked_by_its_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = issue_certificates(["known.example"])
    (tmp_path / "known.pem").write_bytes(known.authority)
    loaded = ssl.create_default_context(cafile=str(tmp_path / "known.pem"))
    nowhere = ssl.get_default_verify_paths()._replace(cafile="", capath="")
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: nowhere)
    monkeypatch.setattr(ssl, "create_default_context", lambda: loaded)
    write_bundle(tmp_path / "bundle.pem", issue_certificates(HOSTS), more=[])
    assert ssl.PEM_cert_to_DER_cert(known.authority.decode()) in loaded.get_ca_certs(binary_form=True)
    assert known.authority.split(b"\n")[1] in (tmp_path / "bundle.pem").read_bytes()


def test_without_its_package_the_user_hears_how_to_install_it(logged_in: Desk) -> None:
    """Nothing is started or written, and nobody sees a traceback."""
    script = (
        "import sys; sys.modules['cryptography'] = None; from withings_auth.__main__ import run;"
        "sys.argv = ['withings-auth', 'run', '--as', 'withings-sync', '--', 'echo']; run()"
    )
    ran = logged_in.cli.using(sys.executable, "-c")(script, env=logged_in.env)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr == (
        "withings-auth: error: run --as and run --proxy need the package cryptography, which is not installed\n"
        "hint: install it in the checkout of withings-auth: pipx install --force '.[run-as]'\n"
    )
    assert not (logged_in.directory / "programs").exists()
