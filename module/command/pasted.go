package command

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// wayBack says how a browser leads on that cannot come back by itself.
func wayBack(redirect *url.URL, terminal bool) string {
	const which = "A browser that cannot come back here, as from outside of a container or from another\nmachine, ends at an address that begins with "
	if terminal {
		return which + redirect.String() + ": paste that address here.\n"
	}
	return which + redirect.String() + ". This command has no\n" +
		"terminal to paste that into: run it in one ('docker exec -it', 'kubectl exec -it', 'ssh -t'),\n" +
		"or log in with --device.\n"
}

// pasted takes the address that a browser ended at, for one that cannot come back: it runs
// outside of the container, or on another machine.
func (v *visitor) pasted(in io.Reader, out io.Writer) {
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if line == "" {
			continue
		}
		u, err := url.Parse(line)
		if err != nil || u.Host == "" { // its error would quote the code
			fmt.Fprintln(out, "That is no address. Paste the whole one from the browser's address bar.")
			continue
		}
		v.ServeHTTP(&page{Writer: out, header: make(http.Header)}, &http.Request{Method: http.MethodGet, URL: u})
	}
}

// page is an answer that a terminal shows.
type page struct {
	io.Writer
	header http.Header
}

// Header is of no use to a terminal.
func (p *page) Header() http.Header { return p.header }

// WriteHeader says of an address that is not the one that was meant what it is.
func (p *page) WriteHeader(status int) {
	if status == http.StatusNotFound {
		fmt.Fprintln(p.Writer, "That address is not the one that the browser was to come back to.")
	}
}
