package replay

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// closable notices when it is closed.
type closable struct {
	io.Reader
	closed int
}

func (c *closable) Close() error { c.closed++; return nil }

func recorded(body io.Reader, length, limit int64) (*http.Request, *Body, *closable) {
	source := &closable{Reader: body}
	req := httptest.NewRequest(http.MethodPost, "/", nil)
	req.Body, req.ContentLength = source, length
	out, r := Record(req, limit)
	return out, r, source
}

func TestAnyBodyWithinTheBoundIsReplayedWhole(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		content := rapid.SliceOfN(rapid.Byte(), 1, 200).Draw(t, "content")
		readFirst := rapid.IntRange(0, len(content)).Draw(t, "read by the first attempt")
		chunked := rapid.Bool().Draw(t, "length unknown")
		length := int64(len(content))
		if chunked {
			length = -1
		}
		req, r, source := recorded(bytes.NewReader(content), length, 200)
		if _, err := io.CopyN(io.Discard, req.Body, int64(readFirst)); err != nil {
			t.Fatal(err)
		}
		_ = req.Body.Close()
		if rapid.Bool().Draw(t, "net/http sends it again") {
			body, err := req.GetBody()
			if err != nil {
				t.Fatal(err)
			}
			if again, err := io.ReadAll(body); err != nil || !bytes.Equal(again, content) {
				t.Fatalf("net/http sends %q, want %q (%v)", again, content, err)
			}
			_ = body.Close()
		}
		whole, ok := r.again(false)
		if !ok {
			t.Fatal("it is not replayed")
		}
		got, err := io.ReadAll(whole)
		if err != nil || !bytes.Equal(got, content) {
			t.Fatalf("replayed %q, want %q (%v)", got, content, err)
		}
		r.End()
		_ = whole.Close()
		if source.closed == 0 {
			t.Fatal("the caller's body was left open")
		}
	})
}

func TestBodyBeyondTheBoundIsNotKept(t *testing.T) {
	if _, r, _ := recorded(strings.NewReader("12345"), 5, 4); r != nil {
		t.Error("a body of known length was recorded")
	}
	req, r, _ := recorded(strings.NewReader("12345"), -1, 4)
	if got, err := io.ReadAll(req.Body); err != nil || string(got) != "12345" {
		t.Fatalf("the first attempt reads %q, %v", got, err)
	}
	_ = req.Body.Close()
	if _, err := req.GetBody(); err == nil {
		t.Error("net/http sends a body again that was not kept whole")
	}
	if _, ok := r.again(false); ok {
		t.Error("a body that was not kept whole is replayed")
	}
	r.End()
	if _, r, _ := recorded(strings.NewReader("1"), 1, 0); r != nil {
		t.Error("replay_buffer 0 records")
	}
}

func TestBodyThatFailedIsNotReplayed(t *testing.T) {
	req, r, _ := recorded(io.MultiReader(strings.NewReader("12"), failing{}), -1, 100)
	if _, err := io.ReadAll(req.Body); err == nil {
		t.Fatal("the failure is hidden from the first attempt")
	}
	_ = req.Body.Close()
	if _, ok := r.again(false); ok {
		t.Error("half a body is replayed")
	}
	r.End()
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("the caller went away") }

// A stream of gRPC waits for an answer before it sends more: the first attempt's read
// of it ends only when the second has its answer.
func TestAReplayTakesOverTheReadThatIsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		caller, source := io.Pipe()
		defer caller.Close()
		req, r, _ := recorded(caller, -1, 100)
		first := make(chan error)
		go func() { _, err := io.Copy(io.Discard, req.Body); first <- err }()
		_, _ = io.WriteString(source, "ping")
		synctest.Wait() // the next read is under way
		began := time.Now()
		second, ok := r.again(false)
		if !ok {
			t.Fatal("it is not replayed")
		}
		b := make([]byte, 10)
		if n, err := second.Read(b); string(b[:n]) != "ping" || err != nil || time.Since(began) > 0 {
			t.Errorf("the second attempt begins with %q, %v, after %v", b[:n], err, time.Since(began))
		}
		go func() { _, _ = io.WriteString(source, "pong"); _ = source.Close() }()
		if rest, err := io.ReadAll(second); string(rest) != "pong" || err != nil {
			t.Errorf("and goes on with %q, %v", rest, err)
		}
		if err := <-first; err != http.ErrBodyReadAfterClose {
			t.Errorf("the first attempt ends with %v", err)
		}
	})
}

func TestASecondAttemptThatLetsGoWaitsForNoRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		caller, source := io.Pipe()
		req, r, closes := recorded(caller, -1, 100)
		go func() { _, _ = req.Body.Read(make([]byte, 1)) }()
		synctest.Wait()
		second, _ := r.again(false)
		ended := make(chan error)
		go func() { _, err := second.Read(make([]byte, 1)); ended <- err }()
		synctest.Wait()
		_ = second.Close()
		if err := <-ended; err != http.ErrBodyReadAfterClose {
			t.Errorf("the read ends with %v", err)
		}
		r.End()
		if closes.closed != 1 {
			t.Errorf("the caller's body was closed %d times", closes.closed)
		}
		_ = source.Close()
	})
}
