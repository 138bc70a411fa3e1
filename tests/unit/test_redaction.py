from __future__ import annotations

import base64
import json
import time
from itertools import pairwise
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from orchestration.redaction import MASK, Redactor

TOKENS = {
    "openai": "sk-proj-abcdefghij0123456789",
    "github": "ghp_" + "a1B2" * 9,
    "hugging face": "hf_" + "AbCdEfGhIj" * 3,
    "aws": "AKIAIOSFODNN7EXAMPLE",
    "slack": "xoxb-123456789012-abcdef",
    "google": "AIza" + "x" * 35,
    "jwt": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.SflKxwRJSMeKKF2QT4",
}


def streamed(redactor: Redactor, text: str, cuts: list[int]) -> str:
    stream = redactor.stream()
    edges = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    return "".join(stream.feed(text[start:end]) for start, end in pairwise(edges)) + stream.flush()


def by_character(redactor: Redactor, text: str) -> str:
    stream = redactor.stream()
    return "".join(map(stream.feed, text)) + stream.flush()


def test_known_value_is_replaced_everywhere():
    redactor = Redactor(["hunter22"])
    assert redactor.text("a hunter22 b hunter22hunter22") == f"a {MASK} b {MASK}"
    assert redactor.text("nothing here") == "nothing here"


def test_values_too_short_to_tell_from_text_are_not_looked_for():
    assert Redactor(["abc", ""]).text("abcabc") == "abcabc"


def test_longer_of_two_secrets_goes_as_a_whole():
    assert Redactor(["hunter", "hunter22"]).text("hunter22 hunter") == f"{MASK} {MASK}"


def test_overlapping_secrets_leave_nothing_between():
    assert Redactor(["abcdef", "efghij"]).text("xabcdefghijx") == f"x{MASK}x"


@pytest.mark.parametrize("secret", ['pä$$ "w/ör+d=', "it's\\a&secret", "plain-secret-0123"])
def test_encoded_forms_are_known_as_well(secret):
    data = secret.encode()
    forms = [
        secret,
        quote(secret),
        quote(secret, safe=""),
        quote_plus(secret),
        json.dumps(secret),
        json.dumps(secret, ensure_ascii=False),
        base64.b64encode(data).decode(),
        base64.urlsafe_b64encode(data).decode(),
    ]
    redactor = Redactor([secret])
    for form in forms:
        assert form.strip('"=') not in redactor.text(f"<{form}>")
        assert MASK in redactor.text(f"<{form}>")


@pytest.mark.parametrize("user", ["", "u", "us", "user"])
def test_value_inside_longer_base64_is_found_at_any_place(user):
    encoded = base64.b64encode(f"{user}:correct-horse-battery:tail".encode()).decode()
    redacted = Redactor(["correct-horse-battery"]).text(encoded)
    assert MASK in redacted
    assert len(redacted.replace(MASK, "")) <= len(encoded) - 24


def test_lines_of_a_key_file_are_secrets_on_their_own():
    key = (
        "-----BEGIN OPENSSH PRIVATE KEY-----\n"
        + "\n".join(c * 40 for c in "abc")
        + "\n-----END OPENSSH PRIVATE KEY-----\n"
    )
    redactor = Redactor([key])
    assert "b" * 40 not in redactor.text("read " + "b" * 40)
    assert "a" * 40 not in redactor.text(key.replace("\n", "\r\n"))


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("postgresql://app:s3cr3t@db/x", f"postgresql://app:{MASK}@db/x"),
        ("redis://:p@ss@cache:6379/0", f"redis://:{MASK}@cache:6379/0"),
        ("http://host:8080/path?mail=a@b", "http://host:8080/path?mail=a@b"),
        ("Authorization: Bearer abc.def", f"Authorization: Bearer {MASK}"),
        ("authorization: Basic dXNlcjpwdw==", f"authorization: Basic {MASK}"),
        ("-H 'Authorization: token abc' -v", f"-H 'Authorization: token {MASK}' -v"),
        ('{"Authorization": "Bearer abc"}', f'{{"Authorization": "Bearer {MASK}"}}'),
        ("sent bearer abcdefgh1234", f"sent bearer {MASK}"),
        ("the bearer certificate", "the bearer certificate"),
        ("password=hunter2&user=x", f"password={MASK}&user=x"),
        ("DB_PASSWORD='two words' x", f"DB_PASSWORD='{MASK}' x"),
        ("?api_key=abc&x=1", f"?api_key={MASK}&x=1"),
        ('"access_token": "abc"', f'"access_token": "{MASK}"'),
        ("client-secret: abc", f"client-secret: {MASK}"),
        ("X-Auth-Token: abc", f"X-Auth-Token: {MASK}"),
        (r"{\"password\": \"abc\"}", r"{\"password\": \"" + MASK + '"}'),
        ("login --password hunter2 -v", f"login --password {MASK} -v"),
        ("max_tokens=100 tokens: 5", "max_tokens=100 tokens: 5"),
        ("root@host's password: ", "root@host's password: "),
        ("password=", "password="),
        ("risk-assessment-of-everything-here", "risk-assessment-of-everything-here"),
    ],
)
def test_what_looks_like_a_secret_is_redacted(text, redacted):
    redactor = Redactor()
    assert redactor.text(text) == redacted
    assert redactor.text(redacted) == redacted
    assert by_character(redactor, text) == redacted


@pytest.mark.parametrize("name", TOKENS)
def test_token_of_known_shape_is_redacted_in_text_and_streams(name):
    token = TOKENS[name]
    redactor = Redactor()
    assert redactor.text(f"use {token} now") == f"use {MASK} now"
    assert by_character(redactor, f"use {token} now") == f"use {MASK} now"
    assert redactor.text(f"x{token}").startswith("x")


def test_private_key_is_redacted_in_text_and_streams():
    key = "-----BEGIN RSA PRIVATE KEY-----\nDEK-Info: AES\n\nMIIE-abc\n-----END RSA PRIVATE KEY-----"
    assert Redactor().text(key) == f"-----BEGIN RSA PRIVATE KEY-----{MASK}-----END RSA PRIVATE KEY-----"
    pieces = by_character(Redactor(), key)
    assert not any(part in pieces for part in ("DEK", "AES", "MIIE", "abc"))
    assert pieces.endswith("-----END RSA PRIVATE KEY-----")


def test_json_hides_values_by_key_and_by_value():
    redactor = Redactor(["hunter22"])
    value = {
        "user": "me",
        "password": "x",
        "nested": [{"apiKey": "y", "API-KEY": 5, "note": "it is hunter22"}],
        "token": None,
        "credentials": {"user": "a", "list": ["b"]},
        "hunter22": 1,
        "count": 3,
        "max_tokens": 100,
        "secret": {"secret": "civitai"},
        "auth": {"secret": "civitai", "prefix": "Bearer "},
        "other": {"secret": "not a name!"},
        "url": "https://u:p@h/",
    }
    assert redactor.json(value) == {
        "user": "me",
        "password": MASK,
        "nested": [{"apiKey": MASK, "API-KEY": MASK, "note": f"it is {MASK}"}],
        "token": None,
        "credentials": {"user": MASK, "list": [MASK]},
        MASK: 1,
        "count": 3,
        "max_tokens": 100,
        "secret": {"secret": "civitai"},
        "auth": {"secret": "civitai", "prefix": "Bearer "},
        "other": {"secret": MASK},
        "url": f"https://u:{MASK}@h/",
    }


def test_number_that_is_a_secret_is_hidden():
    assert Redactor(["123456"]).json({"pin": 123456, "n": 12}) == {"pin": MASK, "n": 12}


def test_deep_json_does_not_exhaust_the_stack():
    value: object = "password=x"
    for _ in range(5000):
        value = [value]
    assert "password=x" not in str(Redactor().json(value))


def test_stream_keeps_back_only_what_could_be_a_secret():
    stream = Redactor(["swordfish"]).stream()
    assert stream.feed("hello ") == "hello "
    assert stream.feed("sword") == ""
    assert stream.feed("play") == "swordplay"
    assert stream.feed("a swordfish") == f"a {MASK}"
    assert stream.feed(" b sk") == " b "
    assert stream.feed("y") == "sky"
    assert stream.flush() == ""


def test_stream_hides_a_value_whose_key_was_given_out_before():
    stream = Redactor().stream()
    assert stream.feed("password") == "password"
    assert stream.feed("=") == "="
    assert stream.feed("hun") == MASK
    assert stream.feed("ter2") == ""
    assert stream.feed(" ok") == " ok"


def test_long_value_in_many_pieces_stays_hidden_and_memory_small():
    stream = Redactor().stream()
    given_out = stream.feed("token=") + "".join(stream.feed("x" * 1000) for _ in range(200)) + stream.feed(" end")
    assert given_out == f"token={MASK} end"
    assert len(stream._raw) < 5000


def test_secret_added_later_is_found_in_a_running_stream():
    redactor = Redactor()
    stream = redactor.stream()
    assert stream.feed("before ") == "before "
    redactor.add("opensesame")
    assert stream.feed("opense") + stream.feed("same!") == f"{MASK}!"


@pytest.mark.parametrize("secret", ["[redacted]", "reda", "]abc", "abc[", "***[", "█▒¦§]"])
def test_mask_never_becomes_part_of_a_secret(secret):
    redactor = Redactor([secret])
    for text in (secret + secret[1:], secret[:-1] + secret, secret * 3):
        assert secret not in redactor.text(text)
        assert secret not in by_character(redactor, text)


secrets = st.text(st.characters(codec="utf-8"), min_size=4, max_size=12) | st.text("ab", min_size=4, max_size=8)
filler = st.text(st.characters(codec="utf-8"), max_size=12) | st.text("ab[]red=: ", max_size=12)


@st.composite
def texts_with_secrets(draw: st.DrawFn) -> tuple[list[str], str]:
    hidden = draw(st.lists(secrets, min_size=1, max_size=3))
    parts = draw(st.lists(filler | st.sampled_from(hidden) | st.sampled_from(hidden).map(lambda s: s[:-1]), max_size=8))
    return hidden, "".join(parts)


@settings(max_examples=500)
@given(texts_with_secrets(), st.lists(st.integers(0, 100), max_size=10))
@example((["aaaa"], "aaaaaaa"), [1, 2, 3, 4, 5])
@example((["abcd", "dxyz"], "abcdxyz"), [4])
@example((["abcd", "xxabcdyy"], "xxabcdyy"), [6])
def test_no_chunking_lets_a_secret_out(case, cuts):
    hidden, text = case
    redactor = Redactor(hidden)
    for output in (redactor.text(text), streamed(redactor, text, cuts), by_character(redactor, text)):
        for secret in hidden:
            assert secret not in output


@settings(max_examples=300)
@given(
    st.lists(
        filler
        | st.sampled_from([*TOKENS.values(), "password=", "Authorization: ", "Bearer ", "://u:", "@h", '"', " "]),
        max_size=10,
    ).map("".join),
    st.lists(st.integers(0, 200), max_size=10),
)
def test_no_chunking_lets_a_known_token_out(text, cuts):
    redactor = Redactor()
    whole = redactor.text(text)
    pieces = streamed(redactor, text, cuts)
    for token in TOKENS.values():
        assert (token in pieces) <= (token in whole)


@given(texts_with_secrets())
def test_text_without_secrets_streams_unchanged(case):
    _, text = case
    assert by_character(Redactor(), text).count(MASK) == 0 or Redactor().text(text) != text


@pytest.mark.parametrize(
    "line",
    [
        "Collecting numpy==1.26 from https://pypi.org/simple (12.3 MB) eta 0:00:01\n",
        "eyJ-",
        "://a:",
        "token",
        "bearer ",
        "-----BEGIN PRIVATE KEY-----",
        "sk-",
        "x",
        "--password-",
        "a" * 50,
    ],
)
def test_long_text_takes_time_in_proportion(line):
    redactor = Redactor([f"secret-value-{n}" for n in range(10)])
    text = line * (500_000 // len(line))
    started = time.process_time()
    redactor.text(text)
    # About 0.1 s here; a quadratic pattern takes minutes.
    assert time.process_time() - started < 3


def test_prose_keeps_what_only_looks_like_a_secret():
    redactor = Redactor(["swordfish"])
    said = {"text": 'password = input("Name: ")', "token": "abc", "list": ["swordfish", 1]}
    assert redactor.prose(said) == {"text": 'password = input("Name: ")', "token": "abc", "list": [MASK, 1]}


@given(text=st.text(alphabet="swordfih =pay:", max_size=60), cuts=st.lists(st.integers(0, 60), max_size=6))
def test_a_stream_that_does_not_guess_says_the_same_wherever_it_is_cut(text, cuts):
    redactor = Redactor(["swordfish"])
    stream = redactor.stream(guess=False)
    edges = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    said = "".join(stream.feed(text[start:end]) for start, end in pairwise(edges)) + stream.flush()
    assert said == redactor.text(text, guess=False)
