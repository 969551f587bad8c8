package rejection

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	// beginningSize is how much of an answer is looked at.
	beginningSize = 4 << 10

	// beginningPatience is how long the headers of an answer wait for the beginning
	// of its body. It comes with them, unless the answer is a stream that has nothing
	// to tell yet.
	beginningPatience = 250 * time.Millisecond
)

// jsonBeginning returns what the first read of a JSON answer brings, and nothing of
// another one. The answer still has it.
func jsonBeginning(req *http.Request, res *http.Response) []byte {
	if req.Method == http.MethodHead || res.Body == nil || res.Body == http.NoBody || !isJSON(res.Header.Get("Content-Type")) {
		return nil
	}
	b := &begunBody{ReadCloser: res.Body, begun: make(chan struct{})}
	res.Body = b
	go b.begin()
	patience := time.NewTimer(beginningPatience)
	defer patience.Stop()
	select {
	case <-b.begun:
	case <-patience.C:
		return nil
	}
	text := b.rest
	if coding := res.Header.Get("Content-Encoding"); strings.EqualFold(coding, "gzip") || strings.EqualFold(coding, "x-gzip") {
		text = gunzipped(text)
	}
	return bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
}

func isJSON(contentType string) bool {
	media, _, _ := strings.Cut(contentType, ";")
	media = strings.ToLower(strings.TrimSpace(media))
	return media == "application/json" || strings.HasSuffix(media, "+json") && !strings.HasPrefix(media, "application/grpc")
}

// gunzipped returns what the beginning of a gzip stream holds.
func gunzipped(text []byte) []byte {
	r, err := gzip.NewReader(bytes.NewReader(text))
	if err != nil {
		return nil
	}
	beginning, _ := io.ReadAll(io.LimitReader(r, beginningSize)) // it may be cut off
	return beginning
}

// begunBody is a body whose first read was made already, or is under way.
type begunBody struct {
	io.ReadCloser
	begun chan struct{}
	rest  []byte // of what was read; to be used when begun is closed
	err   error
}

func (b *begunBody) begin() {
	defer close(b.begun)
	buffer := make([]byte, beginningSize)
	var n int
	n, b.err = b.ReadCloser.Read(buffer)
	b.rest = buffer[:n]
}

// Read yields what the first read brought, and then the rest of the body.
func (b *begunBody) Read(p []byte) (int, error) {
	<-b.begun
	if len(b.rest) > 0 {
		n := copy(p, b.rest)
		b.rest = b.rest[n:]
		return n, nil
	}
	if b.err != nil {
		return 0, b.err
	}
	return b.ReadCloser.Read(p)
}

// findText looks for a member in a JSON text of which only the beginning may be
// there. The text of an object or an array is empty; null is as good as no member.
func findText(beginning []byte, path string) (text string, found bool) {
	f := finder{json.NewDecoder(bytes.NewReader(beginning)), int64(len(beginning))}
	f.UseNumber()
	text, found, _ = f.find(path)
	return text, found
}

type finder struct {
	*json.Decoder
	end int64
}

// find reads one value, and looks for the path in it. A path "" is the value itself.
func (f *finder) find(path string) (text string, found bool, err error) {
	value, err := f.Token()
	if err != nil {
		return "", false, err
	}
	open, nests := value.(json.Delim)
	switch {
	case path == "":
		text, found = f.scalar(value)
		return text, found, nil
	case !nests:
		return "", false, nil
	}
	for i := 0; f.More(); i++ {
		name := strconv.Itoa(i)
		if open == '{' {
			key, err := f.Token()
			if err != nil {
				return "", false, err
			}
			name, _ = key.(string)
		}
		inner, leads := strings.CutPrefix(path, name)
		switch {
		case leads && inner == "":
		case leads && inner[0] == '.':
			inner = inner[1:]
		default:
			if err := f.skip(); err != nil {
				return "", false, err
			}
			continue
		}
		if text, found, err = f.find(inner); found || err != nil {
			return text, found, err
		}
	}
	_, err = f.Token() // the end of it
	return "", false, err
}

func (f *finder) scalar(value json.Token) (text string, found bool) {
	switch value := value.(type) {
	case nil:
		return "", false
	case string:
		return value, true
	case bool:
		return strconv.FormatBool(value), true
	case json.Number:
		return value.String(), f.InputOffset() < f.end // else more digits may follow
	}
	return "", true
}

// skip reads one value.
func (f *finder) skip() error {
	for depth := 0; ; {
		value, err := f.Token()
		if err != nil {
			return err
		}
		switch value {
		case json.Delim('{'), json.Delim('['):
			depth++
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
		if depth == 0 {
			return nil
		}
	}
}
