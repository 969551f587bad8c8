package target

import (
	"net/url"
	"strings"

	"lamplighter/module/internal/redact"
)

// IsWebAddress reports whether a browser opens an address as a web page, and it can
// be read as it is.
func IsWebAddress(address string) bool {
	u, err := url.Parse(address)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Hostname() != "" && u.User == nil &&
		!strings.Contains(address, " ") && redact.Visible(address) == address
}
