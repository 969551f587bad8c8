package proxy_test

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// untouching is a server of HTTP/2 that refuses every other request without having looked at
// it (RFC 9113 section 8.7), and answers the next with its body and the proof that came along.
type untouching struct {
	listener net.Listener

	mu     sync.Mutex
	count  int
	proofs []string
	bodies []string
}

func newUntouching(t *testing.T) *untouching {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &untouching{listener: listener}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go s.serve(conn)
		}
	}()
	return s
}

func (s *untouching) serve(conn net.Conn) {
	defer conn.Close()
	preface := make([]byte, len(http2.ClientPreface))
	if _, err := io.ReadFull(conn, preface); err != nil {
		return
	}
	framer := http2.NewFramer(conn, conn)
	framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	_ = framer.WriteSettings()
	bodies := make(map[uint32]*strings.Builder)
	for {
		frame, err := framer.ReadFrame()
		if err != nil {
			return
		}
		ended := false
		switch f := frame.(type) {
		case *http2.SettingsFrame:
			if !f.IsAck() {
				_ = framer.WriteSettingsAck()
			}
		case *http2.MetaHeadersFrame:
			s.note(f)
			bodies[f.StreamID], ended = new(strings.Builder), f.StreamEnded()
		case *http2.DataFrame:
			bodies[f.StreamID].Write(f.Data())
			ended = f.StreamEnded()
		}
		if ended {
			s.answer(framer, frame.Header().StreamID, bodies[frame.Header().StreamID].String())
		}
	}
}

func (s *untouching) note(f *http2.MetaHeadersFrame) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, field := range f.RegularFields() {
		if field.Name == "dpop" {
			s.proofs = append(s.proofs, field.Value)
		}
	}
}

func (s *untouching) answer(framer *http2.Framer, stream uint32, body string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bodies = append(s.bodies, body)
	if s.count++; s.count%2 == 1 {
		_ = framer.WriteRSTStream(stream, http2.ErrCodeRefusedStream)
		return
	}
	var block bytes.Buffer
	_ = hpack.NewEncoder(&block).WriteField(hpack.HeaderField{Name: ":status", Value: "200"})
	_ = framer.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: block.Bytes(), EndHeaders: true, EndStream: true})
}

// A server of HTTP/2 that is about to stop, or has too much to do, says of a request that it was
// not looked at. It may be sent again whatever its method, with another proof.
func TestARequestThatTheUpstreamHasNotLookedAtIsSentAgainWithItsBody(t *testing.T) {
	upstream := newUntouching(t)
	s := newProving(t, nil)
	address := upstream.listener.Addr().String()
	s.Load(s.Upstreams("h2c://"+address, "dpop\nallow http://"+address, ""))
	const body = "an order"
	if res, text := s.Do("POST", "/orders", body); res.StatusCode != http.StatusOK {
		t.Errorf("%s %s", res.Status, text)
	}
	upstream.mu.Lock()
	defer upstream.mu.Unlock()
	if len(upstream.bodies) != 2 || upstream.bodies[0] != body || upstream.bodies[1] != body {
		t.Errorf("the bodies that came are %q", upstream.bodies)
	}
	if len(upstream.proofs) != 2 || upstream.proofs[0] == upstream.proofs[1] {
		t.Errorf("the proofs that came are %q", upstream.proofs)
	}
}

// What is not kept cannot be.
func TestARequestWhoseBodyIsNotKeptIsNotSentAgain(t *testing.T) {
	upstream := newUntouching(t)
	s := newProving(t, nil)
	address := upstream.listener.Addr().String()
	s.Load(s.Upstreams("h2c://"+address, "replay_buffer 0\nallow http://"+address+"\ndpop", ""))
	upstream.mu.Lock()
	upstream.count = 1 // what asks for a nonce first is answered
	upstream.mu.Unlock()
	if res, text := s.Do("POST", "/orders", "an order"); res.StatusCode != http.StatusBadGateway {
		t.Errorf("%s %s", res.Status, text)
	}
	upstream.mu.Lock()
	defer upstream.mu.Unlock()
	if len(upstream.bodies) != 2 {
		t.Errorf("the bodies that came are %q", upstream.bodies)
	}
}
