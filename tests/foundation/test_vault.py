"""The vault: content-addressed within a client, encrypted on disk, whole or not opened at all."""

from __future__ import annotations

import hashlib
import os
import stat
import tracemalloc
from pathlib import Path

import pytest
from django.conf import settings
from tests.firm import TestClient

from engineroom.foundation import crypto, vault
from engineroom.foundation.audit.models import AuditEvent
from engineroom.foundation.tenancy.scope import acting
from engineroom.foundation.vault.models import VaultFile
from engineroom.foundation.vault.services import keep
from engineroom.kernel.errors import Conflict, NotFound, NotPermitted
from engineroom.kernel.ids import uuid7

MEBIBYTE = 1 << 20
SECRET = b"Jo Bloggs is paid 1,234.56 a week. "


def store(client: TestClient, content: bytes | Path, name: str = "paper.txt") -> VaultFile:
    with client.acting():
        return vault.store(content, name=name, kind="test")


def on_disk(file: VaultFile) -> Path:
    digest = bytes(file.sha256).hex()
    return Path(settings.VAULT_DIR) / str(file.client_id) / digest[:2] / digest


@pytest.mark.parametrize("size", [0, 1, MEBIBYTE - 1, MEBIBYTE, MEBIBYTE + 1, 3 * MEBIBYTE, 3 * MEBIBYTE + 7])
def test_what_is_stored_reads_back_the_same_at_every_edge_of_a_frame(client, tmp_path, size):
    content = os.urandom(size)
    path = tmp_path / "content"
    path.write_bytes(content)
    for file in (store(client, content), store(client, path)):
        assert vault.read(file) == content
        assert (file.size, bytes(file.sha256)) == (size, hashlib.sha256(content).digest())
        assert all(len(frame) <= MEBIBYTE for frame in vault.frames(file))


def test_the_same_content_lies_once_within_a_client_and_apart_from_another_clients(client, other_client):
    one, two, theirs = store(client, SECRET), store(client, SECRET, "again.txt"), store(other_client, SECRET)
    assert one.id != two.id and on_disk(one) == on_disk(two) != on_disk(theirs)
    assert on_disk(one).read_bytes() != on_disk(theirs).read_bytes()
    folder = Path(settings.VAULT_DIR) / str(client.id)
    assert [p for p in folder.rglob("*") if p.is_file()] == [on_disk(one)], "and no scraps beside it"


def test_on_disk_there_is_no_plain_text_and_nobody_elses_eye(client):
    file = store(client, SECRET * 50_000)
    raw = on_disk(file).read_bytes()
    assert SECRET[:12] not in raw and len(raw) > file.size
    assert stat.S_IMODE(on_disk(file).stat().st_mode) == 0o600
    assert stat.S_IMODE((Path(settings.VAULT_DIR) / str(client.id)).stat().st_mode) & 0o077 == 0


def frames_of(raw: bytes) -> list[bytes]:
    frames, at = [], 0
    while at < len(raw):
        length = int.from_bytes(raw[at : at + 4], "big") & 0x7FFFFFFF
        frames.append(raw[at : at + 4 + length])
        at += 4 + length
    return frames


def damage(kind: str, raw: bytes) -> bytes:
    one, two, three = frames_of(raw)
    return {
        "a changed bit": raw[:-1] + bytes([raw[-1] ^ 1]),
        "a changed first frame": raw[:50] + bytes([raw[50] ^ 1]) + raw[51:],
        "cut within a frame": raw[: len(one) + 100],
        "cut between frames": one + two,
        "cut within a length": one + two + three[:3],
        "reordered": two + one + three,
        "a frame left out": one + three,
        "a frame twice": one + one + two + three,
        "the last frame first": three,
        "emptied": b"",
        "a length of two gigabytes": b"\x7f\xff\xff\xff" + raw[4:],
        "not sealed": b"\x80\x00\x00\x05plain",
    }[kind]


@pytest.mark.parametrize(
    "kind",
    [
        "a changed bit", "a changed first frame", "cut within a frame", "cut between frames",
        "cut within a length", "reordered", "a frame left out", "a frame twice",
        "the last frame first", "emptied", "a length of two gigabytes", "not sealed",
    ],
)  # fmt: skip
def test_damage_is_found_and_the_file_is_named(client, kind):
    file = store(client, os.urandom(2 * MEBIBYTE + 5), "statement.xml")
    path = on_disk(file)
    path.write_bytes(damage(kind, path.read_bytes()))
    with pytest.raises(vault.VaultDamaged, match=r"statement\.xml.*restore"):
        vault.read(file)
    with pytest.raises(vault.VaultDamaged):
        list(vault.frames(file))


def test_the_bytes_of_another_file_put_in_its_place_do_not_open(client, other_client):
    mine, another, theirs = store(client, b"mine"), store(client, b"another"), store(other_client, b"mine")
    for other in (another, theirs):
        on_disk(mine).write_bytes(on_disk(other).read_bytes())
        with pytest.raises(vault.VaultDamaged):
            vault.read(mine)


def test_missing_bytes_are_named(client):
    file = store(client, SECRET, "payslip.pdf")
    on_disk(file).unlink()
    with pytest.raises(
        vault.VaultDamaged, match=r"payslip\.pdf: its bytes are missing.*restore [0-9a-f]{64}"
    ):
        vault.read(file)


def test_a_missing_key_is_not_taken_for_damage(client, monkeypatch, tmp_path):
    file = store(client, SECRET)
    monkeypatch.setattr(settings, "KEY_FILE", tmp_path / "keys.json")
    crypto._keys.cache_clear()
    try:
        with pytest.raises(crypto.KeyMissing):
            vault.read(file)
    finally:
        monkeypatch.undo()
        crypto._keys.cache_clear()
        crypto._client_key.cache_clear()
    assert vault.read(file) == SECRET


def test_a_large_file_is_kept_and_read_in_little_memory(client, tmp_path):
    path = tmp_path / "large"
    block = os.urandom(MEBIBYTE)
    with path.open("wb") as out:
        for i in range(24):
            out.write(i.to_bytes(4, "big") + block)
    tracemalloc.start()
    try:
        file = store(client, path)
        digest = hashlib.sha256()
        for frame in vault.frames(file):
            digest.update(frame)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert digest.digest() == bytes(file.sha256) and file.size == 24 * (MEBIBYTE + 4)
    assert peak < 12 * MEBIBYTE, f"{peak / MEBIBYTE:.0f} MiB at once"


def test_a_file_that_changes_while_it_is_read_is_not_kept(client, tmp_path, monkeypatch):
    path = tmp_path / "growing"
    path.write_bytes(b"as it was")
    really = vault._digest

    def slow(content: bytes | Path) -> tuple[bytes, int]:
        seen = really(content)
        path.write_bytes(b"as it is now")
        return seen

    monkeypatch.setattr(vault, "_digest", slow)
    with pytest.raises(Conflict, match="changed while it was read"):
        store(client, path)
    folder = Path(settings.VAULT_DIR) / str(client.id)
    assert not [p for p in folder.rglob("*") if p.is_file()]


def test_a_rolled_back_transaction_leaves_no_row(client):
    with pytest.raises(ZeroDivisionError), client.acting():
        file = vault.store(b"never mind", name="x", kind="test")
        raise ZeroDivisionError
    with acting(client.staff["lead"], read=[client.id]):
        assert not VaultFile.objects.filter(id=file.id).exists()
    assert vault.read(store(client, b"never mind")) == b"never mind"


def test_another_client_finds_and_opens_nothing(client, other_client):
    file = store(client, SECRET)
    with acting(other_client.staff["lead"], read=[other_client.id]), pytest.raises(NotFound):
        vault.find(file.id)
    with acting(client.staff["lead"], read=[client.id]):
        assert vault.read(vault.find(file.id)) == SECRET
    forged = VaultFile(client_id=other_client.id, sha256=file.sha256, name="forged", size=file.size)
    with pytest.raises(vault.VaultDamaged):
        vault.read(forged)
    on_disk(forged).parent.mkdir(parents=True)
    on_disk(forged).write_bytes(on_disk(file).read_bytes())
    with pytest.raises(vault.VaultDamaged):
        vault.read(forged)


def test_a_name_is_a_label_and_never_a_path(client):
    file = store(client, b"x", "../../../etc/passwd" + "x" * 300)
    assert on_disk(file).is_file() and len(file.name) == 255


def test_keeping_a_paper_needs_its_permission_and_leaves_a_trace(client):
    subject = ("pay_run", uuid7())
    more = {
        "permission": "payroll.prepare",
        "name": "report.html",
        "kind": "report",
        "media_type": "text/html",
    }
    with pytest.raises(NotPermitted), client.acting("checker"):
        keep(SECRET, subject=subject, **more)
    with client.acting("specialist"):
        file = keep(SECRET, subject=subject, **more)
    with acting(client.staff["lead"], read=[client.id]):
        event = AuditEvent.objects.get(client_id=client.id, verb="foundation.keep")
    assert (event.subject_kind, event.subject_id) == subject
    assert event.detail == {"file": "report.html", "sha256": bytes(file.sha256).hex(), "kind": "report"}
