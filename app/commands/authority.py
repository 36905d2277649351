"""`citynerve ca …`: the city's own authority, its files, and the certificates that it gives to gateways."""

import os
from pathlib import Path
from typing import Any

from app import wiring
from app.commands.credentials import change
from app.settings import Settings
from city.errors import SettingsError
from ingest.credentials import authority, model, reads, store
from ingest.credentials.authority import Authority
from ingest.credentials.told import told
from storage.pool import Pool

KEY, CERTIFICATE, REVOKED, REFUSED = "ca.key", "ca.crt", "revoked.pem", "refused"
_PASSPHRASE_BYTES_MAX = 1024
_REQUEST_BYTES_MAX = 64 * 1024


def init(folder: Path, name: str, years: int, passphrase_file: Path | None) -> dict[str, Any]:
    """Make an authority in a folder that has none.

    Raises
    ------
    SettingsError
        There is one, or the folder cannot be written to.
    """
    if any((folder / known).exists() for known in (KEY, CERTIFICATE)):
        raise SettingsError(f"{folder} has an authority: a second one would shut out every gateway of the first")
    now_us = change().now_us
    made = authority.make_authority(name, years * 365, now_us)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as exc:
        raise SettingsError(f"{folder} cannot be made ({exc.strerror}): name another with --folder") from exc
    _write(folder / KEY, authority.key_pem(made, _passphrase(passphrase_file)), 0o600)
    _write(folder / CERTIFICATE, made.pem, 0o644)
    _write(folder / REVOKED, authority.revocation_list(made, [], now_us), 0o644)
    return {"authority": str(folder / CERTIFICATE), "revoked": str(folder / REVOKED), "key": str(folder / KEY)}


async def issue(
    settings: Settings, folder: Path, gateway: str, days: int, request_file: Path | None, passphrase_file: Path | None
) -> dict[str, Any]:
    """Give a gateway a certificate; a key that is made here stands in what is returned and nowhere else.

    Where the gateway had none that was valid, Mosquitto's list refuses its name: it is written anew.
    """
    signer = _open(folder, passphrase_file)
    request = None if request_file is None else _read(request_file, _REQUEST_BYTES_MAX)
    now = change()
    made = authority.issue(signer, gateway, days, now.now_us, request)
    async with wiring.pool(wiring.database_url(settings)) as pool:
        async with pool.connection() as connection:
            refused = gateway in await reads.refused_names(connection, now.now_us)
        noted = await store.add_certificate(pool, gateway, now, made.serial, made.expires_at)
        if refused:
            await _write_list(pool, folder, signer)
    key = {"key": made.key_pem} if made.key_pem else {}
    return told(noted, now.now_us) | {"certificate": made.pem} | key


async def renew(
    settings: Settings, folder: Path, serial: str, days: int, request_file: Path | None, passphrase_file: Path | None
) -> dict[str, Any]:
    """Give a certificate's owner the next one; the one before stays valid until it runs out or is revoked."""
    async with wiring.pool(wiring.database_url(settings)) as pool, pool.connection() as connection:
        before = await reads.one(connection, await reads.find(connection, serial))
    if before.kind != model.CERTIFICATE:
        raise SettingsError(f"{serial} is a password: `citynerve credentials rotate` gives a new one")
    return await issue(settings, folder, before.gateway_id, days, request_file, passphrase_file)


async def revoke(settings: Settings, folder: Path, serial: str, passphrase_file: Path | None) -> dict[str, Any]:
    """Revoke a certificate, and write the list anew."""
    signer = _open(folder, passphrase_file)
    now = change()
    async with wiring.pool(wiring.database_url(settings)) as pool:
        async with pool.connection() as connection:
            found = await reads.one(connection, await reads.find(connection, serial))
        if found.kind != model.CERTIFICATE:
            raise SettingsError(f"{serial} is a password: `citynerve credentials revoke` ends it")
        ended = await store.revoke(pool, found.credential_id, now)
        await _write_list(pool, folder, signer)
    return told(ended, now.now_us)


async def write_list(settings: Settings, folder: Path, passphrase_file: Path | None) -> dict[str, Any]:
    """Write the list of revoked certificates anew, from the table."""
    signer = _open(folder, passphrase_file)
    async with wiring.pool(wiring.database_url(settings)) as pool:
        count = await _write_list(pool, folder, signer)
    return {"revoked": str(folder / REVOKED), "certificates": count}


async def _write_list(pool: Pool, folder: Path, signer: Authority) -> int:
    now_us = change().now_us
    async with pool.connection() as connection:
        revoked = await reads.revoked_certificates(connection, now_us)
        names = await reads.refused_names(connection, now_us)
    _write(folder / REVOKED, authority.revocation_list(signer, revoked, now_us), 0o644)
    _write(folder / REFUSED, authority.refusals(names), 0o644)
    return len(revoked)


def _open(folder: Path, passphrase_file: Path | None) -> Authority:
    key = folder / KEY
    if not key.is_file():
        raise SettingsError(
            f"{folder} has no authority: `citynerve ca init` makes one, or name its folder with --folder"
        )
    if key.stat().st_mode & 0o077:
        raise SettingsError(f"{key} may be read by others: chmod 600 {key}")
    return authority.read_authority(
        _read(folder / CERTIFICATE, _REQUEST_BYTES_MAX), _read(key, _REQUEST_BYTES_MAX), _passphrase(passphrase_file)
    )


def _passphrase(file: Path | None) -> bytes | None:
    if file is None:
        return None
    found = _read(file, _PASSPHRASE_BYTES_MAX).rstrip(b"\r\n")
    if not found:
        raise SettingsError(f"{file} is empty: it should have the passphrase")
    return found


def _read(path: Path, bytes_max: int) -> bytes:
    try:
        with path.open("rb") as file:
            found = file.read(bytes_max + 1)
    except OSError as exc:
        raise SettingsError(f"{path} cannot be read ({exc.strerror})") from exc
    if len(found) > bytes_max:
        raise SettingsError(f"{path} is larger than {bytes_max} bytes: is it the right file?")
    return found


def _write(path: Path, content: bytes, mode: int) -> None:
    """Write a file as a whole, never readable by more than `mode` says."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            file.write(content)
        draft.chmod(mode)
        draft.replace(path)
    except OSError as exc:
        draft.unlink(missing_ok=True)
        raise SettingsError(f"{path} cannot be written ({exc.strerror}): name another folder with --folder") from exc
