"""Passwords: hashed and compared off the loop, sealed for one reader."""

import asyncio
from collections.abc import Awaitable
from time import perf_counter

import pytest

from city.errors import DataError
from ingest.credentials import hashing
from ingest.credentials.engines.embedded import EmbeddedAccess, Visitor
from ingest.credentials.hashing import Verifier, hash_password, make_password
from ingest.credentials.model import Grant
from ingest.credentials.sealed import Opener, seal
from ingest.credentials.turns import Busy


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
        assert all(await asyncio.gather(*(verifier.verify("G", word, hashed, word) for word, hashed in kept.items())))
        assert not any(
            await asyncio.gather(*(verifier.verify("G", hashed, hashed, "wrong") for hashed in kept.values()))
        )
        beating.cancel()
        assert max(gaps) < 0.25
        began = perf_counter()
        for word, hashed in kept.items():
            assert await verifier.verify("G", "elsewhere", hashed, word)
        assert perf_counter() - began < 0.02
        verifier.close()

    asyncio.run(main())


async def outcome(asked: Awaitable[bool]) -> bool | None:
    """None: it could not be compared."""
    try:
        return await asked
    except Busy:
        return None


def test_more_than_may_wait_are_sent_away_and_not_called_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hashing, "_WAITING_MAX", 3)

    async def main() -> None:
        verifier = Verifier()
        word = make_password()
        hashed = [hash_password(word) for _ in range(10)]
        found = await asyncio.gather(*(outcome(verifier.verify(one, "a", one, word)) for one in hashed))
        assert sorted(found, key=str) == [None] * 5 + [True] * 5, "two at once, and three wait"
        assert await verifier.verify(hashed[-1], "a", hashed[-1], word)
        verifier.close()

    asyncio.run(main())


def test_who_knows_comes_in_while_others_guess_and_one_guess_is_compared_at_a_time() -> None:
    async def main() -> None:
        verifier = Verifier()
        word, wrong = make_password(), make_password()
        known, fresh = hash_password(word), hash_password(word)
        assert await verifier.verify("G-1", "1.1.1.1", known, word)
        guesses = [
            asyncio.ensure_future(outcome(verifier.verify(f"G-{n % 300}", "6.6.6.6", known, f"{wrong}{n}")))
            for n in range(3_000)
        ]
        await asyncio.sleep(0)
        began = perf_counter()
        assert await verifier.verify("G-1", "6.6.6.6", known, word), "even at the address from which others guess"
        assert perf_counter() - began < 0.05
        assert await verifier.verify("G-2", "2.2.2.2", fresh, word), "another address has its turn next"
        assert sum(not one.done() for one in guesses) > 200
        found = await asyncio.gather(*guesses)
        assert found.count(False) == 300
        assert found.count(None) == 2_700
        with pytest.raises(Busy):
            await verifier.verify("G-299", "6.6.6.6", fresh, "wrong a moment ago")
        verifier.close()

    asyncio.run(main())


def test_the_same_asked_twice_at_once_is_compared_once_and_answered_twice() -> None:
    async def main() -> None:
        verifier = Verifier()
        word = make_password()
        hashed = hash_password(word)
        assert await asyncio.gather(*(verifier.verify("G-1", "a", hashed, word) for _ in range(20))) == [True] * 20
        verifier.close()

    asyncio.run(main())


def test_what_was_proven_ends_with_its_credential_and_after_an_hour() -> None:
    async def main() -> None:
        now = [0.0]
        verifier = Verifier(lambda: now[0])
        word = make_password()
        hashed = hash_password(word)
        assert await verifier.verify("G-1", "a", hashed, word)
        assert len(verifier._proven) == 1
        verifier.keep(set())
        assert len(verifier._proven) == 0
        assert await verifier.verify("G-1", "a", hashed, word)
        now[0] = 3_599.0
        assert not await verifier.verify("G-1", "a", hashed, "wrong")
        assert await verifier.verify("G-1", "a", hashed, word), "proven, whatever others guess"
        now[0] = 3_600.5
        with pytest.raises(Busy):
            await verifier.verify("G-1", "a", hashed, word)
        verifier.close()

    asyncio.run(main())


def test_a_damaged_hash_is_nobodys() -> None:
    async def main() -> None:
        verifier = Verifier()
        assert not await verifier.verify("G-1", "a", "", "word")
        assert not await verifier.verify("G-2", "a", "$argon2id$nonsense", "word")
        verifier.close()

    asyncio.run(main())


def test_a_login_that_does_not_exist_is_told_what_one_that_does_is_told() -> None:
    async def main() -> None:
        access = EmbeddedAccess(anonymous=False)
        await access.apply([Grant("G-1", "G-1", (), password_hash=hash_password(make_password()))])
        for login in ("G-1", "nobody"):
            assert await access.admit(Visitor(login, "wrong", "a")) is None
            with pytest.raises(Busy):
                await access.admit(Visitor(login, "wrong again", "a"))
        await access.close()

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
