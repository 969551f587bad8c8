package replay

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

var errCaller = errors.New("the caller went away")

// slowBody is a caller's body that comes in pieces, each some time after it is asked
// for, and ends with err.
type slowBody struct {
	pieces  [][]byte
	pauses  []time.Duration // one more: before the end
	err     error
	eager   bool // the end comes with the last piece
	given   atomic.Int64
	ended   atomic.Bool
	readers atomic.Int32
	crowded atomic.Bool
	closed  atomic.Int32
}

func (s *slowBody) Read(p []byte) (int, error) {
	s.crowded.CompareAndSwap(false, s.readers.Add(1) > 1)
	defer s.readers.Add(-1)
	time.Sleep(s.pauses[0])
	if len(s.pieces) == 0 {
		s.ended.Store(true)
		return 0, s.err
	}
	n := copy(p, s.pieces[0])
	s.given.Add(int64(n))
	s.pieces[0] = s.pieces[0][n:]
	if len(s.pieces[0]) > 0 {
		return n, nil
	}
	s.pieces, s.pauses = s.pieces[1:], s.pauses[1:]
	if len(s.pieces) == 0 && s.eager {
		s.ended.Store(true)
		return n, s.err
	}
	return n, nil
}

func (s *slowBody) Close() error { s.closed.Add(1); return nil }

// reader is an attempt to send a body: it reads with a buffer, pauses after each
// read, and lets go after a number of reads.
type reader struct {
	buffer, reads int
	pause         time.Duration

	got []byte
	err error
}

func drawReader(t *rapid.T, name string) *reader {
	return &reader{
		buffer: rapid.IntRange(1, 20).Draw(t, name+" buffer"),
		reads:  rapid.SampledFrom([]int{0, 1, 2, 5, 1 << 20}).Draw(t, name+" reads"),
		pause:  time.Duration(rapid.IntRange(0, 3).Draw(t, name+" pauses")) * time.Second,
	}
}

func (r *reader) send(body io.ReadCloser) {
	b := make([]byte, r.buffer)
	for ; r.reads > 0 && r.err == nil; r.reads-- {
		var n int
		n, r.err = body.Read(b)
		r.got = append(r.got, b[:n]...)
		clear(b)
		time.Sleep(r.pause)
	}
	_ = body.Close()
}

func TestAReplayAtAnyTimeSendsTheWholeBody(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		source := &slowBody{
			pieces: rapid.SliceOfN(rapid.SliceOfN(rapid.Byte(), 1, 30), 0, 6).Draw(rt, "pieces"),
			err:    rapid.SampledFrom([]error{io.EOF, errCaller}).Draw(rt, "end"),
			eager:  rapid.Bool().Draw(rt, "the end comes with the last piece"),
		}
		whole := bytes.Join(source.pieces, nil)
		for range len(source.pieces) + 1 {
			source.pauses = append(source.pauses, time.Duration(rapid.IntRange(0, 4).Draw(rt, "pause"))*time.Second)
		}
		for i, piece := range source.pieces {
			source.pieces[i] = bytes.Clone(piece)
		}
		limit := rapid.SampledFrom([]int64{1, 10, 50, 1000}).Draw(rt, "bound")
		attempts := make([]*reader, rapid.IntRange(2, 3).Draw(rt, "attempts"))
		rejected := make([]time.Duration, len(attempts)-1)
		for i := range attempts {
			attempts[i] = drawReader(rt, fmt.Sprint("attempt ", i))
		}
		for i := range rejected {
			rejected[i] = time.Duration(rapid.IntRange(0, 25).Draw(rt, "rejected after"))*time.Second + time.Duration(rapid.IntRange(0, 1).Draw(rt, "and"))*time.Nanosecond
		}
		var failed string
		synctest.Test(t, func(*testing.T) { failed = replayed(source, whole, limit, attempts, rejected) })
		if failed != "" {
			rt.Fatal(failed)
		}
	})
}

// replayed sends a body again and again, each time when the attempt before was
// rejected after a while, and says what is wrong with that.
func replayed(source *slowBody, whole []byte, limit int64, attempts []*reader, rejected []time.Duration) string {
	end := source.err
	req, r := Record(&http.Request{Body: source, ContentLength: -1}, limit)
	var sending sync.WaitGroup
	body, last := req.Body, attempts[0]
	patient := last.reads >= 1<<20
	for i, after := range rejected {
		sending.Go(func() { attempts[i].send(body) })
		time.Sleep(after)
		synctest.Wait()
		given := source.given.Load()
		want := given <= limit && (!source.ended.Load() || end == io.EOF)
		next, ok := r.again(i+1 < len(rejected))
		if ok != want {
			return fmt.Sprintf("after %d bytes, replayed: %v", given, ok)
		}
		if !ok {
			r.End()
			break
		}
		if int64(len(attempts[i].got)) > given || i == 0 && int64(len(last.got)) != given {
			return "an attempt read on"
		}
		body, last = next, attempts[i+1]
		patient = last.reads >= 1<<20
		if i+1 == len(rejected) {
			last.send(body)
			r.End()
		}
	}
	sending.Wait()
	switch {
	case source.crowded.Load():
		return "two read the caller's body at once"
	case source.closed.Load() != 1:
		return fmt.Sprintf("the caller's body was closed %d times", source.closed.Load())
	case r.kept != nil:
		return "what was kept is kept still"
	case patient && (!bytes.Equal(last.got, whole) || last.err != end):
		return fmt.Sprintf("the last attempt sent %q and ended with %v, want %q and %v", last.got, last.err, whole, end)
	}
	for i, a := range attempts {
		if !bytes.HasPrefix(whole, a.got) {
			return fmt.Sprintf("attempt %d sent %q of %q", i, a.got, whole)
		}
	}
	return ""
}
