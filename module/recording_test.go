package module

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"

	"pgregory.net/rapid"
)

// closable notices when it is closed.
type closable struct {
	io.Reader
	closed int
}

func (c *closable) Close() error { c.closed++; return nil }

func recorded(body io.Reader, length, limit int64) (*http.Request, *recording, *closable) {
	source := &closable{Reader: body}
	req := httptest.NewRequest(http.MethodPost, "/", nil)
	req.Body, req.ContentLength = source, length
	out, r := recordBody(req, limit)
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
		whole, ok := r.again(context.Background())
		if !ok {
			t.Fatal("it is not replayed")
		}
		got, err := io.ReadAll(whole)
		if err != nil || !bytes.Equal(got, content) {
			t.Fatalf("replayed %q, want %q (%v)", got, content, err)
		}
		r.end()
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
	if _, ok := r.again(context.Background()); ok {
		t.Error("a body that was not kept whole is replayed")
	}
	r.end()
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
	if _, ok := r.again(context.Background()); ok {
		t.Error("half a body is replayed")
	}
	r.end()
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("the caller went away") }

func TestReplayWaitsUntilTheFirstAttemptHasLetGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		req, r, _ := recorded(strings.NewReader("12345"), 5, 100)
		got := make(chan string)
		go func() {
			whole, ok := r.again(t.Context())
			if !ok {
				got <- "nothing"
				return
			}
			b, _ := io.ReadAll(whole)
			got <- string(b)
		}()
		synctest.Wait()
		select {
		case <-got:
			t.Fatal("it did not wait")
		default:
		}
		if _, err := io.CopyN(io.Discard, req.Body, 2); err != nil {
			t.Fatal(err)
		}
		_ = req.Body.Close()
		if body := <-got; body != "12345" {
			t.Errorf("replayed %q", body)
		}
		if _, err := req.Body.Read(make([]byte, 1)); err == nil {
			t.Error("the first attempt reads on after it closed")
		}

		_, stuck, _ := recorded(strings.NewReader("1"), 1, 100)
		if _, ok := stuck.again(t.Context()); ok {
			t.Error("it is replayed although the first attempt never let go")
		}
	})
}
