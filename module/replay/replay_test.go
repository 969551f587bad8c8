package replay

import (
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

func TestA401ThatDoesNotEndHoldsNobodyUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		body, upstream := io.Pipe()
		go func() { _, _ = io.WriteString(upstream, "no") }()
		res := &http.Response{Header: make(http.Header), Body: body, ContentLength: -1}
		began := time.Now()
		if !setAside(res) || time.Since(began) > replayPatience {
			t.Errorf("it took %v", time.Since(began))
		}
		if kept, err := io.ReadAll(res.Body); err != nil || string(kept) != "no" || res.ContentLength != 2 {
			t.Errorf("kept %q of %d bytes, %v", kept, res.ContentLength, err)
		}
	})
}

type panickingBody struct{}

func (panickingBody) Read([]byte) (int, error) { panic("s3cret") }
func (panickingBody) Close() error             { return nil }

// Fault A1.
func TestAPanicWhileA401IsReadEndsThatRequestOnly(t *testing.T) {
	if setAside(&http.Response{Header: make(http.Header), Body: panickingBody{}}) {
		t.Error("it was read")
	}
}
