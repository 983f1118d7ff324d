"""A library system that speaks SIP2, with a few invented readers and items, and every bad habit that is known.

    python -m tests.peers.sip2 --port 6001 --habit gbk --habit split

It prints its port as a line of JSON. Every line of JSON that it reads sets its habits anew, or asks what it did:
``{"habits": ["gbk"]}`` forgets all loans and begins again, ``{"change": ["gbk"]}`` does not forget. The answer is its
ledger and what it was sent, which ``{"tell": true}`` only asks for. It is written without the library that it tests.

Like the systems that were measured it does the work twice when the same message comes twice: the ledger shows it.
"""

import argparse
import asyncio
import json
import re
import ssl
import sys
from asyncio import StreamReader, StreamWriter
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime

PIN = "246810"
HEADS = {"93": 2, "99": 8, "23": 21, "63": 31, "35": 18, "17": 18, "11": 38, "09": 37, "29": 38, "37": 25}
LOGIN, PASSWORD = "terminal-1", "open sesame"
INSTITUTION = "CN-331000-TZL"

HABITS = {
    # how bytes travel
    "split": "every byte comes alone",
    "glued": "the answer comes twice, in one piece",
    "greeting": "a line of text at the beginning of the connection",
    "garbage": "bytes that belong to nothing before each answer",
    "no-end": "answers have no end",
    "crlf": "answers end in CR LF",
    "lf-first": "a LF stands before each answer",
    "endless": "an answer that does not end",
    "many-fields": "an answer of several thousand fields",
    # trailer
    "no-trailer": "answers have no trailer",
    "checksum-only": "answers have AZ, but no AY",
    "wrong-checksum": "each answer has a wrong checksum",
    "garbled-once": "each answer has a wrong checksum, the one to 97 a right one",
    "short-checksum": "the checksum is not padded with zeros",
    "code-points": "characters are added instead of bytes",
    "dp2-checksum": "UTF-16 units are added, without the closing |AY4AZ, and the digit is always 4",
    "digit-zero": "the digit is always 0",
    "stale": "the answer to the question before comes first, again",
    "other-reader": "answers are about another reader",
    "own-prefix": "reader and item numbers come back with the institution in front",
    # text
    "gbk": "text is GBK, with a character whose second byte is that of |",
    "cp850": "text is code page 850",
    "gb18030": "text is GB18030",
    # 96, 97
    "96-once": "the first copy of each message is not understood",
    "96-always": "nothing is understood",
    "96-without-end": "nothing is understood, and the answer has no end",
    "96-but-done": "loans are not understood, and done all the same",
    "96-with-checksum": "messages with a trailer are not understood",
    "97-stale": "97 gives the answer to the question before",
    "no-97": "97 is not understood",
    # silence, and hanging up
    "silent": "nothing is answered",
    "silent-login": "the login is not answered",
    "silent-once": "the first question about a reader is not answered",
    "hang-up": "the connection is cut after each answer about a reader or an item",
    "cut": "the connection is cut instead of an answer about a reader",
    "silent-before-loan": "a loan is not answered and not done, and the line stays dead",
    "silent-after-loan": "a loan is done, not answered, and the line stays dead",
    "late-loan": "a loan is done, and answered when the next question has come",
    "lost-loan": "a loan is done and not answered, but the next question is",
    "forgotten-loan": "a loan is neither done nor answered, but the next question is",
    "cut-before-loan": "the connection is cut before a loan is done",
    "cut-after-loan": "the connection is cut after a loan is done",
    "garbled-loan": "a loan is done, and its answer is garbled however often it is sent",
    # what it says and knows
    "refuse-login": "no terminal may log in",
    "login-first": "it hangs up on who does not log in first",
    "off-line": "it is off line",
    "no-63": "it does not know 63, and says so",
    "no-63-silently": "it does not know 63, says that it does, and answers 96",
    "no-23": "it does not know 23",
    "no-17": "it does not know 17",
    "no-status": "it hangs up on 99",
    "sentence": "what it does not know it answers with a sentence in Chinese",
    "none": "it answers the word None",
    "blank-padded": "the numbers of 98 are padded with blanks",
    "no-valid": "BL is never sent",
    "no-pin-field": "CQ is never sent",
    "pin-never-valid": "CQ is N when no PIN was sent",
    "n-for-blank": "N stands where a blank belongs in the patron status",
    "negative-debts": "what is owed is negative",
    "short-limit": "limits have as many digits as they need",
    "counts-only": "only counts of the lists are sent",
    "titles": "the lists are of titles",
    "terse": "required fields are left out",
    "checks": "messages with a wrong checksum are not understood",
    "slow": "it thinks for a while before each answer about a reader",
}


@dataclass
class Reader:
    name: str
    status: str = " " * 14
    limit: int = 10
    overdue: int = 0
    fee: str = "0.00"
    loans: list[str] = field(default_factory=list)


def readers() -> dict[str, Reader]:
    """Invented people."""
    return {
        "R0001": Reader("样本·安娜"),
        "R0002": Reader("样本·停借", "Y" + " " * 13),
        "R0003": Reader("样本·挂失", "    Y" + " " * 9),
        "R0004": Reader("样本·借满", limit=0),
        "R0005": Reader("样本·欠费", fee="75.00"),
        "R0006": Reader("样本·续借过多", "       Y" + " " * 6),
        "R0007": Reader("样本·東珅瑋"),
        "R0008": Reader("样本·超期", overdue=6),
        "R0009": Reader("ÉCHANTILLON ÇÀ"),
        "L898902C3": Reader("ERIKSSON ANNA MARIA"),
        "JYX000010": Reader("ERIKSSON ANNA MARIA"),
        **{
            f"P{number:05d}": Reader(f"样本{number}", "Y" * (number % 2) + " " * (14 - number % 2))
            for number in range(500)
        },
    }


@dataclass
class Item:
    title: str
    holder: str = ""
    due: str = ""


def items() -> dict[str, Item]:
    return {f"B{number:04d}": Item(f"样书{number}") for number in range(1, 10)}


class System:
    """The library: what it knows, what it did, and what it was sent."""

    def __init__(self, habits: list[str], delay: float = 0.0) -> None:
        self.begin(habits, delay)

    def begin(self, habits: list[str], delay: float = 0.0) -> None:
        """Forget everything."""
        unknown = set(habits) - HABITS.keys()
        if unknown:
            raise SystemExit(f"no such habit: {', '.join(sorted(unknown))}")
        self.habits, self.delay = set(habits), delay
        self.readers, self.items = readers(), items()
        self.ledger: list[list[str]] = []
        self.sent: list[str] = []
        self.connections = 0

    def has(self, *habits: str) -> bool:
        return not self.habits.isdisjoint(habits)

    @property
    def charset(self) -> str:
        return next((each for each in ("gbk", "cp850", "gb18030") if each in self.habits), "utf-8")

    def told(self) -> dict[str, object]:
        return {"ledger": self.ledger, "sent": self.sent, "connections": self.connections}

    # what it answers, without trailer; None for what it does not know

    def answer(self, message: str) -> str | None:
        number = message[:2]
        if f"no-{number}" in self.habits or (number == "63" and self.has("no-63-silently")):
            return None
        method = getattr(self, f"m{number}", None)
        if method is None:
            return None
        head = {"93": 2, "99": 8, "23": 21, "63": 31, "35": 18, "17": 18, "11": 38, "09": 37, "29": 38, "37": 25}[
            number
        ] + 2
        fields: dict[str, str] = {}
        for piece in re.sub(r"(AY.)?(AZ....)?$", "", message)[head:].split("|"):
            fields.setdefault(piece[:2], piece[2:])
        if "AO" in fields and fields["AO"] != INSTITUTION:
            fields["AA"] = "-"
        return method(message, fields)

    def m93(self, message: str, fields: dict[str, str]) -> str:
        good = (fields.get("CN"), fields.get("CO")) == (LOGIN, PASSWORD) and not self.has("refuse-login")
        return f"94{int(good)}"

    def m99(self, message: str, fields: dict[str, str]) -> str:
        known = ["23", "11", "09", "01", "99", "97", "93", "63", "35", "37", "17", "19", "25", "15", "29", "65"]
        can = {"23", "11", "09", "99", "97", "93", "63", "35", "37", "17", "29"}
        can -= {habit[3:] for habit in self.habits if re.fullmatch("no-..", habit)}
        numbers = " 10 10" if self.has("blank-padded") else "030003"
        online = "N" if self.has("off-line") else "Y"
        supported = "".join("NY"[each in can] for each in known)
        return f"98{online}YYYNN{numbers}{now()}2.00AO{INSTITUTION}|AM样本图书馆|BX{supported}|"

    def _reader(self, fields: dict[str, str], short: bool) -> tuple[str, str, Reader | None]:
        number = fields.get("AA", "")
        reader = self.readers.get(number)
        status = reader.status if reader else "YYYY" + " " * 10
        if self.has("n-for-blank"):
            status = status.replace(" ", "N")
        shown = "R9999" if self.has("other-reader") else number
        if self.has("own-prefix"):
            shown = f"{INSTITUTION}.{number}"
        named = f"AO{INSTITUTION}|AA{shown}|AE{reader.name if reader else ''}|"
        if self.has("terse"):
            named = f"AA{shown}|"
        if not self.has("no-valid"):
            named += f"BL{'NY'[reader is not None]}|"
        pin = fields.get("AD", "")
        if reader and not self.has("no-pin-field") and (pin or self.has("pin-never-valid")):
            named += f"CQ{'NY'[pin == PIN]}|"
        if reader:
            minus = "-" if self.has("negative-debts") else ""
            named += f"BHCNY|BV{minus}{reader.fee}|"
            if not short:
                named += "CC50.00|"
        return status, named, reader

    def m23(self, message: str, fields: dict[str, str]) -> str:
        status, named, _ = self._reader(fields, True)
        return f"24{status}019{now()}{named}"

    def m63(self, message: str, fields: dict[str, str]) -> str:
        status, named, reader = self._reader(fields, False)
        loans = reader.loans if reader else []
        if reader:
            width = 1 if self.has("short-limit") else 4
            named += f"BZ{5:0{width}d}|CA{5:0{width}d}|CB{reader.limit:0{width}d}|"
        if message[23:33].find("Y") == 2 and not self.has("counts-only"):
            named += "".join(
                f"AU{self.items[loan].title if self.has('titles') else self._own(loan)}|" for loan in loans
            )
        named += f"AF您好，{reader.name}：借书 {len(loans)} 册|" if reader else "AF查无此人|"
        overdue = reader.overdue if reader else 0
        counts = f"0000{overdue:04d}{len(loans):04d}000000000000"
        if self.has("many-fields"):
            named += "AUx|" * 4000
        return f"64{status}019{now()}{counts}{named}"

    def _own(self, number: str) -> str:
        return f"{INSTITUTION}.{number}" if self.has("own-prefix") else number

    def m35(self, message: str, fields: dict[str, str]) -> str:
        return f"36Y{now()}AO{INSTITUTION}|AA{fields.get('AA', '')}|"

    def m17(self, message: str, fields: dict[str, str]) -> str:
        number = fields.get("AB", "")
        item = self.items.get(number)
        circulation = "01" if item is None else "04" if item.holder else "03"
        due = f"AH{item.due}|" if item and item.due else ""
        return f"18{circulation}0001{now()}AB{self._own(number)}|AJ{item.title if item else ''}|{due}"

    def m11(self, message: str, fields: dict[str, str]) -> str:
        number, code = fields.get("AA", ""), fields.get("AB", "")
        reader, item = self.readers.get(number), self.items.get(code)
        named = f"AO{INSTITUTION}|AA{self._own(number)}|AB{self._own(code)}|"
        if reader is None or item is None or reader.status.startswith("Y") or item.holder not in ("", number):
            return f"120NUN{now()}{named}AJ|AH|AF不能借出|"
        again = item.holder == number
        self.ledger.append(["checkout", number, code])
        reader.loans.append(code)
        item.holder, item.due = number, "2026-12-31"
        return f"121{'NY'[again]}NY{now()}{named}AJ{item.title}|AH{item.due}|"

    def m09(self, message: str, fields: dict[str, str]) -> str:
        code = fields.get("AB", "")
        item = self.items.get(code)
        if item is None or not item.holder:
            return f"100NUN{now()}AO{INSTITUTION}|AB{code}|AQ|"
        self.ledger.append(["checkin", item.holder, code])
        self.readers[item.holder].loans.remove(code)
        item.holder = item.due = ""
        return f"101YUN{now()}AO{INSTITUTION}|AB{self._own(code)}|AQ总馆|"

    def m29(self, message: str, fields: dict[str, str]) -> str:
        number, code = fields.get("AA", ""), fields.get("AB", "")
        item = self.items.get(code)
        named = f"AO{INSTITUTION}|AA{number}|AB{code}|"
        if item is None or item.holder != number:
            return f"300NUN{now()}{named}AJ|AH|"
        self.ledger.append(["renew", number, code])
        item.due = f"2027-01-{len(self.ledger):02d}"
        return f"301YUN{now()}{named}AJ{item.title}|AH{item.due}|"

    def m37(self, message: str, fields: dict[str, str]) -> str:
        number = fields.get("AA", "")
        reader = self.readers.get(number)
        if reader is None:
            return f"38N{now()}AO{INSTITUTION}|AA{number}|"
        self.ledger.append(["pay", number, fields.get("BV", "")])
        reader.fee = f"{float(reader.fee) - float(fields.get('BV', '0')):.2f}"
        return f"38Y{now()}AO{INSTITUTION}|AA{number}|"


def now() -> str:
    return datetime.now().strftime("%Y%m%d    %H%M%S")


def digits(total: int) -> bytes:
    return b"%04X" % (-total & 0xFFFF)


class Line:
    """One connection."""

    def __init__(self, system: System, reader: StreamReader, writer: StreamWriter) -> None:
        self.system, self.reader, self.writer = system, reader, writer
        self.last, self.before = b"", b""
        self.seen: set[bytes] = set()
        self.logged_in = self.dead = False
        self.waiting = b""

    async def serve(self) -> None:
        if self.system.has("greeting"):
            self.writer.write("欢迎使用图书馆系统\r\n".encode())
        buffer = b""
        while data := await self.reader.read(65536):
            buffer += data
            while end := re.search(rb"[\r\n]", buffer):
                message, buffer = buffer[: end.start()], buffer[end.end() :]
                if message and not await self.take(message):
                    return

    async def take(self, message: bytes) -> bool:
        """Answer one message; false to hang up."""
        system, has = self.system, self.system.has
        number = message[:2].decode("ascii", "replace")
        system.sent.append(number)
        if has("silent") or self.dead or (number == "93" and has("silent-login")):
            return True
        if has("none"):
            self.writer.write(b"None")
            return True
        if number == "97":
            if not has("no-97"):
                await self.send(self.before if has("97-stale") else self.last)
            return True
        trailer = re.search(rb"AZ([0-9A-F]{4})$", message)
        right = trailer is not None and (sum(message[:-4]) + int(trailer[1], 16)) & 0xFFFF == 0
        if (
            has("96-always", "96-without-end")
            or (has("96-once") and message not in self.seen)
            or (has("96-with-checksum") and trailer)
            or (has("checks") and not right)
        ):
            self.seen.add(message)
            await self.send(b"96AZFEF6" + (b"" if has("96-without-end") else b"\r"))
            return True
        if number == "99" and has("no-status"):
            return False
        if has("login-first") and number != "93" and not self.logged_in:
            return False
        return await self.work(number, message, trailer is not None)

    async def work(self, number: str, message: bytes, trailer: bool) -> bool:
        system, has = self.system, self.system.has
        asks, loan = number in ("63", "23", "17"), number in ("11", "09", "29", "37")
        if asks:
            if has("silent-once"):
                system.habits.discard("silent-once")
                return True
            if has("cut"):
                return False
            await asyncio.sleep(system.delay if system.delay else 0.3 if has("slow") else 0)
        if loan and has("cut-before-loan"):
            return False
        if loan and has("silent-before-loan", "forgotten-loan"):
            self.dead = has("silent-before-loan")
            return True
        text = system.answer(message.decode(system.charset, "replace"))
        if number == "93" and text == "941":
            self.logged_in = True
        if loan:
            if has("cut-after-loan"):
                return False
            if has("silent-after-loan", "lost-loan"):
                self.dead = has("silent-after-loan")
                return True
            if has("96-but-done"):
                await self.send(b"96AZFEF6\r")
                return True
        if text is None:
            sentence = "无法识别的消息\r".encode(system.charset)
            await self.send(sentence if has("sentence") else b"96AZFEF6\r")
            return True
        found = re.search(rb"AY([0-9])", message[-9:])
        answer = self.dressed(text, found[1] if found else b"", trailer)
        if loan and has("late-loan"):
            self.waiting = answer
            return True
        if loan and has("garbled-loan"):
            answer = b"12garbled\r"
        late, self.waiting = self.waiting, b""
        self.before, self.last = self.last, answer
        if has("garbled-once", "wrong-checksum") and trailer:
            wrong = answer[:-5] + digits(int(answer[-5:-1], 16)) + b"\r"
            self.last = wrong if has("wrong-checksum") else answer
            answer = wrong
        stale = self.before if has("stale") else b""
        await self.send(late + stale + answer * (2 if has("glued") else 1))
        return not (asks and has("hang-up"))

    def dressed(self, text: str, digit: bytes, trailer: bool) -> bytes:
        """The bytes of an answer with its trailer."""
        has = self.system.has
        data = text.encode(self.system.charset, "replace")
        if has("dp2-checksum"):
            units = text.removesuffix("|").encode("utf-16-le")
            data += b"AY4AZ" + digits(sum(units[::2]) + 256 * sum(units[1::2]))
        elif trailer and not has("no-trailer"):
            if has("digit-zero"):
                digit = b"0"
            mark = b"AZ" if has("checksum-only") else b"AY" + digit + b"AZ"
            if has("short-checksum"):  # long enough for a checksum that begins with a zero
                data += b"ZZ" + b"~" * ((0xF800 - sum(data)) // 126) + b"|"
            data += mark
            total = sum(map(ord, text)) + sum(mark) if has("code-points") else sum(data)
            data += digits(total)
            if has("short-checksum"):
                data = data[:-4] + digits(total).lstrip(b"0")
        return data + (b"" if has("no-end") else b"\r\n" if has("crlf") else b"\r")

    async def send(self, data: bytes) -> None:
        has = self.system.has
        if has("garbage"):
            data = b"\x00\xff*" + data
        if has("lf-first"):
            data = b"\n" + data
        if has("endless"):
            data = b"64" + b"x" * 200_000
        if not has("split"):
            self.writer.write(data)
        else:
            for byte in data:
                self.writer.write(bytes([byte]))
                await self.writer.drain()
                await asyncio.sleep(0)
        await self.writer.drain()


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--habit", action="append", default=[], choices=HABITS, metavar="NAME")
    parser.add_argument("--delay", type=float, default=0.0, help="seconds before each answer about a reader")
    parser.add_argument("--tls", nargs=2, metavar=("CERTIFICATE", "KEY"))
    options = parser.parse_args()
    system = System(options.habit, options.delay)

    async def serve(reader: StreamReader, writer: StreamWriter) -> None:
        system.connections += 1
        with suppress(OSError):
            await Line(system, reader, writer).serve()
        writer.close()

    context = None
    if options.tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*options.tls)
    server = await asyncio.start_server(serve, "127.0.0.1", options.port, ssl=context, backlog=1024)
    say({"port": server.sockets[0].getsockname()[1]})
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        order = json.loads(line)
        if "habits" in order:
            system.begin(order["habits"], order.get("delay", 0.0))
        if "change" in order:
            system.habits = set(order["change"])
        say(system.told())


def say(told: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(told) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(main())
