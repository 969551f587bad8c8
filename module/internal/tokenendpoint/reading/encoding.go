package reading

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httputil"
	"slices"
	"strings"
	"unicode/utf16"
)

// decode turns a body into text without byte order mark, compression and blanks
// around it, however a server or a gateway came to send it. What cannot be undone
// comes back as it is, and the error says why.
func decode(body []byte, header http.Header) ([]byte, error) {
	body, err := decompress(body, header)
	body = bytes.TrimPrefix(utf8Of(body), []byte("\xef\xbb\xbf"))
	return bytes.TrimSpace(unquoted(unchunked(bytes.TrimSpace(body)))), err
}

// decompress undoes compressions, which no request of ours asks for. What the body
// begins with counts for more than what its header says.
func decompress(body []byte, header http.Header) ([]byte, error) {
	codings := strings.FieldsFunc(strings.ToLower(strings.Join(header.Values("Content-Encoding"), ",")), func(r rune) bool {
		return r == ',' || r == ' '
	})
	for range 3 {
		from, err := decompressor(body, slices.Contains(codings, "deflate"))
		if from == nil {
			break
		}
		plain := []byte(nil)
		if err == nil {
			plain, err = readCapped(from)
		}
		if err != nil {
			if len(plain) > 0 {
				body = plain
			}
			if own, ok := errors.AsType[Unreadable](err); ok {
				return body, own
			}
			return body, Unreadable("its compression is damaged")
		}
		body = plain
	}
	if i := slices.IndexFunc(codings, func(c string) bool { return c == "br" || c == "zstd" || c == "compress" || c == "x-compress" }); i >= 0 && !isText(body) {
		return body, Unreadable("it is compressed with " + codings[i] + ", which was not asked for")
	}
	return body, nil
}

// decompressor returns a reader of what the body begins like, nil if that is no
// compression.
func decompressor(body []byte, deflated bool) (io.Reader, error) {
	from := bytes.NewReader(body)
	switch {
	case bytes.HasPrefix(body, []byte{0x1f, 0x8b}):
		return gzip.NewReader(from)
	case len(body) > 2 && body[0] == 0x78 && binary.BigEndian.Uint16(body)%31 == 0 && (deflated || !isText(body)): // RFC 1950 section 2.2
		return zlib.NewReader(from)
	case deflated && !isText(body):
		return flate.NewReader(from), nil // as many understand "deflate"
	}
	return nil, nil
}

// isText reports whether a body begins like text: no byte of control characters.
func isText(body []byte) bool {
	head := body[:min(len(body), 64)]
	return !bytes.ContainsFunc(head, func(r rune) bool { return r < ' ' && r != '\t' && r != '\n' && r != '\r' })
}

// utf8Of decodes UTF-16, which shows by its byte order mark or by the zeros in it.
// Bytes of other encodings are left as they are: they may be those of a token.
func utf8Of(body []byte) []byte {
	var order binary.ByteOrder
	switch {
	case len(body) < 2:
		return body
	case body[0] == 0xfe && body[1] == 0xff, body[0] == 0 && body[1] != 0:
		order = binary.BigEndian
	case body[0] == 0xff && body[1] == 0xfe, body[0] != 0 && body[1] == 0:
		order = binary.LittleEndian
	default:
		return body
	}
	units := make([]uint16, len(body)/2)
	for i := range units {
		units[i] = order.Uint16(body[2*i:])
	}
	return bytes.TrimPrefix([]byte(string(utf16.Decode(units))), []byte("\xef\xbb\xbf"))
}

// unchunked undoes a chunked transfer coding that a gateway left in the body.
func unchunked(body []byte) []byte {
	size, _, found := bytes.Cut(body[:min(len(body), 32)], []byte("\r\n"))
	if !found || len(size) == 0 || len(size) > 8 || bytes.ContainsFunc(size, func(r rune) bool {
		return !strings.ContainsRune("0123456789abcdefABCDEF", r)
	}) {
		return body
	}
	plain, err := io.ReadAll(httputil.NewChunkedReader(bytes.NewReader(append(bytes.Clone(body), "\r\n\r\n"...))))
	if err != nil {
		return body
	}
	return plain
}

// unquoted undoes JSON that stands in a JSON string.
func unquoted(body []byte) []byte {
	for range 3 {
		body = bytes.TrimSpace(body)
		var text string
		if !bytes.HasPrefix(body, []byte{'"'}) || json.Unmarshal(body, &text) != nil {
			break
		}
		body = []byte(text)
	}
	return body
}
