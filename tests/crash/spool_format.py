"""A reader of spools, written from docs/spool-format.md alone: it shows that the document is
complete. read_spool(folder) gives what is live."""

import dataclasses
import pathlib
import re
import struct

BLOCK = 4096
TABLE = []
for _octet in range(256):
    for _ in range(8):
        _octet = (_octet >> 1) ^ (0x82F63B78 if _octet & 1 else 0)
    TABLE.append(_octet)


def crc(begin, octets):
    for octet in octets:
        begin = TABLE[(begin ^ octet) & 255] ^ (begin >> 8)
    return begin


class Octets:
    """Takes numbers and texts off the front."""

    def __init__(self, octets):
        self.octets, self.at = octets, 0

    def take(self, layout):
        values = struct.unpack_from("<" + layout, self.octets, self.at)
        self.at += struct.calcsize("<" + layout)
        return values if len(values) > 1 else values[0]

    def text(self):
        length = self.take("H")
        assert self.at + length <= len(self.octets), "a text goes on after its record"
        self.at += length
        return self.octets[self.at - length:self.at].decode()

    def reply(self):
        code, *enhanced, _ours = self.take("HBHHB")
        return code, tuple(enhanced), self.text(), self.text()

    def over(self):
        return self.at == len(self.octets)


@dataclasses.dataclass
class Recipient:
    address: str
    attempts: int
    next_attempt: int
    reply: tuple | None


@dataclasses.dataclass
class Message:
    id: tuple
    created: int
    flags: int
    dots: int
    sender: str
    recipients: dict  # by their number
    fields: dict
    content: bytes


def read_message(body, content):
    octets = Octets(body)
    identity = octets.take("QQ")
    created, flags, dots = octets.take("QBI")
    sender, recipients = octets.text(), {}
    for _ in range(octets.take("I")):
        number, address = octets.take("I"), octets.text()
        attempts, next_attempt, flags_of_it = octets.take("HQB")
        if flags_of_it & 2:
            octets.take("B")  # NOTIFY
            octets.text()     # ORCPT
        recipients[number] = Recipient(address, attempts, next_attempt,
                                       octets.reply() if flags_of_it & 1 else None)
    fields = {}
    while not octets.over():
        tag = octets.take("B")
        fields[tag] = octets.text()
    return Message(identity, created, flags, dots, sender, recipients, fields, content)


def read_outcome(body):
    """(id, number, outcome, attempts, next attempt, reply)."""
    octets = Octets(body)
    identity = octets.take("QQ")
    number, outcome, attempts = octets.take("IBH")
    later, reply = (octets.take("QB")[0], octets.reply()) if outcome == 2 else (0, None)
    assert octets.over()
    return identity, number, outcome, attempts, later, reply


def read_segment(path, journal, sequence):
    """[(type, body, content)] of one file, which must be whole; its seal; that of the one before it."""
    octets = path.read_bytes()
    assert octets[:8] == b"PHSTSEG1"
    version, in_journal, in_sequence, size = struct.unpack_from("<IIQQ", octets, 8)
    assert (version, in_journal, in_sequence, size) == (3, journal, sequence, len(octets))
    salt, *seal, check = struct.unpack_from("<QQQQII", octets, 40)
    assert check == crc(0xFFFFFFFF, octets[:76])
    assert not any(octets[36:40]) and not any(octets[80:BLOCK])
    flags = struct.unpack_from("<I", octets, 32)[0]
    before = tuple(seal) if flags & 2 else None
    assert before or not any(octets[48:76])
    seed = crc(0xFFFFFFFF, struct.pack("<QIQ", sequence, journal, salt))
    records, at, number, checksum = [], BLOCK, 0, seed
    while octets[at:at + 4] == b"BTCH":
        check, batch, length, count, back, of = struct.unpack_from("<IQQIIQ", octets, at + 4)
        if check != crc(seed, octets[at + 8:at + 40]):
            break  # what the file held before
        number += 1
        assert (batch, of) == (number, salt) and back < number
        found, record, end = 0, at + 40, at + 40 + length
        while record < end:
            check, body, content, content_check, kind = struct.unpack_from("<IIQII", octets, record)
            first = record + 24
            assert check == crc(seed, octets[record + 4:first + body])
            text = octets[first + body:first + body + content]
            assert content_check == crc(seed, text)
            checksum = crc(checksum, octets[record:record + 4])
            records.append((kind, octets[first:first + body], text))
            record, found = first + body + content, found + 1
        assert (record, found) == (end, count)
        checksum = crc(checksum, octets[at:at + 40])
        at = (end + BLOCK - 1) // BLOCK * BLOCK
        assert not any(octets[end:at])
    return records, (at, number, len(records), checksum), before


def read_chain(path, journal):
    """(oldest, newest, {sequence: seal}) of the slot that counts."""
    octets, best = path.read_bytes(), None
    for at in (0, BLOCK):
        slot = octets[at:at + BLOCK]
        if len(slot) < BLOCK or slot[:8] != b"PHSTCHN1":
            continue
        if struct.unpack_from("<I", slot, 4092)[0] != crc(0xFFFFFFFF, slot[:4092]):
            continue
        version, of, counter, oldest, newest, seals, _ = struct.unpack_from("<IIQQQII", slot, 8)
        assert (version, of) == (3, journal) and counter % 2 * BLOCK == at
        found = {}
        for i in range(seals):
            sequence, *seal = struct.unpack_from("<QQQQI", slot, 48 + i * 36)
            found[sequence] = tuple(seal)
        if best is None or counter > best[0]:
            best = counter, oldest, newest, found
    assert best, "neither slot is whole"
    return best[1:]


def read_journal(folder, number):
    """[Message] with the recipients that are not final."""
    folder = pathlib.Path(folder)
    files = sorted(folder.glob("*.seg"))
    oldest, newest, sealed = read_chain(folder.with_name(folder.name + ".chain"), number)
    assert [int(path.stem) for path in files] == list(range(oldest, newest + 1))
    records, last = [], None
    for path in files:
        assert re.fullmatch(r"\d{16}\.seg", path.name)
        found, seal, before = read_segment(path, number, int(path.stem))
        assert before in (None, last) or last is None
        last = seal
        assert sealed.get(int(path.stem), seal) == seal
        records += found
    # The process ended in order: the last segment has a seal, too.
    assert not files or newest in sealed or last == (BLOCK, 0, 0, last[3])
    live, outcomes, copied = [], {}, set()
    for kind, body, content in reversed(records):
        if kind == 2:
            identity, place, *rest = read_outcome(body)
            if identity not in copied:
                outcomes.setdefault((identity, place), rest)
            continue
        assert kind == 1
        message = read_message(body, content)
        if message.id in copied:
            continue
        if message.flags & 4:
            copied.add(message.id)
        for place in list(message.recipients):
            if (message.id, place) not in outcomes:
                continue
            outcome, attempts, later, reply = outcomes.pop((message.id, place))
            if outcome != 2:
                del message.recipients[place]
            else:
                old = message.recipients[place]
                message.recipients[place] = Recipient(old.address, attempts, later, reply)
        if message.recipients:
            live.append(message)
    return live


def read_spool(folder):
    live = []
    for journal in sorted(pathlib.Path(folder).glob("journal-*")):
        if not journal.is_dir():  # journal-NN.chain vouches for what is read here
            continue
        live += read_journal(journal, int(journal.name.removeprefix("journal-")))
    return live
