from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from producers.identity import Identities, IdentityKey, normalised_email
from stream.errors import ConfigurationError

IDENTITIES = Identities(IdentityKey(bytes(range(32))))


@pytest.mark.parametrize(
    ("written", "e164"),
    [
        ("5551234567", "+15551234567"),
        ("+15551234567", "+15551234567"),
        ("(555) 123-4567", "+15551234567"),
        ("1 555 123 4567", "+15551234567"),
        ("555.123.4567 ext. 9", "+15551234567"),
        ("\uff0b1 555 123 4567", "+15551234567"),
        ("+44 20 7946 0958", "+442079460958"),
        ("123", None),
        ("555123456789012345678", None),
        ("call me", None),
        ("", None),
        (None, None),
    ],
)
def test_phones_become_e164_or_nothing(written: str | None, e164: str | None) -> None:
    assert IDENTITIES.e164(written) == e164


def test_a_phone_without_a_country_belongs_to_the_region() -> None:
    german = Identities(IdentityKey(bytes(32)), region="DE")
    assert german.e164("030 901820") == "+4930901820"


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        (" Ana.Diaz@Example.COM ", "ana.diaz@example.com"),
        ("a@b.co", "a@b.co"),
        ("no at sign", None),
        ("two@at@example.com", None),
        ("a@localhost", None),
        ("a b@example.com", None),
        ("@example.com", None),
        ("a@example.", None),
        ("x" * 250 + "@example.com", None),
        ("", None),
        (None, None),
    ],
)
def test_addresses_are_compared_in_lower_case_and_without_space(written: str | None, normal: str | None) -> None:
    assert normalised_email(written) == normal


def test_every_identity_is_given_once_best_evidence_first() -> None:
    found = IDENTITIES.of(" 40012 ", ("(555) 123-4567", "nonsense", None, "+15551234567", "5559876543"), "A@B.co")

    assert [identity.partition(":")[0] for identity in found] == ["code", "phone", "phone", "email"]
    assert found == (
        *IDENTITIES.of("40012", (), None),
        *IDENTITIES.of(None, ("5551234567",), None),
        *IDENTITIES.of(None, ("5559876543",), None),
        *IDENTITIES.of(None, (), "a@b.co"),
    )


def test_an_identity_is_a_kind_and_a_keyed_hash_of_128_bits() -> None:
    (identity,) = IDENTITIES.of("40012", (), None)
    kind, _, digest = identity.partition(":")
    assert (kind, len(digest)) == ("code", 32)
    assert int(digest, 16) > 0
    assert Identities(IdentityKey(bytes(32))).of("40012", (), None) != (identity,)


def test_the_same_text_is_another_identity_in_another_kind() -> None:
    (code,) = IDENTITIES.of("+15551234567", (), None)
    (phone,) = IDENTITIES.of(None, ("+15551234567",), None)
    assert code.partition(":")[2] != phone.partition(":")[2]


@pytest.mark.parametrize("code", [None, "", "  ", "0", "null", "None"])
def test_a_code_that_stands_for_none_is_no_identity(code: str | None) -> None:
    assert IDENTITIES.of(code, (), None) == ()


def test_the_key_is_made_once_and_kept_for_the_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "data" / "identity.key"
    key = IdentityKey.load_or_create(path)

    assert len(key.secret) == 32
    assert path.stat().st_mode & 0o777 == 0o600
    assert IdentityKey.load_or_create(path) == key
    assert key.secret.hex() not in repr(key)
    assert sorted(each.name for each in path.parent.iterdir()) == ["identity.key", "identity.key.fingerprint"]


def test_processes_that_start_together_agree_on_one_key(tmp_path: Path) -> None:
    path = tmp_path / "identity.key"
    with ThreadPoolExecutor(8) as pool:
        keys = list(pool.map(IdentityKey.load_or_create, [path] * 32))
    assert len({key.secret for key in keys}) == 1


def test_another_key_is_refused_because_changing_it_is_a_rebuild(tmp_path: Path) -> None:
    path = tmp_path / "identity.key"
    IdentityKey.load_or_create(path)
    path.write_text("11" * 32)
    with pytest.raises(ConfigurationError, match=r"fingerprint .* Changing the identity key is a rebuild"):
        IdentityKey.load_or_create(path)


def test_a_lost_key_is_not_replaced_by_a_new_one(tmp_path: Path) -> None:
    path = tmp_path / "identity.key"
    IdentityKey.load_or_create(path)
    path.unlink()
    with pytest.raises(ConfigurationError, match="cannot be used: No such file"):
        IdentityKey.load_or_create(path)
    assert not path.exists()


@pytest.mark.parametrize(
    ("content", "complaint"), [("zz" * 32, "hexadecimal"), ("11" * 16, "16 bytes instead of 32"), ("", "0 bytes")]
)
def test_a_damaged_key_is_refused(tmp_path: Path, content: str, complaint: str) -> None:
    path = tmp_path / "identity.key"
    path.touch(mode=0o600)
    path.write_text(content)
    with pytest.raises(ConfigurationError, match=complaint):
        IdentityKey.load_or_create(path)


def test_a_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "identity.key"
    IdentityKey.load_or_create(path)
    path.chmod(0o640)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        IdentityKey.load_or_create(path)
