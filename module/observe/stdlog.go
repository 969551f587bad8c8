package observe

import (
	"io"
	"log"
	"strings"

	"lamplighter/module/internal/redact"
)

// GuardStdLog has what Go's own packages log withheld where it holds a secret: net/http quotes an
// upstream that sends more than an answer, and has no other place for that. Caddy may set the
// writer anew with each configuration, and ends one of its own after the next has begun, so that
// this is called then.
func GuardStdLog() {
	if w := log.Writer(); !isGuarded(w) {
		log.SetOutput(guardedWriter{w})
	}
}

func isGuarded(w io.Writer) bool {
	_, ok := w.(guardedWriter)
	return ok
}

// guardedWriter is where a logger of package log writes its lines, one with each call.
type guardedWriter struct{ io.Writer }

// Write writes a line, up to what it quotes if that holds a secret.
func (w guardedWriter) Write(line []byte) (int, error) {
	var remembered *redact.Secrets
	text := string(line)
	if !remembered.Reveals(text) {
		return w.Writer.Write(line)
	}
	said, _, quotes := strings.Cut(text, `"`)
	if !quotes || remembered.Reveals(said) {
		said = ""
	}
	if _, err := io.WriteString(w.Writer, said+redact.Withheld+"\n"); err != nil {
		return 0, err
	}
	return len(line), nil
}
