"""The city's own authority, and what openssl says of what it makes."""

import subprocess
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from city.clock import DAY_US, SystemClock
from city.errors import DataError, SettingsError
from ingest.credentials import authority as ca
from tests.deploy.conftest import tool

NOW = SystemClock().now_us()


def openssl(*words: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([tool("openssl"), *words], cwd=folder, capture_output=True, text=True, check=False)


def request(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey, name: str = "another name") -> bytes:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    return made.public_bytes(serialization.Encoding.PEM)


def test_openssl_finds_a_certificate_good_until_it_is_revoked(tmp_path: Path) -> None:
    authority = ca.make_authority("gateways", 100, NOW)
    made = ca.issue(authority, "GW-1", 30, NOW)
    (tmp_path / "ca.crt").write_bytes(authority.pem)
    (tmp_path / "gw.crt").write_text(made.pem)
    check = (
        "verify",
        "-x509_strict",
        "-purpose",
        "sslclient",
        "-crl_check",
        "-CRLfile",
        "list.pem",
        "-CAfile",
        "ca.crt",
        "gw.crt",
    )
    other = ca.issue(authority, "GW-2", 30, NOW)
    (tmp_path / "list.pem").write_bytes(ca.revocation_list(authority, [(other.serial, NOW)], NOW))
    done = openssl(*check, folder=tmp_path)
    assert (done.returncode, done.stdout) == (0, "gw.crt: OK\n"), done.stderr
    revoked = [(other.serial, NOW), (made.serial, NOW)]
    (tmp_path / "list.pem").write_bytes(ca.revocation_list(authority, revoked, NOW))
    assert list(ca.serials_of((tmp_path / "list.pem").read_bytes())) == [other.serial, made.serial]
    assert "certificate revoked" in openssl(*check, folder=tmp_path).stderr
    assert made.expires_at // 1_000_000 == (NOW + 30 * DAY_US) // 1_000_000


def test_a_gateway_keeps_its_key_and_is_named_by_us_whatever_its_request_says() -> None:
    authority = ca.make_authority("gateways", 100, NOW)
    own = ec.generate_private_key(ec.SECP256R1())
    made = ca.issue(authority, "GW-1", 30, NOW, request(own))
    assert made.key_pem == ""
    certificate = x509.load_pem_x509_certificate(made.pem.encode())
    assert certificate.public_key() == own.public_key()
    assert certificate.subject.rfc4514_string() == "CN=GW-1"
    certificate.verify_directly_issued_by(authority.certificate)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (b"nonsense", "no signing request"),
        (request(rsa.generate_private_key(65537, 1024)), "RSA of 2048 bits or more"),
        (request(ec.generate_private_key(ec.SECP192R1())), "P-256, P-384"),
    ],
    ids=["nonsense", "short", "weak"],
)
def test_requests_that_nobody_should_sign_are_refused(words: bytes, told: str) -> None:
    with pytest.raises(DataError, match=told):
        ca.issue(ca.make_authority("gateways", 100, NOW), "GW-1", 30, NOW, words)


def test_a_request_that_was_changed_on_its_way_is_refused() -> None:
    der = bytearray(
        x509.load_pem_x509_csr(request(ec.generate_private_key(ec.SECP256R1()))).public_bytes(
            serialization.Encoding.DER
        )
    )
    der[-1] ^= 1
    pem = x509.load_der_x509_csr(bytes(der)).public_bytes(serialization.Encoding.PEM)
    with pytest.raises(DataError, match="not signed with its own key"):
        ca.issue(ca.make_authority("gateways", 100, NOW), "GW-1", 30, NOW, pem)


def test_no_certificate_outlives_its_authority() -> None:
    with pytest.raises(DataError, match="choose fewer days"):
        ca.issue(ca.make_authority("gateways", 10, NOW), "GW-1", 11, NOW)


def test_a_passphrase_protects_the_key_and_what_does_not_fit_is_explained() -> None:
    authority = ca.make_authority("gateways", 100, NOW)
    hidden = ca.key_pem(authority, b"phrase")
    assert b"ENCRYPTED" in hidden
    assert ca.read_authority(authority.pem, hidden, b"phrase").certificate == authority.certificate
    for pem, phrase, told in [
        (hidden, None, "needs its passphrase"),
        (hidden, b"wrong", "damaged, or the passphrase is another"),
        (ca.key_pem(authority, None), b"phrase", "has no passphrase"),
        (b"nonsense", None, "damaged"),
        (ca.key_pem(ca.make_authority("x", 1, NOW), None), None, "do not belong together"),
    ]:
        with pytest.raises(SettingsError, match=told):
            ca.read_authority(authority.pem, pem, phrase)
