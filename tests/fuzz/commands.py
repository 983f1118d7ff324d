"""Mutated commands against the virtual card: it answers every one, and no rule opens that was not shown its grant.

``python -m tests.fuzz.commands --count 1000000 --seed 1`` prints how the card answered.

A round takes a fresh card whose every guarded record is full of a mark of its own, shows it at most one key or PIN,
and then sends mutations of genuine commands. A mark in an answer is a record read against its rule; a record that
changed against its rule, another key, another PIN or a blocked application would show at the end of the round.
"""

import hashlib
import random
import sys
from collections import Counter
from collections.abc import Collection

from juying.card.ssc import SscCard
from juying.card.virtual.card import VirtualCard
from juying.card.virtual.faults import Fault
from juying.card.virtual.transport import LocalTransport
from juying.card.writer import write_card
from juying.codec.profile import load_profile
from juying.codec.rules import access_rule
from juying.codec.spec import File, Profile
from tests.fuzz.mutation import mutate_bytes
from tests.fuzz.running import Tally, main
from tests.path.samples import EVERYTHING, PHOTO, contents
from tests.virtual.key_holder import KeyHolder

PROFILES = ("ssc-v1", "ssc-v2", "ssc-v3")
ROUND = 400
"""Commands to one card."""
SELECT, LONGEST_FID = 0xA4, 9
_MARK = 6
"""Bytes of a mark; shorter records are watched for changes only."""


class Heard(Fault):
    """Writes down every command that the card gets."""

    def __init__(self, card: VirtualCard) -> None:
        super().__init__(card)
        self.commands: set[bytes] = set()

    def answer(self, number: int, command: bytes) -> bytes:
        self.commands.add(command)
        return super().answer(number, command)


def genuine_commands(profile: Profile) -> list[bytes]:
    """Commands of a whole life: written, read, PIN changed, keys loaded, applications blocked and unblocked."""
    heard = Heard(VirtualCard.blank(profile))
    with LocalTransport(heard) as transport:
        card = SscCard.open(transport, access=EVERYTHING)
        write_card(card, contents(photo=PHOTO if profile.name == "ssc-v3" else None))
        card.read(photo=True, everything=True)
        card.authenticate()
    holder = KeyHolder(heard, profile)
    for name in ("SSSE", "DF01", "DF04"):
        holder.enter(name)
        holder.verify()
        holder.change_pin(bytes.fromhex("123456"), bytes.fromhex("271828"))
        holder.reload_pin(bytes.fromhex("123456"))
        holder.protected("84240001", key="SSSE/PUK")
        for key in holder.application.keys[:2]:
            holder.write_key(f"{name}/{key.name}", bytes(range(16)))
        if name != "SSSE":
            holder.protected("841E0000", key=f"{name}/LK")
            holder.protected("84180000", key=f"{name}/LK")
            holder.protected("04DC0104", b"\x20\x02\x31\x31", key=f"{name}/STK")
    return sorted(heard.commands)


class Round:
    """One card under attack, and what whoever attacks it may do."""

    def __init__(self, profile: Profile, dice: random.Random) -> None:
        self.card = VirtualCard.blank(profile, random=dice.randbytes)
        self.profile = profile
        self.card.memory.pin.value[:] = bytes.fromhex(f"{dice.randrange(10**6):06}")
        self._mark_records()
        self.application, self.held = self._show_something(dice)
        self.marks = [
            mark
            for file, index, read, _ in self._records()
            if (mark := self._mark(file, index)) and not access_rule(read).allows(self._held(file))
        ]
        self.before = self._state()

    def _records(self) -> list[tuple[File, int, str, str]]:
        """Every record with its two rules."""
        found = []
        for file in self.profile.files:
            for index in range(len(self.card.memory.files.get(file.address, ()))):
                rules = file.slots[index] if index < len(file.slots) else file
                found.append((file, index, rules.read, rules.write))
        return found

    def _mark(self, file: File, index: int) -> bytes:
        size = len(self.card.memory.files[file.address][index])
        return hashlib.sha256(f"{file.address} {index}".encode()).digest()[:_MARK] if size >= _MARK + 2 else b""

    def _mark_records(self) -> None:
        for file, index, read, _ in self._records():
            mark = self._mark(file, index)
            if read != "free" and mark:
                record = self.card.memory.files[file.address][index]
                record[2:] = (mark * len(record))[: len(record) - 2]

    def _show_something(self, dice: random.Random) -> tuple[str, set[str]]:
        """Nothing, one key, or the PIN, in an application of the profile."""
        holder = KeyHolder(self.card)
        application = dice.choice(self.profile.applications)
        holder.enter(application.name)
        grants = ["pin", *(f"key:{key.name}" for key in application.keys if key.kind == "external")]
        held = set(dice.sample(grants, dice.randrange(2)))
        for grant in held:
            name = grant.partition(":")[2]
            assert (holder.authenticate(name) if name else holder.verify(bytes(self.card.memory.pin.value))) == "9000"
        return application.name, held

    def _held(self, file: File) -> Collection[str]:
        return self.held if file.application == self.application else set()

    def _state(self) -> dict[str, object]:
        """All that must not change."""
        memory = self.card.memory
        return {
            **{
                f"{file.address} {index}": bytes(memory.files[file.address][index])
                for file, index, _, write in self._records()
                if not access_rule(write).allows(set(self._held(file)))
            },
            **{name: bytes(key.value) for name, key in memory.keys.items()},
            "pin": bytes(memory.pin.value),
            "locks": dict(memory.locks),
            "blocked": memory.blocked,
        }

    def send(self, command: bytes) -> str:
        """The kind of answer; AssertionError for one that tells too much or is none."""
        answer = self.card.transmit(command)
        assert len(answer) >= 2
        assert answer[-2] & 0xF0 in (0x60, 0x90)
        assert not any(mark in answer for mark in self.marks), "a guarded record was read"
        return "9000" if answer[-2:] == b"\x90\x00" else f"{answer[-2]:02X}xx"

    def end(self) -> None:
        """AssertionError when something changed that must not."""
        assert self._state() == self.before


def mutate_command(command: bytes, others: list[bytes], dice: random.Random) -> bytes:
    """One in five is damaged anywhere, one stays whole; the others keep lengths that make sense to the card."""
    kind = dice.randrange(5)
    if kind == 0:
        return mutate_bytes(command, others, dice)
    if kind == 4:
        return command
    header, data = bytearray(command[:4]), command[5:]
    if kind == 1 or not data:
        header[dice.randrange(4)] = dice.choice((dice.randrange(256), dice.choice(dice.choice(others)[:4])))
    else:
        data = mutate_bytes(data, others, dice)[:255]
    length = bytes((len(data),)) if data else command[4:5]
    return bytes(header) + length + data


def fuzz(count: int, seed: int) -> Tally:
    """Answers to ``count`` mutated commands."""
    dice = random.Random(seed)
    profiles = [load_profile(name) for name in PROFILES]
    corpus = {profile.name: genuine_commands(profile) for profile in profiles}
    tally: Counter[str] = Counter()
    while tally.total() < count:
        profile = dice.choice(profiles)
        commands = corpus[profile.name]
        files = [command for command in commands if command[1] == SELECT and len(command) < LONGEST_FID]
        attack = Round(profile, dice)
        for _ in range(min(ROUND, count - tally.total())):
            attack.card.transmit(dice.choice(files))  # commands without a file end too soon to be of interest
            tally[attack.send(mutate_command(dice.choice(commands), commands, dice))] += 1
        attack.end()
    return tally


if __name__ == "__main__":
    sys.exit(main("commands", fuzz, __doc__, "every command was answered, no rule opened"))
