package kubernetes

import (
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unicode"

	"lamplighter/module/store"
)

// bearer is the token of these tests.
const bearer = "the-bearer-token-of-these-tests"

// against returns an engine for what an API server would answer.
func against(t testing.TB, answer http.HandlerFunc) *engine {
	t.Helper()
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	return pointed(t, server.URL)
}

func pointed(t testing.TB, to string) *engine {
	t.Helper()
	api, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	e := newEngine(config{api: api, namespace: "erp", prefix: "lamplighter-", tokenFile: file(t, bearer), lease: 15 * time.Second})
	t.Cleanup(func() { _ = e.Close() })
	return e
}

func file(t testing.TB, content string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// failure answers as the API server does.
func failure(w http.ResponseWriter, code int, message string) {
	w.Header().Set("Content-Type", whole)
	w.WriteHeader(code)
	fmt.Fprintf(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","message":%q,"code":%d}`, message, code)
}

const version = store.Tag("7.AAAA")

func TestAnAnswerMeansWhatTheContractSays(t *testing.T) {
	for _, c := range []struct {
		code        int
		message     string
		read, write error
	}{
		{401, "Unauthorized", store.ErrRefused, store.ErrRefused},
		{403, `secrets is forbidden: User "x" cannot get resource "secrets"`, store.ErrRefused, store.ErrRefused},
		{403, "secrets \"x\" is forbidden: exceeded quota: q, requested: count/secrets=1", store.ErrFull, store.ErrFull},
		{404, "secrets \"x\" not found", store.ErrNotFound, store.ErrConflict},
		{409, "the object has been modified", store.ErrConflict, store.ErrConflict},
		{413, "Request entity too large", store.ErrFull, store.ErrFull},
		{422, "data: Too long: may not be more than 1048576 bytes", store.ErrFull, store.ErrFull},
		{429, "too many requests", store.ErrUnavailable, store.ErrUnavailable},
		{500, "etcdserver: mvcc: database space exceeded", store.ErrFull, store.ErrFull},
		{500, "etcdserver: request timed out", store.ErrUnavailable, store.ErrUnknown},
		{502, "bad gateway", store.ErrUnavailable, store.ErrUnknown},
		{503, "apiserver is shutting down", store.ErrUnavailable, store.ErrUnknown},
		{504, "context deadline exceeded", store.ErrUnavailable, store.ErrUnknown},
		{302, "elsewhere", store.ErrUnavailable, store.ErrUnknown},
	} {
		e := against(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "/elsewhere")
			failure(w, c.code, c.message)
		})
		if _, err := e.Get(t.Context(), "client"); !errors.Is(err, c.read) {
			t.Errorf("a read is answered %d %s: %v", c.code, c.message, err)
		}
		if _, err := e.Put(t.Context(), "client", []byte("x"), version); !errors.Is(err, c.write) {
			t.Errorf("a write is answered %d %s: %v", c.code, c.message, err)
		}
	}
}

func TestAWriteWhoseAnswerIsLostIsInDoubtAndSentOnce(t *testing.T) {
	var asked atomic.Int32
	e := against(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPatch {
			asked.Add(1)
			panic(http.ErrAbortHandler)
		}
		failure(w, http.StatusNotFound, "")
	})
	_, _ = e.Get(t.Context(), "client") // so that the write finds a connection
	if _, err := e.Put(t.Context(), "client", []byte("x"), version); !errors.Is(err, store.ErrUnknown) {
		t.Errorf("a write is lost: %v", err)
	}
	if n := asked.Load(); n != 1 {
		t.Errorf("it was sent %d times", n)
	}
}

func TestAWriteThatWasDoneAndCannotBeReadIsInDoubt(t *testing.T) {
	for _, answer := range []string{"", "<html>", "{}", `{"metadata":{}}`, `{"metadata":{"resourceVersion":7}}`} {
		e := against(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, answer) })
		if tag, err := e.Put(t.Context(), "client", []byte("x"), version); !errors.Is(err, store.ErrUnknown) {
			t.Errorf("answered %q: %q, %v", answer, tag, err)
		}
	}
}

func TestWhatCannotBeReachedIsUnavailableAndNothingInDoubt(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	if _, err := pointed(t, server.URL).Put(t.Context(), "client", []byte("x"), version); !errors.Is(err, store.ErrUnavailable) {
		t.Error(err)
	}
}

// TestNoWriteIsWithoutItsVersion: one without is accepted unconditionally.
func TestNoWriteIsWithoutItsVersion(t *testing.T) {
	var bodies []string
	e := against(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			fmt.Fprint(w, `{"metadata":{"name":"lamplighter-client","resourceVersion":"7"}}`)
			return
		}
		b := make([]byte, r.ContentLength)
		_, _ = r.Body.Read(b)
		bodies = append(bodies, string(b))
		failure(w, http.StatusConflict, "")
	})
	e.conf.named = true
	ctx := t.Context()
	_, _ = e.Put(ctx, "client", []byte("x"), version)
	_, _ = e.Put(ctx, "client", []byte("x"), "")
	_, _ = e.Put(ctx, "client", []byte("x"), "no tag of ours")
	if _, held, err := e.Acquire(ctx, "client", "holder", ""); err != nil || held.Tag != "" {
		t.Errorf("a lease that somebody else took meanwhile: %v, %v", held, err)
	}
	if len(bodies) != 3 {
		t.Fatalf("there were %d writes", len(bodies))
	}
	for _, body := range bodies {
		if !strings.Contains(body, `"resourceVersion":"7"`) && !strings.Contains(body, `{"op":"replace","path":"/metadata/resourceVersion","value":"7"}`) {
			t.Errorf("written without a version: %s", body)
		}
	}
}

func TestNothingIsSentWhileTheServerAsksForAPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var a api
		res := &http.Response{StatusCode: http.StatusTooManyRequests, Header: http.Header{"Retry-After": {"2"}}, Body: http.NoBody}
		c := &call{method: http.MethodPatch}
		if err := a.refusal(c, res); !errors.Is(err, store.ErrUnavailable) {
			t.Error(err)
		}
		if _, _, err := a.open(t.Context(), c); !errors.Is(err, store.ErrUnavailable) || !strings.Contains(err.Error(), "for 2s") {
			t.Error(err)
		}
		res.Header.Set("Retry-After", "99999999999999999999")
		_ = a.refusal(c, res)
		res.Header.Set("Retry-After", "86400")
		_ = a.refusal(c, res)
		if pause := time.Until(*a.pause.Load()); pause != longestPause {
			t.Errorf("a pause of %s", pause)
		}
	})
}

func TestATokenThatIsRefusedIsReadAgain(t *testing.T) {
	var asked atomic.Int32
	e := against(t, func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if r.Header.Get("Authorization") != "Bearer the-new-token-of-these-tests" {
			failure(w, http.StatusUnauthorized, "Unauthorized")
			return
		}
		fmt.Fprint(w, `{"metadata":{"resourceVersion":"8"}}`)
	})
	if _, err := e.Put(t.Context(), "client", []byte("x"), version); !errors.Is(err, store.ErrRefused) || asked.Load() != 1 {
		t.Errorf("the same token is sent %d times: %v", asked.Load(), err)
	}
	if err := os.WriteFile(e.conf.tokenFile, []byte("the-new-token-of-these-tests\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Put(t.Context(), "client", []byte("x"), version); err != nil {
		t.Error(err)
	}
}

func TestATokenIsReadAgainWithinAMinute(t *testing.T) {
	name := file(t, "the-first-token")
	synctest.Test(t, func(t *testing.T) {
		k := token{conf: &config{tokenFile: name}}
		expect := func(want string) {
			t.Helper()
			if got, err := k.get(); got != want || err != nil {
				t.Errorf("%q, %v", got, err)
			}
		}
		expect("the-first-token")
		if err := os.WriteFile(name, []byte("the-second-token"), 0o600); err != nil {
			t.Fatal(err)
		}
		expect("the-first-token")
		time.Sleep(time.Minute)
		expect("the-second-token")
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		expect("the-second-token")
	})
}

// TestAnotherAuthorityIsTakenUpFromTheFile: connections are made with what ca_file holds
// then.
func TestAnotherAuthorityIsTakenUpFromTheFile(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		failure(w, http.StatusNotFound, "")
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	e := pointed(t, server.URL)
	signed := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	e.conf.caFile = file(t, "none yet")
	if _, err := e.Get(t.Context(), "client"); !errors.Is(err, store.ErrRefused) || !strings.Contains(err.Error(), "ca_file") {
		t.Errorf("without a certificate: %v", err)
	}
	e.conf.caFile = ""
	if _, err := e.Put(t.Context(), "client", []byte("x"), version); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("signed by nobody whom the system trusts: %v", err)
	}
	e.conf.caFile = file(t, string(signed))
	if _, err := e.Get(t.Context(), "client"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("signed by whom ca_file names: %v", err)
	}
}

// TestASecretOfSomebodyElseIsNotWritten: nor taken for that of a client of another name.
func TestASecretOfSomebodyElseIsNotWritten(t *testing.T) {
	for _, answer := range []string{
		`{"metadata":{"name":"x","resourceVersion":"7"},"data":{"password":"eA=="}}`,
		`{"metadata":{"name":"x","resourceVersion":"7","annotations":{"lamplighter/name":"other","lamplighter/write":"A"}},"data":{"record":"eA=="}}`,
	} {
		e := against(t, func(w http.ResponseWriter, r *http.Request) {
			if r.Method != http.MethodGet {
				t.Errorf("%s", r.Method)
			}
			fmt.Fprint(w, answer)
		})
		e.conf.named = true
		if _, err := e.Get(t.Context(), "client"); !errors.Is(err, store.ErrRefused) {
			t.Errorf("read: %v", err)
		}
		if _, err := e.Put(t.Context(), "client", []byte("x"), ""); !errors.Is(err, store.ErrRefused) {
			t.Errorf("write: %v", err)
		}
	}
}

// answers is a server without a connection.
type answers func(*http.Request) (*http.Response, error)

func (a answers) RoundTrip(r *http.Request) (*http.Response, error) { return a(r) }

// FuzzAnswers: whatever is answered, nothing breaks, errors are of one line and show no
// secret, and a write that fails is one of the contract's.
func FuzzAnswers(f *testing.F) {
	f.Add(200, `{"metadata":{"resourceVersion":"7","annotations":{"lamplighter/name":"client","lamplighter/write":"A"}},"data":{"record":"eA=="}}`)
	f.Add(403, `{"message":"User \"system:serviceaccount:erp:default\" cannot "}`)
	f.Add(200, `{"type":"MODIFIED","object":{"metadata":{"name":"lamplighter-client","resourceVersion":"8"}}}`+"\n"+`{"type":"ERROR","object":{"code":410}}`)
	f.Add(200, `{"metadata":{"continue":"x","resourceVersion":"1"},"items":[{}]}`)
	f.Add(500, bearer+"\x1b[31m\n")
	f.Add(422, "null")
	f.Fuzz(func(t *testing.T, code int, body string) {
		var calls atomic.Int32
		e := pointed(t, "http://127.0.0.1")
		e.api.http.Transport = answers(func(*http.Request) (*http.Response, error) {
			if calls.Add(1) > 200 {
				t.Fatal("it is asked without end")
			}
			return &http.Response{StatusCode: code, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}, nil
		})
		ctx := t.Context()
		_, read := e.Get(ctx, "client")
		_, written := e.Put(ctx, "client", []byte("x"), version)
		_, created := e.Put(ctx, "client", []byte("x"), "")
		_, _, taken := e.Acquire(ctx, "client", "holder", "")
		listed := e.List(ctx, nil, true, func(store.Object) bool { return true })
		watched := e.Watch(ctx, []string{"client"}, func() {}, func(string) {})
		for _, err := range []error{read, written, created, taken, listed, watched, e.Open(ctx)} {
			if err == nil {
				continue
			}
			text := err.Error()
			if strings.Contains(text, bearer) || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) || len(text) > 4000 {
				t.Errorf("said %q", text)
			}
		}
	})
}
