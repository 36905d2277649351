"""How long vendors' codecs may hold their callers up: what each owes for messages that took long, and who is paused."""

from dataclasses import dataclass

Name = str
"""Of a codec."""


@dataclass(frozen=True, slots=True)
class CodecOptions:
    """How long codecs may take.

    Attributes
    ----------
    limit_s : float
        One message, of CPU; the engine interrupts the codec then.
    character_s : float
        Per character of its text, of CPU: to read the text, which is done for every message.
    answer_s, patience_s : float
        One message, of CPU and of the clock, where the engine does not interrupt; the whole process is killed then.
    free_s : float
        What one message may cost beyond the reading of the text without being counted.
    owed_s_max : float
        A codec whose messages cost more than that in sum is paused.
    owed_s_max_together : float
        So is one that costs something where all codecs together have cost that much.
    forgiven_s : float
        By so much each sum shrinks each second.
    pause_s, pause_s_max : float
        How long a codec's messages are set aside unread then: each time twice as long as before, until it has kept
        within its bounds for as long as its last pause.
    """

    limit_s: float = 0.02
    character_s: float = 2e-7
    answer_s: float = 0.5
    patience_s: float = 5.0
    free_s: float = 0.002
    owed_s_max: float = 0.2
    owed_s_max_together: float = 2.0
    forgiven_s: float = 0.01
    pause_s: float = 60.0
    pause_s_max: float = 3600.0


@dataclass(slots=True)
class _Account:
    owed_s: float = 0.0
    at: float = 0.0
    paused_until: float = float("-inf")
    paused_s: float = 0.0

    def add(self, owed_s: float, now: float, forgiven_s: float) -> float:
        """Return what is owed now."""
        self.owed_s = max(0.0, self.owed_s - (now - self.at) * forgiven_s) + owed_s
        self.at = now
        return self.owed_s


class CodecAccounts:
    """What all codecs of a city owe."""

    def __init__(self, options: CodecOptions) -> None:
        self._options = options
        self._accounts: dict[Name, _Account] = {}
        self._together = _Account()

    def paused_s(self, name: Name, now: float) -> float:
        """Return for how long a codec is still left alone, in seconds; 0: it is not."""
        account = self._accounts.get(name)
        return 0.0 if account is None else max(0.0, account.paused_until - now)

    def charge(self, name: Name, characters: int, used_s: float, now: float) -> float:
        """Take what one message has cost; return for how long the codec is left alone from now on, 0: it is not.

        Parameters
        ----------
        characters : int
            Of the codec's text.
        """
        options = self._options
        owed_s = max(0.0, used_s - options.free_s - characters * options.character_s)
        account = self._accounts.setdefault(name, _Account())
        own = account.add(owed_s, now, options.forgiven_s)
        together = self._together.add(owed_s, now, options.forgiven_s)
        if own <= options.owed_s_max and not (owed_s and together > options.owed_s_max_together):
            return 0.0
        calm = now > account.paused_until + account.paused_s
        longer = options.pause_s if calm else 2 * account.paused_s
        account.owed_s, account.paused_s = 0.0, min(longer, options.pause_s_max)
        account.paused_until = now + account.paused_s
        return account.paused_s
