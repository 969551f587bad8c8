"""Calls the addresses that it is given with a session of requests, until its input ends."""

import gzip
import hashlib
import sys
import threading

import requests

over = threading.Event()
failures = []


def call(session, method, url, want, **kwargs):
    answer = session.request(method, url, timeout=60, **kwargs)
    assert answer.status_code == 200, f"{method} {url}: {answer.status_code} {answer.text}"
    assert answer.text == want, f"{method} {url}: {answer.text!r} is not {want!r}"
    return answer


def lines():
    for i in range(500):
        yield b"line %d of an upload that nobody knows the length of\n" % i


def digest(body):
    return f"{len(body)} {hashlib.sha256(body).hexdigest()}"


def work(base):
    """Everything that an application does with its session."""
    session = requests.Session()
    # The application's own cookies: one that a strict parser would not take.
    own = 'j={"a":1}; plain=1; quoted="x y"; empty=; theirs=a,b'
    upload = b"".join(lines())
    calls = 0
    while calls == 0 or not over.is_set():
        call(session, "GET", base + "/hello", "hello")
        call(session, "POST", base + "/digest", digest(upload), data=lines())
        call(session, "POST", base + "/digest", digest(upload), data=upload)
        call(session, "PUT", base + "/digest", digest(gzip.compress(upload, mtime=0)),
             data=gzip.compress(upload, mtime=0), headers={"Content-Encoding": "gzip"})
        call(session, "GET", base + "/moved", "hello")
        call(session, "POST", base + "/moved-digest", digest(upload), data=upload)
        assert call(session, "GET", base + "/zipped", "zipped " * 1000).headers["Content-Encoding"] == "gzip"
        call(session, "GET", base + "/cookies", own, headers={"Cookie": own})
        call(session, "GET", base + "/remember", "remembered")
        assert call(session, "GET", base + "/cookies", "session=remembered").status_code == 200
        session.cookies.clear()
        call(session, "GET", base + "/hello", "hello", auth=("user", "password"))
        answer = session.head(base + "/hello", timeout=60)
        assert (answer.status_code, answer.headers["Content-Length"]) == (200, "5"), f"HEAD: {answer.status_code} {answer.headers}"
        with session.get(base + "/long", stream=True, timeout=60) as answer:
            got = sum(len(chunk) for chunk in answer.iter_content(1000))
            assert (answer.status_code, got) == (200, 1 << 20), f"/long: {answer.status_code} {got} bytes"
        calls += 13
    return calls


def run(base):
    try:
        print(f"{base}: {work(base)} calls")
    except Exception as e:
        failures.append(e)
        print(base, repr(e))


threads = [threading.Thread(target=run, args=("http://" + address,)) for address in sys.argv[1:]]
for thread in threads:
    thread.start()
sys.stdin.read()
over.set()
for thread in threads:
    thread.join()
sys.exit(1 if failures else 0)
