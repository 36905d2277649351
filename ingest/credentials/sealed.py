"""Passwords sealed for one reader: the keeper of a broker that takes passwords, not hashes.

Mosquitto's dynamic security wants each password once, and again after it lost its file. So whoever makes one seals it
with the keeper's public key, which stands in the database; the private key is derived from the broker's administration
password, which the database never sees. Who reads the database alone learns nothing.
"""

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from city.errors import DataError

_KEY_BYTES = 32
_NONCE = bytes(12)
"""A key is used for one message, so its nonce need not differ."""


class Opener:
    """Opens what was sealed for it.

    Parameters
    ----------
    secret : str
        The broker's administration password, long and random.
    """

    def __init__(self, secret: str) -> None:
        self._private = X25519PrivateKey.from_private_bytes(_derive(secret.encode(), b"citynerve credentials: keeper"))

    @property
    def public_key(self) -> bytes:
        """What others seal with, 32 bytes."""
        return self._private.public_key().public_bytes_raw()

    def open(self, sealed: bytes) -> str:
        """Return the password.

        Raises
        ------
        DataError
            It was sealed for another key, or is damaged.
        """
        try:
            theirs = X25519PublicKey.from_public_bytes(sealed[:_KEY_BYTES])
            key = _message_key(self._private.exchange(theirs), sealed[:_KEY_BYTES], self.public_key)
            return ChaCha20Poly1305(key).decrypt(_NONCE, sealed[_KEY_BYTES:], None).decode()
        except (InvalidTag, ValueError) as exc:
            raise DataError("a password was sealed for another administration password: rotate the credential") from exc


def seal(password: str, public_key: bytes) -> bytes:
    """Return the password, readable for the owner of the key alone."""
    ours = X25519PrivateKey.generate()
    ours_public = ours.public_key().public_bytes_raw()
    key = _message_key(ours.exchange(X25519PublicKey.from_public_bytes(public_key)), ours_public, public_key)
    return ours_public + ChaCha20Poly1305(key).encrypt(_NONCE, password.encode(), None)


def _message_key(shared: bytes, ours: bytes, theirs: bytes) -> bytes:
    return _derive(shared, b"citynerve credentials: message" + ours + theirs)


def _derive(secret: bytes, purpose: bytes) -> bytes:
    return HKDF(SHA256(), _KEY_BYTES, salt=None, info=purpose).derive(secret)
