"""The official examples, recomputed; and everything that is not what WeChat signs and seals."""

import base64
import os
import struct
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given
from hypothesis import strategies as st

from api.fake_wechat import pushes as fake
from notifications.wechat.crypto import (
    NotGenuine,
    PushKeys,
    check_address,
    decrypt,
    open_push,
    sign,
)
from notifications.wechat.pushes import Event, Unreadable, event_of, number, read, text

APP_ID, TOKEN, KEY = "wxba5fad812f8e6fb9", "AAAAA", "A" * 43
KEYS = PushKeys(APP_ID, TOKEN, KEY)
FRESH = timedelta(minutes=10)
REPLY = "ELGduP2YcVatjqIS+eZbp80MNLoAUWvzzyJxgGzxZO/5sAvd070Bs6qrLARC9nVHm48Y4hyRbtzve1L32tmxSQ=="

PUSH = (
    "+qdx1OKCy+5JPCBFWw70tm0fJGb2Jmeia4FCB7kao+/Q5c/ohsOzQHi8khUOb05JCpj0JB4RvQMkUyus8TPxLKJGQqcv"
    "ZqzDpVzazhZv6JsXUnnR8XGT740XgXZUXQ7vJVnAG+tE8NUd4yFyjPy7GgiaviNrlCTj+l5kdfMuFUPpRSrfMZuMcp3F"
    "n2Pede2IuQrKEYwKSqFIZoNqJ4M8EajAsjLY2km32IIjdf8YL/P50F7mStwntrA2cPDrM1kb6mOcfBgRtWygb3VIYnSe"
    "OBrebufAlr7F9mFUPAJGj04="
)


def at(timestamp: int) -> datetime:
    return datetime.fromtimestamp(timestamp, UTC)


def sealed(plain: bytes, *, app_id: str = APP_ID) -> str:
    return fake.encrypt(KEY, app_id, plain, salt=os.urandom(16))


def raw(padded: bytes) -> str:
    key = base64.b64decode(KEY + "=")
    encryptor = Cipher(algorithms.AES(key), modes.CBC(key[:16])).encryptor()
    return base64.b64encode(encryptor.update(padded) + encryptor.finalize()).decode()


# ---- official examples --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ((TOKEN, "1714036504", "1514711492"), "f464b24fc39322e44b38aa78f5edd27bd1441696"),
        ((TOKEN, "1714037059", "486452656"), "899cf89e464efb63f54ddac96b0a0a235f53aa78"),
        ((TOKEN, "1713424427", "415670741", REPLY), "1b9339964ed2e271e7c7b6ff2b0ef902fc94dea1"),
    ],
)
def test_the_official_signatures(parts: tuple[str, ...], expected: str) -> None:
    assert sign(*parts) == expected


def test_the_official_check_of_an_address() -> None:
    query = {
        "signature": "f464b24fc39322e44b38aa78f5edd27bd1441696",
        "timestamp": "1714036504",
        "nonce": "1514711492",
        "echostr": "4375120948345356249",
    }
    now = at(1714036504)

    assert check_address(KEYS, query, now=now, fresh=FRESH) == "4375120948345356249"
    with pytest.raises(NotGenuine, match="bad signature"):
        check_address(KEYS, query | {"nonce": "1514711493"}, now=now, fresh=FRESH)


def test_the_official_ciphertext() -> None:
    assert decrypt(KEYS, REPLY) == b'{"demo_resp":"good luck"}'


def test_the_official_ciphertext_as_a_push() -> None:
    query = {
        "timestamp": "1713424427",
        "nonce": "415670741",
        "msg_signature": "1b9339964ed2e271e7c7b6ff2b0ef902fc94dea1",
    }
    body = b'{"ToUserName":"gh_97417a04a28d","Encrypt":"%s"}' % REPLY.encode()
    found = open_push(KEYS, query, body, now=at(1713424427), fresh=FRESH, encrypted=True)
    assert found == b'{"demo_resp":"good luck"}'


def test_the_official_secure_push_whose_padding_is_longer_than_an_aes_block() -> None:
    query = {
        "timestamp": "1714112445",
        "nonce": "415670741",
        "msg_signature": "046e02f8204d34f8ba5fa3b1db94908f3df2e9b3",
    }
    body = b'{"ToUserName":"gh_97417a04a28d","Encrypt":"%s"}' % PUSH.encode()

    found = open_push(KEYS, query, body, now=at(1714112445), fresh=FRESH, encrypted=True)

    event = event_of(found)
    assert (event.name, event.data["debug_str"]) == ("debug_demo", "hello world")
    assert event.at == at(1714112445)


# ---- what is not genuine ------------------------------------------------------------------


@given(st.binary(max_size=200))
def test_every_text_comes_back_whatever_padding_it_needs(plain: bytes) -> None:
    assert decrypt(KEYS, sealed(plain)) == plain


def test_padding_reaches_up_to_thirty_two_bytes() -> None:
    pads = set()
    for length in range(32):
        head = 20 + length + len(APP_ID)
        pads.add(32 - head % 32)
        assert decrypt(KEYS, sealed(b"x" * length)) == b"x" * length
    assert pads == set(range(1, 33))


@pytest.mark.parametrize("pad", [0, 33, 255])
def test_other_padding_is_refused(pad: int) -> None:
    text = os.urandom(16) + struct.pack(">I", 2) + b"{}" + APP_ID.encode()
    filled = text + bytes([pad]) * (32 - len(text) % 32)
    with pytest.raises(NotGenuine):
        decrypt(KEYS, raw(filled))


def test_padding_that_is_not_all_the_same_is_refused() -> None:
    text = os.urandom(16) + struct.pack(">I", 2) + b"{}" + APP_ID.encode()
    pad = 32 - len(text) % 32
    with pytest.raises(NotGenuine, match="bad padding"):
        decrypt(KEYS, raw(text + b"\x00" * (pad - 1) + bytes([pad])))


@pytest.mark.parametrize("length", [3, 2**31, 2**32 - 1])
def test_a_length_that_is_not_that_of_the_text_is_refused(length: int) -> None:
    text = os.urandom(16) + struct.pack(">I", length) + b"{}" + APP_ID.encode()
    pad = 32 - len(text) % 32
    with pytest.raises(NotGenuine):
        decrypt(KEYS, raw(text + bytes([pad]) * pad))


@pytest.mark.parametrize("app_id", ["", "wxsomebodyelse", APP_ID + "x", APP_ID[:-1]])
def test_a_text_for_another_app_is_refused(app_id: str) -> None:
    with pytest.raises(NotGenuine, match="another app"):
        decrypt(KEYS, sealed(b"{}", app_id=app_id))


@given(st.text(max_size=60) | st.binary(max_size=96).map(lambda b: base64.b64encode(b).decode()))
def test_what_was_never_sealed_is_refused_and_breaks_nothing(ciphertext: str) -> None:
    with pytest.raises(NotGenuine):
        decrypt(KEYS, ciphertext)


def push(**changes: str) -> tuple[dict[str, str], bytes]:
    query = {"timestamp": "1714112445", "nonce": "415670741"}
    ciphertext = sealed(b'{"MsgType":"event","Event":"debug_demo"}')
    query["signature"] = sign(TOKEN, query["timestamp"], query["nonce"])
    query["msg_signature"] = sign(TOKEN, query["timestamp"], query["nonce"], ciphertext)
    return query | changes, b'{"Encrypt":"%s"}' % ciphertext.encode()


def opened(query: dict[str, str], body: bytes, *, later: int = 0) -> bytes:
    now = at(1714112445 + later)
    return open_push(KEYS, query, body, now=now, fresh=FRESH, encrypted=True)


def test_a_push_is_opened_within_ten_minutes_either_way_and_not_after() -> None:
    assert b"debug_demo" in opened(*push())
    for later in (-600, 600):
        assert opened(*push(), later=later)
    for later in (-601, 601):
        with pytest.raises(NotGenuine, match="stale"):
            opened(*push(), later=later)


@pytest.mark.parametrize("stamp", ["", "now", "-5", "1714112445.0", "9" * 30, "١٧١٤"])
def test_a_timestamp_that_is_none_is_refused(stamp: str) -> None:
    with pytest.raises(NotGenuine):
        opened(*push(timestamp=stamp))


def test_a_good_signature_vouches_for_no_body() -> None:
    query, _ = push()
    _, other = push()
    assert query["signature"]
    with pytest.raises(NotGenuine, match="msg_signature"):
        opened(query, other)
    for changes in ({"msg_signature": ""}, {"msg_signature": "é"}, {"nonce": "1"}):
        with pytest.raises(NotGenuine, match="msg_signature"):
            opened(*push(**changes))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"not json",
        b'{"MsgType":"event","Event":"user_authorization_cancellation"}',
        b'{"Encrypt":""}',
        b'{"Encrypt":["x"]}',
        b"<xml><Event>x</Event></xml>",
    ],
)
def test_a_body_in_the_clear_is_refused_where_pushes_are_encrypted(body: bytes) -> None:
    with pytest.raises(NotGenuine):
        opened(push()[0], body)


def test_what_stands_in_the_clear_beside_the_ciphertext_is_not_looked_at() -> None:
    query, body = push()
    both = body[:-1] + b',"Event":"user_authorization_cancellation","MsgType":"event"}'
    assert event_of(opened(query, both)).name == "debug_demo"


# ---- reading ------------------------------------------------------------------------------


def xml(inner: str) -> bytes:
    return f"<xml>{inner}</xml>".encode()


ITEM = {"TemplateId": "t1", "SubscribeStatusString": "accept"}


@pytest.mark.parametrize(
    "body",
    [
        b'{"MsgType":"event","Event":"e","FromUserName":"o1","CreateTime":1714112445,'
        b'"List":{"TemplateId":"t1","SubscribeStatusString":"accept"}}',
        b'{"MsgType":"event","Event":"e","FromUserName":"o1","CreateTime":"1714112445",'
        b'"List":[{"TemplateId":"t1","SubscribeStatusString":"accept"}]}',
        b'\xef\xbb\xbf{" MsgType":"event"," Event":"e"," FromUserName":"o1",'
        b'" CreateTime":1714112445," List":[{" TemplateId":"t1",'
        b'"SubscribeStatusString":"accept"}]}',
        xml(
            "<MsgType><![CDATA[event]]></MsgType><Event>e</Event><FromUserName>o1</FromUserName>"
            "<CreateTime>1714112445</CreateTime><SubscribeMsgPopupEvent><List>"
            "<TemplateId>t1</TemplateId><SubscribeStatusString>accept</SubscribeStatusString>"
            "</List></SubscribeMsgPopupEvent>"
        ),
    ],
    ids=["object", "array", "spaces", "xml"],
)
def test_the_same_event_is_read_in_every_shape(body: bytes) -> None:
    event = event_of(body)
    assert (event.name, event.openid, event.at) == ("e", "o1", at(1714112445))
    assert list(event.items()) == [ITEM]


def test_several_items_are_read_from_json_and_xml() -> None:
    items = "".join(f"<List><TemplateId>t{n}</TemplateId></List>" for n in (1, 2))
    event = event_of(xml(f"<MsgType>event</MsgType><Wrapped>{items}</Wrapped>"))
    assert [text(item, "TemplateId") for item in event.items()] == ["t1", "t2"]


@pytest.mark.parametrize(
    "body",
    [
        b'<!DOCTYPE xml [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><xml><Event>&b;</Event></xml>',
        b'<!DOCTYPE xml [<!ENTITY f SYSTEM "file:///etc/passwd">]><xml><Event>&f;</Event></xml>',
        b'<!DOCTYPE xml SYSTEM "http://127.0.0.1/x.dtd"><xml></xml>',
        b"<xml>" + b"<a>" * 50 + b"</a>" * 50 + b"</xml>",
        b"<other></other>",
        b"[1]",
        b'"text"',
        b'{"a":' * 100_000,
        b"",
    ],
)
def test_entities_depth_and_what_is_no_object_are_unreadable(body: bytes) -> None:
    with pytest.raises(Unreadable):
        read(body)


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_unreadable(body: bytes) -> None:
    try:
        event = event_of(body)
    except Unreadable:
        return
    assert isinstance(event, Event)
    assert all(isinstance(item, dict) for item in event.items())


def test_odd_values_are_no_numbers_and_no_times() -> None:
    assert number({"n": "x"}, "n") is None
    assert number({"n": " 7 "}, "n") == 7
    assert text({"n": {"a": 1}}, "n") == ""
    for odd in (b'"soon"', b"1e400", b"[]", b"99999999999999"):
        assert event_of(b'{"CreateTime":' + odd + b"}").at is None
