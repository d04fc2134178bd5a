import asyncio
from pathlib import Path

from releve.demo.account import Account, Fact, Sender, read_account
from releve.demo.mllp import Line, acknowledgement, listen
from releve.demo.plant import HOST, free_ports

MESSAGE = b"MSH|^~\\&|GAM|H01|RELEVE|H01|20240803090000||ADT^A01|42|P|2.5\rPID|1||7\r"


def test_an_entry_is_acknowledged_only_once_its_answer_stands_in_the_file(tmp_path: Path) -> None:
    account = Account(tmp_path / "a.jsonl")
    account.sent("42", "GAM", "H01", True, MESSAGE, [Fact("person", "s|7", {})])
    assert [entry.is_acknowledged for entry in read_account(tmp_path / "a.jsonl")] == [False]
    account.answered("42", "AA")
    account.close()
    (entry,) = read_account(tmp_path / "a.jsonl")
    assert (entry.is_acknowledged, entry.raw, entry.answers) == (True, MESSAGE, 1)


def test_a_line_torn_by_a_power_cut_is_cut_off_and_the_rest_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    account = Account(path)
    account.sent("1", "GAM", "H01", True, MESSAGE, [])
    account.close()
    whole = path.read_bytes()
    for cut in range(1, len(whole)):
        path.write_bytes(whole + whole[:cut])
        assert len(read_account(path)) == 1
        account = Account(path)
        account.sent("2", "GAM", "H01", True, MESSAGE, [])
        account.close()
        assert [entry.sent.control_id for entry in read_account(path)] == ["1", "2"]


def test_a_sender_repeats_the_same_message_until_it_is_accepted(tmp_path: Path) -> None:
    heard: list[bytes] = []

    async def answer(raw: bytes) -> bytes | None:
        heard.append(raw)
        if len(heard) == 1:
            return None  # dies before it answers
        code = "AE" if len(heard) == 2 else "AA"
        return acknowledgement(raw, code, application="T", control_id="x")

    async def send() -> str:
        (port,) = free_ports(1)
        server = await listen(HOST, port, answer)
        line = Line(HOST, port)
        account = Account(tmp_path / "a.jsonl")
        code = await Sender(line, account, "GAM").send(MESSAGE, "H01", [])
        account.close()
        await line.close()
        server.close()
        return code

    assert asyncio.run(send()) == "AA"
    assert heard == [MESSAGE] * 3


def test_an_answer_to_another_message_is_no_answer(tmp_path: Path) -> None:
    heard: list[bytes] = []

    async def answer(raw: bytes) -> bytes:
        heard.append(raw)
        ack = acknowledgement(raw, "AA", application="T", control_id="x")
        return ack.replace(b"|42|", b"|41|") if len(heard) == 1 else ack

    async def send() -> None:
        (port,) = free_ports(1)
        server = await listen(HOST, port, answer)
        line = Line(HOST, port)
        account = Account(tmp_path / "a.jsonl")
        await Sender(line, account, "GAM").send(MESSAGE, "H01", [])
        account.close()
        await line.close()
        server.close()

    asyncio.run(send())
    assert len(heard) == 2
