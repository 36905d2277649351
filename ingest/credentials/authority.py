"""The city's own certificate authority: makes itself, certificates for gateways, and the list of those revoked. Pure.

Times are µs UTC of the machine's clock. Keys are elliptic (P-256), which small devices have room for.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from city.clock import DAY_US, HOUR_US, from_datetime, to_datetime
from city.errors import DataError, SettingsError

_EARLIER_US = HOUR_US
"""A certificate is valid from this long ago, for devices whose clocks are late."""
_RSA_BITS_MIN = 2048


@dataclass(frozen=True, slots=True)
class Authority:
    """An authority that may sign."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> bytes:
        """The certificate that brokers trust."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)


@dataclass(frozen=True, slots=True)
class Certificate:
    """What a gateway gets.

    Attributes
    ----------
    serial : str
        Hexadecimal.
    pem : str
    key_pem : str
        Empty where the gateway made its key itself.
    expires_at : int
        µs UTC.
    """

    serial: str
    pem: str
    key_pem: str
    expires_at: int


def make_authority(name: str, days: int, now_us: int) -> Authority:
    """Return a new authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    usage = _usage(key_cert_sign=True, crl_sign=True)
    certificate = (
        _builder(subject, subject, key.public_key(), days, now_us)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return Authority(certificate, key)


def key_pem(authority: Authority, passphrase: bytes | None) -> bytes:
    """Return the authority's key as it is kept, encrypted where there is a passphrase."""
    hidden: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if passphrase is not None:
        hidden = serialization.BestAvailableEncryption(passphrase)
    return authority.key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, hidden)


def read_authority(certificate_pem: bytes, private_pem: bytes, passphrase: bytes | None) -> Authority:
    """Return an authority from what is kept.

    Raises
    ------
    SettingsError
        Damaged, of two different authorities, or the passphrase is missing or wrong.
    """
    try:
        certificate = x509.load_pem_x509_certificate(certificate_pem)
        key = serialization.load_pem_private_key(private_pem, passphrase)
    except TypeError as exc:
        told = (
            "needs its passphrase: name its file with --passphrase-file" if passphrase is None else "has no passphrase"
        )
        raise SettingsError(f"the authority's key {told}") from exc
    except ValueError as exc:
        raise SettingsError("the authority's key or certificate is damaged, or the passphrase is another") from exc
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
        raise SettingsError("the authority's key and certificate do not belong together: bring both from your backup")
    return Authority(certificate, key)


def issue(
    authority: Authority, gateway_id: str, days: int, now_us: int, request_pem: bytes | None = None
) -> Certificate:
    """Return a certificate for a gateway; its name is the gateway's id, whatever a request says.

    Parameters
    ----------
    request_pem : bytes or None
        A signing request (PKCS #10) of the gateway, which then keeps its key to itself; None makes a key too.

    Raises
    ------
    DataError
        The request is none, is not signed by its own key, or its key is too weak; or the authority ends sooner.
    """
    made = ""
    if request_pem is None:
        own = ec.generate_private_key(ec.SECP256R1())
        made = own.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode()
        public: ec.EllipticCurvePublicKey | rsa.RSAPublicKey = own.public_key()
    else:
        public = _requested_key(request_pem)
    expires_at = now_us + days * DAY_US
    if expires_at > from_datetime(authority.certificate.not_valid_after_utc):
        raise DataError(
            "the authority ends before such a certificate would: choose fewer days, or make a new authority"
        )
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, gateway_id)])
    signed = (
        _builder(subject, authority.certificate.subject, public, days, now_us)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(digital_signature=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key()), critical=False)
        .sign(authority.key, hashes.SHA256())
    )
    pem = signed.public_bytes(serialization.Encoding.PEM).decode()
    ends = from_datetime(signed.not_valid_after_utc)
    return Certificate(f"{signed.serial_number:x}", pem, made, ends)


def revocation_list(authority: Authority, revoked: Iterable[tuple[str, int]], now_us: int) -> bytes:
    """Return the list of revoked certificates, PEM.

    It holds as long as the authority does: brokers refuse everybody once a list has run out, and ours is not fetched
    from anywhere but written beside them.

    Parameters
    ----------
    revoked : iterable of (serial, µs UTC)
    """
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(authority.certificate.subject)
        .last_update(to_datetime(now_us - _EARLIER_US))
        .next_update(authority.certificate.not_valid_after_utc)
        .add_extension(x509.CRLNumber(now_us), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key()), critical=False)
    )
    for serial, at_us in revoked:
        entry = x509.RevokedCertificateBuilder().serial_number(int(serial, 16)).revocation_date(to_datetime(at_us))
        builder = builder.add_revoked_certificate(entry.build())
    return builder.sign(authority.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def refusals(names: Iterable[str]) -> bytes:
    """Return what Mosquitto's list of access needs so that these may publish nothing, open connections included.

    A list of revoked certificates ends no connection: it is asked where one begins. Nor does a certificate's end.
    """
    return "".join(f"\nuser {name}\ntopic deny #\n" for name in names).encode()


def serials_of(list_pem: bytes) -> Sequence[str]:
    """Return the serial numbers on a list."""
    return [f"{entry.serial_number:x}" for entry in x509.load_pem_x509_crl(list_pem)]


def _requested_key(request_pem: bytes) -> ec.EllipticCurvePublicKey | rsa.RSAPublicKey:
    try:
        request = x509.load_pem_x509_csr(request_pem)
        sound = request.is_signature_valid
        key = request.public_key()
    except (ValueError, InvalidSignature) as exc:
        raise DataError("this is no signing request (PKCS #10, PEM)") from exc
    if not sound:
        raise DataError("the signing request is not signed with its own key")
    if isinstance(key, rsa.RSAPublicKey) and key.key_size >= _RSA_BITS_MIN:
        return key
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1 | ec.SECP384R1):
        return key
    raise DataError(f"a gateway's key is P-256, P-384, or RSA of {_RSA_BITS_MIN} bits or more")


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey, days: int, now_us: int
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(to_datetime(now_us - _EARLIER_US))
        .not_valid_after(to_datetime(now_us + days * DAY_US))
    )


def _usage(**used: bool) -> x509.KeyUsage:
    every = (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    )
    return x509.KeyUsage(**{name: used.get(name, False) for name in every})
