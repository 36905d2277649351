"""Passwords: hashed and compared off the loop, sealed for one reader."""

import asyncio
from time import perf_counter

import pytest

from city.errors import DataError
from ingest.credentials import hashing
from ingest.credentials.hashing import Verifier, hash_password, make_password
from ingest.credentials.sealed import Opener, seal


def test_a_password_is_192_random_bits_and_its_hash_is_argon2_with_a_salt_of_its_own() -> None:
    one, other = make_password(), make_password()
    assert one != other
    assert len(bytes.fromhex(one)) == 24
    assert hash_password(one).startswith("$argon2id$v=19$m=8192,t=1,p=1$")
    assert hash_password(one) != hash_password(one)


def test_the_loop_goes_on_while_many_passwords_are_compared_and_who_was_right_is_remembered() -> None:
    async def main() -> None:
        verifier = Verifier()
        kept = {password: hash_password(password) for password in (make_password() for _ in range(40))}
        gaps: list[float] = []

        async def beat() -> None:
            while True:
                began = perf_counter()
                await asyncio.sleep(0.001)
                gaps.append(perf_counter() - began)

        beating = asyncio.create_task(beat())
        assert all(await asyncio.gather(*(verifier.verify(hashed, word) for word, hashed in kept.items())))
        assert not any(await asyncio.gather(*(verifier.verify(hashed, "wrong") for hashed in kept.values())))
        beating.cancel()
        assert max(gaps) < 0.25
        began = perf_counter()
        for word, hashed in kept.items():
            assert await verifier.verify(hashed, word)
        assert perf_counter() - began < 0.02
        verifier.close()

    asyncio.run(main())


def test_more_than_may_wait_are_refused_and_come_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hashing, "_WAITING_MAX", 3)

    async def main() -> None:
        verifier = Verifier()
        word = make_password()
        hashed = [hash_password(word) for _ in range(10)]
        found = await asyncio.gather(*(verifier.verify(one, word) for one in hashed))
        assert sum(found) == 3
        assert await verifier.verify(hashed[-1], word)
        verifier.close()

    asyncio.run(main())


def test_a_damaged_hash_is_nobodys() -> None:
    async def main() -> None:
        verifier = Verifier()
        assert not await verifier.verify("", "word")
        assert not await verifier.verify("$argon2id$nonsense", "word")
        verifier.close()

    asyncio.run(main())


def test_what_is_sealed_opens_for_its_reader_alone() -> None:
    keeper = Opener("administration password")
    sealed = seal("secret", keeper.public_key)
    assert b"secret" not in sealed
    assert seal("secret", keeper.public_key) != sealed
    assert Opener("administration password").open(sealed) == "secret"
    with pytest.raises(DataError, match="rotate the credential"):
        Opener("another").open(sealed)


@pytest.mark.parametrize("damage", [b"", b"x" * 10, b"x" * 80])
def test_damage_is_told_and_no_crash(damage: bytes) -> None:
    with pytest.raises(DataError):
        Opener("administration password").open(damage)
