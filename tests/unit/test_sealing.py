import base64
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import MasterKeyMissing, Misconfigured, SealBroken
from core.sealing import DataKey, MasterKey, MasterKeys, data_key_number, row_identity

TENANT, ROW = UUID(int=1), UUID(int=2)
IDENTITY = row_identity("tokens", TENANT, ROW)
VALUE = b"tfy_vat_secret"

values = st.binary(max_size=200)
identities = st.binary(max_size=80)


def flipped(sealed: bytes, position: int, bit: int) -> bytes:
    """`sealed` with one bit turned over."""
    place = position % len(sealed)
    return sealed[:place] + bytes([sealed[place] ^ (1 << bit)]) + sealed[place + 1 :]


@pytest.fixture
def data_key() -> DataKey:
    return DataKey(7, DataKey.generate())


@pytest.fixture
def master() -> MasterKey:
    return MasterKey.parse(MasterKey.generate())


@given(values, identities, st.integers(0, 2**32 - 1))
def test_what_was_sealed_opens_in_its_row(value: bytes, identity: bytes, number: int):
    key = DataKey(number, bytes(32))

    assert key.open(key.seal(value, identity), identity) == value


@given(values, st.integers(0, 10**6), st.integers(0, 7))
def test_a_sealed_value_with_one_bit_turned_over_is_refused(value: bytes, position: int, bit: int):
    key = DataKey(7, bytes(32))
    sealed = key.seal(value, IDENTITY)

    with pytest.raises(SealBroken):
        key.open(flipped(sealed, position, bit), IDENTITY)


@given(st.binary(max_size=100))
def test_bytes_that_were_never_sealed_are_refused(garbage: bytes):
    with pytest.raises(SealBroken):
        DataKey(7, bytes(32)).open(garbage, IDENTITY)


@given(st.integers(0, 40))
def test_a_sealed_value_that_was_cut_off_is_refused(length: int):
    key = DataKey(7, bytes(32))

    with pytest.raises(SealBroken):
        key.open(key.seal(VALUE, IDENTITY)[:length], IDENTITY)


@pytest.mark.parametrize(
    "other",
    [
        row_identity("tokens", TENANT, UUID(int=3)),
        row_identity("tokens", UUID(int=3), ROW),
        row_identity("integrations", TENANT, ROW),
        b"",
    ],
)
def test_a_value_that_was_moved_to_another_row_is_refused(data_key: DataKey, other: bytes):
    sealed = data_key.seal(VALUE, IDENTITY)

    with pytest.raises(SealBroken):
        data_key.open(sealed, other)


def test_another_tenants_key_does_not_open_a_value(data_key: DataKey):
    other = DataKey(7, DataKey.generate())

    with pytest.raises(SealBroken):
        other.open(data_key.seal(VALUE, IDENTITY), IDENTITY)


def test_a_value_says_which_data_key_sealed_it(data_key: DataKey):
    assert data_key_number(data_key.seal(VALUE, IDENTITY)) == 7


def test_the_same_value_is_sealed_differently_each_time(data_key: DataKey):
    sealed = {data_key.seal(VALUE, IDENTITY) for _ in range(100)}

    assert len(sealed) == 100


@pytest.mark.law(9)
def test_a_sealed_value_shows_nothing_of_what_it_holds(data_key: DataKey):
    assert VALUE not in data_key.seal(VALUE, IDENTITY)


@pytest.mark.law(9)
def test_a_broken_seal_tells_nothing_but_that(data_key: DataKey):
    with pytest.raises(SealBroken) as broken:
        data_key.open(data_key.seal(VALUE, IDENTITY), b"")

    assert str(broken.value) == (
        "A sealed value does not open: it was moved to another row, or damaged."
    )
    assert broken.value.__cause__ is None


def test_a_wrapped_data_key_is_unwrapped_in_its_row(master: MasterKey):
    key = DataKey.generate()

    assert master.unwrap(master.wrap(key, IDENTITY), IDENTITY) == key


@given(st.integers(0, 10**6), st.integers(0, 7))
def test_a_wrapped_key_with_one_bit_turned_over_is_refused(position: int, bit: int):
    master = MasterKey(bytes(32))
    wrapped = master.wrap(DataKey.generate(), IDENTITY)

    with pytest.raises(SealBroken):
        master.unwrap(flipped(wrapped, position, bit), IDENTITY)


def test_another_master_key_does_not_unwrap(master: MasterKey):
    other = MasterKey.parse(MasterKey.generate())

    with pytest.raises(SealBroken):
        other.unwrap(master.wrap(DataKey.generate(), IDENTITY), IDENTITY)


def test_a_wrapped_key_that_was_moved_to_another_tenant_is_refused(master: MasterKey):
    wrapped = master.wrap(DataKey.generate(), row_identity("data_keys", UUID(int=1), 1))

    with pytest.raises(SealBroken):
        master.unwrap(wrapped, row_identity("data_keys", UUID(int=2), 1))


def test_a_master_keys_id_is_the_same_in_every_process():
    text = base64.b64encode(bytes(32)).decode()

    assert MasterKey.parse(text).id == MasterKey.parse(f" {text}\n").id == "77d591d4af46"


def test_different_master_keys_have_different_ids():
    assert len({MasterKey.parse(MasterKey.generate()).id for _ in range(50)}) == 50


def test_a_generated_master_key_is_32_random_bytes_in_base64():
    one, other = MasterKey.generate(), MasterKey.generate()

    assert len(base64.b64decode(one)) == 32
    assert one != other


@pytest.mark.law(9)
@pytest.mark.parametrize(
    "text",
    [
        "",
        "secret",
        "c2VjcmV0",
        "secret!" * 6,
        base64.b64encode(b"secret" * 5).decode(),
        base64.b64encode(b"secret" * 6).decode(),
        base64.urlsafe_b64encode(b"\xff" * 32).decode(),
        "sécrêt" * 8,
    ],
)
def test_what_is_no_master_key_is_refused_without_being_quoted(text: str):
    with pytest.raises(Misconfigured) as refused:
        MasterKey.parse(text)

    assert str(refused.value) == (
        "A master key is 32 random bytes in base64; make one with `keyturn keys new`."
    )
    assert refused.value.__cause__ is None


@given(st.text(max_size=60))
def test_any_text_is_a_master_key_or_misconfigured(text: str):
    with pytest.raises(Misconfigured):
        MasterKey.parse(text)


def test_the_first_master_key_wraps():
    first, second = (MasterKey.parse(MasterKey.generate()) for _ in range(2))

    keys = MasterKeys([first, second])

    assert keys.first is first
    assert keys.ids == [first.id, second.id]


def test_every_master_key_unwraps():
    first, second = (MasterKey.parse(MasterKey.generate()) for _ in range(2))
    keys = MasterKeys([first, second])

    assert (keys.get(first.id), keys.get(second.id)) == (first, second)


def test_a_missing_master_key_is_named_beside_those_that_are_held(master: MasterKey):
    with pytest.raises(MasterKeyMissing) as missing:
        MasterKeys([master]).get("0123456789ab")

    assert str(missing.value) == (
        f"The database is sealed with master key 0123456789ab; this process holds: {master.id}. "
        "Put the missing key into KEYTURN_MASTER_KEYS or KEYTURN_MASTER_KEYS_FILE."
    )


def test_a_process_without_a_master_key_says_which_one_it_needs():
    with pytest.raises(MasterKeyMissing, match=r"master key 0123456789ab; .* holds: none\."):
        MasterKeys([]).get("0123456789ab")


def test_a_process_without_a_master_key_says_where_to_set_it():
    with pytest.raises(MasterKeyMissing, match="set KEYTURN_MASTER_KEYS or"):
        _ = MasterKeys([]).first


@pytest.mark.law(9)
@pytest.mark.parametrize("written", ["{0!r}", "{0!s}"])
def test_a_key_shows_nothing_of_itself(written: str):
    secret = b"0123456789abcdef0123456789abcdef"

    shown = written.format(MasterKey(secret)) + written.format(DataKey(1, secret))

    assert "0123456789abcdef" not in shown
    assert base64.b64encode(secret).decode() not in shown
